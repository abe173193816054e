//! The outbox's SQL.

use crate::args;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::Result;

/// `None` when an event with the same key was queued before.
pub async fn insert_event(tx: &Tx, event: &str, once_key: Option<&str>, now: Timestamp) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO outbox_events (event, once_key, created_at) VALUES ($1, $2, $3)
             ON CONFLICT (once_key) DO NOTHING RETURNING id",
            args![event, once_key.map(str::to_owned), now],
        )
        .await?;
    Ok(row.map(|r| r.0))
}
