//! The SQL of delivery: deployments, the failures that people confirmed, and when commits were made.

use std::collections::BTreeMap;

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx, Where};
use crate::error::Result;
use crate::incidents::{Viewer, visible};
use crate::reports::model::scope::Scope;

/// One finished change.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Change {
    pub id: i64,
    pub at: i64,
    pub finished_at: Option<i64>,
    pub kind: String,
    pub status: String,
    pub slug: String,
    pub team: String,
    pub environment: String,
    pub committed_at: Option<i64>,
}

fn conditions(scope: &Scope) -> Where {
    let mut w = Where::new();
    w.and_raw("d.status IN ('succeeded', 'failed')");
    w.and_all("d.at >= ? AND d.at < ?", args![scope.from, scope.to]);
    if !scope.services.is_empty() {
        w.and_any("s.slug", scope.services.iter().map(String::as_str));
    }
    if !scope.teams.is_empty() {
        w.and_any("s.owner_team", scope.teams.iter().map(String::as_str));
    }
    if !scope.tiers.is_empty() {
        w.and_any("s.tier", scope.tiers.iter().copied());
    }
    if !scope.environments.is_empty() {
        w.and_any("d.environment", scope.environments.iter().map(String::as_str));
    }
    w
}

/// Finished changes of the period, oldest first, at most 200,000.
pub async fn finished(db: &Db, scope: &Scope) -> Result<Vec<Change>> {
    let (sql, args) = conditions(scope).statement(
        "SELECT d.id, d.at, d.finished_at, d.kind, d.status, s.slug, s.owner_team AS team, d.environment, \
         c.committed_at FROM deployments d JOIN services s ON s.id = d.service_id \
         LEFT JOIN report_commits c ON c.sha = d.commit_sha AND d.commit_sha <> ''",
        "ORDER BY d.at, d.id LIMIT 200000",
    );
    db.fetch_all(sql, args).await
}

/// An incident that a deployment was confirmed to have caused.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Failure {
    pub deployment_id: i64,
    pub incident_id: i64,
    pub impact_started: Option<i64>,
    pub resolved: Option<i64>,
}

/// Failures of the period's changes, as far as the viewer may see their incidents.
pub async fn failures(db: &Db, scope: &Scope, viewer: Viewer) -> Result<BTreeMap<i64, Vec<Failure>>> {
    let mut w = conditions(scope);
    visible(&mut w, viewer);
    w.and_raw("v.verdict = 'caused' AND i.kind <> 'drill' AND i.status NOT IN ('declined', 'merged')");
    let (sql, args) = w.statement(
        "SELECT d.id AS deployment_id, i.id AS incident_id, b.at AS impact_started, r.at AS resolved \
         FROM deployments d JOIN services s ON s.id = d.service_id JOIN suspect_verdicts v ON v.deployment_id = d.id \
         JOIN incidents i ON i.id = v.incident_id \
         LEFT JOIN incident_milestones b ON b.incident_id = i.id AND b.name = 'impact_started' \
         LEFT JOIN incident_milestones r ON r.incident_id = i.id AND r.name = 'resolved'",
        "ORDER BY d.id, i.id LIMIT 50000",
    );
    let mut found: BTreeMap<i64, Vec<Failure>> = BTreeMap::new();
    for failure in db.fetch_all::<Failure>(sql, args).await? {
        found.entry(failure.deployment_id).or_default().push(failure);
    }
    Ok(found)
}

/// Remembers when a commit was made; what is told again is corrected.
pub async fn put_commit(tx: &Tx, sha: &str, committed_at: Timestamp, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO report_commits (sha, committed_at, recorded_at) VALUES ($1, $2, $3) \
         ON CONFLICT (sha) DO UPDATE SET committed_at = excluded.committed_at, recorded_at = excluded.recorded_at",
        args![sha, committed_at, now],
    )
    .await
    .map(drop)
}
