//! The SQL of export and import that is more than one row of one table.

mod actions;
mod uploads;

pub use actions::{actions, insert_action, insert_reviewer, reviewers};
pub use uploads::{delete_upload, insert_upload, upload};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::document::{Access, Head, Person, Ranking, Role, Runbook};
use super::gather::round;
use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx, Where};
use crate::error::{Error, Result};
use crate::incidents::IncidentId;

const MAX_PEOPLE: i64 = 1_000;

pub async fn head(db: &Db, id: i64) -> Result<Head> {
    db.fetch_one(
        "SELECT title, summary, severity, status, kind, private, started_at, ended_at, status_before_merge, \
         next_update_due_at, created_by_name, created_at, updated_at, version FROM incidents WHERE id = $1",
        args![id],
    )
    .await
}

pub async fn insert_head(tx: &Tx, head: &Head) -> Result<i64> {
    tx.insert(
        "INSERT INTO incidents (title, summary, severity, status, kind, private, started_at, ended_at, \
         status_before_merge, next_update_due_at, created_by_name, created_at, updated_at, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING id",
        args![
            &head.title,
            &head.summary,
            &head.severity,
            &head.status,
            &head.kind,
            head.private,
            head.started_at,
            head.ended_at,
            &head.status_before_merge,
            head.next_update_due_at,
            &head.created_by_name,
            head.created_at,
            head.updated_at,
            head.version
        ],
    )
    .await
}

pub async fn set_links(tx: &Tx, id: i64, merged_into: Option<i64>, parent: Option<i64>) -> Result<()> {
    tx.execute("UPDATE incidents SET merged_into = $1, parent_id = $2 WHERE id = $3", args![merged_into, parent, id])
        .await
        .map(drop)
}

/// Where an incident came from.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Origin {
    pub incident_id: i64,
    pub external_id: String,
    pub digest: String,
    links: String,
}

/// An incident that is here under an external id. The digest is empty for one that was born here.
#[derive(Clone, Debug)]
pub struct Known {
    pub id: IncidentId,
    pub digest: String,
}

pub async fn exists(db: &Db, id: i64) -> Result<bool> {
    let row: Option<(i64,)> = db.fetch_optional("SELECT id FROM incidents WHERE id = $1", args![id]).await?;
    Ok(row.is_some())
}

/// Incidents that an imported one names and that are not here.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Links {
    pub merged_into: Option<String>,
    pub parent: Option<String>,
}

impl Origin {
    pub fn links(&self) -> Result<Links> {
        serde_json::from_str(&self.links)
            .map_err(|e| Error::Internal(format!("the origin of incident {}: {e}", self.incident_id)))
    }
}

const ORIGIN: &str = "SELECT incident_id, external_id, digest, links FROM incident_origins";

pub async fn origin(db: &Db, id: i64) -> Result<Option<Origin>> {
    db.fetch_optional(Sql::built(format!("{ORIGIN} WHERE incident_id = $1")), args![id]).await
}

pub async fn find_origin(db: &Db, external_id: &str) -> Result<Option<Origin>> {
    db.fetch_optional(Sql::built(format!("{ORIGIN} WHERE external_id = $1")), args![external_id]).await
}

pub struct NewOrigin<'a> {
    pub incident: i64,
    pub external_id: &'a str,
    pub digest: &'a str,
    pub links: &'a Links,
    pub by: &'a str,
    pub now: Timestamp,
}

/// `false` when another import was faster.
pub async fn insert_origin(tx: &Tx, new: &NewOrigin<'_>) -> Result<bool> {
    let links = serde_json::to_string(new.links)?;
    let written = tx
        .execute(
            "INSERT INTO incident_origins (incident_id, external_id, digest, links, imported_at, imported_by_name) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            args![new.incident, new.external_id, new.digest, links, new.now, new.by],
        )
        .await?;
    Ok(written == 1)
}

pub async fn services(db: &Db, id: i64) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = db
        .fetch_all(
            "SELECT s.slug FROM incident_services x JOIN services s ON s.id = x.service_id WHERE x.incident_id = $1",
            args![id],
        )
        .await?;
    let mut all: Vec<String> = rows.into_iter().map(|r| r.0).collect();
    all.sort();
    Ok(all)
}

