//! The SQL of changes, and nothing else. What was counted around them is in [`health`], what services were seen to
//! run in [`observed`].

pub mod health;
pub mod observed;

mod latest;

pub use latest::{Latest, latest};

use super::model::{ChangeEvent, ChangeKind, ChangeSource, ChangeStatus, Deployment, Progress};
use super::sources::DERIVED;
use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx, Where};
use crate::error::{Error, Result};
use crate::incidents::{self, Viewer};

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    service: String,
    service_name: String,
    environment: String,
    kind: String,
    status: String,
    status_at: Timestamp,
    version: String,
    commit_sha: String,
    author: String,
    title: String,
    url: String,
    source: String,
    external_id: String,
    observed: bool,
    at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    created_at: Timestamp,
}

const COLUMNS: &str = "d.id, s.slug AS service, s.name AS service_name, d.environment, d.kind, d.status, d.status_at, \
     d.version, d.commit_sha, d.author, d.title, d.url, d.source, d.external_id, d.observed, d.at, d.started_at, \
     d.finished_at, d.created_at";

const FROM: &str = "FROM deployments d JOIN services s ON s.id = d.service_id";

impl TryFrom<Row> for Deployment {
    type Error = Error;
    fn try_from(r: Row) -> Result<Self> {
        let strange = |word: &str| Error::Internal(format!("deployment {} holds the unknown word '{word}'", r.id));
        Ok(Self {
            kind: ChangeKind::parse(&r.kind).ok_or_else(|| strange(&r.kind))?,
            status: ChangeStatus::parse(&r.status).ok_or_else(|| strange(&r.status))?,
            source: ChangeSource::parse(&r.source).ok_or_else(|| strange(&r.source))?,
            id: r.id,
            service: r.service,
            service_name: r.service_name,
            environment: r.environment,
            status_at: r.status_at,
            version: r.version,
            commit: r.commit_sha,
            author: r.author,
            title: r.title,
            url: r.url,
            external_id: r.external_id,
            observed: r.observed,
            at: r.at,
            started_at: r.started_at,
            finished_at: r.finished_at,
            created_at: r.created_at,
        })
    }
}

/// `None` when the change is known already.
pub async fn insert(
    tx: &Tx,
    service_id: i64,
    event: &ChangeEvent,
    progress: Progress,
    now: Timestamp,
) -> Result<Option<i64>> {
    let at = progress.started_at.unwrap_or(progress.status_at);
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO deployments (service_id, environment, kind, status, status_at, version, commit_sha, author,
                 title, url, source, external_id, observed, at, started_at, finished_at, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17)
             ON CONFLICT (source, external_id) DO NOTHING RETURNING id",
            args![
                service_id,
                &event.environment,
                event.kind.as_str(),
                progress.status.as_str(),
                progress.status_at,
                event.version.clone().unwrap_or_default(),
                event.commit.clone().unwrap_or_default(),
                event.author.clone().unwrap_or_default(),
                event.title.clone().unwrap_or_default(),
                event.url.clone().unwrap_or_default(),
                event.source.as_str(),
                &event.external_id,
                event.source == ChangeSource::Observed,
                at,
                progress.started_at,
                progress.finished_at,
                now
            ],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

/// The id of a known change, its row locked until the transaction ends.
pub async fn lock(tx: &Tx, source: ChangeSource, external_id: &str, now: Timestamp) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "UPDATE deployments SET updated_at = $1 WHERE source = $2 AND external_id = $3 RETURNING id",
            args![now, source.as_str(), external_id],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

/// The newest change of a service, environment and version from a source whose changes have no ids.
pub async fn newest_unnamed(tx: &Tx, service_id: i64, event: &ChangeEvent) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "SELECT id FROM deployments
             WHERE service_id = $1 AND environment = $2 AND version = $3 AND source = $4 AND external_id LIKE $5
             ORDER BY at DESC, id DESC LIMIT 1",
            args![
                service_id,
                &event.environment,
                event.version.clone().unwrap_or_default(),
                event.source.as_str(),
                format!("{DERIVED}%")
            ],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

/// Writes back what may change about a change.
pub async fn update(tx: &Tx, d: &Deployment, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE deployments SET kind = $1, status = $2, status_at = $3, version = $4, commit_sha = $5, author = $6,
             title = $7, url = $8, observed = $9, at = $10, started_at = $11, finished_at = $12, updated_at = $13
         WHERE id = $14",
        args![
            d.kind.as_str(),
            d.status.as_str(),
            d.status_at,
            &d.version,
            &d.commit,
            &d.author,
            &d.title,
            &d.url,
            d.observed,
            d.at,
            d.started_at,
            d.finished_at,
            now,
            d.id
        ],
    )
    .await
    .map(drop)
}

