//! The page of one trace: what failed first, the waterfall, a span's details, the trace's logs.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde::Deserialize;

use super::format::duration;
use super::waterfall_view::{Options, PAGE_ROWS, WaterfallView};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::logs::model::LogLine;
use crate::telemetry::{AttrValue, Attributes, SpanId};
use crate::traces::explain::first_error::{FirstError, first_error};
use crate::traces::explain::tree::TraceTree;
use crate::traces::explain::waterfall::self_time;
use crate::traces::model::TraceHead;
use crate::traces::service::view::{self, WholeTrace};
use crate::web::{Cx, Shell, redirect, render};

/// Lines of logs and events that the page lists.
const MAX_LINES: usize = 400;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::traces) struct ShowQuery {
    span: String,
    /// Any value shows folded repeats.
    unfold: String,
    row: usize,
}

/// The first error in words and links.
pub struct ErrorCard {
    pub service: String,
    pub operation: String,
    pub message: String,
    pub after: String,
    pub href: String,
    pub waited_for: Option<String>,
    pub handled: bool,
    pub reached_root: bool,
    pub unexplained: usize,
    /// From the origin upwards: service, operation, link.
    pub spread: Vec<(String, String, String)>,
}

/// A span's details.
pub struct SpanCard {
    pub span_id: SpanId,
    pub parent: Option<(String, String)>,
    pub service: String,
    pub version: Option<String>,
    pub instance: Option<String>,
    pub name: String,
    pub kind: &'static str,
    pub error: Option<String>,
    pub started_at: Timestamp,
    pub offset: String,
    pub duration: String,
    pub self_time: String,
    pub skew: Option<String>,
    pub scope: Option<String>,
    pub attributes: Vec<(String, String)>,
    pub resource: Vec<(String, String)>,
    pub events: Vec<EventCard>,
    pub links: Vec<(String, String)>,
}

pub struct EventCard {
    pub name: String,
    pub after: String,
    pub attributes: Vec<(String, String)>,
}

/// A log record or a span's event, in order of time.
pub struct Line {
    pub at: i64,
    pub after: String,
    pub service: String,
    pub level: &'static str,
    pub text: String,
    /// Name and link of the span it belongs to.
    pub span: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "traces/show.html")]
struct ShowPage {
    shell: Shell,
    head: TraceHead,
    duration: String,
    services: usize,
    left_out: i64,
    duplicates: usize,
    error: Option<ErrorCard>,
    waterfall: WaterfallView,
    span: Option<SpanCard>,
    lines: Vec<Line>,
    lines_left_out: usize,
    base: String,
    is_unfolded: bool,
    previous: Option<String>,
    next: Option<String>,
}

impl ShowPage {
    /// The declaration filled in from this trace, which is kept with the incident.
    fn declare_url(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("attach", &format!("trace:{}", self.head.trace_id));
        let failed = self.error.as_ref().map_or(&self.head.service, |e| &e.service);
        query.append_pair("services", failed);
        query.append_pair("title", &format!("{} {} fails", self.head.service, self.head.operation));
        query.append_pair("impact_started_at", &self.head.started_at.to_input());
        format!("/incidents/new?{}", query.finish())
    }
}

pub(in crate::traces) async fn show(
    cx: Cx,
    Path(id): Path<String>,
    Query(query): Query<ShowQuery>,
) -> Result<Response> {
    let db = &cx.state.db;
    let Some(whole) = view::whole(db, &id).await? else {
        return Err(Error::not_found(format!("The trace {}", id.chars().take(80).collect::<String>())));
    };
    let canonical = whole.head.trace_id.to_string();
    if id != canonical {
        return Ok(redirect(&format!("/traces/{canonical}")));
    }
    let logs = crate::logs::service::of_trace(db, whole.head.trace_id).await?;
    let page = page_of(&cx, &whole, logs, &query);
    render(&page)
}

fn page_of(cx: &Cx, whole: &WholeTrace, logs: Vec<LogLine>, query: &ShowQuery) -> ShowPage {
    let tree = TraceTree::build(&whole.spans);
    let found = first_error(&tree);
    let is_unfolded = !query.unfold.is_empty();
    let base = format!("/traces/{}?{}", whole.head.trace_id, if is_unfolded { "unfold=1&" } else { "" });
    let selected = SpanId::parse_lenient(&query.span).ok();
    let options = Options {
        first_error: found.as_ref(),
        unfold: is_unfolded,
        from_row: query.row,
        selected,
        link_base: Some(if query.row > 0 { format!("{base}row={}&", query.row) } else { base.clone() }),
    };
    let waterfall = WaterfallView::build(&tree, &options);
    let (lines, lines_left_out) = lines_of(&tree, logs, &base);
    let row_link = |row: usize| format!("{base}row={row}");
    ShowPage {
        shell: cx.shell(format!("Trace {}: {}", whole.head.service, whole.head.operation)),
        duration: duration(whole.head.duration_us.saturating_mul(1_000)),
        services: waterfall.services.len(),
        left_out: whole.left_out(),
        duplicates: tree.duplicates,
        error: found.as_ref().map(|f| error_card(&tree, f, &base)),
        span: selected.and_then(|id| tree.find(id)).map(|i| span_card(&tree, i, &base)),
        previous: (waterfall.before > 0).then(|| row_link(waterfall.before.saturating_sub(PAGE_ROWS))),
        next: (waterfall.after > 0).then(|| row_link(waterfall.before + PAGE_ROWS)),
        head: whole.head.clone(),
        waterfall,
        lines,
        lines_left_out,
        base,
        is_unfolded,
    }
}

