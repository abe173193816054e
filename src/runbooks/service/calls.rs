//! Webhook steps: asked for by a person who saw the request, made in the background by one node, and
//! recorded with the answer. A page never waits for a call.

use std::time::Duration;

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::model::{EntryKind, IncidentId};
use crate::incidents::{Append, By, append_timeline};
use crate::outbound::{Outbound, OutboundError, Policy, Request};
use crate::state::AppState;

use super::super::model::calls::{CallState, MadeCall, Prepared, prepare};
use super::super::model::record::RunState;
use super::super::model::{Outcome, Step, StepKind, StepState};
use super::super::store::calls as store;
use super::runs::{self, RecordInput, RunView};

/// Wakes the nodes that make calls.
pub const TOPIC: &str = "runbook_calls";
/// Calls of one run that its page looks at.
const MAX_CALLS: i64 = 200;
/// What is read of an answer, in bytes.
const MAX_ANSWER: usize = 16 * 1024;
/// A node that has a call this long beyond its time-out is gone.
const GRACE: TimeDelta = TimeDelta::seconds(30);

pub async fn of_run(db: &Db, run_id: i64) -> Result<Vec<MadeCall>> {
    store::of_run(db, run_id, MAX_CALLS).await
}

/// The request of a step as it would be sent.
///
/// # Errors
/// `NotFound` for another kind of step; `Invalid` when values are missing or the address must not be called.
pub fn request_of<'a>(view: &'a RunView, step_id: &str, policy: &Policy) -> Result<(&'a Step, Prepared)> {
    let step = view.steps.iter().find(|s| s.id == step_id && s.kind == StepKind::Webhook);
    let (step, call) = step
        .and_then(|s| Some((s, s.call.as_ref()?)))
        .ok_or_else(|| Error::not_found(format!("A step '{step_id}' that calls something")))?;
    let mut errors = FieldErrors::default();
    let prepared = match prepare(call, &view.values) {
        Ok(prepared) => prepared,
        Err(missing) => {
            for name in missing {
                errors.add(&format!("values.{name}"), "has no value in this run");
            }
            return Err(Error::Invalid(errors));
        }
    };
    if let Err(refusal) = policy.check_url(&prepared.url) {
        errors.add("url", refusal.to_string());
    }
    errors.into_result()?;
    Ok((step, prepared))
}

/// Puts a call down to be made. `seen` is the address that the person confirmed.
///
/// # Errors
/// `Conflict` when the run is over, the step is settled, or a call of it is under way.
pub async fn ask(
    tx: &Tx,
    incident: IncidentId,
    (run_id, step_id): (i64, &str),
    policy: &Policy,
    by: &By,
    now: Timestamp,
) -> Result<i64> {
    let view = runs::view(tx, incident, run_id).await?;
    let (step, request) = request_of(&view, step_id, policy)?;
    if view.run.state != RunState::Running {
        return Err(Error::Conflict(format!("this run was {} already", view.run.state)));
    }
    let place = view.steps.iter().position(|s| s.id == step.id).and_then(|i| view.progress.steps.get(i));
    if place.is_none_or(|p| p.state != StepState::Pending) {
        return Err(Error::Conflict("this step is settled already".to_owned()));
    }
    let calls = of_run(tx, run_id).await?;
    if let Some(open) = calls.iter().find(|c| c.step_id == step_id && c.state.is_open()) {
        return Err(Error::Conflict(format!("{} asked for this call already; its answer is awaited", open.asked_by)));
    }
    let new = store::NewCall { run_id, step_id, request: &request, by_id: by.user_id, by: &by.name, at: now };
    let id = store::insert(tx, &new).await?;
    let text = format!("{}: sent {} {}", view.run.runbook_title, request.method, host_of(&request.url));
    let entry = Append::activity(EntryKind::Runbook, text, now).linked(view.run.path());
    append_timeline(tx, incident, &entry, by, now).await?;
    tx.announce(TOPIC);
    Ok(id)
}

