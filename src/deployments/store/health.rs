//! The SQL of how services did around changes.

use std::collections::HashMap;

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx, Where};
use crate::deployments::health::{Health, Side, compare};
use crate::error::Result;

#[derive(sqlx::FromRow)]
struct Row {
    deployment_id: i64,
    before_requests: i64,
    before_errors: i64,
    before_p95_us: Option<i64>,
    after_requests: i64,
    after_errors: i64,
    after_p95_us: Option<i64>,
    due_at: Option<Timestamp>,
}

impl Row {
    fn health(&self) -> Counted {
        let before = Side { requests: self.before_requests, errors: self.before_errors, p95_us: self.before_p95_us };
        let after = Side { requests: self.after_requests, errors: self.after_errors, p95_us: self.after_p95_us };
        Counted { health: compare(before, after), is_final: self.due_at.is_none() }
    }
}

/// What was counted so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Counted {
    #[serde(flatten)]
    pub health: Health,
    /// `false` while the time after the change still passes.
    pub is_final: bool,
}

/// Of changes by their ids; those that were never counted are missing.
pub async fn of(db: &Db, ids: impl IntoIterator<Item = i64>) -> Result<HashMap<i64, Counted>> {
    let mut w = Where::new();
    w.and_raw("computed_at IS NOT NULL").and_any("deployment_id", ids);
    let (sql, args) = w.statement(
        "SELECT deployment_id, before_requests, before_errors, before_p95_us, after_requests, after_errors, after_p95_us, due_at \
         FROM deployment_health",
        "",
    );
    let rows: Vec<Row> = db.fetch_all(sql, args).await?;
    Ok(rows.into_iter().map(|r| (r.deployment_id, r.health())).collect())
}

/// Wants a change counted (again).
pub async fn want(tx: &Tx, id: i64, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO deployment_health (deployment_id, before_requests, before_errors, after_requests, after_errors, due_at) \
         VALUES ($1, 0, 0, 0, 0, $2) ON CONFLICT (deployment_id) DO UPDATE SET due_at = excluded.due_at",
        args![id, now],
    )
    .await
    .map(drop)
}

/// Changes to count now, with the time at which each was due.
pub async fn due(db: &Db, now: Timestamp, limit: i64) -> Result<Vec<(i64, Timestamp)>> {
    db.fetch_all(
        "SELECT deployment_id, due_at FROM deployment_health WHERE due_at IS NOT NULL AND due_at <= $1 \
         ORDER BY due_at, deployment_id LIMIT $2",
        args![now, limit],
    )
    .await
}

/// Keeps what was counted, unless another node or a new report came between.
pub async fn save(
    tx: &Tx,
    id: i64,
    was_due: Timestamp,
    health: &Health,
    now: Timestamp,
    due_at: Option<Timestamp>,
) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE deployment_health SET before_requests = $1, before_errors = $2, before_p95_us = $3, after_requests = $4, \
             after_errors = $5, after_p95_us = $6, computed_at = $7, due_at = $8 WHERE deployment_id = $9 AND due_at = $10",
            args![
                health.before.requests,
                health.before.errors,
                health.before.p95_us,
                health.after.requests,
                health.after.errors,
                health.after.p95_us,
                now,
                due_at,
                id,
                was_due
            ],
        )
        .await?;
    Ok(changed == 1)
}
