//! The service graph: who calls whom, as spans show it and as people declared it.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use chrono::TimeDelta;
use serde::Deserialize;

use super::format::duration;
use crate::error::Result;
use crate::services;
use crate::traces::calls::Tally;
use crate::traces::service::view;
use crate::web::{Cx, Shell, render};

const COLUMN: i64 = 210;
const ROW: i64 = 46;
const BOX: (i64, i64) = (160, 30);
/// Services drawn; the table below lists every edge.
const MAX_DRAWN: usize = 60;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::traces) struct GraphQuery {
    /// Only this service with its neighbours.
    service: String,
    hours: Option<i64>,
}

struct BoxView {
    name: String,
    slug: String,
    x: i64,
    y: i64,
    label: String,
}

struct LineView {
    x1: i64,
    y1: i64,
    x2: i64,
    y2: i64,
    mid: i64,
    class: &'static str,
    title: String,
}

struct EdgeView {
    caller: String,
    callee: String,
    calls: i64,
    per_minute: String,
    errors: String,
    is_bad: bool,
    p95: String,
    /// A person said so; `known` that the catalogue holds it from earlier spans.
    declared: bool,
    known: bool,
    seen: bool,
}

#[derive(Template)]
#[template(path = "traces/graph.html")]
struct GraphPage {
    shell: Shell,
    query: GraphQuery,
    hours: i64,
    width: i64,
    height: i64,
    boxes: Vec<BoxView>,
    lines: Vec<LineView>,
    edges: Vec<EdgeView>,
    left_out: usize,
    box_size: (i64, i64),
}

/// One edge, by slugs.
#[derive(Default)]
struct Edge {
    tally: Tally,
    declared: bool,
    known: bool,
}

type Edges = BTreeMap<(String, String), Edge>;

pub(in crate::traces) async fn graph(cx: Cx, Query(query): Query<GraphQuery>) -> Result<Response> {
    let db = &cx.state.db;
    let hours = query.hours.unwrap_or(24).clamp(1, 24 * 31);
    let now = cx.now();
    let mut edges: Edges = BTreeMap::new();
    let slug = |name: &str| services::slug_of(name).unwrap_or_else(|| "unknown".to_owned());
    for ((caller, callee), tally) in
        view::edge_tallies(db, now - TimeDelta::hours(hours), now + TimeDelta::minutes(1)).await?
    {
        let edge = edges.entry((slug(&caller), slug(&callee))).or_default();
        edge.tally.merge(&tally);
    }
    for (caller, callee) in services::all_edges(db).await? {
        edges.entry((caller, callee)).or_default().known = true;
    }
    for (caller, callee) in services::declared_edges(db).await? {
        edges.entry((caller, callee)).or_default().declared = true;
    }
    let wanted = query.service.trim().to_owned();
    if !wanted.is_empty() {
        edges.retain(|(a, b), _| *a == wanted || *b == wanted);
    }
    let columns = layout(&edges);
    let drawn: BTreeSet<&str> = columns.iter().flatten().take(MAX_DRAWN).map(String::as_str).collect();
    let places = places_of(&columns, &drawn);
    let names: usize = columns.iter().map(Vec::len).sum();
    render(&GraphPage {
        shell: cx.shell("Service graph"),
        hours,
        width: i64::try_from(columns.len()).unwrap_or(1).max(1) * COLUMN,
        height: (places.values().map(|(_, y)| *y).max().unwrap_or(0) + ROW).max(ROW),
        boxes: places
            .iter()
            .map(|(name, (x, y))| BoxView {
                name: name.clone(),
                slug: name.clone(),
                x: *x,
                y: *y,
                label: name.chars().take(20).collect(),
            })
            .collect(),
        lines: edges.iter().filter_map(|(pair, edge)| line_of(pair, edge, hours, &places)).collect(),
        edges: edges.iter().map(|(pair, edge)| edge_view(pair, edge, hours)).collect(),
        left_out: names.saturating_sub(drawn.len()),
        box_size: BOX,
        query,
    })
}

