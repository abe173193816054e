//! What postmortems do by themselves: decide which incidents need one, close action items that changes
//! name, and remind of what is overdue.

use std::time::Duration;

use super::service::{actions, duties};
use crate::error::Result;
use crate::state::AppState;

/// One round; tells how much it did.
///
/// # Errors
/// `Unavailable` when the database is away; the next round mends it.
pub async fn run_once(state: &AppState) -> Result<usize> {
    let now = state.now();
    let closed = actions::close_by_changes(&state.db, now).await?;
    let decided = duties::decide(&state.db, now).await?;
    let reminded = actions::remind(&state.db, now).await? + duties::remind(&state.db, now).await?;
    Ok(closed + decided + reminded)
}

/// Rounds until the process ends. Several nodes may do so at once: a reminder is queued once, and a
/// change is looked through once.
pub fn spawn(state: AppState) {
    const PAUSE: Duration = Duration::from_secs(30);
    tokio::spawn(async move {
        let mut turns = tokio::time::interval(PAUSE);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            if let Err(error) = run_once(&state).await {
                tracing::warn!(%error, "action items wait for the database");
            }
        }
    });
}
