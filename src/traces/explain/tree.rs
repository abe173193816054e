//! Spans as a tree that tolerates what real traces contain: duplicates, halves that share an id,
//! parents that never arrived, cycles, missing times, endless depth.

use std::collections::HashMap;

use super::skew;
use crate::telemetry::SpanId;
use crate::traces::model::{Span, SpanKey};

/// One span in its place.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    pub span: &'a Span,
    pub parent: Option<usize>,
    /// In order of start.
    pub children: Vec<usize>,
    /// 0 at a root.
    pub depth: usize,
    /// Corrected start, Unix nanoseconds.
    pub start: i64,
    /// Corrected end, never before the start.
    pub end: i64,
    /// What the clock-skew correction added to the recorded times.
    pub skew: i64,
    /// The span names a parent that is not among the spans.
    pub parent_missing: bool,
    /// The span's line of parents led back to itself and was cut here.
    pub cycle_cut: bool,
}

impl Node<'_> {
    pub const fn duration(&self) -> i64 {
        self.end - self.start
    }
}

/// The spans of one trace. Nodes are named by their index.
#[derive(Clone, Debug, Default)]
pub struct TraceTree<'a> {
    pub nodes: Vec<Node<'a>>,
    /// Spans with no parent first, then orphans; each in order of start.
    pub roots: Vec<usize>,
    /// Depth-first: a node stands before its children.
    pub preorder: Vec<usize>,
    /// Deliveries that repeated a span already there.
    pub duplicates: usize,
}

impl<'a> TraceTree<'a> {
    pub fn build(spans: &'a [Span]) -> Self {
        let (unique, duplicates) = deduplicate(spans);
        let mut nodes: Vec<Node<'a>> = unique.into_iter().map(bare_node).collect();
        link_parents(&mut nodes);
        cut_cycles(&mut nodes);
        let mut tree = Self { nodes, roots: Vec::new(), preorder: Vec::new(), duplicates };
        tree.place_children();
        skew::correct(&mut tree);
        tree.place_timeless();
        tree.place_children();
        tree
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The root that stands for the request: the first one.
    pub fn main_root(&self) -> Option<&Node<'a>> {
        self.roots.first().and_then(|i| self.nodes.get(*i))
    }

    /// Earliest start and latest end of all spans with a time.
    pub fn bounds(&self) -> (i64, i64) {
        let timed = || self.nodes.iter().filter(|n| n.start > 0);
        (timed().map(|n| n.start).min().unwrap_or(0), timed().map(|n| n.end).max().unwrap_or(0))
    }

    /// A node's ancestors, nearest first.
    pub fn ancestors(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.nodes.get(node).and_then(|n| n.parent), |i| {
            self.nodes.get(*i).and_then(|n| n.parent)
        })
    }

    pub fn find(&self, id: SpanId) -> Option<usize> {
        self.nodes.iter().position(|n| n.span.span_id == id)
    }

    /// Fills children, roots, depth and preorder from the parents.
    fn place_children(&mut self) {
        for node in &mut self.nodes {
            node.children.clear();
        }
        let mut roots = Vec::new();
        for i in 0..self.nodes.len() {
            match self.nodes[i].parent {
                Some(parent) => self.nodes[parent].children.push(i),
                None => roots.push(i),
            }
        }
        let order = |nodes: &[Node<'_>], i: usize| (nodes[i].start, -nodes[i].end, nodes[i].span.key());
        for i in 0..self.nodes.len() {
            let mut children = std::mem::take(&mut self.nodes[i].children);
            children.sort_by_key(|c| order(&self.nodes, *c));
            self.nodes[i].children = children;
        }
        roots.sort_by_key(|r| (self.nodes[*r].parent_missing || self.nodes[*r].cycle_cut, order(&self.nodes, *r)));

        self.preorder.clear();
        let mut stack: Vec<(usize, usize)> = roots.iter().rev().map(|r| (*r, 0)).collect();
        while let Some((i, depth)) = stack.pop() {
            self.preorder.push(i);
            self.nodes[i].depth = depth;
            stack.extend(self.nodes[i].children.iter().rev().map(|c| (*c, depth + 1)));
        }
        self.roots = roots;
    }

    /// A span without a recorded time is drawn at its parent's start, taking no time.
    fn place_timeless(&mut self) {
        for at in 0..self.preorder.len() {
            let i = self.preorder[at];
            if self.nodes[i].span.has_time() {
                continue;
            }
            let start = self.nodes[i].parent.map_or(0, |p| self.nodes[p].start);
            (self.nodes[i].start, self.nodes[i].end) = (start, start);
        }
    }
}

