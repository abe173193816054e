//! How well the runbooks work, all of them side by side.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;

use super::super::model::efficacy::Group;
use super::super::store::efficacy::{self as store, Used};

/// Runbooks that are shown.
const MAX_RUNBOOKS: i64 = 200;
/// Incidents that are compared.
const MAX_INCIDENTS: i64 = 5_000;
const WINDOW_DAYS: i64 = 365;

/// One runbook's line.
#[derive(Clone, Debug)]
pub struct Line {
    pub used: Used,
    pub done: i64,
    pub skipped: i64,
    pub failed: i64,
    /// Impact to resolution of incidents in which it was run, and of all others.
    pub with: Group,
    pub without: Group,
}

impl Line {
    fn share(part: i64, all: i64) -> String {
        if all == 0 { "–".to_owned() } else { format!("{} %", (part * 100 + all / 2) / all) }
    }

    pub fn skipped_share(&self) -> String {
        Self::share(self.skipped, self.done + self.skipped + self.failed)
    }

    pub fn failed_share(&self) -> String {
        Self::share(self.failed, self.done + self.skipped + self.failed)
    }

    pub fn completed_share(&self) -> String {
        Self::share(self.used.completed, self.used.completed + self.used.stopped)
    }

    pub fn is_small(&self) -> bool {
        self.with.is_small() || self.without.is_small()
    }
}

#[derive(Clone, Debug)]
pub struct Overview {
    pub lines: Vec<Line>,
    pub never_used: i64,
    pub stale: i64,
}

pub async fn overview(db: &Db, now: Timestamp) -> Result<Overview> {
    let since = now - TimeDelta::days(WINDOW_DAYS);
    let mut counts: BTreeMap<(i64, String), i64> = BTreeMap::new();
    for (runbook, outcome, n) in store::outcomes(db, since).await? {
        *counts.entry((runbook, outcome)).or_default() += n;
    }
    let mut run_in: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for (runbook, incident) in store::run_in(db, since).await? {
        run_in.entry(runbook).or_default().insert(incident);
    }
    let incidents = store::resolved(db, since, MAX_INCIDENTS).await?;
    let lines = store::used(db, since, MAX_RUNBOOKS)
        .await?
        .into_iter()
        .map(|used| {
            let count = |outcome: &str| counts.get(&(used.id, outcome.to_owned())).copied().unwrap_or_default();
            let ran = |id: i64| run_in.get(&used.id).is_some_and(|set| set.contains(&id));
            let times = |wanted: bool| {
                let of = incidents.iter().filter(|(id, _, _)| ran(*id) == wanted);
                Group::of(of.map(|(_, start, end)| *end - *start).collect())
            };
            Line {
                done: count("done"),
                skipped: count("skipped"),
                failed: count("failed"),
                with: times(true),
                without: times(false),
                used,
            }
        })
        .collect();
    let (never_used, stale) = store::idle(db, now).await?;
    Ok(Overview { lines, never_used, stale })
}
