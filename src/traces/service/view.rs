//! Finding a trace and reading it whole.

use crate::db::Db;
use crate::error::Result;
use crate::telemetry::TraceId;
use crate::telemetry::lookup::Pasted;
use crate::traces::model::{Span, TraceHead};
use crate::traces::store::read;

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
pub async fn window(
    db: &Db,
    from: crate::clock::Timestamp,
    to: crate::clock::Timestamp,
    max_traces: i64,
) -> Result<Vec<(TraceId, Vec<Span>)>> {
    let rows = read::rows_between(db, from, to, max_traces).await?;
    let mut out: Vec<(TraceId, Vec<Span>)> = rows.iter().map(|(_, id)| (*id, Vec::new())).collect();
    let at: std::collections::HashMap<i64, usize> = rows.iter().enumerate().map(|(i, (row, _))| (*row, i)).collect();
    for chunk in rows.chunks(200) {
        for (row, body) in read::bodies(db, &chunk.iter().map(|(row, _)| *row).collect::<Vec<_>>()).await? {
            if let Some(i) = at.get(&row) {
                out[*i].1.extend(crate::traces::batch::open(&body)?);
            }
        }
    }
    Ok(out)
}
