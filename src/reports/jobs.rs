//! What reports do by themselves: fold what changed, freeze what is scheduled, and keep the ledger of this
//! process warm.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::frozen;
use super::ledger::{self, Ledger};
use crate::error::Result;
use crate::state::AppState;

/// Folds until nothing waits; tells how many marks were worked off.
///
/// # Errors
/// `Unavailable` when the database is away; the next round mends it.
pub async fn run_once(state: &AppState) -> Result<usize> {
    let mut done = 0;
    loop {
        match ledger::fold(&state.db, state.now()).await? {
            0 => return Ok(done),
            n => done += n,
        }
    }
}

/// Freezes and announces the scheduled reports that are due; tells how many.
///
/// # Errors
/// `Unavailable` when the database is away; the next round mends it.
pub async fn run_due(state: &AppState, ledger: &Ledger) -> Result<usize> {
    frozen::run_due(state, ledger).await
}

/// Rounds until the process ends.
pub fn spawn(state: AppState, ledger: Ledger) -> JoinHandle<()> {
    const PAUSE: Duration = Duration::from_secs(20);
    tokio::spawn(async move {
        loop {
            let done = async {
                run_once(&state).await?;
                ledger.snapshot(&state.db, state.now()).await?;
                run_due(&state, &ledger).await
            };
            if let Err(error) = done.await {
                tracing::warn!(%error, "the reports' round failed");
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
}
