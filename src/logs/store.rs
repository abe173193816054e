//! The SQL of log records, and nothing else.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Rows, Sql, Tx, Value, Where, like_contains};
use crate::error::Result;
use crate::telemetry::lookup::TraceKey;
use crate::telemetry::{SpanId, TraceId};

use super::model::{LogFilter, LogLine, LogRecord};

/// Longer bodies are cut here; the whole still counts for telling records apart.
const MAX_BODY_CHARS: usize = 8_000;
/// Longer service names are cut.
const MAX_NAME: usize = 200;

/// Adds the services that the records name; gives the numbers of all, and the names that were new.
pub async fn learn_services(
    tx: &Tx,
    records: &[LogRecord],
    now: Timestamp,
) -> Result<(HashMap<String, i64>, Vec<String>)> {
    let names: BTreeSet<String> = records.iter().map(|r| service_name(&r.resource.service)).collect();
    let mut ids = find_services(tx, &names).await?;
    let new: Vec<String> = names.iter().filter(|n| !ids.contains_key(*n)).cloned().collect();
    if !new.is_empty() {
        let mut rows = Rows::new("INSERT INTO log_services (name, first_seen_at)", 2, "ON CONFLICT (name) DO NOTHING");
        for name in &new {
            rows.push([Value::from(name), Value::from(now)]);
        }
        tx.insert_rows(rows).await?;
        ids = find_services(tx, &names).await?;
    }
    Ok((ids, new))
}

async fn find_services(db: &Db, names: &BTreeSet<String>) -> Result<HashMap<String, i64>> {
    let names: Vec<&String> = names.iter().collect();
    let mut ids = HashMap::new();
    for chunk in names.chunks(200) {
        let mut w = Where::new();
        w.and_any("name", chunk.iter().copied());
        let (sql, args) = w.statement("SELECT name, id FROM log_services", "");
        ids.extend(db.fetch_all::<(String, i64)>(sql, args).await?);
    }
    Ok(ids)
}

fn service_name(name: &str) -> String {
    name.chars().filter(|c| *c != '\0').take(MAX_NAME).collect()
}

/// Writes records, those that were delivered before excepted; tells how many were new.
pub async fn insert(tx: &Tx, records: &[LogRecord], services: &HashMap<String, i64>, now: Timestamp) -> Result<u64> {
    let mut rows = Rows::new(
        "INSERT INTO log_records (at, service_id, severity, trace_low, trace_high, span_id, body, detail, digest)",
        9,
        "ON CONFLICT (service_id, at, digest) DO NOTHING",
    );
    for record in records {
        let Some(service) = services.get(&service_name(&record.resource.service)) else { continue };
        let detail = detail_of(record);
        let at = if record.at_nanos > 0 { Timestamp::from_micros(record.at_nanos / 1_000) } else { now };
        rows.push([
            Value::from(at),
            Value::from(*service),
            Value::from(record.severity),
            Value::from(record.trace_id.map(|t| t.low64().cast_signed())),
            Value::from(record.trace_id.map(|t| t.high64().cast_signed())),
            Value::from(record.span_id.map(|s| s.get().cast_signed())),
            Value::from(record.body.chars().take(MAX_BODY_CHARS).collect::<String>()),
            Value::from(&detail),
            Value::from(digest_of(record, &detail)),
        ]);
    }
    tx.insert_rows(rows).await
}

fn detail_of(record: &LogRecord) -> String {
    json!({
        "severity_text": record.severity_text,
        "logger": record.scope,
        "attributes": record.attributes,
        "resource": record.resource.attributes,
    })
    .to_string()
}

/// 64 bits of everything in the record: two that agree in it are the same record.
fn digest_of(record: &LogRecord, detail: &str) -> i64 {
    let ids = (record.trace_id.map(TraceId::to_bytes), record.span_id.map(SpanId::to_bytes));
    let mut hash = Sha256::new();
    hash.update(record.at_nanos.to_be_bytes());
    hash.update([record.severity]);
    hash.update(ids.0.unwrap_or_default());
    hash.update(ids.1.unwrap_or_default());
    hash.update(record.body.as_bytes());
    hash.update([0]);
    hash.update(detail.as_bytes());
    let bytes = hash.finalize();
    bytes.iter().take(8).fold(0_i64, |sum, b| (sum << 8) | i64::from(*b))
}