/// A change that was only seen gets the name under which it is now reported.
pub async fn adopt(tx: &Tx, id: i64, event: &ChangeEvent) -> Result<()> {
    tx.execute(
        "UPDATE deployments SET source = $1, external_id = $2, environment = $3, observed = TRUE WHERE id = $4",
        args![event.source.as_str(), &event.external_id, &event.environment, id],
    )
    .await
    .map(drop)
}

/// Keeps one report; `false` when the same one was kept before.
pub async fn add_report(tx: &Tx, id: i64, event: &ChangeEvent, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "INSERT INTO deployment_reports (deployment_id, status, reported_at, received_at, source)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            args![id, event.status.as_str(), event.reported_at, now, event.source.as_str()],
        )
        .await?;
    Ok(changed == 1)
}

/// One report as it came.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Report {
    pub status: String,
    pub source: String,
    pub reported_at: Timestamp,
    pub received_at: Timestamp,
}

/// The reports about a change in the order in which they say that they happened; the first hundred.
pub async fn reports(db: &Db, id: i64) -> Result<Vec<Report>> {
    db.fetch_all(
        "SELECT status, source, reported_at, received_at FROM deployment_reports
         WHERE deployment_id = $1 ORDER BY reported_at, status LIMIT 100",
        args![id],
    )
    .await
}

/// The versions that went live before a moment in one environment, newest first.
pub async fn versions_before(
    db: &Db,
    service_id: i64,
    environment: &str,
    before: Timestamp,
    except: i64,
) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = db
        .fetch_all(
            "SELECT version FROM deployments
             WHERE service_id = $1 AND environment = $2 AND at < $3 AND id <> $4 AND version <> ''
                 AND status = 'succeeded' AND kind IN ('deployment', 'rollback')
             ORDER BY at DESC, id DESC LIMIT 30",
            args![service_id, environment, before, except],
        )
        .await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// The newest change of this service and version that started in a span of time, in one of the environments (any, when
/// none is named), and that was only seen or was reported.
pub async fn near(
    db: &Db,
    service_id: i64,
    environments: &[&str],
    version: &str,
    (from, to): (Timestamp, Timestamp),
    observed: bool,
) -> Result<Option<Deployment>> {
    let mut filter = Where::new();
    filter
        .and("d.service_id = ?", service_id)
        .and("d.version = ?", version)
        .and("d.at >= ?", from)
        .and("d.at <= ?", to)
        .and("(d.source = 'observed') = ?", observed);
    if !environments.is_empty() {
        filter.and_any("d.environment", environments.iter().copied());
    }
    let (sql, args) = filter.statement(&format!("SELECT {COLUMNS} {FROM}"), "ORDER BY d.at DESC, d.id DESC LIMIT 1");
    db.fetch_optional::<Row>(sql, args).await?.map(Deployment::try_from).transpose()
}

pub async fn find(db: &Db, id: i64) -> Result<Option<Deployment>> {
    let sql = format!("SELECT {COLUMNS} {FROM} WHERE d.id = $1");
    db.fetch_optional::<Row>(Sql::built(sql), args![id]).await?.map(Deployment::try_from).transpose()
}

