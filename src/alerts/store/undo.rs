//! What alerts were before a bulk change, so that it can be taken back.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx, Where};
use crate::error::Result;

/// A bulk change that can still be taken back.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Change {
    pub id: i64,
    pub at: Timestamp,
    pub actor: String,
    pub what: String,
}

/// Notes how the alerts are now, before they are changed.
pub async fn remember(tx: &Tx, ids: &[i64], what: &str, actor: &str, now: Timestamp) -> Result<i64> {
    let id = tx
        .insert("INSERT INTO alert_undo (at, actor, what) VALUES ($1, $2, $3) RETURNING id", args![now, actor, what])
        .await?;
    for chunk in ids.chunks(500) {
        let mut w = Where::new();
        let mark = w.bind(id);
        w.and_any("id", chunk.iter().copied());
        let head = format!(
            "INSERT INTO alert_undo_items (undo_id, alert_id, incident_id, group_id, reason, noise_at, noise_by) \
             SELECT CAST({mark} AS BIGINT), id, incident_id, group_id, reason, noise_at, noise_by FROM alerts"
        );
        let (sql, args) = w.statement(&head, "");
        tx.execute(sql, args).await?;
    }
    Ok(id)
}

/// The newest changes since a moment that were not taken back.
pub async fn recent(db: &Db, since: Timestamp, limit: i64) -> Result<Vec<Change>> {
    db.fetch_all(
        "SELECT id, at, actor, what FROM alert_undo WHERE undone_at IS NULL AND at >= $1 ORDER BY id DESC LIMIT $2",
        args![since, limit],
    )
    .await
}

/// The incidents that a change's alerts belong to now, and belonged to before it.
pub async fn incidents(tx: &Tx, id: i64) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> = tx
        .fetch_all(
            "SELECT i.incident_id FROM alert_undo_items i WHERE i.undo_id = $1 AND i.incident_id IS NOT NULL \
             UNION SELECT a.incident_id FROM alert_undo_items u JOIN alerts a ON a.id = u.alert_id \
             WHERE u.undo_id = $1 AND a.incident_id IS NOT NULL",
            args![id],
        )
        .await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// Puts the alerts back to what was remembered; `None` when that was done before, or never was.
pub async fn restore(tx: &Tx, id: i64, now: Timestamp) -> Result<Option<u64>> {
    let marked =
        tx.execute("UPDATE alert_undo SET undone_at = $1 WHERE id = $2 AND undone_at IS NULL", args![now, id]).await?;
    if marked == 0 {
        return Ok(None);
    }
    let changed = tx
        .execute(
            "UPDATE alerts SET incident_id = u.incident_id, group_id = u.group_id, reason = u.reason, noise_at = u.noise_at, \
             noise_by = u.noise_by, version = version + 1 FROM alert_undo_items u WHERE u.undo_id = $1 AND u.alert_id = alerts.id",
            args![id],
        )
        .await?;
    Ok(Some(changed))
}
