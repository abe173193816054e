//! Deliveries on their way.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx, Where};
use crate::error::Result;

use super::super::model::Event;

pub async fn insert(tx: &Tx, event_id: i64, channel_id: i64, event: &Event, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO notification_deliveries (event_id, channel_id, kind, subject, status, attempts, next_at, created_at) \
         VALUES ($1, $2, $3, $4, 'waiting', 0, $5, $5) ON CONFLICT (event_id, channel_id) DO NOTHING",
        args![event_id, channel_id, event.kind.as_str(), &event.subject, now],
    )
    .await
    .map(drop)
}

/// One that was already tried, for a test message.
pub async fn insert_done(
    tx: &Tx,
    event_id: i64,
    channel_id: i64,
    event: &Event,
    sent: bool,
    now: Timestamp,
) -> Result<i64> {
    let status = if sent { "sent" } else { "failed" };
    tx.insert(
        "INSERT INTO notification_deliveries (event_id, channel_id, kind, subject, status, attempts, next_at, \
         sent_at, created_at) VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $6) RETURNING id",
        args![event_id, channel_id, event.kind.as_str(), &event.subject, status, now, sent.then_some(now)],
    )
    .await
}

/// Channels with something to send that nobody holds.
pub async fn due_channels(db: &Db, now: Timestamp) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> = db
        .fetch_all(
            "SELECT DISTINCT d.channel_id FROM notification_deliveries d \
             JOIN notification_channels c ON c.id = d.channel_id \
             WHERE d.status = 'waiting' AND d.next_at <= $1 AND c.enabled \
             AND (c.lease_until IS NULL OR c.lease_until <= $1) ORDER BY d.channel_id LIMIT 200",
            args![now],
        )
        .await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// A delivery whose time has come.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Due {
    pub id: i64,
    pub attempts: i64,
    pub message_id: String,
    /// JSON array of the mail addresses that are done.
    pub told: String,
    pub event: String,
}

/// The oldest of a channel.
pub async fn due(db: &Db, channel_id: i64, now: Timestamp, limit: i64) -> Result<Vec<Due>> {
    db.fetch_all(
        "SELECT d.id, d.attempts, d.message_id, d.told, e.event FROM notification_deliveries d \
         JOIN outbox_events e ON e.id = d.event_id \
         WHERE d.channel_id = $1 AND d.status = 'waiting' AND d.next_at <= $2 ORDER BY d.id LIMIT $3",
        args![channel_id, now, limit],
    )
    .await
}

/// All that a message carries.
pub async fn of_message(db: &Db, message_id: &str) -> Result<Vec<Due>> {
    db.fetch_all(
        "SELECT d.id, d.attempts, d.message_id, d.told, e.event FROM notification_deliveries d \
         JOIN outbox_events e ON e.id = d.event_id \
         WHERE d.message_id = $1 AND d.message_id <> '' AND d.status = 'waiting' ORDER BY d.id LIMIT 500",
        args![message_id],
    )
    .await
}

/// How many messages went out on a channel since then, and when the last one did.
pub async fn sent_since(db: &Db, channel_id: i64, since: Timestamp) -> Result<(i64, Option<Timestamp>)> {
    db.fetch_one(
        "SELECT COUNT(DISTINCT message_id), MAX(sent_at) FROM notification_deliveries \
         WHERE channel_id = $1 AND sent_at > $2 AND kind <> 'test'",
        args![channel_id, since],
    )
    .await
}

fn by_ids(ids: &[i64]) -> Where {
    let mut w = Where::new();
    w.and_any("id", ids.iter().copied());
    w
}

pub async fn set_message(tx: &Tx, ids: &[i64], message_id: &str) -> Result<()> {
    let mut w = Where::new();
    let value = w.bind(message_id);
    w.and_any("id", ids.iter().copied());
    let (sql, args) = w.statement(&format!("UPDATE notification_deliveries SET message_id = {value}"), "");
    tx.execute(sql, args).await.map(drop)
}

