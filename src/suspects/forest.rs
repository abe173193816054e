//! Spans as trees: names interned, parents found, own time and call gaps measured. No judgement happens here.

use std::collections::HashMap;

use super::model::{Span, Telemetry};

/// Names of services, operations and versions as small numbers, shared by the baseline and the incident.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_text: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Names {
    pub(super) fn intern(&mut self, text: &str) -> u32 {
        if let Some(&id) = self.by_text.get(text) {
            return id;
        }
        let id = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(text.to_owned());
        self.by_text.insert(text.to_owned(), id);
        id
    }

    pub(super) fn text(&self, id: u32) -> &str {
        self.texts.get(id as usize).map_or("?", String::as_str)
    }

    pub(super) fn find(&self, text: &str) -> Option<u32> {
        self.by_text.get(text).copied()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) service: u32,
    pub(super) operation: u32,
    pub(super) version: Option<u32>,
    /// Position of the parent in [`Forest::nodes`].
    pub(super) parent: Option<usize>,
    pub(super) root: usize,
    /// First span of the same service's part that this span belongs to.
    pub(super) entry: usize,
    pub(super) start: i64,
    pub(super) end: i64,
    /// Duration less the time in which children ran or a neighbouring call was waited for.
    pub(super) own_ms: f64,
    /// The parent belongs to another service.
    pub(super) remote: bool,
    /// The one remote child of a span that does nothing but call it.
    pub(super) calls: Option<usize>,
    pub(super) error: bool,
    /// The service that this call should have reached but that recorded nothing; such a call counts as failed.
    pub(super) lost: Option<u32>,
    /// Position in [`Telemetry::spans`].
    pub(super) source: usize,
}

impl Node {
    pub(super) fn duration_ms(&self) -> f64 {
        ms(self.end - self.start)
    }

    /// First span of a service's part in a trace.
    pub(super) fn is_entry(&self) -> bool {
        self.remote || self.parent.is_none()
    }
}

#[expect(clippy::cast_precision_loss, reason = "durations far below 2^53 ns")]
pub(super) fn ms(nanos: i64) -> f64 {
    nanos as f64 / 1e6
}

#[derive(Debug, Default)]
pub(super) struct Forest {
    pub(super) nodes: Vec<Node>,
    pub(super) children: Vec<Vec<usize>>,
    pub(super) roots: Vec<usize>,
}

impl Forest {
    /// Builds the trees of the spans whose trace began at `from` or later. A span whose parent is unknown counts as
    /// a root; a loop of parents is cut where it is found.
    pub(super) fn build(telemetry: &Telemetry, from: Option<i64>, names: &mut Names) -> Self {
        let chosen = since(&telemetry.spans, from);
        let position: HashMap<(&str, &str), usize> = chosen
            .iter()
            .enumerate()
            .map(|(at, &s)| {
                let span = &telemetry.spans[s];
                ((span.trace_id.as_str(), span.span_id.as_str()), at)
            })
            .collect();
        let mut nodes: Vec<Node> = chosen
            .iter()
            .map(|&source| {
                let span = &telemetry.spans[source];
                let parent =
                    span.parent_id.as_deref().and_then(|p| position.get(&(span.trace_id.as_str(), p)).copied());
                node(span, source, parent, names)
            })
            .collect();
        cut_loops(&mut nodes);
        let mut children = vec![Vec::new(); nodes.len()];
        let mut roots = Vec::new();
        for at in 0..nodes.len() {
            match nodes[at].parent {
                Some(p) => {
                    nodes[at].remote = nodes[p].service != nodes[at].service;
                    children[p].push(at);
                }
                None => roots.push(at),
            }
        }
        let mut forest = Self { nodes, children, roots };
        forest.measure();
        forest
    }

    /// Marks roots and calls, and takes children's and awaited calls' time from each span's own.
    fn measure(&mut self) {
        for list in &mut self.children {
            list.sort_by_key(|&c| self.nodes[c].start);
        }
        for root in self.roots.clone() {
            let mut stack = vec![root];
            while let Some(at) = stack.pop() {
                self.nodes[at].root = root;
                self.nodes[at].entry = match self.nodes[at].parent {
                    Some(p) if !self.nodes[at].remote => self.nodes[p].entry,
                    _ => at,
                };
                stack.extend(&self.children[at]);
            }
        }
        for at in 0..self.nodes.len() {
            self.nodes[at].calls = self.call_of(at);
        }
        for at in 0..self.nodes.len() {
            let below = merged(self.children[at].iter().map(|&c| (self.nodes[c].start, self.nodes[c].end)));
            let awaited = self.awaited_beside(at);
            let all = merged(below.into_iter().chain(awaited));
            let node = &mut self.nodes[at];
            node.own_ms = ms(node.end - node.start - covered(&all, node.start, node.end));
        }
    }

