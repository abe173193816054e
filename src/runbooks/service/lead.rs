//! Who drives a run: taken over, handed over, given up and taken up again.

use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::incidents::model::{EntryKind, IncidentId};
use crate::incidents::{Append, By, append_timeline};

use super::super::model::record::{Run, RunState};
use super::super::store::runs as store;
use super::runs::{get_run, view};

async fn running(tx: &Tx, incident: IncidentId, run_id: i64) -> Result<Run> {
    let run = get_run(tx, incident, run_id).await?;
    if run.state != RunState::Running {
        return Err(Error::Conflict(format!("this run was {} already", run.state)));
    }
    Ok(run)
}

async fn tell(tx: &Tx, run: &Run, text: String, by: &By, now: Timestamp) -> Result<()> {
    let entry = Append::activity(EntryKind::Runbook, text, now).linked(run.path());
    append_timeline(tx, run.incident, &entry, by, now).await.map(drop)
}

/// Somebody takes the run over from whoever drove it.
pub async fn take_over(tx: &Tx, incident: IncidentId, run_id: i64, by: &By, now: Timestamp) -> Result<Run> {
    let run = running(tx, incident, run_id).await?;
    if run.lead == by.name && run.lead_id == by.user_id {
        return Ok(run);
    }
    store::set_lead(tx, run_id, by.user_id, &by.name).await?;
    tell(tx, &run, format!("Took over the runbook “{}” from {}", run.runbook_title, run.lead), by, now).await?;
    get_run(tx, incident, run_id).await
}

/// Gives the run to another person.
pub async fn hand_over(
    tx: &Tx,
    incident: IncidentId,
    run_id: i64,
    (to_id, to): (i64, &str),
    by: &By,
    now: Timestamp,
) -> Result<Run> {
    let run = running(tx, incident, run_id).await?;
    if run.lead_id == Some(to_id) {
        return Ok(run);
    }
    store::set_lead(tx, run_id, Some(to_id), to).await?;
    tell(tx, &run, format!("Handed the runbook “{}” over to {to}", run.runbook_title), by, now).await?;
    get_run(tx, incident, run_id).await
}

/// Takes up a run that was given up; whoever does so drives it.
///
/// # Errors
/// `Conflict` when it is running, or when no step of it is left (reopen one instead).
pub async fn resume(tx: &Tx, incident: IncidentId, run_id: i64, by: &By, now: Timestamp) -> Result<Run> {
    let view = view(tx, incident, run_id).await?;
    if view.run.state == RunState::Running {
        return Err(Error::Conflict("this run is going on".to_owned()));
    }
    if view.progress.is_finished() {
        return Err(Error::Conflict("every step of this run is settled; reopen one to go on".to_owned()));
    }
    if let Some(other) = store::find_running(tx, incident, view.run.runbook_id).await? {
        return Err(Error::Conflict(format!("another run of it is going on, driven by {}", other.lead)));
    }
    store::resume(tx, run_id).await?;
    store::set_lead(tx, run_id, by.user_id, &by.name).await?;
    tell(tx, &view.run, format!("Took up the runbook “{}” again", view.run.runbook_title), by, now).await?;
    get_run(tx, incident, run_id).await
}
