//! Running a runbook inside an incident. A run pins the version that it started with; what people do
//! with its steps is recorded, appears on the incident's timeline as recovery steps, and is never
//! rewritten.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, FieldErrors, Result};
use crate::fields;
use crate::incidents::model::{EntryKind, IncidentId};
use crate::incidents::{Append, By, append_timeline};

use super::super::model::record::{Run, RunState};
use super::super::model::{Outcome, Progress, Step, StepKind, StepRecord, progress};
use super::super::store::{runbooks as runbook_store, runs as store};
use super::{get, get_version, parse_stored};

/// Limits in characters.
const MAX_NOTE: usize = 2_000;
const MAX_OUTPUT: usize = 50_000;
const MAX_VALUE: usize = 300;
/// Runs of one incident that are shown.
pub const MAX_RUNS: i64 = 100;

/// A run with its steps and what was done.
#[derive(Clone, Debug)]
pub struct RunView {
    pub run: Run,
    pub steps: Vec<Step>,
    pub records: Vec<StepRecord>,
    pub progress: Progress,
    /// The variables' values.
    pub values: BTreeMap<String, String>,
}

/// `POST /incidents/{n}/runs`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct StartInput {
    /// The runbook's slug.
    #[serde(deserialize_with = "fields::text")]
    pub runbook: String,
    /// Values of variables, over those that the incident gives.
    pub values: BTreeMap<String, String>,
    /// Why this one; a suggestion's reason.
    #[serde(deserialize_with = "fields::text")]
    pub reason: String,
}

/// Starts a run of the current version. `known` are the values that the incident gives.
///
/// # Errors
/// `Invalid` when there is no such runbook; `Conflict` when a run of it is going on already.
pub async fn start(
    tx: &Tx,
    incident: IncidentId,
    input: &StartInput,
    known: BTreeMap<String, String>,
    by: &By,
    now: Timestamp,
) -> Result<Run> {
    let mut errors = FieldErrors::default();
    let slug = fields::required(&mut errors, "runbook", &input.runbook, 100);
    let reason = fields::limited(&mut errors, "reason", &input.reason, 500);
    let values = merged_values(&mut errors, known, &input.values);
    errors.into_result()?;
    let Some(runbook) = runbook_store::find(tx, &slug).await? else {
        return Err(Error::invalid("runbook", format!("there is no runbook '{slug}'")));
    };
    if let Some(run) = store::find_running(tx, incident, runbook.id).await? {
        let message = format!(
            "“{}” is being run already: started by {} at {} UTC",
            runbook.title,
            run.started_by,
            run.started_at.to_minute()
        );
        return Err(Error::Conflict(message));
    }
    let filled = serde_json::to_string(&values)?;
    let new = store::NewRun {
        incident,
        runbook_id: runbook.id,
        version: runbook.version,
        filled: &filled,
        reason: &reason,
        by_id: by.user_id,
        by: &by.name,
        at: now,
    };
    let id = store::insert(tx, &new).await?;
    let run = get_run(tx, incident, id).await?;
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let text = format!("Started the runbook “{}”, version {}{why}", runbook.title, runbook.version);
    append_timeline(tx, incident, &Append::activity(EntryKind::Runbook, text, now).linked(run.path()), by, now).await?;
    Ok(run)
}

fn merged_values(
    errors: &mut FieldErrors,
    mut known: BTreeMap<String, String>,
    typed: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    for (name, value) in typed.iter().take(50) {
        let value = fields::limited(errors, "values", value, MAX_VALUE);
        if value.is_empty() {
            known.remove(name);
        } else if name.len() <= 60 {
            known.insert(name.clone(), value);
        }
    }
    known
}

/// # Errors
/// `NotFound` when the incident has no such run.
pub async fn get_run(db: &Db, incident: IncidentId, run_id: i64) -> Result<Run> {
    store::find(db, incident, run_id).await?.ok_or_else(|| Error::not_found(format!("Run {run_id} of {incident}")))
}

/// A run with everything that its page shows.
pub async fn view(db: &Db, incident: IncidentId, run_id: i64) -> Result<RunView> {
    let run = get_run(db, incident, run_id).await?;
    let records = store::records(db, run_id).await?;
    assemble(db, run, records).await
}

