//! Pages: teams being called to incidents.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::incidents::IncidentId;

/// A team being called to an incident.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Page {
    pub id: i64,
    pub incident_id: i64,
    pub team_id: i64,
    pub team: String,
    pub started_at: Timestamp,
    pub started_by: String,
    pub level: i64,
    pub due_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// `acknowledged`, `over`, `stopped`; empty while it goes on.
    pub outcome: String,
}

/// Somebody who was told.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Call {
    #[serde(skip)]
    pub page_id: i64,
    pub level: i64,
    #[serde(skip)]
    pub user_id: Option<i64>,
    pub name: String,
    pub at: Timestamp,
}

const SELECT: &str = "SELECT p.id, p.incident_id, p.team_id, t.name AS team, p.started_at, p.started_by, p.level, \
    p.due_at, p.ended_at, p.outcome FROM oncall_pages p JOIN oncall_teams t ON t.id = p.team_id";

/// Pairs of incident and team that call for a page: an owner team of a service of an open, real incident
/// that is bad enough and that nobody acknowledged, not paged before. Private incidents page nobody by
/// themselves, because the paged may not see them. Old incidents do not page a team that is new.
pub async fn wanted(db: &Db, limit: i64) -> Result<Vec<(i64, i64)>> {
    db.fetch_all(
        "SELECT DISTINCT i.id, t.id FROM incidents i JOIN incident_services x ON x.incident_id = i.id \
         JOIN services s ON s.id = x.service_id JOIN oncall_teams t ON t.name = s.owner_team \
         WHERE i.status IN ('triage', 'investigating', 'identified', 'monitoring') AND i.kind = 'real' \
         AND i.private = FALSE AND i.severity <= t.pages_from AND i.created_at >= t.created_at \
         AND NOT EXISTS (SELECT 1 FROM incident_milestones m WHERE m.incident_id = i.id \
             AND m.name = 'acknowledged' AND m.at IS NOT NULL) \
         AND NOT EXISTS (SELECT 1 FROM oncall_pages p WHERE p.incident_id = i.id AND p.team_id = t.id) \
         ORDER BY i.id, t.id LIMIT $1",
        args![limit],
    )
    .await
}

/// `None` when the team is paged for it already.
pub async fn insert(tx: &Tx, incident: IncidentId, team: i64, by: &str, now: Timestamp) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO oncall_pages (incident_id, team_id, started_at, started_by, level, due_at, outcome) \
             VALUES ($1, $2, $3, $4, 0, $3, '') ON CONFLICT (incident_id, team_id) DO NOTHING RETURNING id",
            args![incident.0, team, now, by],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

/// Begins an ended page anew.
pub async fn restart(tx: &Tx, incident: IncidentId, team: i64, by: &str, now: Timestamp) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "UPDATE oncall_pages SET started_at = $3, started_by = $4, level = 0, due_at = $3, ended_at = NULL, \
             outcome = '' WHERE incident_id = $1 AND team_id = $2 AND (ended_at IS NOT NULL OR due_at IS NULL) \
             RETURNING id",
            args![incident.0, team, now, by],
        )
        .await?;
    if let Some((id,)) = row {
        tx.execute("DELETE FROM oncall_calls WHERE page_id = $1", args![id]).await?;
    }
    Ok(row.map(|r| r.0))
}

/// Pages whose next person is due, and pages that go on for incidents that were acknowledged or are over.
pub async fn due(db: &Db, now: Timestamp, limit: i64) -> Result<Vec<Page>> {
    let sql = format!(
        "{SELECT} WHERE p.ended_at IS NULL AND (p.due_at <= $1 OR p.incident_id IN (SELECT q.incident_id \
         FROM oncall_pages q JOIN incidents i ON i.id = q.incident_id WHERE q.ended_at IS NULL \
         AND (i.status IN ('resolved', 'closed', 'declined', 'merged') OR EXISTS (SELECT 1 FROM incident_milestones m \
         WHERE m.incident_id = i.id AND m.name = 'acknowledged' AND m.at IS NOT NULL)))) ORDER BY p.due_at, p.id LIMIT $2"
    );
    db.fetch_all(crate::db::Sql::built(sql), args![now, limit]).await
}

/// Takes a page that stands as it was read, so that of two nodes only one goes on; the other finds
/// another level or an end.
pub async fn advance(tx: &Tx, page: &Page, due: Option<Timestamp>) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE oncall_pages SET level = level + 1, due_at = $1 WHERE id = $2 AND level = $3 AND ended_at IS NULL",
            args![due, page.id, page.level],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn end(tx: &Tx, page: i64, outcome: &str, now: Timestamp) -> Result<u64> {
    tx.execute(
        "UPDATE oncall_pages SET ended_at = $1, due_at = NULL, outcome = $2 WHERE id = $3 AND ended_at IS NULL",
        args![now, outcome, page],
    )
    .await
}

pub async fn add_call(tx: &Tx, page: i64, level: i64, user: Option<i64>, name: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO oncall_calls (page_id, level, user_id, name, at) VALUES ($1, $2, $3, $4, $5)",
        args![page, level, user, name, now],
    )
    .await
    .map(drop)
}

/// In order.
pub async fn calls(db: &Db, page: i64) -> Result<Vec<Call>> {
    db.fetch_all(
        "SELECT page_id, level, user_id, name, at FROM oncall_calls WHERE page_id = $1 ORDER BY id LIMIT 200",
        args![page],
    )
    .await
}

/// Everybody who was told about an incident, in order.
pub async fn calls_of(db: &Db, incident: IncidentId) -> Result<Vec<Call>> {
    db.fetch_all(
        "SELECT c.page_id, c.level, c.user_id, c.name, c.at FROM oncall_calls c JOIN oncall_pages p ON p.id = c.page_id \
         WHERE p.incident_id = $1 ORDER BY c.id LIMIT 1000",
        args![incident.0],
    )
    .await
}

/// By team; at most 200.
pub async fn of_incident(db: &Db, incident: IncidentId) -> Result<Vec<Page>> {
    let sql = format!("{SELECT} WHERE p.incident_id = $1 ORDER BY t.name LIMIT 200");
    db.fetch_all(crate::db::Sql::built(sql), args![incident.0]).await
}

pub async fn find(db: &Db, page: i64) -> Result<Option<Page>> {
    db.fetch_optional(crate::db::Sql::built(format!("{SELECT} WHERE p.id = $1")), args![page]).await
}
