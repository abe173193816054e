//! The first error of a trace: where the failure began, and the way by which it spread.
//!
//! A failing span with no failing span below it is an *origin*. Each origin explains its failing
//! ancestors. Among several origins the first error is the one that, in this order:
//! 1. explains the failure that the request ended with (its topmost failing ancestor stands highest),
//! 2. was not merely cancelled because something else had failed,
//! 3. explains it without a gap (an ancestor in between that did not fail had handled the error),
//! 4. failed earliest, 5. stands deepest.

use super::tree::TraceTree;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstError {
    /// The node where the failure began.
    pub origin: usize,
    /// From the origin up to the topmost ancestor that failed for it; the origin is the first element.
    pub spread: Vec<usize>,
    /// The request as a whole failed for it: the spread reaches a root.
    pub reached_root: bool,
    /// An ancestor between did not fail, so the error was handled on the way.
    pub handled: bool,
    /// Whom the origin was waiting for, when it is a call that got no answer in time.
    pub waited_for: Option<String>,
    /// Failing spans that the first error does not explain.
    pub unexplained: usize,
}

/// `None` when no span failed.
pub fn first_error(tree: &TraceTree<'_>) -> Option<FirstError> {
    let failed: Vec<bool> = tree.nodes.iter().map(|n| n.span.failed()).collect();
    let fails_below = failing_descendants(tree, &failed);
    let origins = (0..tree.len()).filter(|i| failed[*i] && !fails_below[*i]);
    let best = origins.map(|o| Candidate::of(tree, &failed, o)).min_by_key(Candidate::rank)?;

    let explained = best.spread.iter().filter(|i| failed[**i]).count();
    let total = failed.iter().filter(|f| **f).count();
    Some(FirstError {
        waited_for: waited_for(tree, best.origin),
        origin: best.origin,
        reached_root: best.top_depth == 0,
        handled: best.gaps > 0,
        unexplained: total - explained,
        spread: best.spread,
    })
}

struct Candidate {
    origin: usize,
    spread: Vec<usize>,
    top_depth: usize,
    gaps: usize,
    cancelled: bool,
    failed_at: i64,
    depth: usize,
}

impl Candidate {
    fn of(tree: &TraceTree<'_>, failed: &[bool], origin: usize) -> Self {
        let line: Vec<usize> = std::iter::once(origin).chain(tree.ancestors(origin)).collect();
        let top = line.iter().rposition(|i| failed[*i]).unwrap_or(0);
        let spread = line[..=top].to_vec();
        let node = &tree.nodes[origin];
        Self {
            origin,
            top_depth: spread.last().map_or(0, |i| tree.nodes[*i].depth),
            gaps: spread.iter().filter(|i| !failed[**i]).count(),
            cancelled: node.span.was_cancelled(),
            failed_at: node.span.failed_at_nanos().saturating_add(node.skew),
            depth: node.depth,
            spread,
        }
    }

    fn rank(&self) -> impl Ord + use<> {
        (self.top_depth, self.cancelled, self.gaps, self.failed_at, std::cmp::Reverse(self.depth), self.origin)
    }
}

/// For each node, whether any span below it failed.
fn failing_descendants(tree: &TraceTree<'_>, failed: &[bool]) -> Vec<bool> {
    let mut below = vec![false; tree.len()];
    // Children before parents.
    for i in tree.preorder.iter().rev() {
        if let Some(parent) = tree.nodes[*i].parent {
            below[parent] |= failed[*i] || below[*i];
        }
    }
    below
}

