//! Two traces of the same operation side by side: what was added, is missing, took longer, newly fails.
//!
//! Trees are matched from the root down: children are paired when service, operation and kind agree,
//! the n-th of a kind with the n-th. What finds no partner is added or missing, with all below it.

use std::collections::HashMap;

use super::tree::TraceTree;
use super::waterfall::self_time;
use crate::traces::model::SpanKind;

/// What became of a span between the reference (healthy) and the subject (failing) trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Same,
    /// Own time at least doubled and grew by at least [`MIN_SLOWER_NANOS`].
    Slower,
    Faster,
    /// Failed in the subject only.
    NewlyFailing,
    /// Failed in the reference only.
    NoLongerFailing,
    /// Only in the subject.
    Added,
    /// Only in the reference.
    Missing,
}

/// Smaller differences of own time are noise.
pub const MIN_SLOWER_NANOS: i64 = 5_000_000;

/// One line of the comparison; at least one side is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub reference: Option<usize>,
    pub subject: Option<usize>,
    pub depth: usize,
    pub change: Change,
    /// Own time of the subject less that of the reference; 0 when only one is there.
    pub self_delta_nanos: i64,
}

#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// In reading order.
    pub pairs: Vec<Pair>,
    /// The change that came earliest in the subject's time (for a missing span: where it would have
    /// been called); a symptom further up is never before its cause further down.
    pub first_divergence: Option<usize>,
}

type Signature<'a> = (&'a str, &'a str, SpanKind);

pub fn compare(reference: &TraceTree<'_>, subject: &TraceTree<'_>) -> Comparison {
    let mut out = Comparison::default();
    let mut stack = matched(reference, subject, &reference.roots, &subject.roots);
    stack.reverse();
    let mut work: Vec<(Option<usize>, Option<usize>, usize)> = stack.into_iter().map(|(a, b)| (a, b, 0)).collect();
    while let Some((a, b, depth)) = work.pop() {
        out.pairs.push(judge(reference, subject, a, b, depth));
        let children =
            |tree: &TraceTree<'_>, at: Option<usize>| at.map(|i| tree.nodes[i].children.clone()).unwrap_or_default();
        let below = matched(reference, subject, &children(reference, a), &children(subject, b));
        work.extend(below.into_iter().rev().map(|(a, b)| (a, b, depth + 1)));
    }
    out.first_divergence = first_divergence(&out.pairs, reference, subject);
    out
}

fn signature<'t>(tree: &TraceTree<'t>, i: usize) -> Signature<'t> {
    let span = tree.nodes[i].span;
    (span.service(), &span.name, span.kind)
}

/// Pairs siblings; in the subject's order, each missing one after the sibling that it followed.
fn matched(
    reference: &TraceTree<'_>,
    subject: &TraceTree<'_>,
    a: &[usize],
    b: &[usize],
) -> Vec<(Option<usize>, Option<usize>)> {
    let mut waiting: HashMap<Signature<'_>, Vec<usize>> = HashMap::new();
    for i in b.iter().rev() {
        waiting.entry(signature(subject, *i)).or_default().push(*i);
    }
    // Where each reference sibling goes: with its partner, or as missing behind the sibling before it.
    let mut partner_of: HashMap<usize, usize> = HashMap::new();
    let mut missing_after: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    let mut previous = None;
    for i in a {
        if let Some(j) = waiting.get_mut(&signature(reference, *i)).and_then(Vec::pop) {
            partner_of.insert(j, *i);
            previous = Some(j);
        } else {
            missing_after.entry(previous).or_default().push(*i);
        }
    }
    let mut out: Vec<(Option<usize>, Option<usize>)> = Vec::with_capacity(a.len().max(b.len()));
    out.extend(missing_after.remove(&None).into_iter().flatten().map(|i| (Some(i), None)));
    for j in b {
        out.push((partner_of.get(j).copied(), Some(*j)));
        out.extend(missing_after.remove(&Some(*j)).into_iter().flatten().map(|i| (Some(i), None)));
    }
    out
}

fn judge(reference: &TraceTree<'_>, subject: &TraceTree<'_>, a: Option<usize>, b: Option<usize>, depth: usize) -> Pair {
    let (change, self_delta_nanos) = match (a, b) {
        (Some(a), Some(b)) => {
            let (before, after) = (self_time(reference, a), self_time(subject, b));
            let change = match (reference.nodes[a].span.failed(), subject.nodes[b].span.failed()) {
                (false, true) => Change::NewlyFailing,
                (true, false) => Change::NoLongerFailing,
                _ if after - before >= MIN_SLOWER_NANOS && after >= before.saturating_mul(2) => Change::Slower,
                _ if before - after >= MIN_SLOWER_NANOS && before >= after.saturating_mul(2) => Change::Faster,
                _ => Change::Same,
            };
            (change, after - before)
        }
        (None, _) => (Change::Added, 0),
        (_, None) => (Change::Missing, 0),
    };
    Pair { reference: a, subject: b, depth, change, self_delta_nanos }
}

