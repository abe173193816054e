//! Finding a trace and reading it whole.

use std::collections::{BTreeMap, HashMap};

use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::telemetry::TraceId;
use crate::telemetry::lookup::Pasted;
use crate::traces::batch;
use crate::traces::calls::Tally;
use crate::traces::model::{Span, TraceFilter, TraceHead};
use crate::traces::store::counts::{self, Counts};
use crate::traces::store::read::{self, Cursor};
use crate::traces::store::{retain, rollup};

/// Spans of one trace that a page or a snapshot reads; what lies beyond is counted, not read.
pub const MAX_SPANS: usize = 20_000;

/// A trace with its spans.
#[derive(Clone, Debug)]
pub struct WholeTrace {
    pub head: TraceHead,
    pub spans: Vec<Span>,
}

impl WholeTrace {
    /// How many spans were not read because there are more than [`MAX_SPANS`].
    pub fn left_out(&self) -> i64 {
        self.head.span_count - i64::try_from(self.spans.len()).unwrap_or(i64::MAX)
    }
}

/// The trace that a pasted id, header or address names, when it is in the store.
pub async fn find(db: &Db, text: &str) -> Result<Option<TraceHead>> {
    match Pasted::parse(text) {
        Some(pasted) => read::find(db, &pasted.keys).await,
        None => Ok(None),
    }
}

/// The same with its spans.
pub async fn whole(db: &Db, text: &str) -> Result<Option<WholeTrace>> {
    let Some(head) = find(db, text).await? else { return Ok(None) };
    let spans = read::spans(db, head.row, MAX_SPANS).await?;
    Ok(Some(WholeTrace { head, spans }))
}

/// Every span of the traces that started in `[from, to)`, oldest trace first, at most `max_traces`
/// traces: what the ranking of suspects reads.
pub async fn window(db: &Db, from: Timestamp, to: Timestamp, max_traces: i64) -> Result<Vec<(TraceId, Vec<Span>)>> {
    let rows = read::rows_between(db, from, to, max_traces).await?;
    let mut out: Vec<(TraceId, Vec<Span>)> = rows.iter().map(|(_, id)| (*id, Vec::new())).collect();
    let at: HashMap<i64, usize> = rows.iter().enumerate().map(|(i, (row, _))| (*row, i)).collect();
    for chunk in rows.chunks(200) {
        for (row, body) in read::bodies(db, &chunk.iter().map(|(row, _)| *row).collect::<Vec<_>>()).await? {
            if let Some(i) = at.get(&row) {
                out[*i].1.extend(batch::open(&body)?);
            }
        }
    }
    Ok(out)
}

/// Traces that match, newest first, with the place of the next page.
pub async fn search(
    db: &Db,
    filter: &TraceFilter,
    before: Option<Cursor>,
    limit: usize,
) -> Result<(Vec<TraceHead>, Option<Cursor>)> {
    read::search(db, filter, before, limit).await
}

/// Services that sent spans.
pub async fn services(db: &Db) -> Result<Vec<String>> {
    read::services(db).await
}

/// Operations of a service.
pub async fn operations(db: &Db, service: &str) -> Result<Vec<String>> {
    read::operations(db, service).await
}

/// Traces looked at to find a healthy one.
const CANDIDATES: usize = 200;

/// A trace of the same root operation without a failure, whole, with its root: of those near in time the
/// one whose duration is the median, because it is the least likely to be odd in a way of its own.
pub async fn healthy_like(db: &Db, head: &TraceHead) -> Result<Option<WholeTrace>> {
    let filter =
        TraceFilter { service: head.service.clone(), operation: head.operation.clone(), ..TraceFilter::default() };
    let before = TraceFilter { to: Some(head.started_at), ..filter.clone() };
    let after = TraceFilter { from: Some(head.started_at), ..filter };
    let mut healthy = Vec::new();
    for filter in [before, after] {
        if healthy.len() < 3 {
            healthy.extend(read::search(db, &filter, None, CANDIDATES).await?.0);
            healthy.retain(|t| t.error_count == 0 && t.root_seen && t.row != head.row && t.operation == head.operation);
        }
    }
    healthy.sort_by_key(|t| (t.duration_us, t.row));
    let middle = healthy.len() / 2;
    match healthy.into_iter().nth(middle) {
        Some(head) => Ok(Some(WholeTrace { spans: read::spans(db, head.row, MAX_SPANS).await?, head })),
        None => Ok(None),
    }
}

/// Calls between services in `[from, to)`, by the names that spans use.
pub async fn edge_tallies(db: &Db, from: Timestamp, to: Timestamp) -> Result<BTreeMap<(String, String), Tally>> {
    rollup::edge_tallies(db, from, to).await
}

/// Calls of services in `[from, to)`; an empty `service` means all.
pub async fn service_tallies(
    db: &Db,
    service: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<BTreeMap<String, Tally>> {
    rollup::service_tallies(db, service, from, to).await
}

/// One service's calls by version in `[from, to)`: before and after a deployment, or beside it.
pub async fn version_tallies(
    db: &Db,
    service: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<BTreeMap<String, Tally>> {
    rollup::version_tallies(db, service, from, to).await
}

/// Versions that spans named since `from`, with their first and last minute: a deployment that nobody
/// reported shows here.
pub async fn versions_since(db: &Db, from: Timestamp) -> Result<Vec<(String, String, Timestamp, Timestamp)>> {
    rollup::versions_since(db, from).await
}

/// What came in and what was refused since `from`, by door.
pub async fn ingest_counts(db: &Db, from: Timestamp) -> Result<BTreeMap<String, Counts>> {
    counts::since(db, from).await
}

/// Bytes, traces and spans in the store.
pub async fn stored(db: &Db) -> Result<(i64, i64, i64)> {
    let (traces, spans) = retain::stored_counts(db).await?;
    Ok((retain::stored_bytes(db).await?, traces, spans))
}
