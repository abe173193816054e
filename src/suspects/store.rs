//! The SQL of rankings and verdicts, and nothing else.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx, Where};
use crate::error::{Error, Result};
use crate::incidents::{self, IncidentId, Viewer};

use super::model::Ranking;
use super::verdict::{Cause, Given, Subject, Verdict};

/// A ranking as it is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    pub impact_at: Timestamp,
    pub span_count: i64,
    pub log_count: i64,
    pub computed_at: Timestamp,
    pub ranking: Ranking,
    /// What the last difference was, in words, and when it came.
    pub changed: Vec<String>,
    pub changed_at: Timestamp,
}

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

pub async fn find(db: &Db, incident: IncidentId) -> Result<Option<Kept>> {
    let row: Option<Row> = db
        .fetch_optional(
            "SELECT impact_at, span_count, log_count, computed_at, ranking, changed, changed_at
             FROM suspect_rankings WHERE incident_id = $1 AND computed_at > 0",
            args![incident.0],
        )
        .await?;
    row.map(|r| {
        let strange = |e: serde_json::Error| Error::Internal(format!("the kept ranking of {incident}: {e}"));
        Ok(Kept {
            impact_at: r.impact_at,
            span_count: r.span_count,
            log_count: r.log_count,
            computed_at: r.computed_at,
            ranking: serde_json::from_str(&r.ranking).map_err(strange)?,
            changed: serde_json::from_str(&r.changed).map_err(strange)?,
            changed_at: r.changed_at,
        })
    })
    .transpose()
}

pub async fn save(tx: &Tx, incident: IncidentId, kept: &Kept, due_at: Timestamp) -> Result<()> {
    let text = |e: serde_json::Error| Error::Internal(e.to_string());
    tx.execute(
        "INSERT INTO suspect_rankings
             (incident_id, impact_at, span_count, log_count, computed_at, due_at, ranking, changed, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (incident_id) DO UPDATE SET impact_at = excluded.impact_at, span_count = excluded.span_count,
             log_count = excluded.log_count, computed_at = excluded.computed_at, due_at = excluded.due_at,
             ranking = excluded.ranking, changed = excluded.changed, changed_at = excluded.changed_at",
        args![
            incident.0,
            kept.impact_at,
            kept.span_count,
            kept.log_count,
            kept.computed_at,
            due_at,
            serde_json::to_string(&kept.ranking).map_err(text)?,
            serde_json::to_string(&kept.changed).map_err(text)?,
            kept.changed_at
        ],
    )
    .await
    .map(drop)
}

/// Open incidents whose ranking is due, or that have none; oldest ranking first.
pub async fn due(db: &Db, now: Timestamp, limit: i64) -> Result<Vec<IncidentId>> {
    let rows: Vec<(i64,)> = db
        .fetch_all(
            "SELECT i.id FROM incidents i LEFT JOIN suspect_rankings r ON r.incident_id = i.id
             WHERE i.status IN ('triage', 'investigating', 'identified', 'monitoring')
                 AND i.kind <> 'backfilled' AND (r.due_at IS NULL OR r.due_at <= $1)
             ORDER BY COALESCE(r.due_at, 0), i.id LIMIT $2",
            args![now, limit],
        )
        .await?;
    Ok(rows.into_iter().map(|r| IncidentId(r.0)).collect())
}

/// Takes an incident's ranking for this node until `until`; false when another was faster.
pub async fn claim(tx: &Tx, incident: IncidentId, now: Timestamp, until: Timestamp) -> Result<bool> {
    let taken = tx
        .execute(
            "INSERT INTO suspect_rankings
                 (incident_id, impact_at, span_count, log_count, computed_at, due_at, ranking, changed, changed_at)
             VALUES ($1, 0, 0, 0, 0, $2, '{}', '[]', 0)
             ON CONFLICT (incident_id) DO UPDATE SET due_at = excluded.due_at WHERE suspect_rankings.due_at <= $3",
            args![incident.0, until, now],
        )
        .await?;
    Ok(taken == 1)
}

/// Keeps what somebody said; a later verdict on the same suspect takes the place of the earlier.
pub async fn give(tx: &Tx, incident: IncidentId, given: &Given) -> Result<()> {
    tx.execute(
        "INSERT INTO suspect_verdicts (incident_id, kind, service, operation, version, deployment_id, verdict,
             service_rank, score, by_user_id, by_name, given_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (incident_id, kind, service, operation, version) DO UPDATE SET verdict = excluded.verdict,
             service_rank = excluded.service_rank, score = excluded.score, by_user_id = excluded.by_user_id,
             by_name = excluded.by_name, given_at = excluded.given_at",
        args![
            incident.0,
            given.subject.kind.name(),
            &given.subject.service,
            &given.subject.operation,
            &given.subject.version,
            given.subject.deployment_id,
            given.verdict.as_str(),
            given.service_rank,
            given.score,
            given.by_user_id,
            &given.by_name,
            given.at
        ],
    )
    .await
    .map(drop)
}

#[derive(sqlx::FromRow)]
struct VerdictRow {
    kind: String,
    service: String,
    operation: String,
    version: String,
    deployment_id: Option<i64>,
    verdict: String,
    service_rank: Option<i64>,
    score: f64,
    by_user_id: Option<i64>,
    by_name: String,
    given_at: Timestamp,
}

/// All verdicts of an incident, newest first; at most 100.
pub async fn verdicts(db: &Db, incident: IncidentId) -> Result<Vec<Given>> {
    let rows: Vec<VerdictRow> = db
        .fetch_all(
            "SELECT kind, service, operation, version, deployment_id, verdict, service_rank, score, by_user_id,
                 by_name, given_at
             FROM suspect_verdicts WHERE incident_id = $1 ORDER BY given_at DESC, id DESC LIMIT 100",
            args![incident.0],
        )
        .await?;
    rows.into_iter()
        .map(|r| {
            let strange = || Error::Internal(format!("{incident} holds a verdict of unknown words"));
            Ok(Given {
                subject: Subject {
                    kind: super::model::SuspectKind::parse(&r.kind).ok_or_else(strange)?,
                    service: r.service,
                    operation: r.operation,
                    version: r.version,
                    deployment_id: r.deployment_id,
                },
                verdict: Verdict::parse(&r.verdict).ok_or_else(strange)?,
                service_rank: r.service_rank,
                score: r.score,
                by_user_id: r.by_user_id,
                by_name: r.by_name,
                at: r.given_at,
            })
        })
        .collect()
}

/// An incident that a change is attached to or spoken of in.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AboutRow {
    pub id: i64,
    pub title: String,
    pub verdict: Option<String>,
    pub by_name: Option<String>,
}

