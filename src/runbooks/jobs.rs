//! Looking at the folder: at start, and every few seconds afterwards. Every node does it for itself;
//! an unchanged folder costs one listing and two queries.

use std::time::Duration;

use crate::error::Result;
use crate::state::AppState;

use super::service::sync::{Report, sync_folder};

const EVERY: Duration = Duration::from_secs(10);

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
pub fn spawn(state: AppState) {
    tokio::spawn(async move {
        let mut turns = tokio::time::interval(EVERY);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            if let Err(error) = run_once(&state).await {
                tracing::error!(%error, "taking in the runbooks failed");
            }
        }
    });
}
