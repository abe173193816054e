//! The comparisons: signals left out, tunables varied, choices made on some cases and tried on others, calm stretches,
//! made systems.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde::Serialize;

use super::load::{self, Entry, LoadError};
use super::score::{self, Outcome, Report};
use crate::suspects::model::{Observation, Signal, Telemetry};
use crate::suspects::ranking;
use crate::suspects::synthetic;
use crate::suspects::tuning::{FIELDS, Tunables};

/// All cases of a folder with what may be known of each.
pub struct Cases(Vec<(Entry, Observation)>);

impl Cases {
    pub fn load(dir: &Path) -> Result<Self, LoadError> {
        load::entries(dir)?
            .into_iter()
            .map(|e| load::observation(dir, &e).map(|o| (e, o)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub fn score(&self, tuned: &Tunables, left_out: &[Signal]) -> Report {
        score::report(self.0.iter().map(|(e, o)| score::outcome(e, o, tuned, left_out)).collect())
    }

    /// The reports with each signal left out, and with none.
    pub fn ablation(&self, always_out: &[Signal]) -> Vec<(String, Report)> {
        let tuned = Tunables::default();
        let mut out = vec![("all signals".to_owned(), self.score(&tuned, always_out))];
        for signal in Signal::ALL.into_iter().filter(|s| !always_out.contains(s)) {
            let left_out: Vec<Signal> = always_out.iter().copied().chain([signal]).collect();
            out.push((format!("without {}", signal.name()), self.score(&tuned, &left_out)));
        }
        out
    }

    /// Every tunable halved and doubled, one at a time.
    pub fn sensitivity(&self, left_out: &[Signal]) -> Vec<(String, Report)> {
        settings().into_iter().map(|(name, tuned)| (name, self.score(&tuned, left_out))).collect()
    }

    /// Each group of cases is scored with the setting that is best on all others (the default among equals). Groups
    /// are the systems, or as many folds as asked for.
    pub fn cross_validation(&self, folds: usize, left_out: &[Signal]) -> Vec<Fold> {
        let tried: Vec<(String, Vec<Outcome>)> =
            settings().into_iter().map(|(name, tuned)| (name, self.score(&tuned, left_out).cases)).collect();
        let group = |at: usize, case: &Outcome| {
            if folds < 2 { case.system.clone() } else { format!("fold {}", at % folds + 1) }
        };
        let Some((_, first)) = tried.first() else { return Vec::new() };
        let groups: BTreeSet<String> = first.iter().enumerate().map(|(at, c)| group(at, c)).collect();
        groups
            .into_iter()
            .map(|held_out| {
                let worth = |cases: &[Outcome]| -> f64 {
                    let others = cases.iter().enumerate().filter(|(at, c)| group(*at, c) != held_out);
                    others.filter_map(|(_, c)| c.service_rank).map(|r| 1.0 / float(r)).sum()
                };
                // `max_by` takes the last of equals; the default setting is the first.
                let chosen = tried.iter().rev().max_by(|a, b| worth(&a.1).total_cmp(&worth(&b.1)));
                let (chosen, cases) = chosen.map_or((String::new(), Vec::new()), |(n, c)| (n.clone(), c.clone()));
                let mine = cases.into_iter().enumerate().filter(|(at, c)| group(*at, c) == held_out).map(|(_, c)| c);
                Fold { held_out: held_out.clone(), chosen, report: score::report(mine.collect()) }
            })
            .collect()
    }

    /// The reports when less is known of every case: the first minute only, half of the traces, no log lines, other names.
    pub fn less_data(&self, left_out: &[Signal]) -> Vec<(String, Report)> {
        let tuned = Tunables::default();
        super::less::ALL
            .into_iter()
            .map(|(name, take)| {
                let outcomes = self.0.iter().map(|(entry, seen)| {
                    let (entry, seen) = take(entry.clone(), seen.clone());
                    score::outcome(&entry, &seen, &tuned, left_out)
                });
                (name.to_owned(), score::report(outcomes.collect()))
            })
            .collect()
    }

    /// The highest score that each part of each baseline reaches against the rest of it: nothing is wrong there.
    pub fn calm(&self) -> Vec<Calm> {
        let mut done = BTreeSet::new();
        let mut out = Vec::new();
        for (entry, seen) in self.0.iter().filter(|(e, _)| done.insert(e.baseline.clone())) {
            for parts in [2, 3, 4] {
                for part in 0..parts {
                    let quiet = split(&seen.baseline, part, parts);
                    let name = format!("{} part {} of {parts}", entry.baseline, part + 1);
                    out.push(Calm::of(name, &quiet));
                }
            }
        }
        out
    }
}

#[expect(clippy::cast_precision_loss, reason = "ranks")]
const fn float(n: usize) -> f64 {
    n as f64
}

fn settings() -> Vec<(String, Tunables)> {
    let mut out = vec![("default".to_owned(), Tunables::default())];
    for (name, field) in FIELDS {
        for factor in [0.5, 2.0] {
            let mut tuned = Tunables::default();
            *field(&mut tuned) *= factor;
            out.push((format!("{name} × {factor}"), tuned));
        }
    }
    out
}

#[derive(Clone, Debug, Serialize)]
pub struct Fold {
    pub held_out: String,
    /// The setting chosen on the other cases.
    pub chosen: String,
    pub report: Report,
}

#[derive(Clone, Debug, Serialize)]
pub struct Calm {
    pub name: String,
    /// The first suspect and its score.
    pub service: String,
    pub score: f64,
}

impl Calm {
    fn of(name: String, seen: &Observation) -> Self {
        let ranking = ranking::rank(seen);
        let first = ranking.services().next();
        let (service, score) = first.map_or((String::new(), 0.0), |s| (s.service.clone(), s.score));
        Self { name, service, score }
    }
}

/// One part of the requests, by the order of their start, against all others.
fn split(all: &Telemetry, part: usize, parts: usize) -> Observation {
    let mut first: HashMap<&str, i64> = HashMap::new();
    for span in &all.spans {
        let start = first.entry(&span.trace_id).or_insert(span.start);
        *start = span.start.min(*start);
    }
    let mut starts: Vec<i64> = first.values().copied().collect();
    starts.sort_unstable();
    let bound = |at: usize| starts.get(starts.len() * at / parts).copied().unwrap_or(i64::MAX);
    let within = |trace: &str| first.get(trace).is_some_and(|&s| s >= bound(part) && s < bound(part + 1));
    let (spans, rest): (Vec<_>, Vec<_>) = all.spans.iter().cloned().partition(|s| within(&s.trace_id));
    let (logs, other) = all.logs.iter().cloned().partition(|l| l.trace_id.as_deref().is_some_and(within));
    Observation {
        impact_started_at: i64::MIN,
        baseline: Telemetry { spans: rest, logs: other },
        incident: Telemetry { spans, logs },
        ..Observation::default()
    }
}

/// Made cases of seeds 1 to `count`, by kind of fault. `hits` is the largest share of requests that a fault hits.
pub fn made(count: u64, hits: f64, left_out: &[Signal]) -> Report {
    let tuned = Tunables::default();
    let outcomes = (1..=count).map(|seed| {
        let case = synthetic::case(seed, hits);
        let kind = format!("{:?}", case.fault.kind);
        let label = load::Label { service: case.fault.service, fault: kind };
        let entry = Entry { id: format!("seed {seed}"), system: "made".to_owned(), label, ..Entry::default() };
        score::outcome(&entry, &case.observation, &tuned, left_out)
    });
    score::report(outcomes.collect())
}

/// Made systems without a fault.
pub fn made_calm(count: u64) -> Vec<Calm> {
    (1..=count).map(|seed| Calm::of(format!("seed {seed}"), &synthetic::calm(seed))).collect()
}

/// Highest scores of calm stretches by name of the part before the last word, for printing: how many reached `clear`.
pub fn alarms(calm: &[Calm]) -> BTreeMap<&'static str, f64> {
    let mut scores: Vec<f64> = calm.iter().map(|c| c.score).collect();
    scores.sort_by(f64::total_cmp);
    let at = |share: usize| scores.get((scores.len() * share / 100).min(scores.len().saturating_sub(1))).copied();
    BTreeMap::from([
        ("stretches", float(scores.len())),
        ("false_alarms", float(scores.iter().filter(|s| **s >= ranking::CLEAR).count())),
        ("median", at(50).unwrap_or(0.0)),
        ("p90", at(90).unwrap_or(0.0)),
        ("highest", at(100).unwrap_or(0.0)),
    ])
}
