//! Queueing events, and the channels and rules that people set up.

use super::model::Event;
use super::store;
use crate::db::Tx;
use crate::error::Result;

/// The topic that wakes the worker after the commit.
pub const TOPIC: &str = "outbox";

/// Puts an event into the outbox, in the caller's transaction: told if and only if that commits.
/// Cheap, whatever the number of channels; rules are applied by the worker. An event whose `once_key`
/// was queued before is dropped.
pub async fn queue(tx: &Tx, event: Event) -> Result<()> {
    let body = serde_json::to_string(&event)?;
    if store::insert_event(tx, &body, event.once_key.as_deref(), event.occurred_at).await?.is_some() {
        tx.announce(TOPIC);
    }
    Ok(())
}
