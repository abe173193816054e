//! From rankings to shares.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::load::{self, Entry, LoadError};
use crate::suspects::model::{Observation, Ranking, Signal};
use crate::suspects::ranking;
use crate::suspects::tuning::Tunables;

/// Ranks shown of each case.
const SHOWN: usize = 5;

/// One case, ranked and held against its label.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub id: String,
    pub system: String,
    pub fault: String,
    pub service: String,
    /// Place of the broken service among the service suspects, from 1; none when it is not among them.
    pub service_rank: Option<usize>,
    /// Score of the broken service, 0 when it is not among them.
    pub score: f64,
    /// Whether the first deployment suspect is the broken service's last one before the impact; none when it had none.
    pub deployment_first: Option<bool>,
    /// Time to rank, without reading the files.
    pub seconds: f64,
    pub first: Vec<Shown>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    pub service: String,
    pub score: f64,
    pub reasons: Vec<String>,
}

/// Shares over a group of cases.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    pub cases: usize,
    pub service_first: f64,
    pub service_in_first_3: f64,
    pub service_in_first_5: f64,
    /// Over the cases that have a right deployment.
    pub deployment_first: Option<f64>,
    /// Share in which the broken service's score is that of a clear suspect ([`ranking::CLEAR`]).
    pub clear: f64,
    pub score_median: f64,
    pub score_lowest: f64,
    pub seconds_median: f64,
    pub seconds_slowest: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub overall: Tally,
    pub by_system: BTreeMap<String, Tally>,
    /// “system fault” → shares.
    pub by_fault: BTreeMap<String, Tally>,
    pub cases: Vec<Outcome>,
}

/// Ranks every case of a folder. Cases are read one at a time, so that memory holds one.
pub fn folder(dir: &Path, tuned: &Tunables, left_out: &[Signal]) -> Result<Report, LoadError> {
    let mut cases = Vec::new();
    for entry in load::entries(dir)? {
        let seen = load::observation(dir, &entry)?;
        cases.push(outcome(&entry, &seen, tuned, left_out));
    }
    Ok(report(cases))
}

/// Ranks one case, then looks at its label.
pub fn outcome(entry: &Entry, seen: &Observation, tuned: &Tunables, left_out: &[Signal]) -> Outcome {
    let began = Instant::now();
    let ranking = ranking::rank_with(seen, tuned, left_out);
    let seconds = began.elapsed().as_secs_f64();
    let service = &entry.label.service;
    let right = seen
        .changes
        .iter()
        .filter(|c| c.service == *service && c.at <= seen.impact_started_at)
        .max_by_key(|c| c.at)
        .map(|c| c.id.clone());
    Outcome {
        id: entry.id.clone(),
        system: entry.system.clone(),
        fault: entry.label.fault.clone(),
        service: service.clone(),
        service_rank: rank_of(&ranking, service),
        score: ranking.services().find(|s| s.service == *service).map_or(0.0, |s| s.score),
        deployment_first: right.map(|id| ranking.deployments().next().is_some_and(|d| d.change.as_ref() == Some(&id))),
        seconds,
        first: ranking
            .services()
            .take(SHOWN)
            .map(|s| Shown {
                service: s.service.clone(),
                score: s.score,
                reasons: s.reasons.iter().map(|r| r.text.clone()).collect(),
            })
            .collect(),
    }
}

pub fn rank_of(ranking: &Ranking, service: &str) -> Option<usize> {
    ranking.services().position(|s| s.service == service).map(|at| at + 1)
}

pub fn report(cases: Vec<Outcome>) -> Report {
    let mut by_system: BTreeMap<String, Vec<&Outcome>> = BTreeMap::new();
    let mut by_fault: BTreeMap<String, Vec<&Outcome>> = BTreeMap::new();
    for case in &cases {
        by_system.entry(case.system.clone()).or_default().push(case);
        by_fault.entry(format!("{} {}", case.system, case.fault)).or_default().push(case);
    }
    let tallies = |groups: BTreeMap<String, Vec<&Outcome>>| {
        groups.into_iter().map(|(name, cases)| (name, tally(&cases))).collect::<BTreeMap<_, _>>()
    };
    let (by_system, by_fault) = (tallies(by_system), tallies(by_fault));
    Report { overall: tally(&cases.iter().collect::<Vec<_>>()), by_system, by_fault, cases }
}

fn tally(cases: &[&Outcome]) -> Tally {
    let within = |k: usize| cases.iter().filter(|c| c.service_rank.is_some_and(|r| r <= k)).count();
    let deployed: Vec<bool> = cases.iter().filter_map(|c| c.deployment_first).collect();
    let mut seconds: Vec<f64> = cases.iter().map(|c| c.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let mut scores: Vec<f64> = cases.iter().map(|c| c.score).collect();
    scores.sort_by(f64::total_cmp);
    Tally {
        cases: cases.len(),
        service_first: share(within(1), cases.len()),
        service_in_first_3: share(within(3), cases.len()),
        service_in_first_5: share(within(5), cases.len()),
        deployment_first: (!deployed.is_empty())
            .then(|| share(deployed.iter().filter(|right| **right).count(), deployed.len())),
        clear: share(scores.iter().filter(|s| **s >= ranking::CLEAR).count(), scores.len()),
        score_median: scores.get(scores.len() / 2).copied().unwrap_or(0.0),
        score_lowest: scores.first().copied().unwrap_or(0.0),
        seconds_median: seconds.get(seconds.len() / 2).copied().unwrap_or(0.0),
        seconds_slowest: seconds.last().copied().unwrap_or(0.0),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of cases")]
pub(super) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
