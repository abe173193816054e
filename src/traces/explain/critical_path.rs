//! The critical path: at every moment of a request, the span that it was waiting for.
//!
//! From the root's end backwards: time belongs to the child that finished last before it, and to the
//! span itself where no child ran. Shortening anything off the path would not have made the request
//! faster.

use super::tree::TraceTree;

/// A stretch of time that a span spent on the critical path itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub node: usize,
    /// Corrected Unix nanoseconds.
    pub from: i64,
    pub to: i64,
}

/// The segments below `root`, latest first; together they cover the root from end to start without
/// gap or overlap.
pub fn critical_path(tree: &TraceTree<'_>, root: usize) -> Vec<Segment> {
    let mut segments = Vec::new();
    let Some(top) = tree.nodes.get(root) else { return segments };
    // What a span may account for: itself, clipped to the stretch its parent waited for it.
    let mut stack = vec![Task::Visit(root, top.start, top.end)];
    while let Some(task) = stack.pop() {
        match task {
            Task::Emit(segment) => segments.push(segment),
            Task::Visit(node, from, to) => visit(tree, node, (from, to), &mut stack),
        }
    }
    segments
}

enum Task {
    Visit(usize, i64, i64),
    Emit(Segment),
}

fn visit(tree: &TraceTree<'_>, node: usize, (from, to): (i64, i64), stack: &mut Vec<Task>) {
    // Children clipped to the stretch, by their end, latest first.
    let mut children: Vec<(i64, i64, usize)> = tree.nodes[node]
        .children
        .iter()
        .map(|c| (tree.nodes[*c].end.min(to), tree.nodes[*c].start.max(from), *c))
        .filter(|(end, start, _)| end > start)
        .collect();
    children.sort_by_key(|(end, start, c)| (-end, *start, *c));

    let mut tasks = Vec::new();
    let mut cursor = to;
    for (end, start, child) in children {
        if end > cursor {
            continue; // ran beside what is on the path already
        }
        if cursor > end {
            tasks.push(Task::Emit(Segment { node, from: end, to: cursor }));
        }
        tasks.push(Task::Visit(child, start, end));
        cursor = start;
    }
    if cursor > from {
        tasks.push(Task::Emit(Segment { node, from, to: cursor }));
    }
    stack.extend(tasks.into_iter().rev());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{BASE, any_trace, trace_of};
    use super::*;

    #[test]
    fn parallel_children_leave_the_path_to_the_last_one() {
        let spans = trace_of(&[(1, None, 0, 100), (2, Some(1), 10, 40), (3, Some(1), 20, 80), (4, Some(3), 30, 70)]);
        let tree = TraceTree::build(&spans);
        let got: Vec<_> = critical_path(&tree, tree.roots[0])
            .iter()
            .map(|s| (tree.nodes[s.node].span.name.as_str(), (s.from - BASE) / 1_000_000, (s.to - BASE) / 1_000_000))
            .collect();
        assert_eq!(got, [("op1", 80, 100), ("op3", 70, 80), ("op4", 30, 70), ("op3", 20, 30), ("op1", 0, 20)]);
    }

    proptest! {
        #[test]
        fn segments_tile_the_root(spans in any_trace(40)) {
            let tree = TraceTree::build(&spans);
            for root in &tree.roots {
                let node = &tree.nodes[*root];
                let mut cursor = node.end;
                for segment in critical_path(&tree, *root) {
                    prop_assert_eq!(segment.to, cursor);
                    prop_assert!(segment.from < segment.to);
                    cursor = segment.from;
                }
                prop_assert_eq!(cursor, node.start);
            }
        }
    }
}
