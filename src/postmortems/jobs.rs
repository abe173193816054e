//! What postmortems do by themselves: decide which incidents need one, close action items that changes
//! name, and remind of what is overdue.

use std::time::Duration;

use tokio::task::JoinHandle;

use futures::future::BoxFuture;

use super::model;
use super::service::{actions, duties};
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::deployments::hooks::MergeListener;
use crate::deployments::sources::Merge;
use crate::error::Result;
use crate::incidents::By;
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

/// Merged requests of GitHub and GitLab close the action items that they name.
pub struct ClosedByMerge;

impl MergeListener for ClosedByMerge {
    fn merged<'a>(&'a self, tx: &'a Tx, merge: &'a Merge, now: Timestamp) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let by = By::system(merge.name.clone());
            let closed = actions::close_named(tx, &merge.words, None, actions::EVERYTHING, &by, now).await?;
            Ok(closed.into_iter().map(model::actions::key).collect())
        })
    }
}

/// Rounds until the process ends. Several nodes may do so at once: a reminder is queued once, and a
/// change is looked through once.
pub fn spawn(state: AppState) -> JoinHandle<()> {
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
    })
}
