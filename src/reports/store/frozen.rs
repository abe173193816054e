//! The SQL of frozen reports, their links, and the schedule that makes them.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx, Where};
use crate::error::{Error, Result};
use crate::reports::model::frozen::Kept;

/// How hard the body is compressed.
const LEVEL: i32 = 9;
/// A body that claims to be larger is broken.
const LARGEST: usize = 512 * 1024 * 1024;

/// One frozen report without its body.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Head {
    pub id: i64,
    pub title: String,
    pub query: String,
    pub definitions: String,
    pub incident_count: i64,
    pub data_hash: String,
    pub created_at: Timestamp,
    pub author_name: String,
    pub schedule_id: Option<i64>,
}

const HEAD: &str = "SELECT id, title, query, definitions, incident_count, data_hash, created_at, author_name, schedule_id \
    FROM frozen_reports";

/// The newest first, before the given id.
pub async fn page(db: &Db, before: Option<i64>, limit: i64) -> Result<Vec<Head>> {
    let mut w = Where::new();
    if let Some(before) = before {
        w.and("id < ?", before);
    }
    let most = w.bind(limit);
    let (sql, args) = w.statement(HEAD, &format!("ORDER BY id DESC LIMIT {most}"));
    db.fetch_all(sql, args).await
}

pub async fn find(db: &Db, id: i64) -> Result<Option<Head>> {
    let mut w = Where::new();
    w.and("id = ?", id);
    let (sql, args) = w.statement(HEAD, "");
    db.fetch_optional(sql, args).await
}

pub async fn body(db: &Db, id: i64) -> Result<Kept> {
    let bytes: Vec<u8> = db.fetch_scalar("SELECT body FROM frozen_reports WHERE id = $1", args![id]).await?;
    let broken = |e: &dyn std::fmt::Display| Error::Internal(format!("frozen report {id} cannot be read: {e}"));
    let json = zstd::bulk::decompress(&bytes, LARGEST.min(bytes.len().saturating_mul(200).max(1 << 20)))
        .map_err(|e| broken(&e))?;
    serde_json::from_slice(&json).map_err(|e| broken(&e))
}

/// What is written of a new one.
pub struct New<'a> {
    pub title: &'a str,
    pub query: &'a str,
    pub kept: &'a Kept,
    pub author_id: Option<i64>,
    pub author_name: &'a str,
    pub schedule_id: Option<i64>,
}

pub async fn insert(tx: &Tx, new: &New<'_>, now: Timestamp) -> Result<i64> {
    let json = serde_json::to_vec(new.kept)?;
    let body = zstd::bulk::compress(&json, LEVEL).map_err(|e| Error::Internal(format!("compressing a report: {e}")))?;
    tx.insert(
        "INSERT INTO frozen_reports (title, query, definitions, incident_count, data_hash, body, created_at, author_id, \
         author_name, schedule_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
        args![
            new.title,
            new.query,
            new.kept.definitions.join("\n"),
            i64::try_from(new.kept.included.len()).unwrap_or(i64::MAX),
            new.kept.data_hash(),
            body,
            now,
            new.author_id,
            new.author_name,
            new.schedule_id
        ],
    )
    .await
}

/// A correction of a time after a moment.
#[derive(Clone, Debug, sqlx::FromRow, serde::Serialize)]
pub struct Edit {
    pub incident_id: i64,
    pub name: String,
    pub at: Option<Timestamp>,
    pub author_name: String,
    pub reason: String,
    pub recorded_at: Timestamp,
}

/// Corrections of these incidents' times after `since`, at most 500, oldest first.
pub async fn edits(db: &Db, incidents: &[i64], since: Timestamp) -> Result<Vec<Edit>> {
    let mut w = Where::new();
    w.and("recorded_at > ?", since);
    w.and_any("incident_id", incidents.iter().take(500).copied());
    let (sql, args) = w.statement(
        "SELECT incident_id, name, at, author_name, reason, recorded_at FROM incident_milestone_history",
        "ORDER BY incident_id, id LIMIT 500",
    );
    db.fetch_all(sql, args).await
}

/// An address that opens one thing without signing in.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Link {
    pub id: i64,
    pub kind: String,
    pub report_id: Option<i64>,
    pub query: String,
    pub measure: String,
    pub title: String,
    pub created_at: Timestamp,
    pub created_by_name: String,
    pub expires_at: Option<Timestamp>,
}

