//! What happens to traces in the background: counting settled ones, forgetting old ones.

use std::time::Duration;

use crate::error::Result;
use crate::state::AppState;

use super::service::ingest::SpanStore;
use super::service::retention::{Keep, forget};
use super::service::settle::settle_due;

/// Traces are counted this often.
const EVERY: Duration = Duration::from_secs(2);
/// Every so many rounds old traces and logs are forgotten: each ten minutes.
const FORGET_EVERY: u32 = 300;
/// How long log records are kept.
const LOG_AGE: chrono::TimeDelta = chrono::TimeDelta::days(14);

/// Runs until the process ends. A failure is logged and tried again in the next round.
pub fn spawn(state: AppState) {
    tokio::spawn(async move {
        let mut round = 0_u32;
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = run_once(&state, round.is_multiple_of(FORGET_EVERY)).await {
                tracing::warn!(%error, "counting or forgetting traces failed; trying again");
            }
            round = round.wrapping_add(1);
        }
    });
}

/// One round: everything that is due now.
pub async fn run_once(state: &AppState, with_retention: bool) -> Result<()> {
    let store = SpanStore::new(state.db.clone(), state.clock.clone());
    while settle_due(&store).await? > 0 {}
    if with_retention {
        forget(&store, Keep::default()).await?;
        crate::logs::service::forget(&state.db, state.now(), LOG_AGE).await?;
    }
    Ok(())
}
