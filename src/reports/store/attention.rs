//! The SQL of what needs attention: overdue follow-ups, missing postmortems, who noticed first.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Where};
use crate::error::Result;
use crate::incidents::{Viewer, visible};
use crate::reports::model::scope::Scope;

/// A follow-up whose date has passed.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Overdue {
    pub title: String,
    pub due_at: Timestamp,
    /// The n of INC-n.
    pub incident_id: i64,
    pub owner: Option<String>,
}

/// An incident that should have a published postmortem and has none.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Unwritten {
    pub id: i64,
    pub title: String,
    pub severity: String,
    pub started_at: Timestamp,
}

fn overdue_conditions(viewer: Viewer, now: Timestamp) -> Where {
    let mut w = Where::new();
    visible(&mut w, viewer);
    w.and_raw("t.kind = 'follow_up' AND t.state = 'open'").and("t.due_at < ?", now);
    w
}

/// The longest overdue first, at most `limit`, and how many there are.
pub async fn overdue(db: &Db, viewer: Viewer, now: Timestamp, limit: i64) -> Result<(Vec<Overdue>, i64)> {
    let mut w = overdue_conditions(viewer, now);
    let most = w.bind(limit);
    let (sql, args) = w.statement(
        "SELECT t.title, t.due_at, t.incident_id, u.name AS owner FROM incident_tasks t \
         JOIN incidents i ON i.id = t.incident_id LEFT JOIN users u ON u.id = t.owner_id",
        &format!("ORDER BY t.due_at, t.id LIMIT {most}"),
    );
    let rows = db.fetch_all(sql, args).await?;
    let (sql, args) = overdue_conditions(viewer, now)
        .statement("SELECT COUNT(*) FROM incident_tasks t JOIN incidents i ON i.id = t.incident_id", "");
    Ok((rows, db.fetch_scalar(sql, args).await?))
}

/// Real incidents that began in the period.
fn began_in(scope: &Scope, viewer: Viewer) -> Where {
    let mut w = Where::new();
    visible(&mut w, viewer);
    w.and_all("i.started_at >= ? AND i.started_at < ?", args![scope.from, scope.to]);
    w.and_raw("i.kind <> 'drill' AND i.status NOT IN ('declined', 'merged')");
    w
}

/// Severe incidents that are over, newest first, without a published postmortem.
pub async fn unwritten(db: &Db, scope: &Scope, viewer: Viewer, limit: i64) -> Result<Vec<Unwritten>> {
    let mut w = began_in(scope, viewer);
    w.and_raw("i.severity IN ('SEV1', 'SEV2') AND i.status IN ('resolved', 'closed') AND p.id IS NULL");
    let most = w.bind(limit);
    let (sql, args) = w.statement(
        "SELECT i.id, i.title, i.severity, i.started_at FROM incidents i \
         LEFT JOIN postmortems p ON p.incident_id = i.id AND p.state = 'published'",
        &format!("ORDER BY i.started_at DESC, i.id DESC LIMIT {most}"),
    );
    db.fetch_all(sql, args).await
}

/// How many incidents of the period were first noticed by an alert, a person and so on.
pub async fn noticed_by(db: &Db, scope: &Scope, viewer: Viewer) -> Result<Vec<(String, i64)>> {
    let (sql, args) = began_in(scope, viewer).statement(
        "SELECT m.source, COUNT(*) FROM incidents i \
         JOIN incident_milestones m ON m.incident_id = i.id AND m.name = 'detected'",
        "GROUP BY m.source ORDER BY COUNT(*) DESC, m.source",
    );
    db.fetch_all(sql, args).await
}
