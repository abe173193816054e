//! Two traces of the same operation side by side: this one, and a healthy one that is chosen by itself
//! or named.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde::Deserialize;

use super::format::duration;
use crate::error::{Error, Result};
use crate::traces::explain::compare::{Change, Comparison, Pair, compare as compare_trees};
use crate::traces::explain::tree::TraceTree;
use crate::traces::model::TraceHead;
use crate::traces::service::view;
use crate::web::{Cx, Shell, render};

/// Lines that the page shows.
const MAX_LINES: usize = 400;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::traces) struct CompareQuery {
    with: String,
}

struct LineView {
    indent: usize,
    service: String,
    name: String,
    change: &'static str,
    badge: &'static str,
    before: String,
    after: String,
    /// Difference of own time, signed.
    delta: String,
    is_first: bool,
    href: String,
}

#[derive(Template)]
#[template(path = "traces/compare.html")]
struct ComparePage {
    shell: Shell,
    subject: TraceHead,
    subject_took: String,
    reference: Option<TraceHead>,
    reference_took: String,
    query: CompareQuery,
    complaint: Option<String>,
    lines: Vec<LineView>,
    left_out: usize,
    first: Option<String>,
    counts: Vec<(&'static str, usize)>,
}

pub(in crate::traces) async fn compare(
    cx: Cx,
    Path(id): Path<String>,
    Query(query): Query<CompareQuery>,
) -> Result<Response> {
    let db = &cx.state.db;
    let subject = view::whole(db, &id).await?.ok_or_else(|| Error::not_found("This trace"))?;
    let mut complaint = None;
    let reference = if query.with.trim().is_empty() {
        view::healthy_like(db, &subject.head).await?
    } else {
        let found = view::whole(db, &query.with).await?;
        if found.is_none() {
            complaint = Some("The other trace is not in this store.".to_owned());
        }
        found
    };
    let after = TraceTree::build(&subject.spans);
    let mut page = ComparePage {
        shell: cx.shell("Compare traces"),
        subject_took: took(&subject.head),
        subject: subject.head.clone(),
        reference_took: reference.as_ref().map(|r| took(&r.head)).unwrap_or_default(),
        reference: reference.as_ref().map(|r| r.head.clone()),
        query,
        complaint,
        lines: Vec::new(),
        left_out: 0,
        first: None,
        counts: Vec::new(),
    };
    if let Some(reference) = &reference {
        let before = TraceTree::build(&reference.spans);
        fill(&mut page, &compare_trees(&before, &after), &before, &after, &reference.head);
    }
    render(&page)
}

fn took(head: &TraceHead) -> String {
    duration(head.duration_us.saturating_mul(1_000))
}

fn fill(
    page: &mut ComparePage,
    found: &Comparison,
    before: &TraceTree<'_>,
    after: &TraceTree<'_>,
    reference: &TraceHead,
) {
    for change in
        [Change::NewlyFailing, Change::Slower, Change::Added, Change::Missing, Change::Faster, Change::NoLongerFailing]
    {
        let n = found.pairs.iter().filter(|p| p.change == change).count();
        if n > 0 {
            page.counts.push((words(change).0, n));
        }
    }
    for (i, pair) in found.pairs.iter().enumerate().take(MAX_LINES) {
        let line = line_of(pair, before, after, (&page.subject, reference), found.first_divergence == Some(i));
        if line.is_first {
            page.first = Some(format!("{} {}: {}", line.service, line.name, line.change));
        }
        page.lines.push(line);
    }
    page.left_out = found.pairs.len().saturating_sub(MAX_LINES);
}

/// The change in words, and the badge's colour.
const fn words(change: Change) -> (&'static str, &'static str) {
    match change {
        Change::Same => ("same", ""),
        Change::Slower => ("slower", "badge-warn"),
        Change::Faster => ("faster", "badge-good"),
        Change::NewlyFailing => ("newly failing", "badge-bad"),
        Change::NoLongerFailing => ("no longer failing", "badge-good"),
        Change::Added => ("added", "badge-accent"),
        Change::Missing => ("missing", "badge-warn"),
    }
}

fn line_of(
    pair: &Pair,
    before: &TraceTree<'_>,
    after: &TraceTree<'_>,
    (subject, reference): (&TraceHead, &TraceHead),
    is_first: bool,
) -> LineView {
    let old = pair.reference.map(|i| &before.nodes[i]);
    let new = pair.subject.map(|i| &after.nodes[i]);
    let span = new.or(old).map(|n| n.span);
    let (change, badge) = words(pair.change);
    let trace = if new.is_some() { subject.trace_id } else { reference.trace_id };
    let sign = if pair.self_delta_nanos < 0 { "−" } else { "+" };
    LineView {
        indent: pair.depth.min(16),
        service: span.map(|s| s.service().to_owned()).unwrap_or_default(),
        name: span.map(|s| s.name.clone()).unwrap_or_default(),
        change,
        badge,
        before: old.map(|n| duration(n.duration())).unwrap_or_default(),
        after: new.map(|n| duration(n.duration())).unwrap_or_default(),
        delta: if old.is_some() && new.is_some() {
            format!("{sign}{}", duration(pair.self_delta_nanos.abs()))
        } else {
            String::new()
        },
        is_first,
        href: span.map(|s| format!("/traces/{trace}?span={}#span", s.span_id)).unwrap_or_default(),
    }
}
