//! Finding traces and reading their spans.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Value, Where};
use crate::error::Result;
use crate::telemetry::TraceId;
use crate::telemetry::lookup::TraceKey;
use crate::traces::batch;
use crate::traces::model::{Span, TraceFilter, TraceHead};

use super::write::placeholders;
use super::{halves, id_of};

const HEAD: &str = "SELECT t.id, t.id_low, t.id_high, t.started_at, t.duration_us, t.span_count, t.error_count, \
    t.root_seen, s.name AS service, o.name AS operation FROM traces t \
    JOIN trace_services s ON s.id = t.root_service_id JOIN trace_operations o ON o.id = t.root_operation_id";

#[derive(sqlx::FromRow)]
struct HeadRow {
    id: i64,
    id_low: i64,
    id_high: i64,
    started_at: Timestamp,
    duration_us: i64,
    span_count: i64,
    error_count: i64,
    root_seen: bool,
    service: String,
    operation: String,
}

impl HeadRow {
    fn head(self) -> Option<TraceHead> {
        Some(TraceHead {
            row: self.id,
            trace_id: id_of(self.id_low, self.id_high)?,
            started_at: self.started_at,
            duration_us: self.duration_us,
            span_count: self.span_count,
            error_count: self.error_count,
            root_seen: self.root_seen,
            service: self.service,
            operation: self.operation,
        })
    }
}

/// The newest trace that one of the keys names; the keys are tried in order.
pub async fn find(db: &Db, keys: &[TraceKey]) -> Result<Option<TraceHead>> {
    for key in keys {
        let mut w = Where::new();
        match key {
            TraceKey::Full(id) => {
                let (low, high) = halves(*id);
                w.and("t.id_low = ?", low).and("t.id_high = ?", high);
            }
            TraceKey::Low64(low) => {
                w.and("t.id_low = ?", low.cast_signed());
            }
        }
        let (sql, args) = w.statement(HEAD, "ORDER BY t.started_at DESC LIMIT 1");
        if let Some(row) = db.fetch_optional::<HeadRow>(sql, args).await? {
            return Ok(row.head());
        }
    }
    Ok(None)
}

/// Spans of a trace, at most `max`, in the order of their delivery.
pub async fn spans(db: &Db, row: i64, max: usize) -> Result<Vec<Span>> {
    let mut out: Vec<Span> = Vec::new();
    let mut after = 0_i64;
    while out.len() < max {
        let parts: Vec<(i64, Vec<u8>)> = db
            .fetch_all(
                "SELECT id, body FROM trace_parts WHERE trace_row = $1 AND id > $2 ORDER BY id LIMIT 50",
                args![row, after],
            )
            .await?;
        let Some((last, _)) = parts.last() else { break };
        after = *last;
        for (_, body) in &parts {
            out.extend(batch::open(body)?);
        }
    }
    out.truncate(max);
    Ok(out)
}

/// Heads by row number, newest first.
pub async fn heads(db: &Db, rows: &[i64]) -> Result<Vec<TraceHead>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut w = Where::new();
    w.and_any("t.id", rows.iter().copied());
    let (sql, args) = w.statement(HEAD, "ORDER BY t.started_at DESC, t.id DESC");
    Ok(db.fetch_all::<HeadRow>(sql, args).await?.into_iter().filter_map(HeadRow::head).collect())
}

/// A place in the list: everything before it (newer) was shown.
pub type Cursor = (Timestamp, i64);

/// Traces that match, newest first, with the cursor of the next page.
pub async fn search(
    db: &Db,
    filter: &TraceFilter,
    before: Option<Cursor>,
    limit: usize,
) -> Result<(Vec<TraceHead>, Option<Cursor>)> {
    if filter.service.is_empty() {
        return search_all(db, filter, before, limit).await;
    }
    let Some(service) = service_id(db, &filter.service).await? else { return Ok((Vec::new(), None)) };
    let operation = match filter.operation.as_str() {
        "" => None,
        name => match operation_id(db, service, name).await? {
            Some(id) => Some(id),
            None => return Ok((Vec::new(), None)),
        },
    };
    search_service(db, filter, (service, operation), before, limit).await
}

async fn search_all(
    db: &Db,
    filter: &TraceFilter,
    before: Option<Cursor>,
    limit: usize,
) -> Result<(Vec<TraceHead>, Option<Cursor>)> {
    let mut w = Where::new();
    if filter.error {
        w.and_raw("t.error_count > 0");
    }
    bounds(
        &mut w,
        filter,
        before,
        ["t.duration_us >= ?", "t.duration_us <= ?", "t.started_at >= ?", "t.started_at < ?"],
    );
    if let Some((at, row)) = before {
        w.and_all("(t.started_at < ? OR (t.started_at = ? AND t.id < ?))", args![at, at, row]);
    }
    let (sql, args) = w.statement(HEAD, &format!("ORDER BY t.started_at DESC, t.id DESC LIMIT {}", limit + 1));
    let mut found: Vec<TraceHead> =
        db.fetch_all::<HeadRow>(sql, args).await?.into_iter().filter_map(HeadRow::head).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|t| (t.started_at, t.row));
    Ok((found, next))
}