/// Scheme and host: the rest of an address may hold a secret.
fn host_of(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| "an address".to_owned(), |u| u.origin().ascii_serialization())
}

/// What came of a call.
struct Came {
    status: Option<i64>,
    text: String,
}

/// Takes one waiting call; `None` when there is none.
pub async fn take(db: &Db, now: Timestamp) -> Result<Option<MadeCall>> {
    let tx = db.begin().await?;
    let longest = TimeDelta::seconds(i64::from(super::super::model::calls::MAX_TIMEOUT_S));
    let call = store::take(&tx, now + longest + GRACE).await?;
    tx.commit().await?;
    Ok(call)
}

/// Makes a call that was taken, and records what came.
pub async fn make(state: &AppState, outbound: &Outbound, call: &MadeCall) -> Result<()> {
    let came = match outbound.send(outgoing(&call.request)).await {
        Ok(answer) => {
            let cut = if answer.is_cut { "\n[the rest of the answer was not read]" } else { "" };
            let text = String::from_utf8_lossy(&answer.body).replace('\0', "\u{fffd}");
            Came { status: Some(i64::from(answer.status)), text: format!("{text}{cut}") }
        }
        Err(error @ (OutboundError::Refused(_) | OutboundError::TimedOut(_) | OutboundError::Failed(_))) => {
            Came { status: None, text: error.to_string() }
        }
    };
    settle(&state.db, call, &came, state.now()).await
}

fn outgoing(request: &Prepared) -> Request {
    Request {
        method: request.method.parse().unwrap_or_default(),
        url: request.url.clone(),
        headers: request.headers.clone(),
        body: request.body.clone().into_bytes(),
        timeout: Duration::from_secs(u64::from(request.timeout_s)),
        max_answer: MAX_ANSWER,
    }
}

/// Gives up calls whose node went away.
pub async fn give_up_lost(db: &Db, now: Timestamp) -> Result<usize> {
    let lost = store::lost(db, now, 50).await?;
    for call in &lost {
        let text = "the server that made this call stopped in the middle; whether it arrived is not known".to_owned();
        settle(db, call, &Came { status: None, text }, now).await?;
    }
    Ok(lost.len())
}

/// Keeps the answer. A success settles the step in the name of who asked; anything else leaves it to people.
async fn settle(db: &Db, call: &MadeCall, came: &Came, now: Timestamp) -> Result<()> {
    let tx = db.begin().await?;
    let state = if came.status.is_some() { CallState::Answered } else { CallState::Failed };
    if !store::end(&tx, call.id, state, came.status, &came.text, now).await? {
        return Ok(());
    }
    let incident = super::super::store::runs::incident_of(&tx, call.run_id).await?;
    let view = runs::view(&tx, incident, call.run_id).await?;
    tx.announce(format!("incident:{}", incident.0));
    let by = By { user_id: call.asked_by_id, name: call.asked_by.clone() };
    if came.status.is_some_and(|s| (200..300).contains(&s)) && is_pending(&view, &call.step_id) {
        let input = RecordInput {
            step: call.step_id.clone(),
            outcome: Outcome::Done.as_str().to_owned(),
            note: format!("{} answered HTTP {}", host_of(&call.request.url), came.status.unwrap_or_default()),
            output: came.text.clone(),
            ..RecordInput::default()
        };
        runs::record(&tx, incident, call.run_id, &input, &by, now).await?;
    } else {
        let what = came.status.map_or_else(|| came.text.clone(), |s| format!("HTTP {s}"));
        let text = format!("{}: the call to {} gave {what}", view.run.runbook_title, host_of(&call.request.url));
        let entry = Append::activity(EntryKind::Runbook, text, now).linked(view.run.path());
        append_timeline(&tx, incident, &entry, &by, now).await?;
    }
    tx.commit().await
}

fn is_pending(view: &RunView, step_id: &str) -> bool {
    let place = view.steps.iter().position(|s| s.id == step_id).and_then(|i| view.progress.steps.get(i));
    view.run.state == RunState::Running && place.is_some_and(|p| p.state == StepState::Pending)
}