const fn bare_node(span: &Span) -> Node<'_> {
    let end = if span.ends_before_start() || !span.has_time() { span.start_nanos } else { span.end_nanos };
    Node {
        span,
        parent: None,
        children: Vec::new(),
        depth: 0,
        start: span.start_nanos,
        end,
        skew: 0,
        parent_missing: false,
        cycle_cut: false,
    }
}

/// One span per key, the fuller delivery winning; sorted so that the order of arrival does not matter.
fn deduplicate(spans: &[Span]) -> (Vec<&Span>, usize) {
    let mut best: HashMap<SpanKey, &Span> = HashMap::with_capacity(spans.len());
    for span in spans {
        best.entry(span.key())
            .and_modify(|kept| {
                if span.is_fuller_than(kept) {
                    *kept = span
                }
            })
            .or_insert(span);
    }
    let mut unique: Vec<&Span> = best.into_values().collect();
    unique.sort_by_key(|s| (s.start_nanos, s.key()));
    let duplicates = spans.len() - unique.len();
    (unique, duplicates)
}

fn link_parents(nodes: &mut [Node<'_>]) {
    let mut by_id: HashMap<SpanId, Vec<usize>> = HashMap::with_capacity(nodes.len());
    for (i, node) in nodes.iter().enumerate() {
        by_id.entry(node.span.span_id).or_default().push(i);
    }
    for i in 0..nodes.len() {
        let span = nodes[i].span;
        let other_half = by_id[&span.span_id]
            .iter()
            .copied()
            .find(|j| *j != i && span.kind.is_incoming() && nodes[*j].span.kind.is_outgoing());
        let parent = other_half.or_else(|| {
            let candidates: Vec<usize> = by_id.get(&span.parent?)?.iter().copied().filter(|j| *j != i).collect();
            choose_parent(nodes, span, &candidates)
        });
        nodes[i].parent = parent;
        nodes[i].parent_missing = parent.is_none() && span.parent.is_some();
    }
}

/// When the parent's id belongs to both halves of a call: work inside a service hangs under that
/// service's half, a further incoming call under the calling half.
fn choose_parent(nodes: &[Node<'_>], child: &Span, candidates: &[usize]) -> Option<usize> {
    candidates.iter().copied().min_by_key(|j| {
        let candidate = nodes[*j].span;
        let other_service = candidate.service() != child.service();
        let wrong_half =
            if child.kind.is_incoming() { !candidate.kind.is_outgoing() } else { !candidate.kind.is_incoming() };
        (other_service && !child.kind.is_incoming(), wrong_half, other_service, *j)
    })
}

/// Cuts each circle of parents at its earliest span, which becomes a root.
fn cut_cycles(nodes: &mut [Node<'_>]) {
    const UNSEEN: u32 = 0;
    let mut seen_in = vec![UNSEEN; nodes.len()];
    for start in 0..nodes.len() {
        let walk = u32::try_from(start).unwrap_or(u32::MAX - 1) + 1;
        let mut at = start;
        while seen_in[at] == UNSEEN {
            seen_in[at] = walk;
            let Some(parent) = nodes[at].parent else { break };
            at = parent;
            if seen_in[at] == walk {
                cut_at_earliest(nodes, at);
                break;
            }
        }
    }
}

fn cut_at_earliest(nodes: &mut [Node<'_>], on_cycle: usize) {
    let mut earliest = on_cycle;
    let mut at = on_cycle;
    while let Some(parent) = nodes[at].parent {
        at = parent;
        // Nodes are sorted by start, so the smallest index is the earliest.
        earliest = earliest.min(at);
        if at == on_cycle {
            break;
        }
    }
    nodes[earliest].parent = None;
    nodes[earliest].cycle_cut = true;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{any_trace, span, trace_of};
    use super::*;
    use crate::traces::model::SpanKind;

    fn shape(spans: &[Span]) -> Vec<(String, usize)> {
        let tree = TraceTree::build(spans);
        tree.preorder.iter().map(|i| (tree.nodes[*i].span.name.clone(), tree.nodes[*i].depth)).collect()
    }

    #[test]
    fn children_follow_their_parents_in_order_of_start() {
        let spans = trace_of(&[(3, Some(1), 30, 40), (1, None, 0, 100), (2, Some(1), 10, 20), (4, Some(2), 12, 13)]);
        let got = shape(&spans);
        let want = [("op1", 0), ("op2", 1), ("op4", 2), ("op3", 1)].map(|(n, d)| (n.to_owned(), d));
        assert_eq!(got, want);
    }

    #[test]
    fn orphans_stand_after_roots_and_say_so() {
        let spans = trace_of(&[(5, Some(99), 1, 2), (1, None, 10, 20)]);
        let tree = TraceTree::build(&spans);
        let roots: Vec<_> =
            tree.roots.iter().map(|r| (tree.nodes[*r].span.name.as_str(), tree.nodes[*r].parent_missing)).collect();
        assert_eq!(roots, [("op1", false), ("op5", true)]);
    }

    #[test]
    fn cycles_are_cut_at_the_earliest_span() {
        let spans = trace_of(&[
            (1, Some(3), 5, 90),
            (2, Some(1), 10, 20),
            (3, Some(2), 12, 14),
            (4, Some(4), 20, 30),
            (5, Some(3), 13, 14),
        ]);
        let tree = TraceTree::build(&spans);
        let cut: Vec<_> = tree.nodes.iter().filter(|n| n.cycle_cut).map(|n| n.span.name.as_str()).collect();
        assert_eq!(cut, ["op1"]);
        assert_eq!(tree.preorder.len(), 5);
        let own_parent = tree.nodes.iter().find(|n| n.span.name == "op4").expect("op4");
        assert!(own_parent.parent_missing, "a span that is its own parent has none");
    }

    #[test]
    fn both_halves_of_a_call_and_the_work_below() {
        let mut client = span(7, Some(1), 10, 90);
        client.kind = SpanKind::Client;
        let mut server = span(7, Some(1), 20, 80);
        server.kind = SpanKind::Server;
        server.resource = std::sync::Arc::new(crate::telemetry::Resource::named("callee"));
        server.name = "served".into();
        let mut work = span(8, Some(7), 30, 40);
        work.resource = std::sync::Arc::clone(&server.resource);
        let root = span(1, None, 0, 100);
        let spans = vec![server, work, client, root];
        let want = [("op1", 0), ("op7", 1), ("served", 2), ("op8", 3)].map(|(n, d)| (n.to_owned(), d));
        assert_eq!(shape(&spans), want);
    }

    #[test]
    fn duplicates_count_and_the_fuller_one_stays() {
        let mut partial = span(1, None, 10, 10);
        partial.name = "partial".into();
        let full = span(1, None, 10, 20);
        let spans = [partial.clone(), full, partial];
        let tree = TraceTree::build(&spans);
        assert_eq!((tree.len(), tree.duplicates), (1, 2));
        assert_eq!(tree.nodes[0].span.name, "op1");
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_does_not_overflow() {
        let rows: Vec<_> =
            (1..=100_000u64).map(|i| (i, (i > 1).then(|| i - 1), i64::try_from(i).unwrap_or(0), 200_000)).collect();
        let spans = trace_of(&rows);
        let tree = TraceTree::build(&spans);
        assert_eq!(tree.nodes[tree.preorder[99_999]].depth, 99_999);
    }

    proptest! {
        #[test]
        fn every_span_stands_once_whatever_the_parents(spans in any_trace(40)) {
            let tree = TraceTree::build(&spans);
            let mut seen = tree.preorder.clone();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..tree.len()).collect::<Vec<_>>());
            prop_assert_eq!(tree.len() + tree.duplicates, spans.len());
            for (i, node) in tree.nodes.iter().enumerate() {
                prop_assert!(node.end >= node.start);
                prop_assert!(tree.ancestors(i).count() == node.depth);
            }
        }

        #[test]
        fn the_order_of_arrival_does_not_matter(spans in any_trace(25)) {
            let mut backwards = spans.clone();
            backwards.reverse();
            prop_assert_eq!(shape(&spans), shape(&backwards));
        }
    }
}