/// Conditions on duration and time; a cursor also bounds the index scan.
fn bounds(w: &mut Where, filter: &TraceFilter, before: Option<Cursor>, [min, max, from, to]: [&'static str; 4]) {
    if let Some(us) = filter.min_duration_us {
        w.and(min, us);
    }
    if let Some(us) = filter.max_duration_us {
        w.and(max, us);
    }
    if let Some(at) = filter.from {
        w.and(from, at);
    }
    // The cursor's own microsecond may hold more.
    let resume = before.map(|(at, _)| Timestamp::from_micros(at.as_micros() + 1));
    if let Some(at) = [filter.to, resume].into_iter().flatten().min() {
        w.and(to, at);
    }
}

/// Rows of the index come one per operation, so a few pages of it may be needed for one page of traces.
async fn search_service(
    db: &Db,
    filter: &TraceFilter,
    (service, operation): (i64, Option<i64>),
    before: Option<Cursor>,
    limit: usize,
) -> Result<(Vec<TraceHead>, Option<Cursor>)> {
    const PAGE: usize = 500;
    const MAX_PAGES: usize = 40;
    let mut cursor = before;
    let mut rows: Vec<i64> = Vec::new();
    let mut next = None;
    'pages: for _ in 0..MAX_PAGES {
        let mut w = Where::new();
        w.and("i.service_id = ?", service);
        if let Some(id) = operation {
            w.and("i.operation_id = ?", id);
        }
        if filter.error {
            w.and_raw("i.error_count > 0");
        }
        bounds(
            &mut w,
            filter,
            cursor,
            ["i.duration_us >= ?", "i.duration_us <= ?", "i.started_at >= ?", "i.started_at < ?"],
        );
        if let Some((at, row)) = cursor {
            w.and_all("(i.started_at < ? OR (i.started_at = ? AND i.trace_row < ?))", args![at, at, row]);
        }
        let (sql, args) = w.statement(
            "SELECT i.started_at, i.trace_row FROM trace_index i",
            &format!("ORDER BY i.started_at DESC, i.trace_row DESC LIMIT {PAGE}"),
        );
        let page: Vec<Cursor> = db.fetch_all(sql, args).await?;
        for place in &page {
            if !rows.contains(&place.1) {
                if rows.len() == limit {
                    next = cursor;
                    break 'pages;
                }
                rows.push(place.1);
            }
            cursor = Some(*place);
        }
        if page.len() < PAGE {
            break;
        }
    }
    let mut found = heads(db, &rows).await?;
    found.sort_by_key(|t| rows.iter().position(|r| *r == t.row));
    Ok((found, next))
}

pub async fn service_id(db: &Db, name: &str) -> Result<Option<i64>> {
    let row: Option<(i64,)> = db.fetch_optional("SELECT id FROM trace_services WHERE name = $1", args![name]).await?;
    Ok(row.map(|r| r.0))
}

async fn operation_id(db: &Db, service: i64, name: &str) -> Result<Option<i64>> {
    let row: Option<(i64,)> = db
        .fetch_optional("SELECT id FROM trace_operations WHERE service_id = $1 AND name = $2", args![service, name])
        .await?;
    Ok(row.map(|r| r.0))
}

/// Services that sent spans, by name; at most 1,000.
pub async fn services(db: &Db) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = db.fetch_all("SELECT name FROM trace_services ORDER BY name LIMIT 1000", vec![]).await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// Operations of a service, by name; at most 500.
pub async fn operations(db: &Db, service: &str) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = db
        .fetch_all(
            "SELECT o.name FROM trace_operations o JOIN trace_services s ON s.id = o.service_id \
             WHERE s.name = $1 ORDER BY o.name LIMIT 500",
            args![service],
        )
        .await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// Rows of traces that started in `[from, to)`, oldest first; at most `limit`.
pub async fn rows_between(db: &Db, from: Timestamp, to: Timestamp, limit: i64) -> Result<Vec<(i64, TraceId)>> {
    let rows: Vec<(i64, i64, i64)> = db
        .fetch_all(
            "SELECT id, id_low, id_high FROM traces WHERE started_at >= $1 AND started_at < $2 ORDER BY started_at, id LIMIT $3",
            args![from, to, limit],
        )
        .await?;
    Ok(rows.into_iter().filter_map(|(row, low, high)| Some((row, id_of(low, high)?))).collect())
}

/// Bodies of all parts of some traces, as `(trace row, body)`.
pub async fn bodies(db: &Db, rows: &[i64]) -> Result<Vec<(i64, Vec<u8>)>> {
    let mut out = Vec::new();
    for chunk in rows.chunks(200) {
        let sql = format!(
            "SELECT trace_row, body FROM trace_parts WHERE trace_row IN ({}) ORDER BY trace_row, id",
            placeholders(1, chunk.len())
        );
        let args = chunk.iter().map(|r| Value::from(*r)).collect();
        out.extend(db.fetch_all::<(i64, Vec<u8>)>(Sql::built(sql), args).await?);
    }
    Ok(out)
}
