//! Telling subscribers. Messages are rows with a lease, so several nodes may do it and a dead node's are
//! taken over.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::service::subscribers::{self, Post, Ways};
use crate::error::{Error, Result};
use crate::notifications::Courier;
use crate::outbound::{Outbound, Policy};
use crate::state::AppState;

/// Messages of one round.
const BATCH: i64 = 20;

/// The guarded client of this configuration.
///
/// # Errors
/// `Invalid` for a list of allowed networks that cannot be read.
pub fn outbound(state: &AppState) -> Result<Outbound> {
    let policy = Policy::parse(&state.config.outbound_allow).map_err(|e| Error::invalid("outbound_allow", e))?;
    Outbound::new(policy).map_err(|e| Error::Internal(e.to_string()))
}

/// One round; tells how many messages were worked on.
///
/// # Errors
/// `Unavailable` when the database is away; the next round mends it.
pub async fn run_once(state: &AppState, ways: &Ways<'_>) -> Result<usize> {
    let now = state.now();
    subscribers::tidy(&state.db, now).await?;
    subscribers::deliver(&state.db, ways, &state.config.base_url, BATCH, now).await
}

/// Rounds until the process ends: when something is queued, and every few seconds.
pub fn spawn(state: AppState, outbound: Outbound, courier: Courier) -> JoinHandle<()> {
    const PAUSE: Duration = Duration::from_secs(5);
    tokio::spawn(async move {
        let mut notices = state.db.subscribe();
        loop {
            let ways = Ways { outbound: &outbound, mail: courier.has_mail().then_some(&courier as &dyn Post) };
            let worked = run_once(&state, &ways).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "telling the status page's subscribers failed; trying again");
                0
            });
            // More may wait behind a whole batch.
            let pause = if worked > 0 { PAUSE / 50 } else { PAUSE };
            let queued = async { while notices.recv().await.is_ok_and(|n| n.topic != "status-outbox") {} };
            let _ = tokio::time::timeout(pause, queued).await;
        }
    })
}
