//! What runbooks do by themselves: look at the folder (at start, and every few seconds afterwards; every
//! node for itself; an unchanged folder costs one listing and two queries), and make the calls that
//! people confirmed (each by one node).

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::outbound::{Outbound, Policy};
use crate::state::AppState;

use super::service::calls;
use super::service::sync::{Report, sync_folder};

const EVERY: Duration = Duration::from_secs(10);
/// Calls that one node makes at a time: one that hangs holds up no other.
const CALLS_AT_ONCE: usize = 16;

/// Makes every call that waits, and comes back when all have been answered or given up. Gives their number.
///
/// # Errors
/// When the database is away.
pub async fn call_once(state: &AppState, outbound: &Outbound) -> Result<usize> {
    calls::give_up_lost(&state.db, state.now()).await?;
    let mut taken = Vec::new();
    while taken.len() < CALLS_AT_ONCE {
        let Some(call) = calls::take(&state.db, state.now()).await? else { break };
        taken.push(call);
    }
    let made = futures::future::join_all(taken.iter().map(|call| calls::make(state, outbound, call))).await;
    made.into_iter().collect::<Result<Vec<()>>>().map(|all| all.len())
}

/// The client for calls, with what the administrator allowed.
///
/// # Errors
/// `Invalid` when the list of allowed networks cannot be read.
pub fn client(state: &AppState) -> Result<Outbound> {
    let policy = Policy::parse(&state.config.outbound_allow).map_err(|e| Error::invalid("outbound_allow", e))?;
    Outbound::new(policy).map_err(|e| Error::Internal(format!("the client for outgoing calls: {e}")))
}

/// Makes calls until the process ends: as soon as one is confirmed, and now and then those that were missed.
fn spawn_calls(state: AppState) {
    let outbound = match client(&state) {
        Ok(outbound) => outbound,
        Err(error) => {
            tracing::error!(%error, "webhook steps cannot be run");
            return;
        }
    };
    tokio::spawn(async move {
        let mut notices = state.db.subscribe();
        let slots = Arc::new(Semaphore::new(CALLS_AT_ONCE));
        loop {
            if let Err(error) = start_waiting(&state, &outbound, &slots).await {
                tracing::warn!(%error, "webhook steps wait for the database");
            }
            let asked = async { while notices.recv().await.is_ok_and(|n| n.topic != calls::TOPIC) {} };
            let _ = tokio::time::timeout(EVERY, asked).await;
        }
    });
}

async fn start_waiting(state: &AppState, outbound: &Outbound, slots: &Arc<Semaphore>) -> Result<()> {
    calls::give_up_lost(&state.db, state.now()).await?;
    while let Ok(slot) = slots.clone().try_acquire_owned() {
        let Some(call) = calls::take(&state.db, state.now()).await? else { break };
        let (state, outbound) = (state.clone(), outbound.clone());
        tokio::spawn(async move {
            if let Err(error) = calls::make(&state, &outbound, &call).await {
                tracing::error!(%error, call = call.id, "the answer to a webhook step was not recorded");
            }
            drop(slot);
        });
    }
    Ok(())
}

/// Takes in what changed since the last look.
///
/// # Errors
/// When the folder cannot be listed or the database is away; a broken file is no error.
pub async fn run_once(state: &AppState) -> Result<Report> {
    let report = sync_folder(&state.db, &state.config.runbooks, state.now()).await?;
    for file in &report.broken {
        tracing::warn!(file, "this runbook cannot be used as it is; see /settings/runbooks");
    }
    if !report.is_empty() {
        tracing::info!(
            taken = report.taken.len(),
            waiting = report.waiting.len(),
            broken = report.broken.len(),
            disappeared = report.disappeared.len(),
            "runbooks taken in"
        );
    }
    Ok(report)
}

/// Goes on until the process ends. A failure is logged and tried again at the next turn.
pub fn spawn(state: AppState) -> JoinHandle<()> {
    spawn_calls(state.clone());
    tokio::spawn(async move {
        let mut turns = tokio::time::interval(EVERY);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            if let Err(error) = run_once(&state).await {
                tracing::error!(%error, "taking in the runbooks failed");
            }
        }
    })
}