pub async fn add_service(tx: &Tx, id: i64, slug: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO incident_services (incident_id, service_id) SELECT $1, s.id FROM services s WHERE s.slug = $2 \
         ON CONFLICT DO NOTHING",
        args![id, slug],
    )
    .await
    .map(drop)
}

pub async fn roles(db: &Db, id: i64) -> Result<Vec<Role>> {
    db.fetch_all(
        "SELECT r.role, u.email, u.name, r.assigned_at, r.released_at FROM incident_roles r \
         JOIN users u ON u.id = r.user_id WHERE r.incident_id = $1 ORDER BY r.id LIMIT $2",
        args![id, MAX_PEOPLE],
    )
    .await
}

pub async fn insert_role(tx: &Tx, id: i64, role: &Role, user_id: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO incident_roles (incident_id, role, user_id, assigned_at, released_at) VALUES ($1, $2, $3, $4, $5)",
        args![id, &role.role, user_id, role.assigned_at, role.released_at],
    )
    .await
    .map(drop)
}

pub async fn access(db: &Db, id: i64) -> Result<Vec<Access>> {
    let mut all: Vec<Access> = db
        .fetch_all(
            "SELECT u.email, u.name, p.added_at FROM incident_people p JOIN users u ON u.id = p.user_id \
             WHERE p.incident_id = $1 LIMIT $2",
            args![id, MAX_PEOPLE],
        )
        .await?;
    all.sort_by(|a, b| (a.added_at, &a.person.email).cmp(&(b.added_at, &b.person.email)));
    Ok(all)
}

pub async fn insert_access(tx: &Tx, id: i64, user_id: i64, added_at: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO incident_people (incident_id, user_id, added_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        args![id, user_id, added_at],
    )
    .await
    .map(drop)
}

/// The account of an address, disabled or not.
pub async fn user_of(db: &Db, email: &str) -> Result<Option<i64>> {
    let row: Option<(i64,)> = db.fetch_optional("SELECT id FROM users WHERE email = $1", args![email]).await?;
    Ok(row.map(|r| r.0))
}

/// Task and owner.
pub async fn task_owners(db: &Db, id: i64) -> Result<BTreeMap<i64, Person>> {
    let rows: Vec<(i64, String, String)> = db
        .fetch_all(
            "SELECT t.id, u.email, u.name FROM incident_tasks t JOIN users u ON u.id = t.owner_id WHERE t.incident_id = $1",
            args![id],
        )
        .await?;
    Ok(rows.into_iter().map(|(task, email, name)| (task, Person { email, name })).collect())
}

/// Run and the text that it pins.
pub async fn runbooks(db: &Db, id: i64) -> Result<BTreeMap<i64, Runbook>> {
    let rows: Vec<(i64, String, String)> = db
        .fetch_all(
            "SELECT u.id, r.slug, v.source FROM runbook_runs u JOIN runbooks r ON r.id = u.runbook_id \
             JOIN runbook_versions v ON v.runbook_id = u.runbook_id AND v.number = u.version WHERE u.incident_id = $1",
            args![id],
        )
        .await?;
    Ok(rows.into_iter().map(|(run, slug, source)| (run, Runbook { slug, source })).collect())
}

/// Bytes of kept evidence, before compression.
pub async fn kept_bytes(db: &Db, id: i64) -> Result<i64> {
    db.fetch_scalar(
        "SELECT CAST(COALESCE(SUM(s.size), 0) AS BIGINT) FROM evidence_snapshots s \
         JOIN evidence e ON e.id = s.evidence_id WHERE e.incident_id = $1",
        args![id],
    )
    .await
}

pub async fn ranking(db: &Db, id: i64) -> Result<Option<Ranking>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        impact_at: Timestamp,
        span_count: i64,
        log_count: i64,
        computed_at: Timestamp,
        ranking: String,
        changed: String,
        changed_at: Timestamp,
    }
    let row: Option<Row> = db
        .fetch_optional(
            "SELECT impact_at, span_count, log_count, computed_at, ranking, changed, changed_at FROM suspect_rankings \
             WHERE incident_id = $1 AND computed_at > 0",
            args![id],
        )
        .await?;
    let Some(r) = row else { return Ok(None) };
    Ok(Some(Ranking {
        impact_at: r.impact_at,
        span_count: r.span_count,
        log_count: r.log_count,
        computed_at: r.computed_at,
        ranking: settled(serde_json::from_str(&r.ranking)?),
        changed: settled(serde_json::from_str(&r.changed)?),
        changed_at: r.changed_at,
    }))
}

