//! What happened, for rooms that tell others (notifications, status page, webhooks). An event commits
//! with its change and is taken once.

use serde_json::Value;

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::fields::text_enum;

use super::super::model::IncidentId;

text_enum! {
    pub enum EventKind("kind of event") {
        Declared = "declared",
        StatusChanged = "status_changed",
        SeverityChanged = "severity_changed",
        RoleAssigned = "role_assigned",
        UpdatePosted = "update_posted",
        Merged = "merged",
        Unmerged = "unmerged",
        TaskAssigned = "task_assigned",
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentEvent {
    pub id: i64,
    pub incident: IncidentId,
    pub kind: EventKind,
    /// What changed: `from`, `to`, `reason`, `by` …
    pub detail: Value,
    pub at: Timestamp,
}

pub(super) async fn record(tx: &Tx, id: IncidentId, kind: EventKind, detail: &Value, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO incident_events (incident_id, kind, detail, at) VALUES ($1, $2, $3, $4)",
        args![id.0, kind.as_str(), detail.to_string(), now],
    )
    .await?;
    tx.announce("incident-events");
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    incident_id: i64,
    kind: String,
    detail: String,
    at: Timestamp,
}

impl Row {
    /// `None` for a row that this version does not understand.
    fn into_event(self) -> Option<IncidentEvent> {
        Some(IncidentEvent {
            id: self.id,
            incident: IncidentId(self.incident_id),
            kind: EventKind::parse(&self.kind)?,
            detail: serde_json::from_str(&self.detail).ok()?,
            at: self.at,
        })
    }
}

/// Takes the oldest events that nobody took, in order; the caller queues what follows from them in
/// the same transaction, so that none is lost and none is told twice.
pub async fn take(tx: &Tx, limit: i64, now: Timestamp) -> Result<Vec<IncidentEvent>> {
    let mut rows = tx
        .fetch_all::<Row>(
            "UPDATE incident_events SET taken_at = $1 WHERE taken_at IS NULL AND id IN \
             (SELECT id FROM incident_events WHERE taken_at IS NULL ORDER BY id LIMIT $2) \
             RETURNING id, incident_id, kind, detail, at",
            args![now, limit],
        )
        .await?;
    rows.sort_by_key(|r| r.id);
    Ok(rows.into_iter().filter_map(Row::into_event).collect())
}

/// Whether something waits to be taken.
pub async fn any_waiting(db: &Db) -> Result<bool> {
    let row = db
        .fetch_optional::<(i64,)>("SELECT id FROM incident_events WHERE taken_at IS NULL ORDER BY id LIMIT 1", args![])
        .await?;
    Ok(row.is_some())
}
