//! The SQL of trace sources and of fetches, and nothing else.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx, Where};
use crate::error::{Error, Result};

use super::model::{Fetch, FetchState, NewSource, Said, SourceKind, TraceSource};

const SOURCE: &str = "SELECT id, name, kind, base_url, page_url, scope, username, secret, secret_extra, enabled, created_at, \
    updated_at, answered_at, failed_at, failure FROM trace_sources";

#[derive(sqlx::FromRow)]
struct SourceRow {
    id: i64,
    name: String,
    kind: String,
    base_url: String,
    page_url: String,
    scope: String,
    username: String,
    secret: String,
    secret_extra: String,
    enabled: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    answered_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
    failure: String,
}

impl SourceRow {
    fn source(self) -> Result<TraceSource> {
        let kind = SourceKind::parse(&self.kind)
            .ok_or_else(|| Error::Internal(format!("trace source {}: {}", self.id, SourceKind::unknown(&self.kind))))?;
        Ok(TraceSource {
            id: self.id,
            name: self.name,
            kind,
            base_url: self.base_url,
            page_url: self.page_url,
            scope: self.scope,
            username: self.username,
            secret: self.secret,
            secret_extra: self.secret_extra,
            enabled: self.enabled,
            created_at: self.created_at,
            updated_at: self.updated_at,
            answered_at: self.answered_at,
            failed_at: self.failed_at,
            failure: self.failure,
        })
    }
}

/// All sources, by name.
pub async fn sources(db: &Db) -> Result<Vec<TraceSource>> {
    let sql = format!("{SOURCE} ORDER BY name LIMIT 200");
    db.fetch_all::<SourceRow>(Sql::built(sql), vec![]).await?.into_iter().map(SourceRow::source).collect()
}

pub async fn source(db: &Db, id: i64) -> Result<Option<TraceSource>> {
    let sql = format!("{SOURCE} WHERE id = $1");
    db.fetch_optional::<SourceRow>(Sql::built(sql), args![id]).await?.map(SourceRow::source).transpose()
}

/// `None` when the name is taken.
pub async fn insert_source(tx: &Tx, new: &NewSource, now: Timestamp) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO trace_sources (name, kind, base_url, page_url, scope, username, secret, secret_extra, enabled, \
             created_at, updated_at, failure) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, '') \
             ON CONFLICT (name) DO NOTHING RETURNING id",
            args![
                &new.name,
                new.kind.as_str(),
                &new.base_url,
                &new.page_url,
                &new.scope,
                &new.username,
                &new.secret,
                &new.secret_extra,
                new.enabled,
                now
            ],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

/// `false` when another source has the name.
pub async fn update_source(tx: &Tx, id: i64, new: &NewSource, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE trace_sources SET name = $1, base_url = $2, page_url = $3, scope = $4, username = $5, secret = $6, \
             secret_extra = $7, enabled = $8, updated_at = $9 WHERE id = $10 \
             AND NOT EXISTS (SELECT 1 FROM trace_sources o WHERE o.name = $1 AND o.id <> $10)",
            args![
                &new.name,
                &new.base_url,
                &new.page_url,
                &new.scope,
                &new.username,
                &new.secret,
                &new.secret_extra,
                new.enabled,
                now,
                id
            ],
        )
        .await?;
    Ok(changed > 0)
}

pub async fn delete_source(tx: &Tx, id: i64) -> Result<u64> {
    tx.execute("DELETE FROM trace_sources WHERE id = $1", args![id]).await
}

/// Notes the last answer of a source, or its last failure.
pub async fn note_health(tx: &Tx, id: i64, failure: Option<&str>, now: Timestamp) -> Result<()> {
    match failure {
        None => tx.execute("UPDATE trace_sources SET answered_at = $1 WHERE id = $2", args![now, id]).await,
        Some(why) => {
            tx.execute("UPDATE trace_sources SET failed_at = $1, failure = $2 WHERE id = $3", args![now, why, id]).await
        }
    }
    .map(drop)
}

const FETCH: &str = "SELECT id, trace_key, pasted, source_id, incident_id, evidence_id, state, attempts, next_at, outcome, \
    trace_id, asked_by, created_at, finished_at FROM trace_fetches";

#[derive(sqlx::FromRow)]
struct FetchRow {
    id: i64,
    trace_key: String,
    pasted: String,
    source_id: Option<i64>,
    incident_id: Option<i64>,
    evidence_id: Option<i64>,
    state: String,
    attempts: i64,
    next_at: Timestamp,
    outcome: String,
    trace_id: String,
    asked_by: String,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

impl FetchRow {
    fn fetch(self) -> Result<Fetch> {
        Ok(Fetch {
            state: FetchState::parse(&self.state).ok_or_else(|| Error::Internal(FetchState::unknown(&self.state)))?,
            outcome: serde_json::from_str(&self.outcome)?,
            id: self.id,
            trace_key: self.trace_key,
            pasted: self.pasted,
            source_id: self.source_id,
            incident_id: self.incident_id,
            evidence_id: self.evidence_id,
            attempts: self.attempts,
            next_at: self.next_at,
            trace_id: self.trace_id,
            asked_by: self.asked_by,
            created_at: self.created_at,
            finished_at: self.finished_at,
        })
    }
}

/// A fetch to be queued.
pub struct NewFetch<'a> {
    pub trace_key: &'a str,
    pub pasted: &'a str,
    pub source_id: Option<i64>,
    /// The incident's number and its piece of evidence, when the trace is fetched for one.
    pub piece: Option<(i64, i64)>,
    pub asked_by: &'a str,
}

