//! The actions that people take on alerts. Each runs in the caller's transaction; the caller commits
//! and has checked the role. [`decide`] is what the grouping rules do by themselves.

pub mod bulk;
pub mod checks;
pub mod decide;
pub mod expire;
mod opening;
pub mod rules;
pub mod windows;

use super::store::{self, Alert, act};
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::incidents::{
    self, Append, Attach, By, Declare, DeclareInput, EntryKind, EvidenceKind, IncidentId, MilestoneName, NewMilestone,
    NewSnapshot, Source, add_evidence, append_timeline, offer_milestone,
};

/// # Errors
/// `NotFound`.
pub async fn get(db: &Db, id: i64) -> Result<Alert> {
    store::find(db, id).await?.ok_or_else(|| Error::not_found("That alert"))
}

fn changed_meanwhile() -> Error {
    Error::Conflict("somebody else changed this alert meanwhile; look at it again".to_owned())
}

/// Says that a person has taken the alert. Its incident counts as acknowledged, unless it was before.
///
/// # Errors
/// `Conflict` for an alert that is over.
pub async fn acknowledge(tx: &Tx, id: i64, by: &By, now: Timestamp) -> Result<Alert> {
    let alert = get(tx, id).await?;
    if alert.acknowledged_at.is_some() {
        return Ok(alert);
    }
    if !alert.is_firing() {
        return Err(Error::Conflict("this alert is over; there is nothing to acknowledge".to_owned()));
    }
    if !act::acknowledge(tx, &alert, &by.name, now).await? {
        return Err(changed_meanwhile());
    }
    act::log(tx, &[id], "acknowledged", &by.name, "", now).await?;
    if let Some(incident) = alert.incident_id.map(IncidentId) {
        offer_acknowledged(tx, incident, &format!("alert acknowledged: {}", alert.title), by, now).await?;
    }
    announce(tx, &alert);
    get(tx, id).await
}

/// Who takes an alert has taken its incident.
async fn offer_acknowledged(tx: &Tx, incident: IncidentId, reason: &str, by: &By, now: Timestamp) -> Result<()> {
    let reason = reason.to_owned();
    let milestone = NewMilestone { name: MilestoneName::Acknowledged, at: now, source: Source::Person, reason };
    offer_milestone(tx, incident, &milestone, by, now).await.map(drop)
}

/// Ends an alert by a person's word. Should its source say that it fires in a new episode, it does.
///
/// # Errors
/// `Conflict` for an alert that is over.
pub async fn resolve(tx: &Tx, id: i64, by: &By, now: Timestamp) -> Result<Alert> {
    let alert = get(tx, id).await?;
    if !alert.is_firing() {
        return Err(Error::Conflict("this alert is over already".to_owned()));
    }
    if !act::resolve(tx, &alert, now).await? {
        return Err(changed_meanwhile());
    }
    act::log(tx, &[id], "resolved", &by.name, "by hand", now).await?;
    announce(tx, &alert);
    get(tx, id).await
}

fn announce(tx: &Tx, alert: &Alert) {
    tx.announce("alerts");
    if let Some(id) = alert.incident_id {
        tx.announce(format!("incident:{id}"));
    }
}

/// The declare form, filled in from an alert.
pub fn prefill(alert: &Alert) -> DeclareInput {
    DeclareInput {
        title: alert.title.chars().take(crate::fields::MAX_TITLE).collect(),
        severity: format!("SEV{}", alert.severity.map_or(3, super::model::AlertSeverity::sev_number)),
        services: if alert.service.is_empty() { Vec::new() } else { vec![alert.service.clone()] },
        summary: alert.description.clone(),
        impact_started_at: alert.state.started_at.to_rfc3339(),
        detected_at: alert.state.started_at.to_rfc3339(),
        ..DeclareInput::default()
    }
}

/// Reads a declare form that began as [`prefill`]: times that still are the alert's own keep the
/// alert as their source; times that were typed come from the person.
///
/// # Errors
/// `Invalid`, field by field.
pub fn read_declaration(alert: &Alert, input: &DeclareInput, now: Timestamp) -> Result<Declare> {
    let mut declare = input.normalize(now, Source::Person).map_err(Error::Invalid)?;
    let start = alert.state.started_at;
    for (name, typed) in
        [(MilestoneName::ImpactStarted, &input.impact_started_at), (MilestoneName::Detected, &input.detected_at)]
    {
        // A form's time field holds no seconds.
        let is_the_alerts = Timestamp::parse(typed).is_some_and(|t| t == start || t.to_minute() == start.to_minute());
        if is_the_alerts && start <= now {
            let reason = format!("start of the alert \"{}\" at {}", alert.title, alert.source);
            declare.put(NewMilestone { name, at: start, source: Source::Alert, reason });
        }
    }
    Ok(declare)
}

/// Makes an incident of an alert, which is kept with it as evidence.
///
/// # Errors
/// `Conflict` naming the incident that it belongs to already; `Invalid` for unknown services.
pub async fn promote(tx: &Tx, id: i64, declare: &Declare, by: &By, now: Timestamp) -> Result<IncidentId> {
    let alert = get(tx, id).await?;
    if let Some(standing) = alert.incident_id.map(IncidentId) {
        return Err(Error::Conflict(format!("this alert belongs to {standing} already")));
    }
    let incident = incidents::declare(tx, declare, by, now).await?;
    attach(tx, &[id], incident, "promoted by hand", by, now).await?;
    Ok(incident)
}

/// Ties alerts to an incident; the first few are kept with it as evidence.
pub async fn attach(tx: &Tx, ids: &[i64], incident: IncidentId, reason: &str, by: &By, now: Timestamp) -> Result<()> {
    const KEPT_AS_EVIDENCE: usize = 5;
    act::tie(tx, ids, Some(incident.0), None, reason).await?;
    // Without the incident's number, which not everybody may know.
    act::log(tx, ids, "joined an incident", &by.name, reason, now).await?;
    let first = store::find_many(tx, &ids[..ids.len().min(KEPT_AS_EVIDENCE)]).await?;
    for alert in &first {
        add_evidence(tx, incident, &evidence_of(alert), by, now).await?;
        if !alert.service.is_empty() && is_missing(tx, incident, &alert.service).await? {
            incidents::add_service(tx, incident, &alert.service, by, now).await?;
        }
    }
    let text = match (first.as_slice(), ids.len()) {
        ([one], 1) => format!("Alert joined ({reason}): {}", one.title),
        (_, n) => format!("{n} alerts joined ({reason})"),
    };
    let link = if let [one] = ids { format!("/alerts/{one}") } else { format!("/alerts?incident={incident}") };
    append_timeline(tx, incident, &Append::activity(EntryKind::Alert, text, now).linked(link), by, now).await?;
    tx.announce("alerts");
    Ok(())
}

pub(super) async fn is_missing(db: &Db, incident: IncidentId, slug: &str) -> Result<bool> {
    Ok(!incidents::services(db, incident).await?.iter().any(|s| s.slug == slug))
}

/// An alert as evidence, whole, as it stands now.
pub fn evidence_of(alert: &Alert) -> Attach {
    Attach {
        kind: EvidenceKind::Alert,
        title: alert.title.clone(),
        note: String::new(),
        reference: alert.id.to_string(),
        url: format!("/alerts/{}", alert.id),
        topic: alert.dedup_key.clone(),
        occurred_at: Some(alert.state.started_at),
        snapshot: Some(NewSnapshot::json(&super::view::json(alert, None))),
    }
}
