//! A trace as evidence: the whole of it with its logs, kept in the incident after the store forgot it.

use askama::Template;
use futures::future::BoxFuture;
use prost::Message;

use crate::db::Db;
use crate::error::{Error, Result};
use crate::incidents::hooks::{EvidenceSource, Resolved};
use crate::incidents::record::{Evidence, Snapshot};
use crate::incidents::{Attach, EvidenceKind, NewSnapshot};
use crate::logs::model::LogLine;

use super::explain::first_error::first_error;
use super::explain::tree::TraceTree;
use super::model::Span;
use super::service::view::{self, WholeTrace};
use super::web::ErrorCard;
use super::web::waterfall_view::{Options, WaterfallView};
use super::wire::otlp_proto;

/// What is kept: OTLP's own `TracesData`, so that any tool can read it, and the logs as JSON.
#[derive(Clone, PartialEq, Message)]
struct Kept {
    #[prost(bytes = "vec", tag = "1")]
    traces_data: Vec<u8>,
    #[prost(string, tag = "2")]
    logs: String,
}

const MEDIA_TYPE: &str = "application/vnd.faultline.trace+protobuf";
/// Log lines kept with a trace.
const MAX_LOGS: usize = 1_000;

/// The trace with its logs, ready to be attached to an incident.
pub(super) async fn attachment(db: &Db, whole: &WholeTrace) -> Result<Attach> {
    let resolved = resolve(db, whole).await?;
    Ok(Attach {
        kind: EvidenceKind::Trace,
        title: resolved.title,
        note: String::new(),
        reference: resolved.reference,
        url: resolved.url,
        topic: resolved.topic,
        occurred_at: resolved.occurred_at,
        snapshot: resolved.snapshot,
    })
}

/// The trace with its logs as evidence: what an incident keeps of it.
pub async fn resolve(db: &Db, whole: &WholeTrace) -> Result<Resolved> {
    let head = &whole.head;
    let mut logs = crate::logs::service::of_trace(db, head.trace_id).await?;
    logs.truncate(MAX_LOGS);
    let outcome = if head.error_count > 0 { format!(", {} failed spans", head.error_count) } else { String::new() };
    Ok(Resolved {
        title: format!("{} {} ({} spans{outcome})", head.service, head.operation, head.span_count),
        reference: head.trace_id.to_string(),
        url: format!("/traces/{}", head.trace_id),
        topic: format!("{} {}", head.service, head.operation),
        occurred_at: Some(head.started_at),
        snapshot: Some(snapshot_of(&whole.spans, &logs)?),
    })
}

fn snapshot_of(spans: &[Span], logs: &[LogLine]) -> Result<NewSnapshot> {
    let kept = Kept { traces_data: otlp_proto::encode(spans), logs: serde_json::to_string(logs)? };
    Ok(NewSnapshot { media_type: MEDIA_TYPE.to_owned(), body: kept.encode_to_vec() })
}

/// The spans and the log lines (as JSON) of a kept trace.
fn open(snapshot: &Snapshot) -> Result<(Vec<Span>, Vec<serde_json::Value>)> {
    let damaged = |e: &dyn std::fmt::Display| Error::Internal(format!("a kept trace is damaged: {e}"));
    let kept = Kept::decode(snapshot.body.as_slice()).map_err(|e| damaged(&e))?;
    let spans = otlp_proto::decode(kept.traces_data.into()).map_err(|e| damaged(&e))?.records;
    Ok((spans, serde_json::from_str(&kept.logs)?))
}

struct KeptLine {
    at: String,
    service: String,
    level: &'static str,
    body: String,
}

#[derive(Template)]
#[template(path = "traces/_evidence.html")]
struct EvidenceView {
    error: Option<ErrorCard>,
    waterfall: WaterfallView,
    lines: Vec<KeptLine>,
}

fn line_of(json: &serde_json::Value) -> KeptLine {
    let text = |field: &str| json.get(field).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let severity = json.get("severity").and_then(serde_json::Value::as_u64).and_then(|s| u8::try_from(s).ok());
    KeptLine {
        at: text("at"),
        service: text("service"),
        level: crate::logs::model::Level::of(severity.unwrap_or(0)).word(),
        body: text("body"),
    }
}

/// How incidents take traces in and show what they kept.
pub struct TraceEvidence;

impl EvidenceSource for TraceEvidence {
    fn kind(&self) -> EvidenceKind {
        EvidenceKind::Trace
    }

    fn resolve<'a>(&'a self, db: &'a Db, reference: &'a str) -> BoxFuture<'a, Result<Resolved>> {
        Box::pin(async move {
            let whole = view::whole(db, reference).await?.ok_or_else(|| {
                Error::invalid(
                    "reference",
                    "names no trace that is in this store: paste an id, a traceparent or the address of a trace's page",
                )
            })?;
            resolve(db, &whole).await
        })
    }

    fn draw(&self, _evidence: &Evidence, snapshot: &Snapshot) -> Result<Option<String>> {
        if snapshot.media_type != MEDIA_TYPE {
            return Ok(None);
        }
        let (spans, logs) = open(snapshot)?;
        let tree = TraceTree::build(&spans);
        let found = first_error(&tree);
        let options = Options { first_error: found.as_ref(), ..Options::default() };
        let view = EvidenceView {
            error: found.as_ref().map(|f| super::web::error_card(&tree, f, "")),
            waterfall: WaterfallView::build(&tree, &options),
            lines: logs.iter().map(line_of).collect(),
        };
        view.render().map(Some).map_err(|e| Error::Internal(format!("rendering: {e}")))
    }
}
