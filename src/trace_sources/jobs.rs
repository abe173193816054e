//! Fetching in the background. Every node looks; a lease on the row lets one do it.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::error::Result;
use crate::outbound::Outbound;
use crate::state::AppState;

use super::service;

const EVERY: Duration = Duration::from_secs(1);
/// Ended fetches are forgotten every so many rounds: each hour.
const FORGET_EVERY: u32 = 3_600;

/// Runs until the process ends. A failure is logged and tried again in the next round.
///
/// # Errors
/// When the configuration allows no outgoing calls to be made.
pub fn spawn(state: AppState) -> Result<JoinHandle<()>> {
    let outbound = service::outbound(&state.config)?;
    Ok(tokio::spawn(async move {
        let mut round = 0_u32;
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = one_round(&state, &outbound, round.is_multiple_of(FORGET_EVERY)).await {
                tracing::warn!(%error, "fetching traces failed; trying again");
            }
            round = round.wrapping_add(1);
        }
    }))
}

async fn one_round(state: &AppState, outbound: &Outbound, with_forgetting: bool) -> Result<()> {
    while service::run_due(state, outbound).await? > 0 {}
    if with_forgetting { service::forget(state).await } else { Ok(()) }
}

/// Everything that is due now; for tests, which do not wait. Tells how many attempts were made.
pub async fn run_once(state: &AppState) -> Result<usize> {
    service::run_due(state, &service::outbound(&state.config)?).await
}
