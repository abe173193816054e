//! The rows of a waterfall: one per span in reading order, runs of repeats folded into one.

use super::critical_path::critical_path;
use super::first_error::FirstError;
use super::tree::TraceTree;

/// Siblings alike in service, name and kind are folded when at least this many follow one another.
const MIN_REPEATS: usize = 4;

/// A run of like siblings shown as its first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// All of them, the shown one included.
    pub count: usize,
    pub total_nanos: i64,
    pub longest_nanos: i64,
    /// End of the last one, for drawing the run's extent.
    pub end: i64,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub node: usize,
    pub depth: usize,
    /// From the trace's start.
    pub offset_nanos: i64,
    pub duration_nanos: i64,
    /// Time in which none of its children ran.
    pub self_nanos: i64,
    /// Time on the critical path that is the span's own.
    pub critical_nanos: i64,
    pub failed: bool,
    pub is_first_error: bool,
    /// Lies on the way by which the first error spread.
    pub on_error_path: bool,
    pub repeats: Option<Repeats>,
}

#[derive(Clone, Debug, Default)]
pub struct Waterfall {
    pub rows: Vec<Row>,
    /// Corrected Unix nanoseconds.
    pub start: i64,
    pub duration_nanos: i64,
    /// Spans that stand in no row of their own because they were folded.
    pub folded: usize,
}

impl Waterfall {
    /// `fold` off shows every span.
    pub fn build(tree: &TraceTree<'_>, first_error: Option<&FirstError>, fold: bool) -> Self {
        let (start, end) = tree.bounds();
        let mut out = Self { rows: Vec::with_capacity(tree.len()), start, duration_nanos: end - start, folded: 0 };
        let mut critical = vec![0i64; tree.len()];
        if let Some(root) = tree.roots.first() {
            for segment in critical_path(tree, *root) {
                critical[segment.node] += segment.to - segment.from;
            }
        }
        let mut hidden = vec![false; tree.len()];
        let mut repeats: Vec<Option<Repeats>> = vec![None; tree.len()];
        if fold {
            for node in &tree.nodes {
                fold_runs(tree, &node.children, &mut hidden, &mut repeats);
            }
            fold_runs(tree, &tree.roots, &mut hidden, &mut repeats);
        }
        for i in &tree.preorder {
            if hidden[*i] {
                out.folded += 1;
                continue;
            }
            let node = &tree.nodes[*i];
            out.rows.push(Row {
                node: *i,
                depth: node.depth,
                offset_nanos: (node.start - start).max(0),
                duration_nanos: node.duration(),
                self_nanos: self_time(tree, *i),
                critical_nanos: critical[*i],
                failed: node.span.failed(),
                is_first_error: first_error.is_some_and(|f| f.origin == *i),
                on_error_path: first_error.is_some_and(|f| f.spread.contains(i)),
                repeats: repeats[*i],
            });
        }
        out
    }
}

/// A span's duration less the time in which at least one child ran.
pub fn self_time(tree: &TraceTree<'_>, node: usize) -> i64 {
    let own = &tree.nodes[node];
    let mut covered = 0;
    let mut cursor = own.start;
    // Children are in order of start, so one pass merges their overlaps.
    for child in &own.children {
        let child = &tree.nodes[*child];
        let (from, to) = (child.start.max(cursor), child.end.min(own.end));
        if to > from {
            covered += to - from;
            cursor = to;
        }
    }
    own.duration() - covered
}

fn fold_runs(tree: &TraceTree<'_>, siblings: &[usize], hidden: &mut [bool], repeats: &mut [Option<Repeats>]) {
    let mut at = 0;
    while at < siblings.len() {
        let run = run_length(tree, &siblings[at..]);
        if run >= MIN_REPEATS {
            let members = &siblings[at..at + run];
            let durations = || members.iter().map(|m| tree.nodes[*m].duration());
            repeats[members[0]] = Some(Repeats {
                count: run,
                total_nanos: durations().sum(),
                longest_nanos: durations().max().unwrap_or(0),
                end: members.iter().map(|m| tree.nodes[*m].end).max().unwrap_or(0),
            });
            for m in &members[1..] {
                hidden[*m] = true;
            }
        }
        at += run.max(1);
    }
}