/// What to list. Empty lists and `None` do not filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Ids in the catalogue.
    pub services: Vec<i64>,
    pub environment: Option<String>,
    pub kinds: Vec<ChangeKind>,
    pub statuses: Vec<ChangeStatus>,
    pub version: Option<String>,
    /// Of the start.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// After this place, newest first.
    pub beyond: Option<(Timestamp, i64)>,
}

fn conditions(filter: &Filter) -> Where {
    let mut w = Where::new();
    if !filter.services.is_empty() {
        w.and_any("d.service_id", filter.services.iter().copied());
    }
    if let Some(environment) = &filter.environment {
        w.and("d.environment = ?", environment);
    }
    if !filter.kinds.is_empty() {
        w.and_any("d.kind", filter.kinds.iter().map(|k| k.as_str()));
    }
    if !filter.statuses.is_empty() {
        w.and_any("d.status", filter.statuses.iter().map(|s| s.as_str()));
    }
    if let Some(version) = &filter.version {
        w.and("d.version = ?", version);
    }
    if let Some(from) = filter.from {
        w.and("d.at >= ?", from);
    }
    if let Some(to) = filter.to {
        w.and("d.at <= ?", to);
    }
    w
}

/// Newest first.
pub async fn page(db: &Db, filter: &Filter, limit: i64) -> Result<Vec<Deployment>> {
    let mut w = conditions(filter);
    if let Some((at, id)) = filter.beyond {
        w.and_all("(d.at < ? OR (d.at = ? AND d.id < ?))", args![at, at, id]);
    }
    let limit = w.bind(limit);
    let tail = format!("ORDER BY d.at DESC, d.id DESC LIMIT {limit}");
    let (sql, args) = w.statement(&format!("SELECT {COLUMNS} {FROM}"), &tail);
    db.fetch_all::<Row>(sql, args).await?.into_iter().map(Deployment::try_from).collect()
}

/// How many there are; counting stops at `at_most`.
pub async fn count(db: &Db, filter: &Filter, at_most: i64) -> Result<i64> {
    let mut w = conditions(filter);
    let limit = w.bind(at_most);
    let sql = format!("SELECT COUNT(*) FROM (SELECT 1 AS one FROM deployments d{w} LIMIT {limit}) AS counted");
    db.fetch_scalar(Sql::built(sql), w.args()).await
}

/// The names of environments, by walking the index from one to the next; the first fifty.
pub async fn environments(db: &Db) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = db
        .fetch_all(
            "WITH RECURSIVE seen (name) AS (
                 SELECT MIN(environment) FROM deployments
                 UNION ALL
                 SELECT (SELECT MIN(d.environment) FROM deployments d WHERE d.environment > seen.name)
                 FROM seen WHERE seen.name IS NOT NULL)
             SELECT name FROM seen WHERE name IS NOT NULL LIMIT 50",
            vec![],
        )
        .await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// An incident that has this change as evidence.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LinkedRow {
    /// The change's id, as evidence refers to it.
    pub reference: String,
    pub id: i64,
    pub title: String,
    pub status: String,
}

/// The incidents that have one of these changes as evidence and that the viewer may see, newest first; at most 200.
pub async fn linked_incidents(db: &Db, ids: &[i64], viewer: Viewer) -> Result<Vec<LinkedRow>> {
    let mut w = Where::new();
    w.and_any("e.reference", ids.iter().map(ToString::to_string))
        .and_raw("e.kind = 'deployment'")
        .and_raw("e.removed_at IS NULL");
    incidents::visible(&mut w, viewer);
    let (sql, args) = w.statement(
        "SELECT e.reference, i.id, i.title, i.status FROM evidence e JOIN incidents i ON i.id = e.incident_id",
        "ORDER BY i.started_at DESC, i.id DESC LIMIT 200",
    );
    db.fetch_all(sql, args).await
}
