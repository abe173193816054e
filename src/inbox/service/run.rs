//! The worker of a node: when it processes what arrived, and what it forgets.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use super::super::store;
use super::{ARRIVED, Inbox, PROCESSED};
use crate::error::Result;

/// From so many in one batch on it is a storm, and the next ones may gather for a moment: worked off a few
/// at a time they would hold up the senders, who wait for the same writer.
const STORM: usize = 4;
/// How many times as long as the last batch took the next one gathers: repeats of an alert fold into one row,
/// so the longer, the less is written for each, and the senders have the writer for four fifths of the time.
const GATHER: u32 = 4;
/// Enough for hundreds of deliveries.
const GATHER_AT_LEAST: Duration = Duration::from_millis(100);
/// Unnoticed by people.
const GATHER_AT_MOST: Duration = Duration::from_millis(500);
/// How long processed and refused deliveries are kept.
const RETENTION: TimeDelta = TimeDelta::days(30);

impl Inbox {
    /// Works until the process ends: processes what arrives, retries what is due, and forgets
    /// processed deliveries after thirty days.
    pub async fn run(self) {
        const IDLE: Duration = Duration::from_secs(1);
        let mut pruned_at = self.inner.clock.now();
        let mut notices = self.inner.db.subscribe();
        loop {
            let began = Instant::now();
            match self.process_due().await {
                Ok(0) => {
                    // Retries come due without a notice, so it looks once a second all the same.
                    let arrived = async { while notices.recv().await.is_ok_and(|n| n.topic != ARRIVED) {} };
                    let _ = tokio::time::timeout(IDLE, arrived).await;
                }
                Ok(STORM..PROCESSED) => {
                    let pause = began.elapsed().saturating_mul(GATHER).clamp(GATHER_AT_LEAST, GATHER_AT_MOST);
                    tokio::time::sleep(pause).await;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "the inbox waits for the database");
                    tokio::time::sleep(IDLE).await;
                }
            }
            let now = self.inner.clock.now();
            if now - pruned_at > TimeDelta::hours(1) {
                pruned_at = now;
                if let Err(error) = self.prune().await {
                    tracing::warn!(%error, "old deliveries could not be deleted");
                }
            }
        }
    }

    /// Deletes what was processed or refused more than thirty days ago, in short transactions.
    pub async fn prune(&self) -> Result<u64> {
        let before = self.inner.clock.now() - RETENTION;
        let mut total = 0;
        loop {
            let tx = self.inner.db.begin().await?;
            let deleted = store::prune(&tx, before, 1_000).await?;
            store::forget_signatures(&tx, before - RETENTION).await?;
            tx.commit().await?;
            total += deleted;
            if deleted == 0 {
                return Ok(total);
            }
        }
    }
}
