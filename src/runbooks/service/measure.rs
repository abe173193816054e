//! Measuring how well a runbook works, from its runs and the incidents of the last year.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;

use super::super::model::StepRecord;
use super::super::model::efficacy::{self, Group, RunUse, StepUse};
use super::super::model::proposal;
use super::super::model::record::Runbook;
use super::super::store::runs as store;
use super::{get_version, parse_stored};

/// Runs that are looked at.
const MAX_RUNS: i64 = 200;
/// Incidents that are compared.
const MAX_INCIDENTS: i64 = 5_000;
const WINDOW_DAYS: i64 = 365;

/// What a page says about a runbook's use.
#[derive(Clone, Debug)]
pub struct Measure {
    pub runs: usize,
    pub completed: usize,
    pub stopped: usize,
    /// Duration of completed runs.
    pub duration: Group,
    pub steps: Vec<StepUse>,
    /// Impact to resolution of incidents in which it was run.
    pub with: Group,
    /// The same of all others.
    pub without: Group,
    /// The text as responders would have it; `None` when nothing was learned.
    pub proposal: Option<String>,
    /// The text that stands.
    pub source: String,
}

pub async fn measure(db: &Db, runbook: &Runbook, now: Timestamp) -> Result<Measure> {
    let version = get_version(db, runbook, runbook.version).await?;
    let steps = parse_stored(&version.source)?.steps;
    let source = version.source;
    let rows = store::of_runbook(db, runbook.id, MAX_RUNS).await?;
    let mut records: BTreeMap<i64, Vec<StepRecord>> = BTreeMap::new();
    for (run, record) in store::records_of_runbook(db, runbook.id, MAX_RUNS).await? {
        records.entry(run).or_default().push(record);
    }
    let runs: Vec<RunUse<'_>> = rows
        .iter()
        .map(|r| RunUse { started_at: r.started_at, records: records.get(&r.id).map_or(&[], Vec::as_slice) })
        .collect();
    let since = now - TimeDelta::days(WINDOW_DAYS);
    let incidents = store::resolved_incidents(db, runbook.id, since, MAX_INCIDENTS).await?;
    let times = |wanted: bool| {
        incidents.iter().filter(|(_, _, used)| *used == wanted).map(|(start, end, _)| *end - *start).collect()
    };
    let uses = efficacy::steps(&steps, &runs);
    let proposal = proposal::propose(&source, &steps, &uses);
    let completed = rows.iter().filter(|r| r.state == "completed");
    Ok(Measure {
        runs: rows.len(),
        completed: completed.clone().count(),
        stopped: rows.iter().filter(|r| r.state == "stopped").count(),
        duration: Group::of(completed.filter_map(|r| Some(r.ended_at? - r.started_at)).collect()),
        steps: uses,
        with: Group::of(times(true)),
        without: Group::of(times(false)),
        proposal,
        source,
    })
}