pub async fn insert_fetch(tx: &Tx, new: &NewFetch<'_>, now: Timestamp) -> Result<i64> {
    tx.insert(
        "INSERT INTO trace_fetches (trace_key, pasted, source_id, incident_id, evidence_id, state, attempts, next_at, lease, \
         lease_until, outcome, trace_id, asked_by, created_at) \
         VALUES ($1, $2, $3, $4, $5, 'waiting', 0, $6, '', 0, '[]', '', $7, $6) RETURNING id",
        args![
            new.trace_key,
            new.pasted,
            new.source_id,
            new.piece.map(|p| p.0),
            new.piece.map(|p| p.1),
            now,
            new.asked_by
        ],
    )
    .await
}

pub async fn fetch(db: &Db, id: i64) -> Result<Option<Fetch>> {
    let sql = format!("{FETCH} WHERE id = $1");
    db.fetch_optional::<FetchRow>(Sql::built(sql), args![id]).await?.map(FetchRow::fetch).transpose()
}

/// An open fetch of the same trace without an incident; pasting twice asks once.
pub async fn open_fetch(db: &Db, trace_key: &str, source_id: Option<i64>) -> Result<Option<Fetch>> {
    let mut w = Where::new();
    w.and_raw("state IN ('waiting', 'running')").and("trace_key = ?", trace_key).and_raw("evidence_id IS NULL");
    match source_id {
        Some(id) => w.and("source_id = ?", id),
        None => w.and_raw("source_id IS NULL"),
    };
    let (sql, args) = w.statement(FETCH, "ORDER BY id LIMIT 1");
    db.fetch_optional::<FetchRow>(sql, args).await?.map(FetchRow::fetch).transpose()
}

/// The newest fetch of each piece of evidence.
pub async fn of_evidence(db: &Db, pieces: &[i64]) -> Result<Vec<Fetch>> {
    if pieces.is_empty() {
        return Ok(Vec::new());
    }
    let mut w = Where::new();
    w.and_any("evidence_id", pieces.iter().copied());
    w.and_raw("NOT EXISTS (SELECT 1 FROM trace_fetches n WHERE n.evidence_id = trace_fetches.evidence_id AND n.id > trace_fetches.id)");
    let (sql, args) = w.statement(FETCH, "ORDER BY id");
    db.fetch_all::<FetchRow>(sql, args).await?.into_iter().map(FetchRow::fetch).collect()
}

/// Fetches whose time has come, and those whose node died.
pub async fn due(db: &Db, now: Timestamp, limit: i64) -> Result<Vec<i64>> {
    let rows: Vec<(i64,)> = db
        .fetch_all(
            "SELECT id FROM trace_fetches WHERE state IN ('waiting', 'running') AND next_at <= $1 \
             AND (state = 'waiting' OR lease_until <= $1) ORDER BY next_at, id LIMIT $2",
            args![now, limit],
        )
        .await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// Takes a fetch with a lease; `None` when another node was faster.
pub async fn claim(tx: &Tx, id: i64, lease: &str, until: Timestamp, now: Timestamp) -> Result<Option<Fetch>> {
    let claimed = tx
        .execute(
            "UPDATE trace_fetches SET state = 'running', lease = $1, lease_until = $2, attempts = attempts + 1 \
             WHERE id = $3 AND next_at <= $4 AND (state = 'waiting' OR (state = 'running' AND lease_until <= $4))",
            args![lease, until, id, now],
        )
        .await?;
    if claimed == 0 { Ok(None) } else { fetch(tx, id).await }
}

/// How an attempt ended.
pub struct Ending<'a> {
    pub state: FetchState,
    pub outcome: &'a [Said],
    pub trace_id: &'a str,
    /// When it is tried again, for one that waits.
    pub next_at: Option<Timestamp>,
}

/// Writes the end of an attempt; `false` when the lease was lost meanwhile.
pub async fn finish(tx: &Tx, id: i64, lease: &str, ending: &Ending<'_>, now: Timestamp) -> Result<bool> {
    let finished = if ending.state == FetchState::Waiting { None } else { Some(now) };
    let changed = tx
        .execute(
            "UPDATE trace_fetches SET state = $1, outcome = $2, trace_id = $3, next_at = COALESCE($4, next_at), \
             finished_at = $5, lease_until = 0 WHERE id = $6 AND state = 'running' AND lease = $7",
            args![
                ending.state.as_str(),
                serde_json::to_string(ending.outcome)?,
                ending.trace_id,
                ending.next_at,
                finished,
                id,
                lease
            ],
        )
        .await?;
    Ok(changed > 0)
}

/// Starts a fetch that was given up again from its first try.
pub async fn restart(tx: &Tx, id: i64, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE trace_fetches SET state = 'waiting', attempts = 0, next_at = $1, finished_at = NULL, outcome = '[]' \
             WHERE id = $2 AND state IN ('failed', 'linked', 'done')",
            args![now, id],
        )
        .await?;
    Ok(changed > 0)
}

/// Forgets fetches without evidence that ended before `before`.
pub async fn forget(tx: &Tx, before: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM trace_fetches WHERE finished_at < $1 AND evidence_id IS NULL", args![before]).await
}