const LINK: &str = "SELECT id, kind, report_id, query, measure, title, created_at, created_by_name, expires_at \
    FROM report_links";

/// Those that still open something, the newest first.
pub async fn links(db: &Db, report: Option<i64>, now: Timestamp) -> Result<Vec<Link>> {
    let mut w = Where::new();
    w.and_raw("revoked_at IS NULL").and("(expires_at IS NULL OR expires_at > ?)", now);
    match report {
        Some(id) => w.and("report_id = ?", id),
        None => w.and_raw("kind = 'chart'"),
    };
    let (sql, args) = w.statement(LINK, "ORDER BY id DESC LIMIT 200");
    db.fetch_all(sql, args).await
}

pub async fn link_by_hash(db: &Db, kind: &str, hash: &str, now: Timestamp) -> Result<Option<Link>> {
    let mut w = Where::new();
    w.and("kind = ?", kind).and("token_hash = ?", hash).and_raw("revoked_at IS NULL");
    w.and("(expires_at IS NULL OR expires_at > ?)", now);
    let (sql, args) = w.statement(LINK, "");
    db.fetch_optional(sql, args).await
}

pub async fn insert_link(tx: &Tx, hash: &str, link: &Link) -> Result<i64> {
    tx.insert(
        "INSERT INTO report_links (kind, token_hash, report_id, query, measure, title, created_at, created_by_name, \
         expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
        args![
            &link.kind,
            hash,
            link.report_id,
            &link.query,
            &link.measure,
            &link.title,
            link.created_at,
            &link.created_by_name,
            link.expires_at
        ],
    )
    .await
}

pub async fn revoke_link(tx: &Tx, id: i64, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute("UPDATE report_links SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL", args![now, id])
        .await?;
    Ok(changed > 0)
}

/// A report that is frozen by itself when a period ends.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Schedule {
    pub id: i64,
    pub title: String,
    pub query: String,
    pub period: String,
    pub zone: String,
    pub next_at: Timestamp,
    pub last_error: String,
    pub created_by_name: String,
}

const SCHEDULE: &str =
    "SELECT id, title, query, period, zone, next_at, last_error, created_by_name FROM report_schedules";

pub async fn schedules(db: &Db) -> Result<Vec<Schedule>> {
    db.fetch_all(crate::db::Sql::built(format!("{SCHEDULE} WHERE enabled = TRUE ORDER BY id LIMIT 200")), vec![]).await
}

pub async fn insert_schedule(tx: &Tx, schedule: &Schedule, now: Timestamp) -> Result<i64> {
    tx.insert(
        "INSERT INTO report_schedules (title, query, period, zone, next_at, enabled, created_at, created_by_name) \
         VALUES ($1, $2, $3, $4, $5, TRUE, $6, $7) RETURNING id",
        args![
            &schedule.title,
            &schedule.query,
            &schedule.period,
            &schedule.zone,
            schedule.next_at,
            now,
            &schedule.created_by_name
        ],
    )
    .await
}

pub async fn stop_schedule(tx: &Tx, id: i64) -> Result<bool> {
    Ok(tx.execute("UPDATE report_schedules SET enabled = FALSE WHERE id = $1 AND enabled = TRUE", args![id]).await? > 0)
}

/// Takes one that is due, until the lease ends: no other node does the same meanwhile.
pub async fn lease_due(tx: &Tx, now: Timestamp, until: Timestamp) -> Result<Option<Schedule>> {
    let mut w = Where::new();
    w.and_raw("enabled = TRUE").and("next_at <= ?", now).and("(lease_until IS NULL OR lease_until < ?)", now);
    let (sql, args) = w.statement(SCHEDULE, "ORDER BY next_at, id LIMIT 1");
    let Some(due) = tx.fetch_optional::<Schedule>(sql, args).await? else { return Ok(None) };
    let taken = tx
        .execute(
            "UPDATE report_schedules SET lease_until = $1 WHERE id = $2 AND next_at = $3 \
             AND (lease_until IS NULL OR lease_until < $4)",
            args![until, due.id, due.next_at, now],
        )
        .await?;
    Ok((taken == 1).then_some(due))
}

/// Sets the next time, and what went wrong this time.
pub async fn advance(tx: &Tx, id: i64, next_at: Timestamp, error: &str) -> Result<()> {
    tx.execute(
        "UPDATE report_schedules SET next_at = $1, lease_until = NULL, last_error = $2 WHERE id = $3",
        args![next_at, error, id],
    )
    .await
    .map(drop)
}
