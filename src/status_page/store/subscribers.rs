//! Subscribers and what is on its way to them.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;

#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Subscriber {
    pub id: i64,
    /// `email` or `webhook`.
    pub kind: String,
    pub address: String,
    pub token: String,
    pub secret: String,
    pub confirmed_at: Option<Timestamp>,
    pub asked_at: Timestamp,
    pub given_up_in_row: i64,
    pub created_at: Timestamp,
}

impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriber").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

const SELECT: &str = "SELECT id, kind, address, token, secret, confirmed_at, asked_at, given_up_in_row, created_at \
    FROM status_subscribers";

pub async fn find(db: &Db, id: i64) -> Result<Option<Subscriber>> {
    db.fetch_optional(crate::db::Sql::built(format!("{SELECT} WHERE id = $1")), args![id]).await
}

pub async fn find_by_token(db: &Db, token: &str) -> Result<Option<Subscriber>> {
    db.fetch_optional(crate::db::Sql::built(format!("{SELECT} WHERE token = $1")), args![token]).await
}

pub async fn find_by_address(db: &Db, kind: &str, address: &str) -> Result<Option<Subscriber>> {
    let sql = format!("{SELECT} WHERE kind = $1 AND address = $2");
    db.fetch_optional(crate::db::Sql::built(sql), args![kind, address]).await
}

/// `None` when the address is known, because somebody else was faster.
pub async fn insert(
    tx: &Tx,
    (kind, address): (&str, &str),
    (token, secret): (&str, &str),
    now: Timestamp,
) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO status_subscribers (kind, address, token, secret, asked_at, given_up_in_row, created_at) \
             VALUES ($1, $2, $3, $4, $5, 0, $5) ON CONFLICT (kind, address) DO NOTHING RETURNING id",
            args![kind, address, token, secret, now],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

pub async fn asked_again(tx: &Tx, id: i64, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE status_subscribers SET asked_at = $1 WHERE id = $2", args![now, id]).await.map(drop)
}

pub async fn confirm(tx: &Tx, id: i64, now: Timestamp) -> Result<u64> {
    tx.execute(
        "UPDATE status_subscribers SET confirmed_at = $1, given_up_in_row = 0 WHERE id = $2 AND confirmed_at IS NULL",
        args![now, id],
    )
    .await
}

pub async fn delete(tx: &Tx, id: i64) -> Result<u64> {
    tx.execute("DELETE FROM status_subscribers WHERE id = $1", args![id]).await
}

/// Addresses that nobody confirmed in time.
pub async fn forget_unconfirmed(tx: &Tx, asked_before: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM status_subscribers WHERE confirmed_at IS NULL AND asked_at < $1", args![asked_before]).await
}

/// Messages that were settled long ago.
pub async fn forget_settled(tx: &Tx, before: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM status_deliveries WHERE status <> 'waiting' AND created_at < $1", args![before]).await
}

/// Asks the address whether it wants to be told.
pub async fn queue_question(tx: &Tx, subscriber: i64, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO status_deliveries (subscriber_id, update_id, status, attempts, next_at, answer, created_at) \
         VALUES ($1, NULL, 'waiting', 0, $2, '', $2)",
        args![subscriber, now],
    )
    .await
    .map(drop)
}

/// Tells everybody who confirmed, in one statement whatever their number.
pub async fn queue_update(tx: &Tx, update: i64, now: Timestamp) -> Result<u64> {
    tx.execute(
        "INSERT INTO status_deliveries (subscriber_id, update_id, status, attempts, next_at, answer, created_at) \
         SELECT id, $1, 'waiting', 0, $2, '', $2 FROM status_subscribers WHERE confirmed_at IS NOT NULL \
         ON CONFLICT (subscriber_id, update_id) DO NOTHING",
        args![update, now],
    )
    .await
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Delivery {
    pub id: i64,
    pub subscriber_id: i64,
    pub update_id: Option<i64>,
    pub attempts: i64,
}

/// Takes what is due, until the lease ends.
pub async fn claim(tx: &Tx, now: Timestamp, lease_until: Timestamp, limit: i64) -> Result<Vec<Delivery>> {
    tx.fetch_all(
        "UPDATE status_deliveries SET lease_until = $1 WHERE id IN (SELECT id FROM status_deliveries \
         WHERE status = 'waiting' AND next_at <= $2 AND (lease_until IS NULL OR lease_until <= $2) \
         ORDER BY next_at, id LIMIT $3) AND (lease_until IS NULL OR lease_until <= $2) \
         RETURNING id, subscriber_id, update_id, attempts",
        args![lease_until, now, limit],
    )
    .await
}

pub async fn sent(tx: &Tx, delivery: &Delivery, answer: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE status_deliveries SET status = 'sent', attempts = attempts + 1, lease_until = NULL, answer = $1, \
         sent_at = $2 WHERE id = $3",
        args![answer, now, delivery.id],
    )
    .await?;
    tx.execute("UPDATE status_subscribers SET given_up_in_row = 0 WHERE id = $1", args![delivery.subscriber_id])
        .await
        .map(drop)
}

/// `next_at` is `None` when it is given up.
pub async fn failed(tx: &Tx, delivery: &Delivery, answer: &str, next_at: Option<Timestamp>) -> Result<()> {
    let status = if next_at.is_some() { "waiting" } else { "failed" };
    tx.execute(
        "UPDATE status_deliveries SET status = $1, attempts = attempts + 1, lease_until = NULL, answer = $2, \
         next_at = COALESCE($3, next_at) WHERE id = $4",
        args![status, answer, next_at, delivery.id],
    )
    .await?;
    if next_at.is_none() {
        tx.execute(
            "UPDATE status_subscribers SET given_up_in_row = given_up_in_row + 1 WHERE id = $1",
            args![delivery.subscriber_id],
        )
        .await?;
    }
    Ok(())
}

/// There is nothing to tell any more.
pub async fn drop_delivery(tx: &Tx, id: i64) -> Result<()> {
    tx.execute("DELETE FROM status_deliveries WHERE id = $1", args![id]).await.map(drop)
}

/// The notice of a published update, for the message.
pub async fn notice_of(db: &Db, update: i64) -> Result<Option<i64>> {
    let row: Option<(i64,)> =
        db.fetch_optional("SELECT notice_id FROM status_updates WHERE id = $1", args![update]).await?;
    Ok(row.map(|r| r.0))
}

/// For administrators: newest first.
pub async fn page(db: &Db, beyond: i64, limit: i64) -> Result<Vec<Subscriber>> {
    let sql = format!("{SELECT} WHERE id < $1 ORDER BY id DESC LIMIT $2");
    db.fetch_all(crate::db::Sql::built(sql), args![beyond, limit]).await
}

/// How many confirmed, and how many have not yet.
pub async fn counts(db: &Db) -> Result<(i64, i64)> {
    db.fetch_one("SELECT COUNT(confirmed_at), COUNT(*) - COUNT(confirmed_at) FROM status_subscribers", args![]).await
}
