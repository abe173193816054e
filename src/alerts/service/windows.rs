//! Announcing and ending maintenance windows.

use crate::accounts::{Actor, Role};
use crate::alerts::grouping::Candidate;
use crate::alerts::maintenance::{Window, WindowInput};
use crate::alerts::store::{self, grouping as stored};
use crate::audit;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::incidents::{self, Append, By, EntryKind, Filter, Status, Viewer, append_timeline};

/// Open incidents that a new window is announced on.
const ANNOUNCED_ON: i64 = 100;

/// # Errors
/// `Invalid` by field.
pub async fn open(tx: &Tx, input: &WindowInput, actor: &Actor, by: &By, now: Timestamp) -> Result<i64> {
    actor.require(Role::Responder)?;
    let window = input.normalize(now)?;
    let id = stored::insert_window(tx, &window, &actor.name, now).await?;
    let detail = serde_json::json!({ "title": window.title, "until": window.ends_at });
    audit::record(tx, now, actor, "maintenance.open", ("maintenance", &id.to_string()), &detail).await?;
    let text = format!("Maintenance until {} UTC: {}", window.ends_at.to_minute(), window.title);
    announce(tx, &window, &text, by, now).await?;
    tx.announce("alerts");
    Ok(id)
}

/// Ends a window now.
///
/// # Errors
/// `NotFound` when it is over or never was.
pub async fn close(tx: &Tx, id: i64, actor: &Actor, by: &By, now: Timestamp) -> Result<()> {
    actor.require(Role::Responder)?;
    let window = stored::windows(tx, now, 200).await?.into_iter().find(|w| w.window.id == id).map(|w| w.window);
    let window = window.ok_or_else(|| Error::not_found("That maintenance window"))?;
    stored::end_window(tx, id, &actor.name, now).await?;
    audit::record(tx, now, actor, "maintenance.close", ("maintenance", &id.to_string()), &serde_json::json!({}))
        .await?;
    announce(tx, &window, &format!("Maintenance over: {}", window.title), by, now).await?;
    tx.announce("alerts");
    Ok(())
}

/// Tells the open incidents of the services that the window is about.
async fn announce(tx: &Tx, window: &Window, text: &str, by: &By, now: Timestamp) -> Result<()> {
    let open = [Status::Triage, Status::Investigating, Status::Identified, Status::Monitoring];
    let filter = Filter { statuses: open.to_vec(), ..Filter::default() };
    for incident in incidents::page(tx, &filter, Viewer { all: true, user_id: 0 }, ANNOUNCED_ON).await? {
        let services = incidents::services(tx, incident.id).await?;
        let by_service = services.iter().any(|s| window.matcher.matches(&on_service(&s.slug, now)));
        if by_service || has_such_alert(tx, window, incident.id).await? {
            let entry = Append::activity(EntryKind::Maintenance, text, now).linked("/alerts/maintenance");
            append_timeline(tx, incident.id, &entry, by, now).await?;
        }
    }
    Ok(())
}

/// Alerts of an incident that are asked whether the window is about them.
const ASKED: i64 = 50;

/// Whether the window is about one of the incident's alerts: windows by label name no service.
async fn has_such_alert(tx: &Tx, window: &Window, incident: incidents::IncidentId) -> Result<bool> {
    let filter = store::Filter { incident: Some(incident.0), ..store::Filter::default() };
    Ok(store::list(tx, &filter, ASKED).await?.iter().any(|a| window.matcher.matches(&a.candidate())))
}

/// An alert of which only the service is known.
fn on_service(slug: &str, now: Timestamp) -> Candidate {
    Candidate {
        id: 0,
        source: String::new(),
        rule: String::new(),
        title: String::new(),
        severity: None,
        service: Some(slug.to_owned()),
        environment: None,
        labels: std::collections::BTreeMap::new(),
        started_at: now,
        ended_at: None,
    }
}