async fn assemble(db: &Db, run: Run, records: Vec<StepRecord>) -> Result<RunView> {
    let version = runbook_store::version(db, run.runbook_id, run.version)
        .await?
        .ok_or_else(|| Error::Internal(format!("run {} pins version {} that is gone", run.id, run.version)))?;
    let steps = parse_stored(&version.source)?.steps;
    let values = serde_json::from_str(&run.filled)?;
    let progress = Progress::of(&steps, &records);
    Ok(RunView { run, steps, records, progress, values })
}

/// All runs of an incident, newest first, for its page and its postmortem.
pub async fn views_of_incident(db: &Db, incident: IncidentId) -> Result<Vec<RunView>> {
    let mut records: BTreeMap<i64, Vec<StepRecord>> = BTreeMap::new();
    for (run_id, record) in store::records_of_incident(db, incident).await? {
        records.entry(run_id).or_default().push(record);
    }
    let mut views = Vec::new();
    for run in store::of_incident(db, incident, MAX_RUNS).await? {
        let records = records.remove(&run.id).unwrap_or_default();
        views.push(assemble(db, run, records).await?);
    }
    Ok(views)
}

/// What somebody did with a step.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RecordInput {
    #[serde(deserialize_with = "fields::text")]
    pub step: String,
    #[serde(deserialize_with = "fields::text")]
    pub outcome: String,
    /// Of a decision: the branch's place from 0, or its label.
    #[serde(deserialize_with = "fields::id_text")]
    pub branch: String,
    #[serde(deserialize_with = "fields::text")]
    pub note: String,
    #[serde(deserialize_with = "fields::text")]
    pub output: String,
    /// When it was done; now unless it is told later.
    #[serde(deserialize_with = "fields::text")]
    pub at: String,
}

/// Records a step, puts it on the timeline, and ends the run when nothing is left.
///
/// # Errors
/// `Invalid` for wrong fields; `Conflict` when the step was marked already, by whom, or the run is over.
pub async fn record(
    tx: &Tx,
    incident: IncidentId,
    run_id: i64,
    input: &RecordInput,
    by: &By,
    now: Timestamp,
) -> Result<RunView> {
    let view = view(tx, incident, run_id).await?;
    let new = normalize(&view, input, by, now)?;
    if view.run.state != RunState::Running && new.outcome != Outcome::Reopened {
        return Err(Error::Conflict(format!("this run was {} already", view.run.state)));
    }
    if let Some(refusal) = progress::refuse(&view.steps, &view.progress, &view.records, &new) {
        return Err(if new.branch.is_none() && refusal.starts_with("choose") {
            Error::invalid("branch", refusal)
        } else {
            Error::Conflict(refusal)
        });
    }
    let number = i64::try_from(view.records.len()).unwrap_or(i64::MAX).saturating_add(1);
    if number > store::MAX_RECORDS {
        return Err(Error::Conflict("this run has too many records; stop it and start another".to_owned()));
    }
    if !store::insert_record(tx, run_id, number, &new, by.user_id).await? {
        return Err(Error::Conflict("somebody else recorded a step in this moment; look again".to_owned()));
    }
    if view.run.state != RunState::Running {
        store::resume(tx, run_id).await?;
    }
    tell_timeline(tx, &view, &new, by, now).await?;
    let after = self::view(tx, incident, run_id).await?;
    if after.progress.is_finished() {
        return finish(tx, &after.run, RunState::Completed, "", by, now).await;
    }
    Ok(after)
}

