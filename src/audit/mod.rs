//! Who did what to what: one row an action, written in the action's own transaction, never changed.
//!
//! This is for administrators; what readers of an incident should see goes to its timeline.

use crate::accounts::Actor;
use crate::args;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::Result;

/// Appends a row. `detail` is JSON and must hold no secret.
pub async fn record(
    tx: &Tx,
    now: Timestamp,
    actor: &Actor,
    action: &'static str,
    subject: (&'static str, &str),
    detail: &serde_json::Value,
) -> Result<()> {
    tx.execute(
        "INSERT INTO audit_log (at, user_id, token_id, actor, action, subject_kind, subject_id, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        args![now, actor.user_id, actor.token_id, &actor.name, action, subject.0, subject.1, detail.to_string()],
    )
    .await
    .map(drop)
}
