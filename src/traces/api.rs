//! Traces as JSON.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Serialize;
use serde_json::json;

use crate::error::{Error, Result};
use crate::state::AppState;
use crate::telemetry::{Attributes, SpanId};
use crate::web::{Access, Routes};

use super::explain::first_error::first_error;
use super::explain::tree::TraceTree;
use super::explain::waterfall::self_time;
use super::model::{SpanEvent, SpanKind, SpanLink, SpanStatus};
use super::service::view;
use super::web::{ListQuery, cursor_text};

pub fn routes() -> Routes {
    Routes::new().get("/api/v1/traces", Access::VIEWER, list).get("/api/v1/traces/{trace_id}", Access::VIEWER, show)
}

/// `GET /traces?service=&operation=&error=&min_duration_ms=&from=&to=&cursor=&limit=`. There is no total:
/// counting would read everything that matches.
async fn list(State(state): State<AppState>, Query(query): Query<ListQuery>) -> Result<Json<serde_json::Value>> {
    let (items, next) = view::search(&state.db, &query.filter()?, query.before()?, query.limit()).await?;
    Ok(Json(json!({ "items": items, "next_cursor": next.map(cursor_text) })))
}

#[derive(Serialize)]
struct SpanJson<'a> {
    span_id: SpanId,
    parent_span_id: Option<SpanId>,
    service: &'a str,
    version: Option<&'a str>,
    operation: &'a str,
    kind: SpanKind,
    status: SpanStatus,
    failed: bool,
    error: Option<String>,
    /// As recorded, Unix nanoseconds as text: they do not fit a double.
    start_unix_nano: String,
    end_unix_nano: String,
    duration_us: i64,
    self_us: i64,
    /// What clock-skew correction added to the start when drawing.
    skew_us: i64,
    attributes: &'a Attributes,
    events: &'a [SpanEvent],
    links: &'a [SpanLink],
}

/// `GET /traces/{trace_id}`: the id in any notation.
async fn show(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<serde_json::Value>> {
    let whole = view::whole(&state.db, &id).await?.ok_or_else(|| Error::not_found("This trace"))?;
    let tree = TraceTree::build(&whole.spans);
    let found = first_error(&tree).map(|f| {
        let origin = tree.nodes[f.origin].span;
        let spread = f.spread.iter().map(|i| {
            let span = tree.nodes[*i].span;
            json!({"span_id": span.span_id, "service": span.service(), "operation": span.name})
        });
        json!({
            "span_id": origin.span_id, "service": origin.service(), "operation": origin.name,
            "message": origin.error_text(), "waited_for": f.waited_for, "handled": f.handled,
            "reached_root": f.reached_root, "spread": spread.collect::<Vec<_>>(),
        })
    });
    let spans: Vec<SpanJson<'_>> = tree.preorder.iter().map(|i| span_json(&tree, *i)).collect();
    let mut body = serde_json::to_value(&whole.head)?;
    body["first_error"] = found.unwrap_or_default();
    body["left_out"] = whole.left_out().into();
    body["spans"] = serde_json::to_value(spans)?;
    Ok(Json(body))
}

fn span_json<'a>(tree: &TraceTree<'a>, i: usize) -> SpanJson<'a> {
    let node = &tree.nodes[i];
    let span = node.span;
    SpanJson {
        span_id: span.span_id,
        parent_span_id: span.parent,
        service: span.service(),
        version: span.resource.version.as_deref(),
        operation: &span.name,
        kind: span.kind,
        status: span.status,
        failed: span.failed(),
        error: span.error_text(),
        start_unix_nano: span.start_nanos.to_string(),
        end_unix_nano: span.end_nanos.to_string(),
        duration_us: node.duration() / 1_000,
        self_us: self_time(tree, i) / 1_000,
        skew_us: node.skew / 1_000,
        attributes: &span.attributes,
        events: &span.events,
        links: &span.links,
    }
}