/// The mail addresses that are done with, so that none is told twice.
pub async fn set_told(tx: &Tx, ids: &[i64], told: &[String]) -> Result<()> {
    let mut w = Where::new();
    let value = w.bind(serde_json::to_string(told)?);
    w.and_any("id", ids.iter().copied());
    let (sql, args) = w.statement(&format!("UPDATE notification_deliveries SET told = {value}"), "");
    tx.execute(sql, args).await.map(drop)
}

pub async fn set_sent(tx: &Tx, ids: &[i64], now: Timestamp) -> Result<()> {
    let mut w = Where::new();
    let at = w.bind(now);
    w.and_any("id", ids.iter().copied());
    let head = format!("UPDATE notification_deliveries SET status = 'sent', attempts = attempts + 1, sent_at = {at}");
    let (sql, args) = w.statement(&head, "");
    tx.execute(sql, args).await.map(drop)
}

/// Given up, or never wanted by anybody.
pub async fn set_over(tx: &Tx, ids: &[i64], status: &'static str) -> Result<()> {
    let mut w = by_ids(ids);
    let value = w.bind(status);
    let (sql, args) =
        w.statement(&format!("UPDATE notification_deliveries SET status = {value}, attempts = attempts + 1"), "");
    tx.execute(sql, args).await.map(drop)
}

/// To be tried again. Without `keep_message` it may be told together with others then.
pub async fn set_later(tx: &Tx, ids: &[i64], next_at: Timestamp, keep_message: bool) -> Result<()> {
    let mut w = by_ids(ids);
    w.and_raw("status = 'waiting'");
    let at = w.bind(next_at);
    let message = if keep_message { "" } else { ", message_id = ''" };
    let head = format!("UPDATE notification_deliveries SET attempts = attempts + 1, next_at = {at}{message}");
    let (sql, args) = w.statement(&head, "");
    tx.execute(sql, args).await.map(drop)
}

/// Nothing of a channel is sent before then.
pub async fn hold(tx: &Tx, channel_id: i64, until: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE notification_deliveries SET next_at = $1 WHERE channel_id = $2 AND status = 'waiting' AND next_at < $1",
        args![until, channel_id],
    )
    .await
    .map(drop)
}

/// The receiver answers again: what waits for a later try is sent now.
pub async fn hurry(tx: &Tx, channel_id: i64, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE notification_deliveries SET next_at = $1 \
         WHERE channel_id = $2 AND status = 'waiting' AND next_at > $1 AND attempts > 0",
        args![now, channel_id],
    )
    .await
    .map(drop)
}

/// What waits on a channel that is switched off is not told any more, unless somebody asks for it.
pub async fn drop_waiting(tx: &Tx, channel_id: i64) -> Result<u64> {
    tx.execute(
        "UPDATE notification_deliveries SET status = 'dropped', message_id = '' WHERE channel_id = $1 AND status = 'waiting'",
        args![channel_id],
    )
    .await
}

/// What one try was answered, for each delivery in the message.
pub async fn add_attempts(
    tx: &Tx,
    ids: &[i64],
    at: Timestamp,
    http_status: Option<u16>,
    answer: &str,
    duration_ms: i64,
) -> Result<()> {
    for id in ids {
        tx.execute(
            "INSERT INTO notification_attempts (delivery_id, at, http_status, answer, duration_ms) \
             VALUES ($1, $2, $3, $4, $5)",
            args![*id, at, http_status, answer, duration_ms],
        )
        .await?;
    }
    Ok(())
}

/// Puts a delivery that is over back to the beginning. Whether it was over.
pub async fn retry(tx: &Tx, id: i64, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE notification_deliveries SET status = 'waiting', attempts = 0, next_at = $1, message_id = '' \
             WHERE id = $2 AND status IN ('failed', 'dropped') AND kind <> 'test'",
            args![now, id],
        )
        .await?;
    Ok(changed > 0)
}
