//! A waterfall as its template draws it; the same on the trace's page and in kept evidence.

use std::collections::HashMap;

use super::format::{WIDTH, bar, duration, place};
use crate::telemetry::SpanId;
use crate::traces::explain::critical_path::{Segment, critical_path};
use crate::traces::explain::first_error::FirstError;
use crate::traces::explain::tree::TraceTree;
use crate::traces::explain::waterfall::{Row, Waterfall};

/// Rows of one page: 60 kB compressed hold about this many.
pub const PAGE_ROWS: usize = 300;
/// Deeper rows are not indented further; their depth is written out.
const MAX_INDENT: usize = 16;
/// Different colours of services; further ones start over.
const COLOURS: usize = 8;
/// Stretches of the critical path drawn in one row.
const MAX_STRETCHES: usize = 40;

/// One row.
pub struct RowView {
    pub indent: usize,
    pub depth: usize,
    pub service: String,
    /// 1 to 8.
    pub colour: usize,
    pub name: String,
    pub kind: &'static str,
    pub failed: bool,
    pub is_first_error: bool,
    pub on_error_path: bool,
    pub is_selected: bool,
    /// Where the row leads; empty when it leads nowhere.
    pub href: String,
    pub offset: String,
    pub duration: String,
    pub self_time: String,
    pub bar: (i64, i64),
    /// Stretches of the critical path, as place and width.
    pub critical: Vec<(i64, i64)>,
    /// "38 more like it, 1.2 s together, the longest 80 ms".
    pub repeats: Option<String>,
    /// Doubts about the record: no parent, no time, clock corrected.
    pub remarks: Vec<String>,
}

pub struct ServiceKey {
    pub name: String,
    pub colour: usize,
    pub spans: usize,
    pub failed: usize,
}

pub struct Tick {
    pub x: i64,
    pub label: String,
}

/// `traces/_waterfall.html` draws it.
pub struct WaterfallView {
    pub rows: Vec<RowView>,
    pub ticks: Vec<Tick>,
    pub services: Vec<ServiceKey>,
    pub folded: usize,
    /// Rows before and after the shown ones.
    pub before: usize,
    pub after: usize,
    pub width: i64,
}

/// What to show of a waterfall.
#[derive(Default)]
pub struct Options<'a> {
    pub first_error: Option<&'a FirstError>,
    /// Show folded repeats, too.
    pub unfold: bool,
    /// The row to start with.
    pub from_row: usize,
    pub selected: Option<SpanId>,
    /// `/traces/…` when rows lead to their spans.
    pub link_base: Option<String>,
}

impl WaterfallView {
    pub fn build(tree: &TraceTree<'_>, options: &Options<'_>) -> Self {
        let waterfall = Waterfall::build(tree, options.first_error, !options.unfold);
        let colours = colours_of(tree);
        let critical = segments_by_node(tree);
        let total = waterfall.duration_nanos;
        let all = waterfall.rows.len();
        let from = options.from_row.min(all.saturating_sub(1));
        let rows: Vec<RowView> = waterfall
            .rows
            .iter()
            .skip(from)
            .take(PAGE_ROWS)
            .map(|row| row_view(tree, row, (waterfall.start, total), &colours, critical.get(&row.node), options))
            .collect();
        Self {
            after: all - from - rows.len(),
            before: from,
            rows,
            ticks: ticks(total),
            services: service_keys(tree, &colours),
            folded: waterfall.folded,
            width: WIDTH,
        }
    }
}

/// The place and width of a service's first appearance decide its colour.
fn colours_of<'t>(tree: &TraceTree<'t>) -> HashMap<&'t str, usize> {
    let mut colours = HashMap::new();
    for i in &tree.preorder {
        let next = colours.len() % COLOURS + 1;
        colours.entry(tree.nodes[*i].span.service()).or_insert(next);
    }
    colours
}

fn service_keys(tree: &TraceTree<'_>, colours: &HashMap<&str, usize>) -> Vec<ServiceKey> {
    let mut keys: Vec<ServiceKey> = Vec::new();
    for i in &tree.preorder {
        let span = tree.nodes[*i].span;
        let at = keys.iter().position(|k| k.name == span.service()).unwrap_or_else(|| {
            let colour = colours.get(span.service()).copied().unwrap_or(1);
            keys.push(ServiceKey { name: span.service().to_owned(), colour, spans: 0, failed: 0 });
            keys.len() - 1
        });
        if let Some(key) = keys.get_mut(at) {
            key.spans += 1;
            key.failed += usize::from(span.failed());
        }
    }
    keys
}

fn segments_by_node(tree: &TraceTree<'_>) -> HashMap<usize, Vec<Segment>> {
    let mut by_node: HashMap<usize, Vec<Segment>> = HashMap::new();
    if let Some(root) = tree.roots.first() {
        for segment in critical_path(tree, *root) {
            by_node.entry(segment.node).or_default().push(segment);
        }
    }
    by_node
}

fn row_view(
    tree: &TraceTree<'_>,
    row: &Row,
    (start, total): (i64, i64),
    colours: &HashMap<&str, usize>,
    critical: Option<&Vec<Segment>>,
    options: &Options<'_>,
) -> RowView {
    let span = tree.nodes[row.node].span;
    let length = row.repeats.map_or(row.duration_nanos, |r| (r.end - start - row.offset_nanos).max(0));
    let stretches = critical.into_iter().flatten().take(MAX_STRETCHES);
    RowView {
        indent: row.depth.min(MAX_INDENT),
        depth: row.depth,
        service: span.service().to_owned(),
        colour: colours.get(span.service()).copied().unwrap_or(1),
        name: if span.name.is_empty() { "(unnamed)".to_owned() } else { span.name.clone() },
        kind: span.kind.word(),
        failed: row.failed,
        is_first_error: row.is_first_error,
        on_error_path: row.on_error_path,
        is_selected: options.selected == Some(span.span_id),
        href: options.link_base.as_ref().map(|base| format!("{base}span={}#span", span.span_id)).unwrap_or_default(),
        offset: duration(row.offset_nanos),
        duration: duration(row.duration_nanos),
        self_time: duration(row.self_nanos),
        bar: bar(row.offset_nanos, length, total),
        critical: stretches.map(|s| bar(s.from - start, s.to - s.from, total)).collect(),
        repeats: row.repeats.map(|r| {
            format!(
                "{} more like it, {} together, the longest {}",
                r.count - 1,
                duration(r.total_nanos),
                duration(r.longest_nanos)
            )
        }),
        remarks: remarks(tree, row.node),
    }
}

/// What a reader should know before trusting the row.
fn remarks(tree: &TraceTree<'_>, node: usize) -> Vec<String> {
    let node = &tree.nodes[node];
    let mut out = Vec::new();
    if node.parent_missing {
        out.push("its parent is not here".to_owned());
    }
    if node.cycle_cut {
        out.push("its parents led in a circle".to_owned());
    }
    if !node.span.has_time() {
        out.push("no time recorded".to_owned());
    } else if node.span.ends_before_start() {
        out.push("ends before it starts".to_owned());
    }
    if node.skew != 0 {
        let direction = if node.skew > 0 { "later" } else { "earlier" };
        out.push(format!("clock corrected: drawn {} {direction}", duration(node.skew.abs())));
    }
    out
}

fn ticks(total: i64) -> Vec<Tick> {
    (0..=4)
        .map(|i| {
            let at = total / 4 * i;
            Tick { x: place(at, total).max(if i == 4 { WIDTH } else { 0 }), label: duration(at) }
        })
        .collect()
}
