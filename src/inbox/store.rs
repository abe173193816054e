//! The inbox's SQL.

mod sources;

use std::collections::BTreeMap;

use super::body::{self, Stored};
use super::model::{Delivery, Kind, Status};
use super::replay;
use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx, Value, Where};
use crate::error::{Error, Result};

pub use sources::{DOORS, SourceSettings, save_settings, settings};

/// What is written when a delivery arrives.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    pub delivery: Delivery,
    pub status: Status,
    pub http_status: u16,
    pub reason: String,
    /// Size of the body in bytes, which may be more than is kept of it.
    pub size: usize,
    /// The body as it is kept; the delivery's own is empty.
    pub stored: Stored,
}

impl NewDelivery {
    /// A delivery with at most `keep` bytes of its body, compressed here, outside of any transaction.
    pub fn of(mut delivery: Delivery, status: Status, http_status: u16, reason: String, keep: usize) -> Self {
        let body = std::mem::take(&mut delivery.body);
        let (size, stored) = (body.len(), body::store(&body, keep));
        Self { delivery, status, http_status, reason, size, stored }
    }
}

const HEAD_COLUMNS: usize = 14;

/// Takes `count` ids for deliveries to come, and gives the first.
pub async fn take_ids(tx: &Tx, count: i64) -> Result<i64> {
    let next: i64 = tx.fetch_scalar("UPDATE delivery_ids SET next = next + $1 RETURNING next", args![count]).await?;
    Ok(next - count)
}

/// What writes deliveries, at most a few hundred, under these ids.
pub fn insertion(deliveries: &[NewDelivery], ids: &[i64]) -> Result<Vec<(Sql, Vec<Value>)>> {
    let mut heads = Vec::with_capacity(deliveries.len() * HEAD_COLUMNS);
    let mut bodies = Vec::with_capacity(deliveries.len() * 4);
    for (new, id) in deliveries.iter().zip(ids) {
        heads.extend(head(new, *id)?);
        let stored = &new.stored;
        bodies.extend(args![*id, stored.encoding, stored.truncated, stored.bytes.as_slice()]);
    }
    let into_heads = format!(
        "INSERT INTO deliveries (id, kind, source, status, received_at, token_name, path, content_type, headers, size, \
         http_status, reason, due_at, processed_at) VALUES {}",
        rows(deliveries.len(), HEAD_COLUMNS)
    );
    let into_bodies = format!(
        "INSERT INTO delivery_bodies (delivery_id, encoding, truncated, body) VALUES {}",
        rows(deliveries.len(), 4)
    );
    let mut statements = vec![(Sql::built(into_heads), heads), (Sql::built(into_bodies), bodies)];
    statements.extend(deliveries.iter().filter_map(signature));
    Ok(statements)
}

fn head(new: &NewDelivery, id: i64) -> Result<Vec<Value>> {
    let d = &new.delivery;
    let headers = serde_json::to_string(&d.headers)?;
    let size = i64::try_from(new.size).unwrap_or(i64::MAX);
    let done = (new.status == Status::Processed).then_some(d.received_at);
    Ok(args![
        id,
        d.kind.as_str(),
        &d.source,
        new.status.as_str(),
        d.received_at,
        &d.token_name,
        &d.path,
        &d.content_type,
        headers,
        size,
        new.http_status,
        &new.reason,
        d.received_at,
        done
    ])
}

/// `($1, $2), ($3, $4)` for `count` rows of `width` values.
pub fn rows(count: usize, width: usize) -> String {
    let row = |r: usize| {
        let marks: Vec<String> = (1..=width).map(|c| format!("${}", r * width + c)).collect();
        format!("({})", marks.join(", "))
    };
    (0..count).map(row).collect::<Vec<_>>().join(", ")
}

#[derive(sqlx::FromRow)]
struct FullRow {
    id: i64,
    kind: String,
    source: String,
    received_at: Timestamp,
    token_name: String,
    path: String,
    content_type: String,
    headers: String,
    encoding: String,
    body: Vec<u8>,
}

impl FullRow {
    fn into_delivery(self) -> Result<Delivery> {
        let kind = Kind::parse(&self.kind).ok_or_else(|| Error::Internal(format!("delivery of kind {}", self.kind)))?;
        Ok(Delivery {
            id: self.id,
            kind,
            source: self.source,
            received_at: self.received_at,
            token_name: self.token_name,
            path: self.path,
            content_type: self.content_type,
            headers: serde_json::from_str(&self.headers)?,
            body: body::restore(&self.encoding, self.body)?,
        })
    }
}

const FULL: &str = "SELECT d.id, d.kind, d.source, d.received_at, d.token_name, d.path, d.content_type, d.headers, \
     b.encoding, b.body FROM deliveries d JOIN delivery_bodies b ON b.delivery_id = d.id";

/// Bytes of bodies that are in memory at once, give or take one delivery.
const AT_ONCE: i64 = 32 << 20;