pub(in crate::traces) fn error_card(tree: &TraceTree<'_>, found: &FirstError, base: &str) -> ErrorCard {
    let node = &tree.nodes[found.origin];
    let (start, _) = tree.bounds();
    let href = |i: usize| {
        if base.is_empty() { String::new() } else { format!("{base}span={}#span", tree.nodes[i].span.span_id) }
    };
    let failed_at = node.span.failed_at_nanos().saturating_add(node.skew);
    ErrorCard {
        service: node.span.service().to_owned(),
        operation: node.span.name.clone(),
        message: node.span.error_text().unwrap_or_default(),
        after: duration(failed_at - start),
        href: href(found.origin),
        waited_for: found.waited_for.clone(),
        handled: found.handled,
        reached_root: found.reached_root,
        unexplained: found.unexplained,
        spread: found
            .spread
            .iter()
            .map(|i| (tree.nodes[*i].span.service().to_owned(), tree.nodes[*i].span.name.clone(), href(*i)))
            .collect(),
    }
}

fn span_card(tree: &TraceTree<'_>, i: usize, base: &str) -> SpanCard {
    let node = &tree.nodes[i];
    let span = node.span;
    let (start, _) = tree.bounds();
    let pairs = |attributes: &Attributes| {
        attributes.iter().map(|(k, v): (&str, &AttrValue)| (k.to_owned(), v.to_string())).collect::<Vec<_>>()
    };
    SpanCard {
        span_id: span.span_id,
        parent: node.parent.map(|p| {
            let parent = tree.nodes[p].span;
            (format!("{} {}", parent.service(), parent.name), format!("{base}span={}#span", parent.span_id))
        }),
        service: span.service().to_owned(),
        version: span.resource.version.clone(),
        instance: span.resource.instance.clone(),
        name: span.name.clone(),
        kind: span.kind.word(),
        error: span.error_text(),
        started_at: Timestamp::from_micros(node.start / 1_000),
        offset: duration(node.start - start),
        duration: duration(node.duration()),
        self_time: duration(self_time(tree, i)),
        skew: (node.skew != 0).then(|| duration(node.skew.abs())),
        scope: span.scope.clone(),
        attributes: pairs(&span.attributes),
        resource: pairs(&span.resource.attributes),
        events: span
            .events
            .iter()
            .map(|e| EventCard {
                name: e.name.clone(),
                after: duration(e.at_nanos.saturating_add(node.skew) - node.start),
                attributes: pairs(&e.attributes),
            })
            .collect(),
        links: span
            .links
            .iter()
            .map(|l| {
                (format!("{} {}", l.trace_id, l.span_id), format!("/traces/{}?span={}#span", l.trace_id, l.span_id))
            })
            .collect(),
    }
}

/// Log records and span events together, in order of time; and how many did not fit.
fn lines_of(tree: &TraceTree<'_>, logs: Vec<LogLine>, base: &str) -> (Vec<Line>, usize) {
    let (start, _) = tree.bounds();
    let nodes: HashMap<SpanId, usize> = tree.nodes.iter().enumerate().map(|(i, n)| (n.span.span_id, i)).collect();
    let link = |i: usize| (tree.nodes[i].span.name.clone(), format!("{base}span={}#span", tree.nodes[i].span.span_id));
    let mut lines: Vec<Line> = Vec::new();
    for log in logs {
        let node = log.span_id.and_then(|s| nodes.get(&s).copied());
        // A record was stamped by the same clock as its span.
        let at = log.at.as_micros().saturating_mul(1_000).saturating_add(node.map_or(0, |i| tree.nodes[i].skew));
        lines.push(Line {
            at,
            after: duration(at - start),
            level: log.level().word(),
            service: log.service,
            text: log.body,
            span: node.map(link),
        });
    }
    for (i, node) in tree.nodes.iter().enumerate() {
        for event in node.span.events.iter().filter(|e| e.at_nanos > 0) {
            let at = event.at_nanos.saturating_add(node.skew);
            let text = event.attributes.text_of(&["exception.message", "message", "event"]).unwrap_or_default();
            let kind = event.attributes.text_of(&["exception.type"]).unwrap_or(&event.name);
            lines.push(Line {
                at,
                after: duration(at - start),
                level: if event.name == "exception" { "error" } else { "event" },
                service: node.span.service().to_owned(),
                text: if text.is_empty() { kind.to_owned() } else { format!("{kind}: {text}") },
                span: Some(link(i)),
            });
        }
    }
    lines.sort_by_key(|l| l.at);
    let left_out = lines.len().saturating_sub(MAX_LINES);
    lines.truncate(MAX_LINES);
    (lines, left_out)
}
