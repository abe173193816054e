//! Changes as prior knowledge: a service changed shortly before the impact is likelier to be the cause, whatever its
//! telemetry says. Changes after the impact cannot have caused it and are left out.

use std::collections::BTreeMap;

use super::forest::{Forest, Names};
use super::model::Change;
use super::stats::growth;
use super::tuning::Tunables;

/// Changes older than this are no longer suspects by themselves, in minutes.
pub(super) const OLDEST_MIN: f64 = 24.0 * 60.0;

/// Minutes from the change to the impact; `None` when it came later or is too old.
pub(super) fn lag_minutes(change: &Change, impact: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "minutes within a day")]
    let lag = impact.checked_sub(change.at)? as f64 / 60e9;
    (0.0..=OLDEST_MIN).contains(&lag).then_some(lag)
}

/// The factor by which a change multiplies its service's odds.
pub(super) fn odds_factor(lag_minutes: f64, tuned: &Tunables) -> f64 {
    1.0 + tuned.just_now * (-lag_minutes / tuned.half_life_min).exp2()
}

#[derive(Clone, Debug)]
pub(super) struct Split {
    pub(super) strength: f64,
    pub(super) version: u32,
    pub(super) bad: usize,
    pub(super) of: usize,
    pub(super) other_bad: usize,
    pub(super) other_of: usize,
}

/// Services that ran two versions at once of which one does worse: its visits fail, or last longer than nineteen of
/// twenty baseline visits, more often than those of the other versions.
pub(super) fn version_splits(
    baseline: &Forest,
    incident: &Forest,
    names: &Names,
    tuned: &Tunables,
) -> BTreeMap<u32, Split> {
    let limits = slow_limits(baseline);
    let mut counts: BTreeMap<u32, BTreeMap<u32, (usize, usize)>> = BTreeMap::new(); // service → version → bad, all
    for node in incident.nodes.iter().filter(|n| n.is_entry()) {
        let Some(version) = node.version else { continue };
        let slow = limits.get(&(node.service, node.operation)).is_some_and(|&l| node.duration_ms() > l);
        let entry = counts.entry(node.service).or_default().entry(version).or_default();
        entry.0 += usize::from(slow || node.error);
        entry.1 += 1;
    }
    counts
        .into_iter()
        .filter_map(|(service, versions)| {
            let (bad, of) = versions.values().fold((0, 0), |t, v| (t.0 + v.0, t.1 + v.1));
            versions
                .iter()
                .filter(|(_, v)| v.1 < of)
                .map(|(&version, v)| Split {
                    strength: growth((float(v.0), float(v.1)), (float(bad - v.0), float(of - v.1)), tuned),
                    version,
                    bad: v.0,
                    of: v.1,
                    other_bad: bad - v.0,
                    other_of: of - v.1,
                })
                .filter(|s| s.strength > 0.0)
                .max_by(|a, b| {
                    a.strength.total_cmp(&b.strength).then_with(|| names.text(a.version).cmp(names.text(b.version)))
                })
                .map(|s| (service, s))
        })
        .collect()
}

fn slow_limits(baseline: &Forest) -> BTreeMap<(u32, u32), f64> {
    let mut all: BTreeMap<(u32, u32), Vec<f64>> = BTreeMap::new();
    for node in baseline.nodes.iter().filter(|n| n.is_entry()) {
        all.entry((node.service, node.operation)).or_default().push(node.duration_ms());
    }
    all.into_iter()
        .filter_map(|(key, mut times)| {
            times.sort_by(f64::total_cmp);
            times.get(times.len() * 19 / 20).map(|&t| (key, t))
        })
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of spans")]
const fn float(n: usize) -> f64 {
    n as f64
}
