//! What happens to traces in the background: counting settled ones, forgetting old ones.

use std::time::Duration;

use tokio::task::JoinHandle;

use chrono::TimeDelta;

use crate::error::Result;
use crate::state::AppState;

use super::service::ingest::SpanStore;
use super::service::retention::{Keep, forget};
use super::service::settle::settle_due;

/// Traces are counted this often.
const EVERY: Duration = Duration::from_secs(2);
/// Every so many rounds old traces and logs are forgotten: each ten minutes.
const FORGET_EVERY: u32 = 300;

/// Runs until the process ends. A failure is logged and tried again in the next round.
pub fn spawn(state: AppState) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut round = 0_u32;
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = run_once(&state, round.is_multiple_of(FORGET_EVERY)).await {
                tracing::warn!(%error, "counting or forgetting traces failed; trying again");
            }
            round = round.wrapping_add(1);
        }
    })
}

/// One round: everything that is due now.
pub async fn run_once(state: &AppState, with_retention: bool) -> Result<()> {
    let store = SpanStore::new(state.db.clone(), state.clock.clone());
    while settle_due(&store).await? > 0 {}
    if with_retention {
        let config = &state.config;
        let keep = Keep {
            age: TimeDelta::days(i64::from(config.trace_days)),
            bytes: i64::from(config.trace_gib) * 1024 * 1024 * 1024,
            ..Keep::default()
        };
        forget(&store, keep).await?;
        crate::logs::service::forget(&state.db, state.now(), TimeDelta::days(i64::from(config.log_days))).await?;
    }
    Ok(())
}