/// A failure shows at its end and goes upward from the deepest; everything else at its start.
fn first_divergence(pairs: &[Pair], reference: &TraceTree<'_>, subject: &TraceTree<'_>) -> Option<usize> {
    let (reference_start, subject_start) = (reference.bounds().0, subject.bounds().0);
    let when = |pair: &Pair| match (pair.reference, pair.subject) {
        (_, Some(b)) if pair.change == Change::NewlyFailing => {
            subject.nodes[b].span.failed_at_nanos().saturating_add(subject.nodes[b].skew) - subject_start
        }
        (_, Some(b)) if pair.change == Change::Slower => subject.nodes[b].end - subject_start,
        (_, Some(b)) => subject.nodes[b].start - subject_start,
        (Some(a), None) => reference.nodes[a].start - reference_start,
        (None, None) => i64::MAX,
    };
    pairs
        .iter()
        .enumerate()
        .filter(|(_, p)| matches!(p.change, Change::Slower | Change::NewlyFailing | Change::Added | Change::Missing))
        .min_by_key(|(i, p)| (when(p), std::cmp::Reverse(p.depth), *i))
        .map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{any_trace, failing, of, span, trace_of};
    use super::*;
    use crate::traces::model::Span;

    fn changes(reference: &[Span], subject: &[Span]) -> (Vec<(String, Change)>, Option<String>) {
        let (a, b) = (TraceTree::build(reference), TraceTree::build(subject));
        let got = compare(&a, &b);
        let name = |p: &Pair| {
            p.subject
                .map_or_else(|| a.nodes[p.reference.unwrap_or(0)].span.name.clone(), |i| b.nodes[i].span.name.clone())
        };
        let first = got.first_divergence.map(|i| name(&got.pairs[i]));
        (got.pairs.iter().filter(|p| p.change != Change::Same).map(|p| (name(p), p.change)).collect(), first)
    }

    #[test]
    fn equal_traces_do_not_differ() {
        let spans = trace_of(&[(1, None, 0, 100), (2, Some(1), 10, 40), (3, Some(1), 50, 60)]);
        assert_eq!(changes(&spans, &spans), (vec![], None));
    }

    #[test]
    fn added_missing_slower_and_newly_failing_spans_are_told() {
        let healthy = trace_of(&[(1, None, 0, 100), (2, Some(1), 10, 20), (3, Some(1), 30, 40), (4, Some(1), 50, 60)]);
        let mut sick =
            trace_of(&[(1, None, 0, 300), (2, Some(1), 10, 90), (4, Some(1), 210, 220), (5, Some(4), 212, 214)]);
        sick[2] = failing(sick[2].clone(), "boom");
        sick[0] = failing(sick[0].clone(), "500");
        let (got, first) = changes(&healthy, &sick);
        let want = [
            ("op1", Change::NewlyFailing),
            ("op2", Change::Slower),
            ("op3", Change::Missing),
            ("op4", Change::NewlyFailing),
            ("op5", Change::Added),
        ];
        assert_eq!(got, want.map(|(n, c)| (n.to_owned(), c)));
        assert_eq!(first.as_deref(), Some("op3"), "it should have started before the others changed");
    }

    #[test]
    fn the_cause_comes_before_the_symptom_above_it() {
        let healthy = trace_of(&[(1, None, 0, 100), (2, Some(1), 10, 90), (3, Some(2), 20, 80)]);
        let sick: Vec<Span> = healthy.iter().map(|s| failing(s.clone(), "x")).collect();
        assert_eq!(changes(&healthy, &sick).1.as_deref(), Some("op3"));
    }

    #[test]
    fn the_same_name_in_another_service_is_no_partner() {
        let a = vec![span(1, None, 0, 10), of(span(2, Some(1), 1, 2), "x", SpanKind::Server)];
        let b = vec![span(1, None, 0, 10), of(span(2, Some(1), 1, 2), "y", SpanKind::Server)];
        let (got, _) = changes(&a, &b);
        assert_eq!(got.iter().map(|(_, c)| *c).collect::<Vec<_>>(), [Change::Missing, Change::Added]);
    }

    proptest! {
        #[test]
        fn every_span_of_both_is_paired_once(a in any_trace(25), b in any_trace(25)) {
            let (a, b) = (TraceTree::build(&a), TraceTree::build(&b));
            let got = compare(&a, &b);
            let mut left: Vec<usize> = got.pairs.iter().filter_map(|p| p.reference).collect();
            let mut right: Vec<usize> = got.pairs.iter().filter_map(|p| p.subject).collect();
            left.sort_unstable();
            right.sort_unstable();
            prop_assert_eq!(left, (0..a.len()).collect::<Vec<_>>());
            prop_assert_eq!(right, (0..b.len()).collect::<Vec<_>>());
        }

        #[test]
        fn a_trace_does_not_differ_from_itself(a in any_trace(25)) {
            let tree = TraceTree::build(&a);
            prop_assert!(compare(&tree, &tree).pairs.iter().all(|p| p.change == Change::Same));
        }
    }
}
