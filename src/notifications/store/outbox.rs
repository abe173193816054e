//! Events that wait for the worker.

use crate::args;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::Result;

/// `None` when an event with the same key was queued before.
pub async fn insert_event(
    tx: &Tx,
    event: &str,
    subject: &str,
    once_key: Option<&str>,
    now: Timestamp,
) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO outbox_events (event, subject, once_key, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (once_key) DO NOTHING RETURNING id",
            args![event, subject, once_key.map(str::to_owned), now],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

/// An event out of the outbox.
#[derive(sqlx::FromRow)]
pub struct Waiting {
    pub id: i64,
    pub event: String,
    pub hidden: bool,
}

/// Takes the oldest events that nobody routed; oldest first.
pub async fn take_events(tx: &Tx, limit: i64, now: Timestamp) -> Result<Vec<Waiting>> {
    // The mark is asked again outside, for a node that waited for another's row lock.
    let mut taken: Vec<Waiting> = tx
        .fetch_all(
            "UPDATE outbox_events SET routed_at = $1 WHERE routed_at IS NULL AND id IN \
             (SELECT id FROM outbox_events WHERE routed_at IS NULL ORDER BY id LIMIT $2) RETURNING id, event, hidden",
            args![now, limit],
        )
        .await?;
    taken.sort_by_key(|w| w.id);
    Ok(taken)
}

/// An event that goes past the rules.
pub async fn insert_routed(tx: &Tx, event: &str, subject: &str, now: Timestamp) -> Result<i64> {
    tx.insert(
        "INSERT INTO outbox_events (event, subject, created_at, routed_at) VALUES ($1, $2, $3, $3) RETURNING id",
        args![event, subject, now],
    )
    .await
}

/// A subject becomes private, or public again. What waits for channels that are not trusted is dropped.
pub async fn set_hidden(tx: &Tx, subject: &str, hidden: bool) -> Result<()> {
    tx.execute("UPDATE outbox_events SET hidden = $1 WHERE subject = $2", args![hidden, subject]).await?;
    if hidden {
        tx.execute(
            "UPDATE notification_deliveries SET status = 'dropped' WHERE subject = $1 AND status = 'waiting' \
             AND channel_id IN (SELECT id FROM notification_channels WHERE NOT may_see_private)",
            args![subject],
        )
        .await?;
    }
    Ok(())
}

/// Forgets told events and their deliveries; those with a key stay longer, so that a reminder does not
/// come twice.
pub async fn prune(tx: &Tx, before: Timestamp, keyed_before: Timestamp, limit: i64) -> Result<u64> {
    tx.execute(
        "DELETE FROM outbox_events WHERE id IN (SELECT id FROM outbox_events WHERE created_at < $1 \
         AND routed_at IS NOT NULL AND (once_key IS NULL OR created_at < $2) ORDER BY created_at LIMIT $3)",
        args![before, keyed_before, limit],
    )
    .await
}