fn normalize(view: &RunView, input: &RecordInput, by: &By, now: Timestamp) -> Result<StepRecord> {
    let mut errors = FieldErrors::default();
    let step_id = fields::required(&mut errors, "step", &input.step, 100);
    let outcome = Outcome::parse(input.outcome.trim());
    if outcome.is_none() {
        errors.add("outcome", "must be done, skipped, failed or reopened");
    }
    let step = view.steps.iter().find(|s| s.id == step_id);
    let branch = chosen(step, &input.branch, &mut errors);
    let note = fields::limited(&mut errors, "note", &input.note, MAX_NOTE);
    if note.is_empty() && outcome == Some(Outcome::Failed) {
        errors.add("note", "is needed: what went wrong?");
    }
    let output = fields::limited(&mut errors, "output", &input.output, MAX_OUTPUT);
    let at = fields::past_moment(&mut errors, "at", &input.at, now).unwrap_or(now);
    match outcome {
        Some(outcome) if errors.is_empty() => {
            Ok(StepRecord { step_id, outcome, branch, by: by.name.clone(), at, note, output })
        }
        _ => Err(Error::Invalid(errors)),
    }
}

fn chosen(step: Option<&Step>, typed: &str, errors: &mut FieldErrors) -> Option<usize> {
    let typed = typed.trim();
    if typed.is_empty() {
        return None;
    }
    let branches = step.map(|s| s.branches.as_slice()).unwrap_or_default();
    let found = typed
        .parse()
        .ok()
        .filter(|i: &usize| *i < branches.len())
        .or_else(|| branches.iter().position(|b| b.label.eq_ignore_ascii_case(typed)));
    if found.is_none() {
        errors.add("branch", format!("'{typed}' is no branch of this step"));
    }
    found
}

/// Done and failed steps are part of the story; skipped and reopened ones only of the record.
async fn tell_timeline(tx: &Tx, view: &RunView, new: &StepRecord, by: &By, now: Timestamp) -> Result<()> {
    let Some(step) = view.steps.iter().find(|s| s.id == new.step_id) else { return Ok(()) };
    let title = super::super::model::variables::fill_markdown(&step.title, &view.values).text;
    let choice = match (step.kind, new.branch.and_then(|b| step.branches.get(b))) {
        (StepKind::Decide, Some(branch)) => format!(" → {}", branch.label),
        _ => String::new(),
    };
    let note = if new.note.is_empty() { String::new() } else { format!(". {}", new.note) };
    let text = format!("{}: {title}{choice}: **{}**{note}", view.run.runbook_title, new.outcome.as_str());
    let entry = match new.outcome {
        Outcome::Done | Outcome::Failed => Append::story(EntryKind::RecoveryStep, text, new.at),
        Outcome::Skipped | Outcome::Reopened => Append::activity(EntryKind::RecoveryStep, text, new.at),
    };
    append_timeline(tx, view.run.incident, &entry.linked(view.run.path()), by, now).await?;
    Ok(())
}

/// Gives a run up, with a reason.
///
/// # Errors
/// `Invalid` without a reason; `Conflict` when the run is over already.
pub async fn stop(
    tx: &Tx,
    incident: IncidentId,
    run_id: i64,
    reason: &str,
    by: &By,
    now: Timestamp,
) -> Result<RunView> {
    let mut errors = FieldErrors::default();
    let reason = fields::required(&mut errors, "reason", reason, MAX_NOTE);
    errors.into_result()?;
    let run = get_run(tx, incident, run_id).await?;
    finish(tx, &run, RunState::Stopped, &reason, by, now).await
}

async fn finish(tx: &Tx, run: &Run, state: RunState, note: &str, by: &By, now: Timestamp) -> Result<RunView> {
    if !store::end(tx, run.id, state, &by.name, note, now).await? {
        return Err(Error::Conflict("this run is over already".to_owned()));
    }
    let text = match state {
        RunState::Stopped => format!("Stopped the runbook “{}”: {note}", run.runbook_title),
        RunState::Running | RunState::Completed => format!("Completed the runbook “{}”", run.runbook_title),
    };
    append_timeline(tx, run.incident, &Append::activity(EntryKind::Runbook, text, now).linked(run.path()), by, now)
        .await?;
    view(tx, run.incident, run.id).await
}

/// The variables of the current version that have no value yet.
pub async fn open_variables(db: &Db, slug: &str, known: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let runbook = get(db, slug).await?;
    let version = get_version(db, &runbook, runbook.version).await?;
    let body = parse_stored(&version.source)?.body;
    Ok(super::super::model::variables::names(&body).into_iter().filter(|name| !known.contains_key(name)).collect())
}
