//! The incident's head, its services and its status changes.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx};
use crate::error::Result;
use crate::incidents::model::record::{Incident, ServiceRef, StatusStep};
use crate::incidents::model::{IncidentId, Kind, Severity, Status};

use super::word;

#[derive(sqlx::FromRow)]
pub(super) struct IncidentRow {
    id: i64,
    title: String,
    summary: String,
    severity: String,
    status: String,
    kind: String,
    private: bool,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    merged_into: Option<i64>,
    parent_id: Option<i64>,
    next_update_due_at: Option<Timestamp>,
    created_by: Option<i64>,
    created_by_name: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: i64,
}

/// The columns of [`IncidentRow`], of the table called `i`.
pub(super) const COLUMNS: &str = "i.id, i.title, i.summary, i.severity, i.status, i.kind, i.private, i.started_at, \
    i.ended_at, i.merged_into, i.parent_id, i.next_update_due_at, i.created_by, i.created_by_name, i.created_at, \
    i.updated_at, i.version";

impl IncidentRow {
    pub(super) fn into_incident(self) -> Result<Incident> {
        Ok(Incident {
            id: IncidentId(self.id),
            title: self.title,
            summary: self.summary,
            severity: word(Severity::parse, &self.severity, "severity")?,
            status: word(Status::parse, &self.status, "status")?,
            kind: word(Kind::parse, &self.kind, "kind")?,
            private: self.private,
            started_at: self.started_at,
            ended_at: self.ended_at,
            merged_into: self.merged_into.map(IncidentId),
            parent: self.parent_id.map(IncidentId),
            next_update_due_at: self.next_update_due_at,
            created_by: self.created_by,
            created_by_name: self.created_by_name,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        })
    }
}

pub struct NewIncident<'a> {
    pub title: &'a str,
    pub summary: &'a str,
    pub severity: Severity,
    pub status: Status,
    pub kind: Kind,
    pub private: bool,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub created_by: Option<i64>,
    pub created_by_name: &'a str,
    pub now: Timestamp,
}

pub async fn insert(tx: &Tx, new: &NewIncident<'_>) -> Result<IncidentId> {
    let (id,): (i64,) = tx.fetch_one("INSERT INTO incidents (title, summary, severity, status, kind, private, started_at, ended_at, created_by, \
         created_by_name, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) RETURNING id", args![new.title, new.summary, new.severity.as_str(), new.status.as_str(), new.kind.as_str(), new.private, new.started_at, new.ended_at, new.created_by, new.created_by_name, new.now]).await?;
    Ok(IncidentId(id))
}

/// Without asking who wants to know: for actions that checked it before.
pub async fn find(db: &Db, id: IncidentId) -> Result<Option<Incident>> {
    let sql = format!("SELECT {COLUMNS} FROM incidents i WHERE i.id = $1");
    let row = db.fetch_optional::<IncidentRow>(Sql::built(sql), args![id.0]).await?;
    row.map(IncidentRow::into_incident).transpose()
}

/// Takes the incident for this transaction: until its end no other one changes its head, its times,
/// its roles or its status. Without asking who wants to know.
pub async fn lock(tx: &Tx, id: IncidentId, now: Timestamp) -> Result<Option<Incident>> {
    let columns = COLUMNS.replace("i.", "");
    let sql = format!("UPDATE incidents SET updated_at = $1 WHERE id = $2 RETURNING {columns}");
    let row = tx.fetch_optional::<IncidentRow>(Sql::built(sql), args![now, id.0]).await?;
    row.map(IncidentRow::into_incident).transpose()
}

/// Writes the whole head of a locked incident.
pub async fn save(tx: &Tx, incident: &Incident) -> Result<()> {
    tx.execute(
        "UPDATE incidents SET title = $1, summary = $2, severity = $3, status = $4, kind = $5, private = $6, \
         started_at = $7, ended_at = $8, merged_into = $9, parent_id = $10, next_update_due_at = $11, version = $12 \
         WHERE id = $13",
        args![
            &incident.title,
            &incident.summary,
            incident.severity.as_str(),
            incident.status.as_str(),
            incident.kind.as_str(),
            incident.private,
            incident.started_at,
            incident.ended_at,
            incident.merged_into.map(|i| i.0),
            incident.parent.map(|i| i.0),
            incident.next_update_due_at,
            incident.version,
            incident.id.0
        ],
    )
    .await?;
    Ok(())
}

