//! Which parts of the system got slower, and which one service explains the slow parts best.
//!
//! A *part* is the own time of one operation of a service, or the gap of one caller–callee pair (the caller's span
//! less the callee's: network, queueing, connection set-up). Neither contains time spent in services further down, so
//! callers of a slow service are explained away by construction. A single service is then sought whose parts are the
//! slow ones: it should explain most of the slowness (recall) and be slow wherever it is touched (precision), as in
//! spectrum-based fault localisation with Ochiai's coefficient (Abreu et al., 2007).

use std::collections::{BTreeMap, HashMap};

use super::forest::{Forest, Node};
use super::stats::{Moments, either, median, seen};
use super::tuning::Tunables;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    /// Service, operation.
    Own(u32, u32),
    /// Caller, callee.
    Gap(u32, u32),
}

/// How a part changed.
#[derive(Clone, Debug)]
pub(super) struct Slowing {
    /// 0 to 1: one less the factor by which it at least slowed, inverted (twice as slow is 0.5), times what its number of
    /// observations tells.
    pub(super) strength: f64,
    pub(super) before_ms: f64,
    pub(super) after_ms: f64,
    /// Position in the incident's forest of its slowest span.
    pub(super) example: usize,
}

#[derive(Debug, Default)]
pub(super) struct Latency {
    pub(super) parts: BTreeMap<Part, Slowing>,
    pub(super) by_service: BTreeMap<u32, ServiceSlowing>,
}

/// How well one service explains the slow parts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ServiceSlowing {
    pub(super) inbound: f64,
    pub(super) outbound: f64,
    /// The combined strength, 0 to 1.
    pub(super) strength: f64,
}

#[derive(Clone, Copy)]
pub(super) struct Use {
    pub(super) own: bool,
    pub(super) gap: bool,
}

pub(super) fn judge(baseline: &Forest, incident: &Forest, used: Use, tuned: &Tunables) -> Latency {
    let scale = scales(baseline, tuned.unnoticed);
    let before = measure(baseline, &scale, used);
    let after = measure(incident, &scale, used);
    let mut parts = BTreeMap::new();
    for (part, now) in after {
        let Some(then) = before.get(&part) else { continue };
        let rise = now.logs.rose_at_least(&then.logs, tuned.prior_sd, tuned.sure);
        parts.insert(
            part,
            Slowing {
                strength: (1.0 - (-rise).exp()) * seen(now.logs.n, tuned.sure),
                before_ms: then.plain.mean,
                after_ms: now.plain.mean,
                example: now.example,
            },
        );
    }
    let by_service = explain(&parts, tuned.outbound);
    Latency { parts, by_service }
}

#[derive(Clone, Copy, Debug, Default)]
struct Measure {
    logs: Moments,
    plain: Moments,
    slowest: f64,
    example: usize,
}

/// The part a span belongs to, and its time there. Pure calls stand for their pair.
fn part_of(forest: &Forest, node: &Node) -> (Part, f64) {
    match node.calls {
        Some(callee) => {
            let callee = &forest.nodes[callee];
            (Part::Gap(node.service, callee.service), (node.duration_ms() - callee.duration_ms()).max(0.0))
        }
        None => (Part::Own(node.service, node.operation), node.own_ms),
    }
}

/// For each part, the time that goes unnoticed: a share of the median healthy request that passes through it.
fn scales(baseline: &Forest, unnoticed: f64) -> HashMap<Part, f64> {
    let mut requests: HashMap<Part, Vec<f64>> = HashMap::new();
    for node in &baseline.nodes {
        let (part, _) = part_of(baseline, node);
        requests.entry(part).or_default().push(baseline.nodes[node.root].duration_ms());
    }
    requests
        .into_iter()
        .filter_map(|(part, mut all)| Some((part, (median(&mut all)? * unnoticed).max(f64::MIN_POSITIVE))))
        .collect()
}

fn measure(forest: &Forest, scale: &HashMap<Part, f64>, used: Use) -> BTreeMap<Part, Measure> {
    let mut out: BTreeMap<Part, Measure> = BTreeMap::new();
    for (at, node) in forest.nodes.iter().enumerate() {
        let (part, time) = part_of(forest, node);
        let wanted = match part {
            Part::Own(..) => used.own,
            Part::Gap(..) => used.gap,
        };
        let Some(unnoticed) = scale.get(&part).filter(|_| wanted) else { continue };
        let m = out.entry(part).or_default();
        m.logs.add((time + unnoticed).ln());
        m.plain.add(time);
        if time >= m.slowest {
            m.slowest = time;
            m.example = at;
        }
    }
    out
}

#[derive(Default)]
struct Touch {
    inbound: Vec<f64>,
    own: Vec<f64>,
    outbound: Vec<f64>,
}

/// Scores every service as the one explanation of all slow parts.
fn explain(parts: &BTreeMap<Part, Slowing>, outbound_weight: f64) -> BTreeMap<u32, ServiceSlowing> {
    let mut touched: BTreeMap<u32, Touch> = BTreeMap::new();
    for (part, slowing) in parts {
        match *part {
            Part::Own(service, _) => touched.entry(service).or_default().own.push(slowing.strength),
            Part::Gap(caller, callee) => {
                touched.entry(callee).or_default().inbound.push(slowing.strength);
                touched.entry(caller).or_default().outbound.push(slowing.strength);
            }
        }
    }
    let own_of = |t: &Touch| strongest(&t.own);
    let gaps: f64 = touched.values().map(|t| t.inbound.iter().sum::<f64>()).sum();
    let all = gaps + touched.values().map(own_of).sum::<f64>();
    touched
        .iter()
        .map(|(&service, t)| {
            let (inbound, own, outbound) = (mean(&t.inbound), own_of(t), mean(&t.outbound));
            let explained = t.inbound.iter().sum::<f64>() + t.outbound.iter().sum::<f64>() + own;
            let recall = if all > 0.0 { explained / all } else { 0.0 };
            let precision = either([inbound, own, outbound_weight * outbound]);
            (service, ServiceSlowing { inbound, outbound, strength: precision * recall.sqrt() })
        })
        .collect()
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of parts")]
    let n = values.len() as f64;
    values.iter().sum::<f64>() / n
}

fn strongest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}
