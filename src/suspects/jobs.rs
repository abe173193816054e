//! Ranks open incidents again while their telemetry comes in.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::service;
use crate::error::Result;
use crate::state::AppState;

/// One round; tells how many incidents were ranked.
///
/// # Errors
/// `Unavailable` when the database is away; the next round mends it.
pub async fn run_once(state: &AppState) -> Result<usize> {
    service::rank_due(&state.db, state.now()).await
}

/// Rounds until the process ends: when an incident is declared, and every few seconds.
pub fn spawn(state: AppState) -> JoinHandle<()> {
    const PAUSE: Duration = Duration::from_secs(5);
    tokio::spawn(async move {
        let mut notices = state.db.subscribe();
        loop {
            if let Err(error) = run_once(&state).await {
                tracing::warn!(%error, "ranking suspects failed");
            }
            let declared = async { while notices.recv().await.is_ok_and(|n| n.topic != "incidents") {} };
            let _ = tokio::time::timeout(PAUSE, declared).await;
            // Spans of the same moment arrive together with what declared the incident.
            tokio::time::sleep(PAUSE / 5).await;
        }
    })
}