/// Newest first; at most 20.
pub async fn about_change(db: &Db, deployment: i64, viewer: Viewer) -> Result<Vec<AboutRow>> {
    let mut w = Where::new();
    w.and_all(
        "i.id IN (SELECT e.incident_id FROM evidence e WHERE e.kind = 'deployment' AND e.reference = ? AND e.removed_at IS NULL \
         UNION SELECT s.incident_id FROM suspect_verdicts s WHERE s.deployment_id = ?)",
        args![deployment.to_string(), deployment],
    );
    incidents::visible(&mut w, viewer);
    let id = w.bind(deployment);
    let head = format!(
        "SELECT i.id, i.title, v.verdict, v.by_name FROM incidents i \
         LEFT JOIN suspect_verdicts v ON v.incident_id = i.id AND v.deployment_id = {id}"
    );
    let (sql, args) = w.statement(&head, "ORDER BY i.started_at DESC, i.id DESC LIMIT 20");
    db.fetch_all(sql, args).await
}

/// Causes confirmed for incidents of a period, one a service and incident, private incidents left out.
pub async fn causes(db: &Db, from: Timestamp, to: Timestamp) -> Result<Vec<Cause>> {
    let rows: Vec<(String, Option<i64>, Timestamp)> = db
        .fetch_all(
            "SELECT v.service, MIN(v.service_rank), i.started_at
             FROM suspect_verdicts v JOIN incidents i ON i.id = v.incident_id
             WHERE v.verdict = 'caused' AND NOT i.private AND i.started_at >= $1 AND i.started_at < $2
             GROUP BY v.incident_id, v.service, i.started_at ORDER BY i.started_at DESC, v.incident_id LIMIT 5000",
            args![from, to],
        )
        .await?;
    Ok(rows
        .into_iter()
        .map(|(service, service_rank, started_at)| Cause { service, service_rank, started_at })
        .collect())
}