/// How many of the first siblings are alike. Failed spans and spans with children are never folded:
/// they have something to say.
fn run_length(tree: &TraceTree<'_>, siblings: &[usize]) -> usize {
    let foldable = |i: usize| tree.nodes[i].children.is_empty() && !tree.nodes[i].span.failed();
    let Some(first) = siblings.first().copied().filter(|i| foldable(*i)) else { return 1 };
    let like = |i: usize| {
        let (a, b) = (tree.nodes[first].span, tree.nodes[i].span);
        a.name == b.name && a.kind == b.kind && a.service() == b.service()
    };
    siblings.iter().take_while(|i| foldable(**i) && like(**i)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{any_trace, failing, span, trace_of};
    use super::*;

    fn repeated(n: u64) -> Vec<crate::traces::model::Span> {
        let mut spans = trace_of(&[(1, None, 0, 1000)]);
        for i in 0..n {
            let at = i64::try_from(i).unwrap_or(0) * 10;
            let mut s = span(100 + i, Some(1), at, at + 5);
            s.name = "SELECT".into();
            spans.push(s);
        }
        spans
    }

    #[test]
    fn runs_of_repeats_are_folded_and_failures_are_not() {
        let mut spans = repeated(20);
        spans[11] = failing(spans[11].clone(), "deadlock");
        let tree = TraceTree::build(&spans);
        let waterfall = Waterfall::build(&tree, None, true);
        let shown: Vec<_> = waterfall.rows.iter().map(|r| (r.failed, r.repeats.map(|x| x.count))).collect();
        assert_eq!(shown, [(false, None), (false, Some(10)), (true, None), (false, Some(9))]);
        assert_eq!(waterfall.folded, 17);
        assert_eq!(waterfall.rows[1].repeats.map(|r| r.total_nanos), Some(50_000_000));
        assert_eq!(Waterfall::build(&tree, None, false).rows.len(), 21);
    }

    #[test]
    fn three_alike_are_not_worth_folding() {
        let spans = repeated(3);
        assert_eq!(Waterfall::build(&TraceTree::build(&spans), None, true).rows.len(), 4);
    }

    #[test]
    fn self_time_counts_overlapping_children_once() {
        let spans = trace_of(&[(1, None, 0, 100), (2, Some(1), 10, 50), (3, Some(1), 40, 60), (4, Some(1), 90, 150)]);
        let tree = TraceTree::build(&spans);
        assert_eq!(self_time(&tree, tree.roots[0]), 40_000_000);
    }

    #[test]
    fn an_empty_trace_has_an_empty_waterfall() {
        let waterfall = Waterfall::build(&TraceTree::build(&[]), None, true);
        assert_eq!((waterfall.rows.len(), waterfall.duration_nanos), (0, 0));
    }

    proptest! {
        #[test]
        fn every_span_is_shown_or_folded(spans in any_trace(40)) {
            let tree = TraceTree::build(&spans);
            let waterfall = Waterfall::build(&tree, None, true);
            prop_assert_eq!(waterfall.rows.len() + waterfall.folded, tree.len());
            let counted: usize = waterfall.rows.iter().map(|r| r.repeats.map_or(1, |x| x.count)).sum();
            prop_assert_eq!(counted, tree.len());
            for row in &waterfall.rows {
                prop_assert!((0..=row.duration_nanos).contains(&row.self_nanos));
                prop_assert!((0..=row.duration_nanos).contains(&row.critical_nanos));
                prop_assert!(row.offset_nanos >= 0);
            }
        }
    }
}
