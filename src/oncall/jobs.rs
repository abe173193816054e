//! Paging by the clock. Any number of nodes do it: a page moves only from the level at which it was
//! read, in the transaction that tells the next person, so nobody is told twice and a node that dies
//! leaves its page to the others.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::service::{connections, paging};
use crate::error::Result;
use crate::outbound::Outbound;
use crate::state::AppState;

/// Pages of one round.
const BATCH: i64 = 100;

/// One round; tells how many pages began or moved.
///
/// # Errors
/// `Unavailable` when the database is away; the next round mends it.
pub async fn run_once(state: &AppState) -> Result<usize> {
    let now = state.now();
    let begun = paging::start_wanted(&state.db, BATCH, now).await?;
    Ok(begun + paging::go_on_with_due(&state.db, BATCH, now).await?)
}

/// One round for PagerDuty and GoAlert; tells how many links changed or were worked on.
///
/// # Errors
/// `Unavailable` when the database is away; a receiver that fails is none.
pub async fn connect_once(state: &AppState, outbound: &Outbound) -> Result<usize> {
    let now = state.now();
    let changed = connections::look(&state.db, BATCH, now).await?;
    let worked = connections::deliver(&state.db, outbound, &state.config.base_url, BATCH / 10, now).await?;
    Ok(changed + worked)
}

/// Like [`spawn`], for the tools that are connected.
pub fn spawn_connections(state: AppState, outbound: Outbound) -> JoinHandle<()> {
    const PAUSE: Duration = Duration::from_secs(5);
    tokio::spawn(async move {
        let mut notices = state.db.subscribe();
        loop {
            let worked = connect_once(&state, &outbound).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the connected paging tools wait for the database");
                0
            });
            let pause = if worked > 0 { PAUSE / 10 } else { PAUSE };
            let changed = async { while notices.recv().await.is_ok_and(|n| n.topic != "incidents") {} };
            let _ = tokio::time::timeout(pause, changed).await;
        }
    })
}

/// Rounds until the process ends: when an incident changes, and every few seconds.
pub fn spawn(state: AppState) -> JoinHandle<()> {
    const PAUSE: Duration = Duration::from_secs(5);
    tokio::spawn(async move {
        let mut notices = state.db.subscribe();
        loop {
            if let Err(error) = run_once(&state).await {
                tracing::warn!(%error, "paging waits for the database");
            }
            let changed = async { while notices.recv().await.is_ok_and(|n| n.topic != "incidents") {} };
            let _ = tokio::time::timeout(PAUSE, changed).await;
            // Services are named together with the declaration; what follows at once is seen together.
            tokio::time::sleep(PAUSE / 10).await;
        }
    })
}
