//! The SQL of what needs attention: overdue follow-ups, missing postmortems, stale runbooks.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Where};
use crate::error::Result;
use crate::incidents::{Viewer, visible};
use crate::reports::model::compute::Share;
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

/// Incidents of some severities that are over and began in the period; the words are those of the index behind
/// them.
fn over(scope: &Scope, viewer: Viewer, severities: &[&str]) -> Where {
    let mut w = Where::new();
    visible(&mut w, viewer);
    w.and_any("i.severity", severities.iter().copied());
    w.and_all("i.started_at >= ? AND i.started_at < ?", args![scope.from, scope.to]);
    w.and_raw("i.kind <> 'drill'").and_raw("i.status IN ('resolved', 'closed')");
    w
}

const SEVERE: [&str; 2] = ["SEV1", "SEV2"];

/// Severe incidents that are over and began in the period.
pub async fn severe(db: &Db, scope: &Scope, viewer: Viewer) -> Result<i64> {
    let (sql, args) = over(scope, viewer, &SEVERE).statement("SELECT COUNT(*) FROM incidents i", "");
    db.fetch_scalar(sql, args).await
}

/// Of [`severe`], those without a published postmortem: at most `limit`, newest first; and how many have one.
pub async fn unwritten(db: &Db, scope: &Scope, viewer: Viewer, limit: i64) -> Result<(Vec<Unwritten>, i64)> {
    let mut w = over(scope, viewer, &SEVERE);
    // CROSS, and the condition here: from the few to the many.
    w.and_raw("i.id = p.incident_id").and_raw("p.state = 'published'");
    let (sql, args) = w.statement("SELECT COUNT(*) FROM postmortems p CROSS JOIN incidents i", "");
    let written: i64 = db.fetch_scalar(sql, args).await?;
    let mut newest: Vec<Unwritten> = Vec::new();
    // Of one severity they are found in order; of two, all would be put in order first.
    for severity in SEVERE {
        let mut w = over(scope, viewer, &[severity]);
        w.and_raw("p.id IS NULL");
        let most = w.bind(limit);
        let (sql, args) = w.statement(
            "SELECT i.id, i.title, i.severity, i.started_at FROM incidents i \
             LEFT JOIN postmortems p ON p.incident_id = i.id AND p.state = 'published'",
            &format!("ORDER BY i.started_at DESC, i.id DESC LIMIT {most}"),
        );
        newest.extend(db.fetch_all::<Unwritten>(sql, args).await?);
    }
    newest.sort_by_key(|u| std::cmp::Reverse((u.started_at, u.id)));
    newest.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok((newest, written))
}

/// A runbook whose review is overdue.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StaleRunbook {
    pub slug: String,
    pub title: String,
    pub owner: String,
    pub review_by: Timestamp,
}

/// The longest overdue first, at most `limit`, and how many there are.
pub async fn stale_runbooks(db: &Db, now: Timestamp, limit: i64) -> Result<(Vec<StaleRunbook>, i64)> {
    let rows = db
        .fetch_all(
            "SELECT slug, title, owner, review_by FROM runbooks WHERE archived_at IS NULL AND review_by < $1 \
             ORDER BY review_by, id LIMIT $2",
            args![now, limit],
        )
        .await?;
    let all = "SELECT COUNT(*) FROM runbooks WHERE archived_at IS NULL AND review_by < $1";
    Ok((rows, db.fetch_scalar(all, args![now]).await?))
}

/// Of the follow-ups that fell due in the period, up to now: how many were done by then.
pub async fn on_time(db: &Db, scope: &Scope, viewer: Viewer, now: Timestamp) -> Result<Share> {
    let mut w = Where::new();
    visible(&mut w, viewer);
    w.and_raw("t.kind = 'follow_up' AND t.state <> 'cancelled'");
    w.and_all("t.due_at >= ? AND t.due_at < ?", args![scope.from, scope.to.min(now)]);
    let (sql, args) = w.statement(
        "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN t.done_at <= t.due_at THEN 1 ELSE 0 END), 0) AS BIGINT) \
         FROM incident_tasks t JOIN incidents i ON i.id = t.incident_id",
        "",
    );
    let (of, part): (i64, i64) = db.fetch_one(sql, args).await?;
    Ok(Share { part: usize::try_from(part).unwrap_or(0), of: usize::try_from(of).unwrap_or(0) })
}