/// Takes the oldest pending deliveries whose time has come and marks them processed. The caller
/// does the work in the same transaction: should it fail, the mark is undone with everything else,
/// and so each delivery is processed exactly once, whatever happens to this node.
pub async fn take(tx: &Tx, now: Timestamp, limit: i64) -> Result<Vec<i64>> {
    // The status is asked again outside, so that a node which waited for another's row lock does
    // not take what the other has just finished.
    let taken: Vec<(i64,)> = tx
        .fetch_all(
            "UPDATE deliveries SET status = 'processed', processed_at = $1, attempts = attempts + 1, reason = '' \
             WHERE status = 'pending' AND id IN (SELECT id FROM ( \
                 SELECT id, SUM(size) OVER (ORDER BY due_at, id) - size AS before FROM ( \
                     SELECT id, due_at, size FROM deliveries WHERE status = 'pending' AND due_at <= $1 \
                     ORDER BY due_at, id LIMIT $2) AS due) AS counted WHERE before < $3) RETURNING id",
            args![now, limit, AT_ONCE],
        )
        .await?;
    Ok(taken.into_iter().map(|r| r.0).collect())
}

/// Takes one delivery if it is pending.
pub async fn take_pending(tx: &Tx, id: i64, now: Timestamp) -> Result<bool> {
    let taken = tx
        .execute(
            "UPDATE deliveries SET status = 'processed', processed_at = $1, attempts = attempts + 1 \
             WHERE id = $2 AND status = 'pending'",
            args![now, id],
        )
        .await?;
    Ok(taken > 0)
}

/// Takes one delivery, whatever its state, for a replay.
pub async fn take_one(tx: &Tx, id: i64, now: Timestamp) -> Result<Option<Delivery>> {
    tx.execute(
        "UPDATE deliveries SET status = 'processed', processed_at = $1, attempts = attempts + 1, reason = '' WHERE id = $2",
        args![now, id],
    )
    .await?;
    Ok(by_ids(tx, [id]).await?.pop())
}

/// Deliveries with their bodies, the oldest first.
pub async fn by_ids(db: &Db, ids: impl IntoIterator<Item = i64>) -> Result<Vec<Delivery>> {
    let mut filter = Where::new();
    filter.and_any("d.id", ids);
    let (sql, args) = filter.statement(FULL, "ORDER BY d.received_at, d.id");
    db.fetch_all::<FullRow>(sql, args).await?.into_iter().map(FullRow::into_delivery).collect()
}

pub async fn find(db: &Db, id: i64) -> Result<Option<Delivery>> {
    Ok(by_ids(db, [id]).await?.pop())
}

/// Leaves a remark on deliveries that were processed.
pub async fn remark(tx: &Tx, id: i64, text: &str) -> Result<()> {
    tx.execute("UPDATE deliveries SET reason = $1 WHERE id = $2", args![text, id]).await.map(drop)
}

/// Drops the bodies of deliveries that live on elsewhere.
pub async fn drop_bodies(tx: &Tx, ids: &[i64]) -> Result<()> {
    let mut filter = Where::new();
    let nothing = filter.bind(Vec::<u8>::new());
    filter.and_any("delivery_id", ids.iter().copied());
    let head = format!("UPDATE delivery_bodies SET truncated = TRUE, encoding = 'identity', body = {nothing}");
    let (sql, args) = filter.statement(&head, "");
    tx.execute(sql, args).await.map(drop)
}

/// How often a delivery was tried.
pub async fn attempts(db: &Db, id: i64) -> Result<i64> {
    db.fetch_scalar("SELECT attempts FROM deliveries WHERE id = $1", args![id]).await
}

/// Notes that a delivery could not be processed: to be tried at `due_at`, or for good.
pub async fn note_failure(tx: &Tx, id: i64, reason: &str, due_at: Option<Timestamp>) -> Result<()> {
    let status = if due_at.is_some() { Status::Pending } else { Status::Failed };
    tx.execute(
        "UPDATE deliveries SET status = $1, reason = $2, due_at = COALESCE($3, due_at), processed_at = NULL WHERE id = $4",
        args![status.as_str(), reason, due_at, id],
    )
    .await
    .map(drop)
}

/// What a list shows of a delivery.
#[derive(Clone, Debug, sqlx::FromRow, serde::Serialize)]
pub struct Head {
    pub id: i64,
    pub kind: String,
    pub source: String,
    pub status: String,
    pub received_at: Timestamp,
    pub token_name: String,
    pub path: String,
    pub content_type: String,
    pub headers: String,
    pub size: i64,
    pub http_status: i64,
    pub reason: String,
    pub attempts: i64,
    pub processed_at: Option<Timestamp>,
}

const HEAD: &str = "SELECT id, kind, source, status, received_at, token_name, path, content_type, headers, size, \
     http_status, reason, attempts, processed_at FROM deliveries";

/// What the list is narrowed to; empty means all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub kind: Option<Kind>,
    pub source: String,
    pub status: Option<Status>,
    /// Deliveries before this one, in the order of the list.
    pub before: Option<(Timestamp, i64)>,
}

