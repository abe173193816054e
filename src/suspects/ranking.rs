//! Puts the signals together: strengths of independent signals are joined as chances (noisy-or), a recent change
//! multiplies the odds, and every number that moved a suspect becomes a reason in words.

use std::collections::{BTreeMap, BTreeSet};

use super::errors::{self, Complaining, Failing, Sorted};
use super::forest::{Forest, Names};
use super::latency::{self, Latency, Use};
use super::model::{Observation, Ranking, Signal};
use super::patterns::{self, Patterns};
use super::stats::either;
use super::templates::Templates;
use super::tuning::Tunables;
use super::{changes, reasons};

/// From this score on a suspect is more than noise: what fault-free minutes stay under (see docs/suspects.md).
pub const CLEAR: f64 = 0.5;
/// No service is ever certain, and none ever ruled out.
const FLOOR: f64 = 0.01;
const CEILING: f64 = 0.99;

/// What the signals found, before it is put into words.
pub(super) struct Findings<'a> {
    pub(super) seen: &'a Observation,
    pub(super) tuned: Tunables,
    pub(super) names: Names,
    pub(super) templates: Templates,
    pub(super) baseline: Forest,
    pub(super) incident: Forest,
    pub(super) latency: Latency,
    pub(super) patterns: Patterns,
    pub(super) failing: BTreeMap<u32, Failing>,
    pub(super) complaining: BTreeMap<u32, Complaining>,
    pub(super) splits: BTreeMap<u32, changes::Split>,
}

/// Ranks with every signal.
pub fn rank(seen: &Observation) -> Ranking {
    rank_with(seen, &Tunables::default(), &[])
}

/// Ranks with other tunables, or with signals left out: for the evaluation.
pub fn rank_with(seen: &Observation, tuned: &Tunables, left_out: &[Signal]) -> Ranking {
    let on = |signal: Signal| !left_out.contains(&signal);
    let findings = find(seen, tuned, on);
    let strengths = strengths(&findings, on);
    reasons::ranking(&findings, &strengths, on)
}

fn find<'a>(seen: &'a Observation, tuned: &Tunables, on: impl Fn(Signal) -> bool) -> Findings<'a> {
    let mut names = Names::default();
    let mut templates = Templates::default();
    let from = Some(seen.impact_started_at);
    let mut baseline = Forest::build(&seen.baseline, None, &mut names);
    let mut incident = Forest::build(&seen.incident, from, &mut names);
    let calls = baseline.known_calls();
    baseline.mark_lost(&calls);
    incident.mark_lost(&calls);
    let mut calm = errors::sort_lines(&seen.baseline, &baseline, None, &mut names, &mut templates);
    let mut now = errors::sort_lines(&seen.incident, &incident, from, &mut names, &mut templates);
    let complaining = if on(Signal::Log) { errors::judge_loose(&calm, &now, tuned) } else { BTreeMap::new() };
    comparable(&mut calm, &mut now);
    let failing = if on(Signal::Error) { errors::judge(&baseline, &incident, tuned) } else { BTreeMap::new() };
    let sure = |service: u32| failing.get(&service).map_or(0.0, |f| f.strength);
    let mut patterns = patterns::judge((&baseline, &calm.lines), (&incident, &now.lines), sure, tuned);
    if !on(Signal::Pattern) {
        patterns.departures.clear();
    }
    if !on(Signal::Mix) {
        patterns.mix.clear();
    }
    Findings {
        latency: latency::judge(
            &baseline,
            &incident,
            Use { own: on(Signal::OwnTime), gap: on(Signal::CallGap) },
            tuned,
        ),
        patterns,
        failing,
        complaining,
        splits: if on(Signal::VersionSplit) {
            changes::version_splits(&baseline, &incident, &names, tuned)
        } else {
            BTreeMap::new()
        },
        seen,
        tuned: *tuned,
        names,
        templates,
        baseline,
        incident,
    }
}

/// Lines can only be compared when both stretches have them: a log pipeline that was not recorded is no symptom.
fn comparable(calm: &mut Sorted, now: &mut Sorted) {
    if calm.lines.is_empty() || now.lines.is_empty() {
        calm.lines.clear();
        now.lines.clear();
    }
}

/// One service's standing.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// All telemetry together, 0 to 1.
    pub(super) telemetry: f64,
    /// With its latest change, 0 to 1.
    pub(super) score: f64,
}

fn strengths(f: &Findings<'_>, on: impl Fn(Signal) -> bool) -> BTreeMap<String, Standing> {
    let mut services: BTreeSet<String> = f
        .incident
        .nodes
        .iter()
        .flat_map(|n| [Some(n.service), n.lost])
        .flatten()
        .map(|s| f.names.text(s).to_owned())
        .collect();
    services.extend(f.seen.incident.logs.iter().map(|l| l.service.clone()));
    services.extend(f.seen.changes.iter().filter(|c| lag(f, c).is_some()).map(|c| c.service.clone()));
    services.extend(f.seen.alerts.iter().map(|a| a.service.clone()));
    services
        .into_iter()
        .map(|service| {
            let telemetry = telemetry(f, &service, &on).clamp(FLOOR, CEILING);
            let factor = if on(Signal::Change) { latest_factor(f, &service) } else { 1.0 };
            (service, Standing { telemetry, score: scaled(telemetry, factor) })
        })
        .collect()
}

fn lag(f: &Findings<'_>, change: &super::model::Change) -> Option<f64> {
    changes::lag_minutes(change, f.seen.impact_started_at)
}

fn latest_factor(f: &Findings<'_>, service: &str) -> f64 {
    f.seen
        .changes
        .iter()
        .filter(|c| c.service == service)
        .filter_map(|c| lag(f, c))
        .map(|lag| changes::odds_factor(lag, &f.tuned))
        .fold(1.0, f64::max)
}

/// A chance after its odds were multiplied.
pub(super) fn scaled(chance: f64, factor: f64) -> f64 {
    let odds = chance / (1.0 - chance) * factor;
    odds / (1.0 + odds)
}

fn telemetry(f: &Findings<'_>, service: &str, on: impl Fn(Signal) -> bool) -> f64 {
    let alerted = on(Signal::Alert) && f.seen.alerts.iter().any(|a| a.service == service);
    let alert = if alerted { f.tuned.alert } else { 0.0 };
    let Some(id) = f.names.find(service) else { return alert };
    let departed = f.patterns.departures.iter().filter(|d| d.place.0 == id).map(|d| d.strength).fold(0.0, f64::max);
    either([
        f.latency.by_service.get(&id).map_or(0.0, |s| s.strength),
        departed,
        f.patterns.mix.get(&id).map_or(0.0, |m| m.0 * f.tuned.mix),
        f.failing.get(&id).map_or(0.0, |x| x.strength),
        f.complaining.get(&id).map_or(0.0, |x| x.strength),
        f.splits.get(&id).map_or(0.0, |x| x.strength),
        alert,
    ])
}