    /// The callee's span, when this span is a pure call: not an entry itself, and with exactly one child in another
    /// service that began while it lasted (a later start means a message that nobody waits for).
    fn call_of(&self, at: usize) -> Option<usize> {
        let node = &self.nodes[at];
        if node.is_entry() {
            return None;
        }
        let mut remote = self.children[at].iter().copied().filter(|&c| self.nodes[c].remote);
        let (first, second) = (remote.next()?, remote.next());
        let child = &self.nodes[first];
        (second.is_none() && child.start < node.end && child.end <= node.end.saturating_add(1_000_000)).then_some(first)
    }

    /// Calls that siblings wait for: asynchronous handlers run beside them without working.
    fn awaited_beside(&self, at: usize) -> Vec<(i64, i64)> {
        let (Some(parent), None) = (self.nodes[at].parent, self.nodes[at].calls) else { return Vec::new() };
        let siblings = &self.children[parent];
        if siblings.len() > 64 {
            return Vec::new(); // a fan-out this wide is sequential work, not a waiting handler
        }
        siblings
            .iter()
            .filter(|&&s| s != at && self.nodes[s].calls.is_some())
            .map(|&s| (self.nodes[s].start, self.nodes[s].end))
            .collect()
    }

    /// The operations that are calls into one and the same service: (service, operation) → callee. Operations that
    /// call several services under one name say nothing about where a lost call went.
    pub(super) fn known_calls(&self) -> HashMap<(u32, u32), u32> {
        let mut callees: HashMap<(u32, u32), Option<u32>> = HashMap::new();
        for node in &self.nodes {
            let Some(callee) = node.calls.map(|c| self.nodes[c].service) else { continue };
            callees
                .entry((node.service, node.operation))
                .and_modify(|known| *known = known.filter(|&k| k == callee))
                .or_insert(Some(callee));
        }
        callees.into_iter().filter_map(|(call, callee)| Some((call, callee?))).collect()
    }

    /// Marks calls that reached nobody.
    pub(super) fn mark_lost(&mut self, known: &HashMap<(u32, u32), u32>) {
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            if self.children[at].is_empty() && !node.is_entry() {
                let lost = known.get(&(node.service, node.operation)).copied();
                self.nodes[at].error |= lost.is_some();
                self.nodes[at].lost = lost;
            }
        }
    }
}

fn node(span: &Span, source: usize, parent: Option<usize>, names: &mut Names) -> Node {
    Node {
        service: names.intern(&span.service),
        operation: names.intern(&span.operation),
        version: span.version.as_deref().map(|v| names.intern(v)),
        parent,
        root: 0,
        entry: 0,
        start: span.start,
        end: span.end.max(span.start),
        own_ms: 0.0,
        remote: false,
        calls: None,
        error: span.error,
        lost: None,
        source,
    }
}

/// Positions of the spans of traces whose first span starts at `from` or later, in the order given.
fn since(spans: &[Span], from: Option<i64>) -> Vec<usize> {
    let Some(from) = from else { return (0..spans.len()).collect() };
    let mut first: HashMap<&str, i64> = HashMap::new();
    for span in spans {
        let start = first.entry(&span.trace_id).or_insert(span.start);
        *start = span.start.min(*start);
    }
    (0..spans.len()).filter(|&s| first.get(spans[s].trace_id.as_str()).is_some_and(|&start| start >= from)).collect()
}

/// A parent chain that returns to itself (bad input) loses the link that closes it.
fn cut_loops(nodes: &mut [Node]) {
    let mut state = vec![0_u8; nodes.len()]; // 0 unseen, 1 on the current path, 2 known to end
    for at in 0..nodes.len() {
        let mut path = Vec::new();
        let mut here = at;
        while state[here] == 0 {
            state[here] = 1;
            path.push(here);
            match nodes[here].parent {
                Some(p) if state[p] == 1 => nodes[here].parent = None,
                Some(p) => here = p,
                None => {}
            }
        }
        for seen in path {
            state[seen] = 2;
        }
    }
}

/// Overlapping intervals joined, in order.
fn merged(intervals: impl Iterator<Item = (i64, i64)>) -> Vec<(i64, i64)> {
    let mut all: Vec<(i64, i64)> = intervals.filter(|(a, b)| b > a).collect();
    all.sort_unstable();
    let mut out: Vec<(i64, i64)> = Vec::with_capacity(all.len());
    for (a, b) in all {
        match out.last_mut() {
            Some(last) if a <= last.1 => last.1 = last.1.max(b),
            _ => out.push((a, b)),
        }
    }
    out
}

fn covered(merged: &[(i64, i64)], start: i64, end: i64) -> i64 {
    merged.iter().map(|&(a, b)| (b.min(end) - a.max(start)).max(0)).sum()
}
