//! Queueing events, and the channels and rules that people set up.

pub mod channels;
pub mod deliveries;

use super::model::Event;
use super::store::outbox;
use crate::db::Tx;
use crate::error::Result;

/// The topic that wakes the worker after the commit.
pub const TOPIC: &str = "outbox";

/// Puts an event into the outbox, in the caller's transaction: told if and only if that commits.
/// Cheap, whatever the number of channels; rules are applied by the worker. An event whose `once_key`
/// was queued before is dropped.
pub async fn queue(tx: &Tx, event: Event) -> Result<()> {
    let body = serde_json::to_string(&event)?;
    let key = event.once_key.as_deref();
    if outbox::insert_event(tx, &body, &event.subject, key, event.occurred_at).await?.is_some() {
        tx.announce(TOPIC);
    }
    Ok(())
}

/// A subject (`INC-12`) becomes private, or public again: what is queued about it goes only to channels
/// that are trusted with privacy.
pub async fn set_private(tx: &Tx, subject: &str, private: bool) -> Result<()> {
    outbox::set_hidden(tx, subject, private).await
}
