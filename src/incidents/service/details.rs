//! Changing what an incident is called, how bad it is, what it hits, and who may see it.

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

use super::super::model::input::Patch;
use super::super::model::record::{Incident, ServiceRef};
use super::super::model::{EntryKind, IncidentId, Severity};
use super::super::store;
use super::declare::known_services;
use super::events::{self, EventKind};
use super::timeline::{Append, append_timeline};
use super::{By, announce, lock};

/// Changes what the patch names. One timeline entry tells of each change.
///
/// # Errors
/// `Conflict` when the patch started from another version; `Invalid` for unknown services.
pub async fn change_details(tx: &Tx, id: IncidentId, patch: &Patch, by: &By, now: Timestamp) -> Result<Incident> {
    let mut incident = lock(tx, id, now).await?;
    if patch.version.is_some_and(|read| read != incident.version) {
        return Err(Error::Conflict("somebody else changed this incident meanwhile".to_owned()));
    }
    let mut told = Vec::new();
    if let Some(severity) = patch.severity.filter(|s| *s != incident.severity) {
        told.push((EntryKind::Severity, format!("Severity changed from {} to {severity}", incident.severity)));
        tell_severity(tx, &incident, severity, patch, by, now).await?;
        incident.severity = severity;
    }
    if let Some(title) = patch.title.clone().filter(|t| *t != incident.title) {
        told.push((EntryKind::Details, format!("Title changed from \"{}\" to \"{title}\"", incident.title)));
        incident.title = title;
    }
    if let Some(summary) = patch.summary.clone().filter(|s| *s != incident.summary) {
        told.push((EntryKind::Details, "Summary changed".to_owned()));
        incident.summary = summary;
    }
    if let Some(kind) = patch.kind.filter(|k| *k != incident.kind) {
        told.push((EntryKind::Details, format!("Kind changed from {} to {kind}", incident.kind)));
        incident.kind = kind;
    }
    if let Some(private) = patch.private.filter(|p| *p != incident.private) {
        let text = if private { "Made private: only named people see it" } else { "Made visible to everybody" };
        told.push((EntryKind::Access, text.to_owned()));
        incident.private = private;
        crate::search::set_private(tx, id.0, private).await?;
        crate::notifications::set_private(tx, &id.to_string(), private).await?;
        if private && let Some(user_id) = by.user_id {
            // Whoever closes the door stays inside.
            store::people::name(tx, id, user_id, now).await?;
        }
    }
    if let Some(wanted) = &patch.services {
        told.extend(change_services(tx, id, wanted).await?.map(|text| (EntryKind::Service, text)));
    }
    if told.is_empty() {
        return Ok(incident);
    }
    incident.version += 1;
    super::index::save(tx, &incident).await?;
    let reason = if patch.reason.is_empty() { String::new() } else { format!(": {}", patch.reason) };
    for (kind, text) in told {
        append_timeline(tx, id, &Append::activity(kind, format!("{text}{reason}"), now), by, now).await?;
    }
    announce(tx, id);
    Ok(incident)
}

/// Promises the next update for this time, or none.
///
/// # Errors
/// `Conflict` when nobody works on the incident any more.
pub async fn promise_update(
    tx: &Tx,
    id: IncidentId,
    due: Option<Timestamp>,
    by: &By,
    now: Timestamp,
) -> Result<Incident> {
    let mut incident = lock(tx, id, now).await?;
    if due.is_some() && !incident.status.is_open() {
        return Err(Error::Conflict(format!("{id} is {}: no update is due any more", incident.status)));
    }
    if incident.next_update_due_at == due {
        return Ok(incident);
    }
    incident.next_update_due_at = due;
    store::head::save(tx, &incident).await?;
    let text = match due {
        Some(due) => format!("Next update promised for {} UTC", due.to_minute()),
        None => "No next update is promised".to_owned(),
    };
    append_timeline(tx, id, &Append::activity(EntryKind::Details, text, now), by, now).await?;
    announce(tx, id);
    Ok(incident)
}

/// The services of an incident, by slug.
pub async fn services(db: &Db, id: IncidentId) -> Result<Vec<ServiceRef>> {
    store::head::services(db, id).await
}

/// Adds a service that turned out to be hit; for other rooms. Nothing happens when it is there.
pub async fn add_service(tx: &Tx, id: IncidentId, slug: &str, by: &By, now: Timestamp) -> Result<()> {
    let mut slugs: Vec<String> = services(tx, id).await?.into_iter().map(|s| s.slug).collect();
    if slugs.iter().any(|s| s == slug) {
        return Ok(());
    }
    slugs.push(slug.to_owned());
    change_details(tx, id, &Patch { services: Some(slugs), ..Patch::default() }, by, now).await?;
    Ok(())
}

/// What changed, in words; `None` for nothing.
async fn change_services(tx: &Tx, id: IncidentId, wanted: &[String]) -> Result<Option<String>> {
    let standing: Vec<String> = services(tx, id).await?.into_iter().map(|s| s.slug).collect();
    let added: Vec<String> = wanted.iter().filter(|s| !standing.contains(s)).cloned().collect();
    let removed: Vec<String> = standing.iter().filter(|s| !wanted.contains(s)).cloned().collect();
    for service_id in known_services(tx, &added).await? {
        store::head::add_service(tx, id, service_id).await?;
    }
    for service_id in known_services(tx, &removed).await? {
        store::head::remove_service(tx, id, service_id).await?;
    }
    let mut parts = Vec::new();
    if !added.is_empty() {
        parts.push(format!("added {}", added.join(", ")));
    }
    if !removed.is_empty() {
        parts.push(format!("removed {}", removed.join(", ")));
    }
    Ok((!parts.is_empty()).then(|| format!("Services: {}", parts.join("; "))))
}

async fn tell_severity(
    tx: &Tx,
    incident: &Incident,
    to: Severity,
    patch: &Patch,
    by: &By,
    now: Timestamp,
) -> Result<()> {
    let detail = serde_json::json!({ "from": incident.severity, "to": to, "reason": patch.reason, "by": by.name });
    events::record(tx, incident.id, EventKind::SeverityChanged, &detail, now).await
}