/// Columns from callers to callees: a service stands right of the last one that calls it, circles apart.
fn layout(edges: &Edges) -> Vec<Vec<String>> {
    let mut column: BTreeMap<&str, usize> = BTreeMap::new();
    for (a, b) in edges.keys() {
        column.entry(a).or_default();
        column.entry(b).or_default();
    }
    // Each round moves callees right; as many rounds as columns are worth drawing, so that circles end.
    for _ in 0..6 {
        for (a, b) in edges.keys().filter(|(a, b)| a != b) {
            let from = column.get(a.as_str()).copied().unwrap_or(0);
            if let Some(to) = column.get_mut(b.as_str())
                && *to <= from
                && from < 6
            {
                *to = from + 1;
            }
        }
    }
    let mut columns: Vec<Vec<String>> = Vec::new();
    for (name, at) in column {
        if columns.len() <= at {
            columns.resize(at + 1, Vec::new());
        }
        columns[at].push(name.to_owned());
    }
    columns.retain(|c| !c.is_empty());
    columns
}

fn places_of(columns: &[Vec<String>], drawn: &BTreeSet<&str>) -> BTreeMap<String, (i64, i64)> {
    let mut places = BTreeMap::new();
    let mut x = 10;
    for column in columns {
        let mut y = 10;
        for name in column.iter().filter(|n| drawn.contains(n.as_str())) {
            places.insert(name.clone(), (x, y));
            y += ROW;
        }
        x += COLUMN;
    }
    places
}

fn line_of(
    (caller, callee): &(String, String),
    edge: &Edge,
    hours: i64,
    places: &BTreeMap<String, (i64, i64)>,
) -> Option<LineView> {
    let (from, to) = (places.get(caller)?, places.get(callee)?);
    let (x1, x2) = (from.0 + BOX.0, to.0);
    let class = match () {
        () if edge.tally.calls == 0 => "graph-declared",
        () if edge.tally.error_share() >= 0.05 => "graph-bad",
        () => "graph-seen",
    };
    let title = if edge.tally.calls == 0 {
        let how = if edge.declared { "declared" } else { "seen earlier" };
        format!("{caller} → {callee}: {how}, no call in this time")
    } else {
        let view = edge_view(&(caller.clone(), callee.clone()), edge, hours);
        let how = if edge.declared { "declared" } else { "not declared" };
        format!("{caller} → {callee}: {} a minute, {} failed, p95 {}; {how}", view.per_minute, view.errors, view.p95)
    };
    Some(LineView { x1, y1: from.1 + BOX.1 / 2, x2, y2: to.1 + BOX.1 / 2, mid: i64::midpoint(x1, x2), class, title })
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "shown with three digits")]
fn edge_view((caller, callee): &(String, String), edge: &Edge, hours: i64) -> EdgeView {
    let tally = &edge.tally;
    EdgeView {
        caller: caller.clone(),
        callee: callee.clone(),
        calls: tally.calls,
        per_minute: format!("{:.1}", tally.calls as f64 / (hours as f64 * 60.0)),
        errors: format!("{:.1} %", tally.error_share() * 100.0),
        is_bad: tally.error_share() >= 0.05,
        p95: tally.percentile_us(0.95).map(|us| duration((us * 1_000.0) as i64)).unwrap_or_default(),
        declared: edge.declared,
        known: edge.known,
        seen: tally.calls > 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(pairs: &[(&str, &str)]) -> Edges {
        pairs.iter().map(|(a, b)| (((*a).to_owned(), (*b).to_owned()), Edge::default())).collect()
    }

    #[test]
    fn callees_stand_right_of_their_callers() {
        let columns = layout(&edges(&[("front", "cart"), ("front", "search"), ("cart", "stock"), ("search", "stock")]));
        assert_eq!(columns, [vec!["front".to_owned()], vec!["cart".into(), "search".into()], vec!["stock".into()]]);
    }

    #[test]
    fn circles_end() {
        let columns = layout(&edges(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "d")]));
        assert_eq!(columns.iter().map(Vec::len).sum::<usize>(), 4);
        assert!(layout(&Edges::new()).is_empty());
    }
}
