//! Changing an incident's status, with what follows for its milestones.

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

use super::super::model::input::{NewMilestone, StatusChange};
use super::super::model::record::{Incident, StatusStep};
use super::super::model::{EntryKind, IncidentId, Source};
use super::super::store;
use super::events::{self, EventKind};
use super::timeline::{Append, append_timeline};
use super::{By, announce, lock, milestones};

/// # Errors
/// `Conflict` when the state machine does not allow it; `Invalid` when a reason is missing (field
/// `reason`) or when its time breaks the order of the milestones (field `at`).
pub async fn change_status(
    tx: &Tx,
    id: IncidentId,
    change: &StatusChange,
    by: &By,
    now: Timestamp,
) -> Result<Incident> {
    let mut incident = lock(tx, id, now).await?;
    let transition = incident.status.change_to(change.to, Some(&change.reason)).map_err(|refusal| {
        if refusal.is_about_the_reason() {
            Error::invalid("reason", refusal.to_string())
        } else {
            Error::Conflict(refusal.to_string())
        }
    })?;
    let mut standing = milestones::times(tx, id).await?;
    for name in transition.clears.iter().copied().filter(|name| standing.get(*name).is_some()).collect::<Vec<_>>() {
        let reason = format!("back to {}: {}", change.to, change.reason);
        standing = milestones::clear(tx, &mut incident, standing, name, &reason, by, now).await?;
    }
    if let Some(name) = transition.sets.filter(|name| standing.get(*name).is_none()) {
        standing.check(name, change.at, now).map_err(|message| Error::invalid("at", message))?;
        let new = NewMilestone { name, at: change.at, source: Source::Person, reason: change.reason.clone() };
        milestones::put(tx, &mut incident, standing, &new, by, now).await?;
    }
    incident.status = change.to;
    if !change.to.is_open() {
        incident.next_update_due_at = None;
    }
    super::index::save(tx, &incident).await?;
    record(tx, id, transition.from, change, by, now).await?;
    announce(tx, id);
    Ok(incident)
}

async fn record(
    tx: &Tx,
    id: IncidentId,
    from: super::super::model::Status,
    change: &StatusChange,
    by: &By,
    now: Timestamp,
) -> Result<()> {
    let step = StatusStep {
        from: Some(from),
        to: change.to,
        at: change.at,
        recorded_at: now,
        author: by.name.clone(),
        reason: change.reason.clone(),
    };
    store::head::add_status_step(tx, id, &step, by.user_id).await?;
    let reason = if change.reason.is_empty() { String::new() } else { format!(": {}", change.reason) };
    let text = format!("Status changed from {from} to {}{reason}", change.to);
    append_timeline(tx, id, &Append::activity(EntryKind::Status, text, change.at), by, now).await?;
    let detail = serde_json::json!({ "from": from, "to": change.to, "reason": change.reason, "by": by.name });
    events::record(tx, id, EventKind::StatusChanged, &detail, now).await
}

/// Every change of status, oldest first.
pub async fn steps(db: &Db, id: IncidentId) -> Result<Vec<StatusStep>> {
    store::head::status_steps(db, id).await
}
