//! What alerts do by themselves as time passes: those that lasted are grouped, those that their
//! sender stopped repeating end.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::service::{decide, expire};
use crate::error::Result;
use crate::state::AppState;

/// One round; tells how many alerts changed.
///
/// # Errors
/// `Unavailable` when the database is away; the next round mends it.
pub async fn run_once(state: &AppState) -> Result<usize> {
    let now = state.now();
    let expired = expire::expire_due(&state.db, now).await?;
    Ok(expired + decide::decide_due(&state.db, now).await?)
}

/// Rounds until the process ends: at every change of alerts, and once a second for those that wait.
/// Several nodes may do so at once; they take turns.
pub fn spawn(state: AppState) -> JoinHandle<()> {
    const PAUSE: Duration = Duration::from_secs(1);
    tokio::spawn(async move {
        let mut notices = state.db.subscribe();
        loop {
            if let Err(error) = run_once(&state).await {
                tracing::warn!(%error, "grouping waits for the database");
                tokio::time::sleep(PAUSE).await;
            }
            let changed = async { while notices.recv().await.is_ok_and(|n| n.topic != "alerts") {} };
            let _ = tokio::time::timeout(PAUSE, changed).await;
            // What a storm changes meanwhile is decided together.
            tokio::time::sleep(PAUSE / 10).await;
        }
    })
}
