//! Forgetting: traces by age and by size, a bounded bite at a time so that the writer is never held long.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx, Value};
use crate::error::Result;

use super::write::placeholders;

/// The oldest traces that started before `before`, as `(row, start)`; at most `limit`.
pub async fn oldest(db: &Db, before: Timestamp, limit: i64) -> Result<Vec<(i64, Timestamp)>> {
    db.fetch_all(
        "SELECT id, started_at FROM traces WHERE started_at < $1 ORDER BY started_at, id LIMIT $2",
        args![before, limit],
    )
    .await
}

/// Deletes traces with their spans. Evidence holds copies of its own and stays.
pub async fn delete(tx: &Tx, traces: &[i64]) -> Result<()> {
    for chunk in traces.chunks(100) {
        let list = placeholders(1, chunk.len());
        let args = || chunk.iter().map(|t| Value::from(*t)).collect::<Vec<_>>();
        tx.execute(Sql::built(format!("DELETE FROM trace_parts WHERE trace_row IN ({list})")), args()).await?;
        tx.execute(Sql::built(format!("DELETE FROM traces WHERE id IN ({list})")), args()).await?;
    }
    Ok(())
}

/// Deletes what searches find of traces that are gone: everything of a service before a time. Rows of a
/// long trace that started earlier may stay a little longer; searches skip them.
pub async fn delete_index(tx: &Tx, service: i64, before: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM trace_index WHERE service_id = $1 AND started_at < $2", args![service, before]).await
}

pub async fn service_ids(db: &Db) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> = db.fetch_all("SELECT id FROM trace_services ORDER BY id LIMIT 50000", vec![]).await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// Bytes of all stored parts.
pub async fn stored_bytes(db: &Db) -> Result<i64> {
    db.fetch_scalar(
        "SELECT CAST(COALESCE(SUM(LENGTH(body) + LENGTH(span_keys)), 0) AS BIGINT) FROM trace_parts",
        vec![],
    )
    .await
}

/// Bytes of the parts of some traces.
pub async fn bytes_of(db: &Db, traces: &[i64]) -> Result<i64> {
    let mut total = 0;
    for chunk in traces.chunks(100) {
        let sql = format!(
            "SELECT CAST(COALESCE(SUM(LENGTH(body) + LENGTH(span_keys)), 0) AS BIGINT) FROM trace_parts WHERE trace_row IN ({})",
            placeholders(1, chunk.len())
        );
        total += db.fetch_scalar::<i64>(Sql::built(sql), chunk.iter().map(|t| Value::from(*t)).collect()).await?;
    }
    Ok(total)
}

/// Traces and spans in the store.
pub async fn stored_counts(db: &Db) -> Result<(i64, i64)> {
    db.fetch_one("SELECT COUNT(*), CAST(COALESCE(SUM(span_count), 0) AS BIGINT) FROM traces", vec![]).await
}

/// Rollups older than `before` go. Tells how many rows went.
pub async fn delete_rollups(tx: &Tx, before: Timestamp) -> Result<u64> {
    let services = tx.execute("DELETE FROM trace_service_minutes WHERE minute_at < $1", args![before]).await?;
    let edges = tx.execute("DELETE FROM trace_edge_minutes WHERE minute_at < $1", args![before]).await?;
    Ok(services + edges)
}
