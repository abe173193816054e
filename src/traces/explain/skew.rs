//! Clock-skew correction, after Zipkin and Jaeger: hosts' clocks disagree, so a callee may seem to work
//! before it was called.
//!
//! A callee on another clock that does not lie within its call is moved into the middle of it, as if
//! the network took equally long both ways; what hangs under it on the same clock moves along. A callee
//! that took longer than its call (the caller gave up) and asynchronous work are only moved when they
//! would start before their cause. Durations never change.

use super::tree::{Node, TraceTree};
use crate::traces::model::SpanKind;

pub fn correct(tree: &mut TraceTree<'_>) {
    for at in 0..tree.preorder.len() {
        let i = tree.preorder[at];
        let Some(p) = tree.nodes[i].parent else { continue };
        let (parent, child) = (&tree.nodes[p], &tree.nodes[i]);
        if !parent.span.has_time() || !child.span.has_time() {
            continue;
        }
        let delta = if same_clock(parent, child) { parent.skew } else { offset(parent, child) };
        let child = &mut tree.nodes[i];
        child.skew = delta;
        child.start = child.start.saturating_add(delta);
        child.end = child.end.saturating_add(delta);
    }
}

/// One process on one host stamps with one clock.
fn same_clock(a: &Node<'_>, b: &Node<'_>) -> bool {
    let (a, b) = (&a.span.resource, &b.span.resource);
    match (&a.instance, &b.instance) {
        (Some(x), Some(y)) => x == y && a.service == b.service,
        _ => a.service == b.service,
    }
}

/// What to add to a callee's times. `parent` is corrected already, `child` is as recorded.
const fn offset(parent: &Node<'_>, child: &Node<'_>) -> i64 {
    let starts_too_early = child.start < parent.start;
    let ends_too_late = child.end > parent.end;
    let waits_for_answer =
        matches!(child.span.kind, SpanKind::Server) && !matches!(parent.span.kind, SpanKind::Producer);
    if waits_for_answer && child.duration() <= parent.duration() && (starts_too_early || ends_too_late) {
        let latency = (parent.duration() - child.duration()) / 2;
        return parent.start + latency - child.start;
    }
    if starts_too_early { parent.start - child.start } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{BASE, any_trace, of, span};
    use super::*;

    #[test]
    fn a_callee_before_its_call_is_centred_and_its_work_moves_along() {
        // The layout of Zipkin's skew fixture.
        let spans = vec![
            of(span(1, None, 71, 170), "a", SpanKind::Server),
            of(span(2, Some(1), 74, 168), "a", SpanKind::Client),
            of(span(3, Some(2), 8, 100), "b", SpanKind::Server),
            of(span(4, Some(3), 8, 73), "b", SpanKind::Internal),
        ];
        let tree = TraceTree::build(&spans);
        let at = |id: usize| {
            let node = tree.nodes.iter().find(|n| n.span.name == format!("op{id}")).expect("there");
            ((node.start - BASE) / 1_000_000, (node.end - BASE) / 1_000_000, node.skew / 1_000_000)
        };
        assert_eq!(at(2), (74, 168, 0));
        assert_eq!(at(3), (75, 167, 67));
        assert_eq!(at(4), (75, 140, 67));
    }

    #[test]
    fn late_asynchronous_work_stays_where_it_is() {
        let spans = vec![
            of(span(1, None, 0, 10), "a", SpanKind::Producer),
            of(span(2, Some(1), 500, 900), "b", SpanKind::Consumer),
            of(span(3, Some(1), -50, -40), "c", SpanKind::Consumer),
        ];
        let tree = TraceTree::build(&spans);
        let skews: Vec<i64> = (1..=3)
            .map(|id| tree.nodes.iter().find(|n| n.span.name == format!("op{id}")).expect("there").skew / 1_000_000)
            .collect();
        assert_eq!(skews, [0, 0, 50]);
    }

    #[test]
    fn a_callee_that_outlived_its_caller_is_not_moved() {
        let spans =
            vec![of(span(1, None, 0, 10), "a", SpanKind::Client), of(span(2, Some(1), 1, 60), "b", SpanKind::Server)];
        assert!(TraceTree::build(&spans).nodes.iter().all(|n| n.skew == 0));
    }

    proptest! {
        #[test]
        fn durations_stay_and_no_callee_starts_before_its_call(spans in any_trace(30)) {
            let tree = TraceTree::build(&spans);
            for node in &tree.nodes {
                prop_assert_eq!(node.duration(), node.span.duration_nanos());
                let Some(parent) = node.parent.map(|p| &tree.nodes[p]) else { continue };
                if !node.span.has_time() || !parent.span.has_time() || same_clock(parent, node) { continue }
                prop_assert!(node.start >= parent.start);
                if node.span.kind == SpanKind::Server && parent.span.kind != SpanKind::Producer && node.duration() <= parent.duration() {
                    prop_assert!(node.end <= parent.end);
                }
            }
        }
    }
}
