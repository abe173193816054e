//! Forgetting old traces: by age and by size. What was attached to an incident is kept there whole.

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::traces::store::{counts, retain};

use super::ingest::SpanStore;

/// What to keep. The newest traces win.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    pub age: TimeDelta,
    /// Compressed bytes of all spans.
    pub bytes: i64,
    /// Rollups are small and outlive the spans.
    pub rollups: TimeDelta,
}

impl Default for Keep {
    fn default() -> Self {
        Self { age: TimeDelta::days(14), bytes: 20 * 1024 * 1024 * 1024, rollups: TimeDelta::days(90) }
    }
}

/// Traces deleted in one transaction.
const BITE: i64 = 500;
/// Transactions of one run; the rest waits for the next.
const MAX_BITES: usize = 200;

/// Deletes what is beyond `keep`; tells how many traces went.
pub async fn forget(store: &SpanStore, keep: Keep) -> Result<usize> {
    let now = store.clock().now();
    let mut gone = 0;
    let mut cutoff = None;
    let mut excess = retain::stored_bytes(store.db()).await? - keep.bytes;
    for _ in 0..MAX_BITES {
        let limit = if excess > 0 { now } else { now - keep.age };
        let oldest = retain::oldest(store.db(), limit, BITE).await?;
        let Some((_, last)) = oldest.last() else { break };
        let rows: Vec<i64> = oldest.iter().map(|(row, _)| *row).collect();
        cutoff = Some(*last);
        excess -= retain::bytes_of(store.db(), &rows).await?;
        let tx = store.db().begin().await?;
        retain::delete(&tx, &rows).await?;
        tx.commit().await?;
        gone += rows.len();
    }
    if let Some(before) = cutoff {
        forget_index(store, before).await?;
    }
    let tx = store.db().begin().await?;
    retain::delete_rollups(&tx, now - keep.rollups).await?;
    counts::forget(&tx, now - keep.rollups).await?;
    tx.commit().await?;
    Ok(gone)
}

/// A transaction per service, so that other writers get their turn between.
async fn forget_index(store: &SpanStore, before: Timestamp) -> Result<()> {
    for service in retain::service_ids(store.db()).await? {
        let tx = store.db().begin().await?;
        retain::delete_index(&tx, service, before).await?;
        tx.commit().await?;
    }
    Ok(())
}
