//! Counting over all runbooks, private incidents left out.

use crate::args;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;

/// One runbook that was run.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Used {
    pub id: i64,
    pub slug: String,
    pub title: String,
    pub review_by: Option<Timestamp>,
    pub runs: i64,
    pub completed: i64,
    pub stopped: i64,
    pub last_at: Timestamp,
}

/// Most run first.
pub async fn used(db: &Db, since: Timestamp, limit: i64) -> Result<Vec<Used>> {
    db.fetch_all(
        "SELECT r.id, r.slug, r.title, r.review_by, COUNT(*) AS runs, \
         COUNT(CASE WHEN u.state = 'completed' THEN 1 END) AS completed, \
         COUNT(CASE WHEN u.state = 'stopped' THEN 1 END) AS stopped, MAX(u.started_at) AS last_at \
         FROM runbook_runs u JOIN runbooks r ON r.id = u.runbook_id JOIN incidents i ON i.id = u.incident_id \
         WHERE u.started_at >= $1 AND NOT i.private GROUP BY r.id, r.slug, r.title, r.review_by \
         ORDER BY 5 DESC, r.title, r.id LIMIT $2",
        args![since, limit],
    )
    .await
}

/// Runbook, outcome and how often its steps had it.
pub async fn outcomes(db: &Db, since: Timestamp) -> Result<Vec<(i64, String, i64)>> {
    db.fetch_all(
        "SELECT u.runbook_id, c.outcome, COUNT(*) FROM runbook_run_records c JOIN runbook_runs u ON u.id = c.run_id \
         JOIN incidents i ON i.id = u.incident_id WHERE u.started_at >= $1 AND NOT i.private \
         GROUP BY u.runbook_id, c.outcome LIMIT 50000",
        args![since],
    )
    .await
}

/// Id, start and end of the newest resolved real incidents.
pub async fn resolved(db: &Db, since: Timestamp, limit: i64) -> Result<Vec<(i64, Timestamp, Timestamp)>> {
    db.fetch_all(
        "SELECT i.id, i.started_at, i.ended_at FROM incidents i WHERE i.kind = 'real' AND NOT i.private \
         AND i.status IN ('resolved', 'closed') AND i.ended_at IS NOT NULL AND i.started_at >= $1 \
         ORDER BY i.started_at DESC LIMIT $2",
        args![since, limit],
    )
    .await
}

/// Which runbooks were run in which incidents.
pub async fn run_in(db: &Db, since: Timestamp) -> Result<Vec<(i64, i64)>> {
    db.fetch_all(
        "SELECT DISTINCT u.runbook_id, u.incident_id FROM runbook_runs u JOIN incidents i ON i.id = u.incident_id \
         WHERE i.started_at >= $1 AND NOT i.private LIMIT 50000",
        args![since],
    )
    .await
}

/// Runbooks in the library that were never run, and those whose review is overdue.
pub async fn idle(db: &Db, now: Timestamp) -> Result<(i64, i64)> {
    let never: i64 = db
        .fetch_scalar(
            "SELECT COUNT(*) FROM runbooks r WHERE r.archived_at IS NULL \
             AND NOT EXISTS (SELECT 1 FROM runbook_runs u WHERE u.runbook_id = r.id)",
            args![],
        )
        .await?;
    let stale: i64 = db
        .fetch_scalar(
            "SELECT COUNT(*) FROM runbooks WHERE archived_at IS NULL AND review_by < $1",
            args![now - chrono::TimeDelta::days(1)],
        )
        .await?;
    Ok((never, stale))
}
