//! Merging a duplicate into the incident that goes on, and undoing it. Nothing is moved: the merged
//! incident keeps its record, and points to the other one.

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

use super::super::model::record::{Incident, StatusStep};
use super::super::model::{EntryKind, IncidentId, Status};
use super::super::store;
use super::events::{self, EventKind};
use super::timeline::{Append, append_timeline};
use super::{By, announce, lock};

/// # Errors
/// `Conflict` when either is merged already, when they are one, or when the one to merge was declined.
pub async fn merge(tx: &Tx, id: IncidentId, into: IncidentId, reason: &str, by: &By, now: Timestamp) -> Result<()> {
    if id == into {
        return Err(Error::invalid("into", "is the same incident"));
    }
    // Always in one order, so that two crossing merges wait instead of locking each other out.
    let (first, second) = (id.min(into), id.max(into));
    let (first, second) = (lock(tx, first, now).await?, lock(tx, second, now).await?);
    let (mut merged, target) = if first.id == id { (first, second) } else { (second, first) };
    for incident in [&merged, &target] {
        if incident.status == Status::Merged {
            return Err(Error::Conflict(format!("{} is merged already", incident.id)));
        }
    }
    if merged.status == Status::Declined {
        return Err(Error::Conflict(format!("{id} was declined")));
    }
    if target.private && !merged.private {
        // Else everybody who sees the one would learn of the other.
        return Err(Error::Conflict(format!("{id} is not private but {into} is: make it private first")));
    }
    let before = merged.status;
    store::head::set_status_before_merge(tx, id, Some(before)).await?;
    merged.status = Status::Merged;
    merged.merged_into = Some(into);
    merged.next_update_due_at = None;
    super::index::save(tx, &merged).await?;
    step(tx, id, before, Status::Merged, reason, by, now).await?;
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    tell(tx, id, format!("Merged into {into}{because}"), into, by, now).await?;
    // A private incident's name does not leak onto a page that others read.
    if !merged.private || target.private {
        tell(tx, into, format!("{id} ({}) was merged into this incident{because}", merged.title), id, by, now).await?;
    }
    let detail = serde_json::json!({ "into": into, "reason": reason, "by": by.name });
    events::record(tx, id, EventKind::Merged, &detail, now).await?;
    announce(tx, id);
    announce(tx, into);
    Ok(())
}

/// Sets a merged incident free again, with the status that it had.
///
/// # Errors
/// `Conflict` when it is not merged.
pub async fn unmerge(tx: &Tx, id: IncidentId, reason: &str, by: &By, now: Timestamp) -> Result<Incident> {
    let mut incident = lock(tx, id, now).await?;
    let (Status::Merged, Some(into)) = (incident.status, incident.merged_into) else {
        return Err(Error::Conflict(format!("{id} is not merged")));
    };
    incident.status = store::head::status_before_merge(tx, id).await?.unwrap_or(Status::Triage);
    incident.merged_into = None;
    store::head::set_status_before_merge(tx, id, None).await?;
    super::index::save(tx, &incident).await?;
    step(tx, id, Status::Merged, incident.status, reason, by, now).await?;
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    tell(tx, id, format!("Merge into {into} undone{because}"), into, by, now).await?;
    if !incident.private {
        tell(tx, into, format!("Merge of {id} undone{because}"), id, by, now).await?;
    }
    let detail = serde_json::json!({ "from": into, "reason": reason, "by": by.name });
    events::record(tx, id, EventKind::Unmerged, &detail, now).await?;
    announce(tx, id);
    announce(tx, into);
    Ok(incident)
}

/// The incidents that were merged into this one, newest first.
pub async fn merged_into(db: &Db, id: IncidentId) -> Result<Vec<Incident>> {
    store::head::merged_into(db, id).await
}

async fn tell(tx: &Tx, id: IncidentId, text: String, other: IncidentId, by: &By, now: Timestamp) -> Result<()> {
    let entry = Append::activity(EntryKind::Merge, text, now).linked(format!("/incidents/{other}"));
    append_timeline(tx, id, &entry, by, now).await?;
    Ok(())
}

async fn step(tx: &Tx, id: IncidentId, from: Status, to: Status, reason: &str, by: &By, now: Timestamp) -> Result<()> {
    let step = StatusStep {
        from: Some(from),
        to,
        at: now,
        recorded_at: now,
        author: by.name.clone(),
        reason: reason.to_owned(),
    };
    store::head::add_status_step(tx, id, &step, by.user_id).await
}