/// Marks overdue updates as reminded of, each due time once.
pub async fn take_overdue(tx: &Tx, now: Timestamp, limit: i64) -> Result<Vec<IncidentId>> {
    // Asked again outside, for a node that waited for another's row lock.
    let rows: Vec<(i64,)> = tx
        .fetch_all(
            "UPDATE incidents SET update_reminded_for = next_update_due_at \
             WHERE (update_reminded_for IS NULL OR update_reminded_for <> next_update_due_at) \
             AND next_update_due_at <= $1 AND id IN (SELECT id FROM incidents WHERE next_update_due_at <= $1 \
               AND (update_reminded_for IS NULL OR update_reminded_for <> next_update_due_at) \
               AND status IN ('triage', 'investigating', 'identified', 'monitoring') \
               ORDER BY next_update_due_at LIMIT $2) RETURNING id",
            args![now, limit],
        )
        .await?;
    Ok(rows.into_iter().map(|r| IncidentId(r.0)).collect())
}

/// Remembers what a merged incident was, or forgets it.
pub async fn set_status_before_merge(tx: &Tx, id: IncidentId, status: Option<Status>) -> Result<()> {
    tx.execute("UPDATE incidents SET status_before_merge = $1 WHERE id = $2", args![status.map(Status::as_str), id.0])
        .await?;
    Ok(())
}

pub async fn services(db: &Db, id: IncidentId) -> Result<Vec<ServiceRef>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        slug: String,
        name: String,
        owner_team: String,
        tier: i64,
    }
    let rows = db.fetch_all::<Row>("SELECT s.slug, s.name, s.owner_team, s.tier FROM incident_services x JOIN services s ON s.id = x.service_id \
         WHERE x.incident_id = $1 ORDER BY s.slug", args![id.0]).await?;
    Ok(rows
        .into_iter()
        .map(|r| ServiceRef { slug: r.slug, name: r.name, owner_team: r.owner_team, tier: r.tier })
        .collect())
}

pub async fn add_service(tx: &Tx, id: IncidentId, service_id: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO incident_services (incident_id, service_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        args![id.0, service_id],
    )
    .await?;
    Ok(())
}

pub async fn remove_service(tx: &Tx, id: IncidentId, service_id: i64) -> Result<()> {
    tx.execute("DELETE FROM incident_services WHERE incident_id = $1 AND service_id = $2", args![id.0, service_id])
        .await?;
    Ok(())
}

pub async fn add_status_step(tx: &Tx, id: IncidentId, step: &StatusStep, author_id: Option<i64>) -> Result<()> {
    tx.execute(
        "INSERT INTO incident_status_changes (incident_id, from_status, to_status, at, recorded_at, author_id, \
         author_name, reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        args![
            id.0,
            step.from.map(Status::as_str),
            step.to.as_str(),
            step.at,
            step.recorded_at,
            author_id,
            &step.author,
            &step.reason
        ],
    )
    .await?;
    Ok(())
}

/// Oldest first; at most 500.
pub async fn status_steps(db: &Db, id: IncidentId) -> Result<Vec<StatusStep>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        from_status: Option<String>,
        to_status: String,
        at: Timestamp,
        recorded_at: Timestamp,
        author_name: String,
        reason: String,
    }
    let rows = db
        .fetch_all::<Row>(
            "SELECT from_status, to_status, at, recorded_at, author_name, reason FROM incident_status_changes \
         WHERE incident_id = $1 ORDER BY id LIMIT 500",
            args![id.0],
        )
        .await?;
    rows.into_iter()
        .map(|r| {
            Ok(StatusStep {
                from: r.from_status.as_deref().map(|s| word(Status::parse, s, "status")).transpose()?,
                to: word(Status::parse, &r.to_status, "status")?,
                at: r.at,
                recorded_at: r.recorded_at,
                author: r.author_name,
                reason: r.reason,
            })
        })
        .collect()
}

/// What a merged incident was before its merge.
pub async fn status_before_merge(db: &Db, id: IncidentId) -> Result<Option<Status>> {
    let row: Option<(Option<String>,)> =
        db.fetch_optional("SELECT status_before_merge FROM incidents WHERE id = $1", args![id.0]).await?;
    row.and_then(|r| r.0).map(|s| word(Status::parse, &s, "status")).transpose()
}

/// Incidents that were merged into this one, newest first; at most 100.
pub async fn merged_into(db: &Db, id: IncidentId) -> Result<Vec<Incident>> {
    let sql = format!("SELECT {COLUMNS} FROM incidents i WHERE i.merged_into = $1 ORDER BY i.id DESC LIMIT 100");
    let rows = db.fetch_all::<IncidentRow>(Sql::built(sql), args![id.0]).await?;
    rows.into_iter().map(IncidentRow::into_incident).collect()
}