impl Filter {
    fn conditions(&self) -> Where {
        let mut w = Where::new();
        if let Some(kind) = self.kind {
            w.and("kind = ?", kind.as_str());
        }
        if !self.source.is_empty() {
            w.and("source = ?", self.source.as_str());
        }
        if let Some(status) = self.status {
            // Written out, not bound: the partial indexes are only used for a status that the planner can see.
            w.and_raw(match status {
                Status::Pending => "status = 'pending'",
                Status::Processed => "status = 'processed'",
                Status::Failed => "status = 'failed'",
                Status::Rejected => "status = 'rejected'",
            });
        }
        w
    }
}

/// One page, newest first.
pub async fn list(db: &Db, filter: &Filter, limit: i64) -> Result<Vec<Head>> {
    let mut w = filter.conditions();
    if let Some((at, id)) = filter.before {
        w.and_all("(received_at < ? OR (received_at = ? AND id < ?))", args![at, at, id]);
    }
    let limit = w.bind(limit);
    // Pending ones are few, and found by when they are due; the sign keeps SQLite from walking all by their time.
    let sign = if filter.status == Some(Status::Pending) { "+" } else { "" };
    let (sql, args) = w.statement(HEAD, &format!("ORDER BY {sign}received_at DESC, id DESC LIMIT {limit}"));
    db.fetch_all(sql, args).await
}

pub async fn head_of(db: &Db, id: i64) -> Result<Option<Head>> {
    let mut w = Where::new();
    w.and("id = ?", id);
    let (sql, args) = w.statement(HEAD, "");
    db.fetch_optional(sql, args).await
}

/// How many there are of each status.
pub async fn counts(db: &Db) -> Result<BTreeMap<String, i64>> {
    let rows: Vec<(String, i64)> = db
        .fetch_all(
            "SELECT status, COUNT(*) FROM deliveries WHERE status = 'failed' OR status = 'rejected' GROUP BY status \
             UNION ALL SELECT 'pending', COUNT(*) FROM deliveries WHERE status = 'pending' \
             UNION ALL SELECT 'processed', COUNT(*) FROM deliveries",
            args![],
        )
        .await?;
    let mut counts: BTreeMap<String, i64> = rows.into_iter().collect();
    let others: i64 = counts.iter().filter(|(status, _)| *status != "processed").map(|(_, n)| n).sum();
    // All but the others: their number is in no index.
    if let Some(processed) = counts.get_mut("processed") {
        *processed -= others;
    }
    counts.retain(|_, n| *n > 0);
    Ok(counts)
}

/// Whether and when the next pending delivery is due.
pub async fn next_due(db: &Db) -> Result<Option<Timestamp>> {
    let row: Option<(Option<Timestamp>,)> =
        db.fetch_optional("SELECT MIN(due_at) FROM deliveries WHERE status = 'pending'", args![]).await?;
    Ok(row.and_then(|r| r.0))
}

/// The body as it is kept, and whether its end is missing.
pub async fn raw_body(db: &Db, id: i64) -> Result<Option<(Vec<u8>, bool)>> {
    let row: Option<(String, Vec<u8>, bool)> = db
        .fetch_optional("SELECT encoding, body, truncated FROM delivery_bodies WHERE delivery_id = $1", args![id])
        .await?;
    row.map(|(encoding, bytes, truncated)| Ok((body::restore(&encoding, bytes)?, truncated))).transpose()
}

/// The newest delivery of a source.
pub async fn last_of(db: &Db, kind: Kind, source: &str) -> Result<Option<Head>> {
    let filter = Filter { kind: Some(kind), source: source.to_owned(), ..Filter::default() };
    Ok(list(db, &filter, 1).await?.pop())
}

/// Deletes processed deliveries older than `before`; at most `limit` of them.
pub async fn prune(tx: &Tx, before: Timestamp, limit: i64) -> Result<u64> {
    tx.execute(
        "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE received_at < $1 AND status IN ('processed', 'rejected') \
         ORDER BY received_at, id LIMIT $2)",
        args![before, limit],
    )
    .await
}

/// When a delivery with this signature was accepted first.
pub async fn signature_seen(db: &Db, kind: Kind, source: &str, mark: &str) -> Result<Option<Timestamp>> {
    let row: Option<(Timestamp,)> = db
        .fetch_optional(
            "SELECT received_at FROM inbox_signatures WHERE kind = $1 AND source = $2 AND mark = $3",
            args![kind.as_str(), source, mark],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

/// What remembers the signature of a delivery that is being accepted, if it has one.
fn signature(new: &NewDelivery) -> Option<(Sql, Vec<Value>)> {
    let d = &new.delivery;
    let mark = d.headers.get(replay::MARK).filter(|_| new.status == Status::Pending)?;
    let sql =
        "INSERT INTO inbox_signatures (kind, source, mark, received_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    Some((sql.into(), args![d.kind.as_str(), &d.source, mark, d.received_at]))
}

/// Forgets signatures that were accepted before a moment.
pub async fn forget_signatures(tx: &Tx, before: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM inbox_signatures WHERE received_at < $1", args![before]).await
}