/// Numbers to so many places that they are the same after any number of round trips.
fn settled(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Number(n) if n.is_f64() => n.as_f64().map_or(Value::Null, |f| Value::from(round(f))),
        Value::Array(list) => list.into_iter().map(settled).collect(),
        Value::Object(map) => map.into_iter().map(|(k, v)| (k, settled(v))).collect(),
        other => other,
    }
}

/// A ranking that was computed elsewhere: there is nothing here to compute it from again.
pub async fn insert_ranking(tx: &Tx, id: i64, ranking: &Ranking) -> Result<()> {
    tx.execute(
        "INSERT INTO suspect_rankings (incident_id, impact_at, span_count, log_count, computed_at, due_at, ranking, \
         changed, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![
            id,
            ranking.impact_at,
            ranking.span_count,
            ranking.log_count,
            ranking.computed_at,
            i64::MAX,
            ranking.ranking.to_string(),
            ranking.changed.to_string(),
            ranking.changed_at
        ],
    )
    .await
    .map(drop)
}

/// Nobody is told of what happened long ago: the events of an incident that was only written down.
pub async fn silence(tx: &Tx, id: i64, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE incident_events SET taken_at = $1 WHERE incident_id = $2 AND taken_at IS NULL", args![now, id])
        .await
        .map(drop)
}

/// Puts an address in the place of one that could not be known when the row was written.
pub async fn set_entry_link(tx: &Tx, entry: i64, link: &str) -> Result<()> {
    tx.execute("UPDATE timeline_entries SET link = $1 WHERE id = $2", args![link, entry]).await.map(drop)
}

/// Like [`set_entry_link`], of a piece of evidence.
pub async fn set_evidence_url(tx: &Tx, evidence: i64, url: &str) -> Result<()> {
    tx.execute("UPDATE evidence SET url = $1 WHERE id = $2", args![url, evidence]).await.map(drop)
}

/// Keys looked up in one statement.
const KEYS: usize = 500;

/// Which of these external ids are here.
pub async fn known(db: &Db, external_ids: &[&str]) -> Result<BTreeMap<String, Known>> {
    let mut all = BTreeMap::new();
    for some in external_ids.chunks(KEYS) {
        let mut w = Where::new();
        w.and_any("external_id", some.iter().copied());
        let (sql, args) = w.statement(ORIGIN, "");
        for origin in db.fetch_all::<Origin>(sql, args).await? {
            let known = Known { id: IncidentId(origin.incident_id), digest: origin.digest };
            all.insert(origin.external_id, known);
        }
    }
    Ok(all)
}

/// Incident and slug of its services.
pub async fn services_of(db: &Db, ids: &[i64]) -> Result<Vec<(i64, String)>> {
    let mut w = Where::new();
    w.and_any("x.incident_id", ids.iter().copied());
    let (sql, args) = w.statement(
        "SELECT x.incident_id, s.slug FROM incident_services x JOIN services s ON s.id = x.service_id",
        "ORDER BY s.slug",
    );
    db.fetch_all(sql, args).await
}

/// Incident, milestone and time of the standing times.
pub async fn times_of(db: &Db, ids: &[i64]) -> Result<Vec<(i64, String, Timestamp)>> {
    let mut w = Where::new();
    w.and_any("incident_id", ids.iter().copied()).and_raw("at IS NOT NULL");
    let (sql, args) = w.statement("SELECT incident_id, name, at FROM incident_milestones", "");
    db.fetch_all(sql, args).await
}

/// External ids of those that were imported.
pub async fn origins_of(db: &Db, ids: &[i64]) -> Result<BTreeMap<i64, String>> {
    let mut w = Where::new();
    w.and_any("incident_id", ids.iter().copied());
    let (sql, args) = w.statement(ORIGIN, "");
    let rows = db.fetch_all::<Origin>(sql, args).await?;
    Ok(rows.into_iter().map(|o| (o.incident_id, o.external_id)).collect())
}
