//! Where failures begin: spans marked as errors with nothing failing beneath them, and error lines that belong to no
//! span. A caller that fails because its callee failed is explained away.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::forest::{Forest, Names};
use super::model::Telemetry;
use super::patterns::Lines;
use super::stats::growth;
use super::templates::{Templates, message};
use super::tuning::Tunables;

#[derive(Clone, Debug)]
pub(super) struct Failing {
    /// 0 to 1: what it tells by how much, at least, the failing share is larger than in the baseline.
    pub(super) strength: f64,
    pub(super) hits: usize,
    pub(super) of: usize,
    /// Calls that the service never recorded.
    pub(super) lost: usize,
    pub(super) operation: u32,
    pub(super) example: usize,
}

#[derive(Clone, Debug, Default)]
struct Count {
    failed: BTreeSet<usize>,
    visited: BTreeSet<usize>,
    operations: BTreeMap<u32, usize>,
    lost: usize,
    example: Option<usize>,
}

/// Failing share by service, each request counted once.
pub(super) fn judge(baseline: &Forest, incident: &Forest, tuned: &Tunables) -> BTreeMap<u32, Failing> {
    let before = count(baseline);
    let none = Count::default();
    count(incident)
        .into_iter()
        .filter_map(|(service, now)| {
            let then = before.get(&service).unwrap_or(&none);
            let example = now.example?;
            let (hits, of) = (now.failed.len(), now.visited.len());
            // A service unseen in the baseline is held against one healthy visit.
            let was = (float(then.failed.len()), float(then.visited.len().max(1)));
            let strength = growth((float(hits), float(of)), was, tuned);
            let operation = now.operations.iter().max_by_key(|(_, n)| **n).map(|(op, _)| *op)?;
            (strength > 0.0).then_some((service, Failing { strength, hits, of, lost: now.lost, operation, example }))
        })
        .collect()
}

fn count(forest: &Forest) -> BTreeMap<u32, Count> {
    let mut failing_below = vec![false; forest.nodes.len()];
    for node in forest.nodes.iter().filter(|n| n.error) {
        let mut here = node.parent;
        while let Some(up) = here.filter(|&up| !failing_below[up]) {
            failing_below[up] = true;
            here = forest.nodes[up].parent;
        }
    }
    let mut counts: BTreeMap<u32, Count> = BTreeMap::new();
    for (at, node) in forest.nodes.iter().enumerate() {
        counts.entry(node.service).or_default().visited.insert(node.root);
        if !node.error || failing_below[at] {
            continue;
        }
        // A call that failed although its callee's span did not, or that never arrived, is charged to the callee.
        let charged = node.calls.map_or(node, |callee| &forest.nodes[callee]);
        let entry = counts.entry(node.lost.unwrap_or(charged.service)).or_default();
        entry.visited.insert(node.root);
        entry.failed.insert(node.root);
        entry.lost += usize::from(node.lost.is_some());
        *entry.operations.entry(charged.operation).or_default() += 1;
        entry.example.get_or_insert(at);
    }
    counts
}

#[expect(clippy::cast_precision_loss, reason = "counts of spans and lines")]
const fn float(n: usize) -> f64 {
    n as f64
}

/// Log lines sorted to the spans that they name; the error lines that name none are counted by template.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) lines: Lines,
    loose: BTreeMap<u32, BTreeMap<usize, (usize, bool)>>,
}

pub(super) fn sort_lines(
    telemetry: &Telemetry,
    forest: &Forest,
    from: Option<i64>,
    names: &mut Names,
    templates: &mut Templates,
) -> Sorted {
    let at_span: HashMap<(&str, &str), usize> = forest
        .nodes
        .iter()
        .enumerate()
        .map(|(at, n)| {
            let span = &telemetry.spans[n.source];
            ((span.trace_id.as_str(), span.span_id.as_str()), at)
        })
        .collect();
    let mut out = Sorted::default();
    for line in &telemetry.logs {
        let owner = match (&line.trace_id, &line.span_id) {
            (Some(trace), Some(span)) => at_span.get(&(trace.as_str(), span.as_str())).copied(),
            _ => None,
        };
        if owner.is_none() && from.is_some_and(|from| line.time < from) {
            continue;
        }
        let message = message(&line.body);
        let service = names.intern(&line.service);
        let template = templates.of(service, &message.text);
        let error = line.error || message.error;
        if let Some(at) = owner {
            let times = out.lines.entry(at).or_default().entry((template, error)).or_default();
            *times = times.saturating_add(1);
        } else {
            out.loose.entry(service).or_default().entry(template).or_insert((0, error)).0 += 1;
        }
    }
    out
}

#[derive(Clone, Debug)]
pub(super) struct Complaining {
    pub(super) strength: f64,
    pub(super) hits: usize,
    pub(super) template: usize,
}

/// Services whose loose error lines of one template make up a larger share of their loose lines than before.
pub(super) fn judge_loose(before: &Sorted, after: &Sorted, tuned: &Tunables) -> BTreeMap<u32, Complaining> {
    let none = BTreeMap::new();
    let total = |m: &BTreeMap<usize, (usize, bool)>| m.values().map(|v| v.0).sum::<usize>();
    after
        .loose
        .iter()
        .filter_map(|(service, now)| {
            let then = before.loose.get(service).unwrap_or(&none);
            now.iter()
                .filter(|(_, (_, error))| *error)
                .map(|(template, &(hits, _))| {
                    let was = (float(then.get(template).map_or(0, |v| v.0)), float(total(then).max(1)));
                    let strength = growth((float(hits), float(total(now))), was, tuned);
                    Complaining { strength, hits, template: *template }
                })
                .filter(|c| c.strength > 0.0)
                .max_by(|a, b| a.strength.total_cmp(&b.strength))
                .map(|c| (*service, c))
        })
        .collect()
}