#[derive(sqlx::FromRow)]
struct LineRow {
    id: i64,
    at: Timestamp,
    service: String,
    severity: i64,
    trace_low: Option<i64>,
    trace_high: Option<i64>,
    span_id: Option<i64>,
    body: String,
    detail: String,
}

impl From<LineRow> for LogLine {
    fn from(row: LineRow) -> Self {
        let trace = row.trace_low.zip(row.trace_high);
        Self {
            id: row.id,
            at: row.at,
            service: row.service,
            severity: u8::try_from(row.severity).unwrap_or(0),
            trace_id: trace.and_then(|(low, high)| TraceId::from_halves(high.cast_unsigned(), low.cast_unsigned())),
            span_id: row.span_id.and_then(|s| SpanId::new(s.cast_unsigned())),
            body: row.body,
            detail: serde_json::from_str(&row.detail).unwrap_or_default(),
        }
    }
}

const LINE: &str = "SELECT l.id, l.at, s.name AS service, l.severity, l.trace_low, l.trace_high, l.span_id, l.body, l.detail \
    FROM log_records l JOIN log_services s ON s.id = l.service_id";

/// A trace's records in order of time, at most `limit`.
pub async fn of_trace(db: &Db, trace: TraceId, limit: i64) -> Result<Vec<LogLine>> {
    let sql = format!("{LINE} WHERE l.trace_low = $1 AND l.trace_high = $2 ORDER BY l.at, l.id LIMIT $3");
    let args = args![trace.low64().cast_signed(), trace.high64().cast_signed(), limit];
    let rows = db.fetch_all::<LineRow>(Sql::built(sql), args).await?;
    Ok(rows.into_iter().map(LogLine::from).collect())
}

/// Records that match, newest first, before the given place; at most `limit`.
pub async fn search(db: &Db, filter: &LogFilter, before: Option<(Timestamp, i64)>, limit: i64) -> Result<Vec<LogLine>> {
    let mut w = Where::new();
    if !filter.service.is_empty() {
        let id: Option<(i64,)> =
            db.fetch_optional("SELECT id FROM log_services WHERE name = $1", args![&filter.service]).await?;
        let Some((id,)) = id else { return Ok(Vec::new()) };
        w.and("l.service_id = ?", id);
    }
    match filter.trace {
        Some(TraceKey::Full(trace)) => {
            w.and("l.trace_low = ?", trace.low64().cast_signed());
            w.and("l.trace_high = ?", trace.high64().cast_signed());
        }
        Some(TraceKey::Low64(low)) => {
            w.and("l.trace_low = ?", low.cast_signed());
        }
        None => {}
    }
    if filter.min_severity > 0 {
        w.and("l.severity >= ?", filter.min_severity);
    }
    if !filter.text.is_empty() {
        w.and("LOWER(l.body) LIKE ? ESCAPE '\\'", like_contains(&filter.text.to_lowercase()));
    }
    if let Some(at) = filter.from {
        w.and("l.at >= ?", at);
    }
    if let Some(at) = filter.to {
        w.and("l.at < ?", at);
    }
    if let Some((at, id)) = before {
        w.and("l.at <= ?", at);
        w.and_all("(l.at < ? OR l.id < ?)", args![at, id]);
    }
    let (sql, args) = w.statement(LINE, &format!("ORDER BY l.at DESC, l.id DESC LIMIT {limit}"));
    Ok(db.fetch_all::<LineRow>(sql, args).await?.into_iter().map(LogLine::from).collect())
}

/// Services that sent records, by name; at most 1,000.
pub async fn services(db: &Db) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = db.fetch_all("SELECT name FROM log_services ORDER BY name LIMIT 1000", vec![]).await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// Deletes up to `limit` of the oldest records from before `before`; tells how many went.
pub async fn delete_before(tx: &Tx, before: Timestamp, limit: i64) -> Result<u64> {
    tx.execute(
        "DELETE FROM log_records WHERE id IN (SELECT id FROM log_records WHERE at < $1 ORDER BY at, id LIMIT $2)",
        args![before, limit],
    )
    .await
}
