//! The rollups: settled traces' calls by minute, of services and of edges between them.

use std::collections::{BTreeMap, HashSet};

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Rows, Sql, Tx, Value};
use crate::error::Result;
use crate::traces::calls::Tally;

use super::write::{Names, placeholders};

/// Traces whose quiet time is over, longest first: `(row, settle_at)`.
pub async fn due(db: &Db, now: Timestamp, limit: i64) -> Result<Vec<(i64, Timestamp)>> {
    db.fetch_all(
        "SELECT id, settle_at FROM traces WHERE settle_at IS NOT NULL AND settle_at <= $1 ORDER BY settle_at LIMIT $2",
        args![now, limit],
    )
    .await
}

/// A part as settling needs it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SettlePart {
    pub id: i64,

    pub span_keys: Vec<u8>,
    pub body: Vec<u8>,
    pub settled: bool,
}

/// The parts of one trace, at most `limit`.
pub async fn parts(db: &Db, row: i64, limit: i64) -> Result<Vec<SettlePart>> {
    db.fetch_all(
        "SELECT id, span_keys, body, settled FROM trace_parts WHERE trace_row = $1 ORDER BY id LIMIT $2",
        args![row, limit],
    )
    .await
}

/// Marks parts as counted; `false` when another node counted one of them first.
pub async fn claim_parts(tx: &Tx, parts: &[i64]) -> Result<bool> {
    for chunk in parts.chunks(200) {
        let sql = format!(
            "UPDATE trace_parts SET settled = TRUE WHERE NOT settled AND id IN ({})",
            placeholders(1, chunk.len())
        );
        let claimed = tx.execute(Sql::built(sql), chunk.iter().map(|p| Value::from(*p)).collect()).await?;
        if claimed != chunk.len() as u64 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Takes traces off the list unless a later delivery put them there again.
pub async fn mark_settled(tx: &Tx, traces: &[(i64, Timestamp)]) -> Result<()> {
    for (row, at) in traces {
        tx.execute("UPDATE traces SET settle_at = NULL WHERE id = $1 AND settle_at = $2", args![*row, *at]).await?;
    }
    Ok(())
}

/// Looks up the numbers of services by name.
pub async fn service_ids(db: &Db, wanted: &HashSet<&str>, names: &mut Names) -> Result<()> {
    let mut wanted: Vec<&str> = wanted.iter().copied().collect();
    wanted.sort_unstable();
    for chunk in wanted.chunks(200) {
        let sql = format!("SELECT name, id FROM trace_services WHERE name IN ({})", placeholders(1, chunk.len()));
        let found: Vec<(String, i64)> =
            db.fetch_all(Sql::built(sql), chunk.iter().map(|n| Value::from(*n)).collect()).await?;
        names.services.extend(found);
    }
    Ok(())
}

/// `(service, minute, version, bucket)` with calls and errors.
pub type ServiceCounts = BTreeMap<(i64, Timestamp, String, i64), (i64, i64)>;
/// `(caller, callee, minute, bucket)` with calls and errors.
pub type EdgeCounts = BTreeMap<(i64, i64, Timestamp, i64), (i64, i64)>;

pub async fn add_service_counts(tx: &Tx, counts: ServiceCounts) -> Result<()> {
    let mut rows = Rows::new(
        "INSERT INTO trace_service_minutes (service_id, minute_at, version, bucket, calls, errors)",
        6,
        "ON CONFLICT (service_id, minute_at, version, bucket) DO UPDATE SET \
         calls = trace_service_minutes.calls + excluded.calls, errors = trace_service_minutes.errors + excluded.errors",
    );
    for ((service, minute, version, bucket), (calls, errors)) in counts {
        rows.push([
            Value::from(service),
            Value::from(minute),
            Value::from(version),
            Value::from(bucket),
            Value::from(calls),
            Value::from(errors),
        ]);
    }
    tx.insert_rows(rows).await.map(drop)
}

pub async fn add_edge_counts(tx: &Tx, counts: EdgeCounts) -> Result<()> {
    let mut rows = Rows::new(
        "INSERT INTO trace_edge_minutes (caller_id, callee_id, minute_at, bucket, calls, errors)",
        6,
        "ON CONFLICT (caller_id, callee_id, minute_at, bucket) DO UPDATE SET \
         calls = trace_edge_minutes.calls + excluded.calls, errors = trace_edge_minutes.errors + excluded.errors",
    );
    for ((caller, callee, minute, bucket), (calls, errors)) in counts {
        rows.push([
            Value::from(caller),
            Value::from(callee),
            Value::from(minute),
            Value::from(bucket),
            Value::from(calls),
            Value::from(errors),
        ]);
    }
    tx.insert_rows(rows).await.map(drop)
}

/// Services by name with their tallies in `[from, to)`. An empty `service` means all of them.
pub async fn service_tallies(
    db: &Db,
    service: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<BTreeMap<String, Tally>> {
    let rows: Vec<(String, i64, i64, i64)> = db
        .fetch_all(
            "SELECT s.name, m.bucket, CAST(SUM(m.calls) AS BIGINT), CAST(SUM(m.errors) AS BIGINT) \
             FROM trace_service_minutes m JOIN trace_services s ON s.id = m.service_id \
             WHERE m.minute_at >= $1 AND m.minute_at < $2 AND ($3 = '' OR s.name = $3) \
             GROUP BY s.name, m.bucket ORDER BY s.name, m.bucket LIMIT 50000",
            args![from, to, service],
        )
        .await?;
    let mut out: BTreeMap<String, Tally> = BTreeMap::new();
    for (name, bucket, calls, errors) in rows {
        out.entry(name).or_default().add(bucket, calls, errors);
    }
    Ok(out)
}

/// One service's tallies by version in `[from, to)`.
pub async fn version_tallies(
    db: &Db,
    service: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<BTreeMap<String, Tally>> {
    let rows: Vec<(String, i64, i64, i64)> = db
        .fetch_all(
            "SELECT m.version, m.bucket, CAST(SUM(m.calls) AS BIGINT), CAST(SUM(m.errors) AS BIGINT) \
             FROM trace_service_minutes m JOIN trace_services s ON s.id = m.service_id \
             WHERE s.name = $3 AND m.minute_at >= $1 AND m.minute_at < $2 \
             GROUP BY m.version, m.bucket ORDER BY m.version, m.bucket LIMIT 5000",
            args![from, to, service],
        )
        .await?;
    let mut out: BTreeMap<String, Tally> = BTreeMap::new();
    for (version, bucket, calls, errors) in rows {
        out.entry(version).or_default().add(bucket, calls, errors);
    }
    Ok(out)
}

/// Edges `(caller, callee)` with their tallies in `[from, to)`.
pub async fn edge_tallies(db: &Db, from: Timestamp, to: Timestamp) -> Result<BTreeMap<(String, String), Tally>> {
    let rows: Vec<(String, String, i64, i64, i64)> = db
        .fetch_all(
            "SELECT a.name, b.name, m.bucket, CAST(SUM(m.calls) AS BIGINT), CAST(SUM(m.errors) AS BIGINT) \
             FROM trace_edge_minutes m JOIN trace_services a ON a.id = m.caller_id JOIN trace_services b ON b.id = m.callee_id \
             WHERE m.minute_at >= $1 AND m.minute_at < $2 \
             GROUP BY a.name, b.name, m.bucket ORDER BY a.name, b.name, m.bucket LIMIT 50000",
            args![from, to],
        )
        .await?;
    let mut out: BTreeMap<(String, String), Tally> = BTreeMap::new();
    for (caller, callee, bucket, calls, errors) in rows {
        out.entry((caller, callee)).or_default().add(bucket, calls, errors);
    }
    Ok(out)
}

/// When each version of each service was first and last seen in rollups since `from`:
/// `(service, version, first minute, last minute)`.
pub async fn versions_since(db: &Db, from: Timestamp) -> Result<Vec<(String, String, Timestamp, Timestamp)>> {
    db.fetch_all(
        "SELECT s.name, m.version, MIN(m.minute_at), MAX(m.minute_at) FROM trace_service_minutes m \
         JOIN trace_services s ON s.id = m.service_id WHERE m.minute_at >= $1 AND m.version <> '' \
         GROUP BY s.name, m.version ORDER BY s.name, MIN(m.minute_at) LIMIT 20000",
        args![from],
    )
    .await
}