/// A call that timed out is no fault of the caller: name the one that did not answer, from the callee's
/// own span when it arrived, else from what the caller knew.
fn waited_for(tree: &TraceTree<'_>, origin: usize) -> Option<String> {
    let node = &tree.nodes[origin];
    if !node.span.kind.is_outgoing() || !node.span.timed_out() {
        return None;
    }
    let callee = node.children.iter().map(|c| tree.nodes[*c].span).find(|s| s.service() != node.span.service());
    callee.map(|s| s.service().to_owned()).or_else(|| node.span.peer().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{any_trace, failing, of, span};
    use super::*;
    use crate::telemetry::AttrValue;
    use crate::traces::model::{Span, SpanKind};

    fn explain(spans: &[Span]) -> (String, Vec<String>, FirstError) {
        let tree = TraceTree::build(spans);
        let found = first_error(&tree).expect("a failing span");
        let name = |i: &usize| tree.nodes[*i].span.name.clone();
        (name(&found.origin), found.spread.iter().map(name).collect(), found)
    }

    #[test]
    fn the_deepest_failure_explains_its_callers() {
        let spans = [
            failing(span(1, None, 0, 100), "502"),
            failing(span(2, Some(1), 10, 90), "500"),
            failing(span(3, Some(2), 20, 80), "no connection"),
            span(4, Some(2), 20, 30),
        ];
        let (origin, spread, found) = explain(&spans);
        assert_eq!((origin.as_str(), spread), ("op3", vec!["op3".to_owned(), "op2".into(), "op1".into()]));
        assert!(found.reached_root && !found.handled);
        assert_eq!(found.unexplained, 0);
    }

    #[test]
    fn a_handled_error_does_not_hide_the_one_that_broke_the_request() {
        let spans = [
            failing(span(1, None, 0, 100), "500"),
            span(2, Some(1), 5, 20),
            failing(span(3, Some(2), 6, 10), "cache miss"),
            failing(span(4, Some(1), 30, 90), "out of stock"),
        ];
        let (origin, _, found) = explain(&spans);
        assert_eq!(origin, "op4", "op3 failed earlier, but op2 coped with it");
        assert_eq!(found.unexplained, 1);
    }

    #[test]
    fn of_retries_the_first_one_counts_and_cancelled_siblings_do_not() {
        let spans = [
            failing(span(1, None, 0, 100), "500"),
            failing(span(2, Some(1), 10, 20), "context canceled"),
            failing(span(3, Some(1), 12, 40), "refused"),
            failing(span(4, Some(1), 50, 60), "refused"),
        ];
        assert_eq!(explain(&spans).0, "op3");
    }

    #[test]
    fn a_success_at_the_top_means_the_error_was_handled() {
        let spans = [span(1, None, 0, 100), failing(span(2, Some(1), 10, 20), "boom")];
        let (origin, spread, found) = explain(&spans);
        assert_eq!((origin.as_str(), spread.len(), found.reached_root), ("op2", 1, false));
        let tree_without = [span(1, None, 0, 1)];
        assert_eq!(first_error(&TraceTree::build(&tree_without)), None);
    }

    #[test]
    fn an_unanswered_call_names_whom_it_waited_for() {
        let mut call = failing(of(span(2, Some(1), 10, 90), "shop", SpanKind::Client), "deadline exceeded");
        call.attributes.push("peer.service", AttrValue::text("stock-db"));
        let root = failing(of(span(1, None, 0, 100), "shop", SpanKind::Server), "500");
        let spans = vec![root, call];
        assert_eq!(explain(&spans).2.waited_for.as_deref(), Some("stock-db"));
        let mut with_callee = spans;
        with_callee.push(of(span(3, Some(2), 11, 95), "stock", SpanKind::Server));
        assert_eq!(explain(&with_callee).2.waited_for.as_deref(), Some("stock"));
    }

    proptest! {
        #[test]
        fn the_origin_failed_and_nothing_below_it_did(spans in any_trace(40)) {
            let tree = TraceTree::build(&spans);
            let any_failed = tree.nodes.iter().any(|n| n.span.failed());
            let found = first_error(&tree);
            prop_assert_eq!(found.is_some(), any_failed);
            if let Some(found) = found {
                prop_assert!(tree.nodes[found.origin].span.failed());
                for (i, node) in tree.nodes.iter().enumerate() {
                    prop_assert!(!(node.span.failed() && tree.ancestors(i).any(|a| a == found.origin)));
                }
                prop_assert_eq!(found.spread[0], found.origin);
                let last = found.spread[found.spread.len() - 1];
                prop_assert!(tree.nodes[last].span.failed());
                for pair in found.spread.windows(2) {
                    prop_assert_eq!(tree.nodes[pair[0]].parent, Some(pair[1]));
                }
            }
        }
    }
}
