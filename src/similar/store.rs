//! The SQL of similar incidents, and nothing else. Each statement is bounded and walks an index, so that it costs the
//! same among a hundred incidents and a hundred thousand.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Where};
use crate::error::{Error, Result};
use crate::incidents::{self, IncidentId, Severity, Status, Viewer};

/// Newest incidents that one trait (a service, an alert …) brings in.
const PER_TRAIT: i64 = 60;
/// Attached alerts and deployments that are looked at, over all candidates.
const MAX_EVIDENCE: i64 = 6_000;

/// Which incidents may be candidates.
#[derive(Clone, Copy, Debug)]
pub struct Among {
    pub viewer: Viewer,
    /// The one at hand, which resembles itself; 0 for none.
    pub except: i64,
    /// Only those that still need work.
    pub open_only: bool,
}

impl Among {
    fn conditions(self) -> Where {
        let mut w = Where::new();
        incidents::visible(&mut w, self.viewer);
        w.and("i.id <> ?", self.except);
        w.and_raw("i.status NOT IN ('declined', 'merged')");
        if self.open_only {
            w.and_any("i.status", Status::OPEN.iter().map(|s| s.as_str()));
        }
        w
    }
}

async fn ids(db: &Db, w: &mut Where, from: &str, order: &str) -> Result<Vec<i64>> {
    let limit = w.bind(PER_TRAIT);
    let (sql, args) = w.statement(&format!("SELECT i.id FROM {from}"), &format!("ORDER BY {order} DESC LIMIT {limit}"));
    Ok(db.fetch_all::<(i64,)>(sql, args).await?.into_iter().map(|r| r.0).collect())
}

/// The newest incidents of a service.
pub async fn of_service(db: &Db, slug: &str, among: Among) -> Result<Vec<i64>> {
    let mut w = among.conditions();
    w.and("x.service_id = (SELECT s.id FROM services s WHERE s.slug = ?)", slug);
    ids(db, &mut w, "incident_services x JOIN incidents i ON i.id = x.incident_id", "x.incident_id").await
}

/// The newest incidents with evidence of this kind about the same thing: an alert's key, a deployment's service.
pub async fn of_topics<'a>(
    db: &Db,
    kind: &str,
    topics: impl Iterator<Item = &'a str>,
    among: Among,
) -> Result<Vec<i64>> {
    let mut w = among.conditions();
    w.and("e.kind = ?", kind).and_any("e.topic", topics).and_raw("e.removed_at IS NULL");
    ids(db, &mut w, "evidence e JOIN incidents i ON i.id = e.incident_id", "e.incident_id").await
}

/// The newest incidents that were confirmed to be caused by one of these services.
pub async fn of_causes<'a>(db: &Db, services: impl Iterator<Item = &'a str>, among: Among) -> Result<Vec<i64>> {
    let mut w = among.conditions();
    w.and_raw("v.verdict = 'caused'").and_any("v.service", services);
    ids(db, &mut w, "suspect_verdicts v JOIN incidents i ON i.id = v.incident_id", "v.incident_id").await
}

/// An incident as a list shows it.
#[derive(Clone, Debug)]
pub struct Head {
    pub id: IncidentId,
    pub title: String,
    pub severity: Severity,
    pub status: Status,
    pub private: bool,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct HeadRow {
    id: i64,
    title: String,
    severity: String,
    status: String,
    private: bool,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
}

/// Those of the named incidents that may be candidates.
pub async fn heads(db: &Db, named: &[i64], among: Among) -> Result<Vec<Head>> {
    let mut w = among.conditions();
    w.and_any("i.id", named.iter().copied());
    let (sql, args) = w.statement(
        "SELECT i.id, i.title, i.severity, i.status, i.private, i.started_at, i.ended_at FROM incidents i",
        "",
    );
    let rows = db.fetch_all::<HeadRow>(sql, args).await?;
    rows.into_iter()
        .map(|r| {
            let strange = || Error::Internal(format!("incident {} holds unknown words", r.id));
            Ok(Head {
                severity: Severity::parse(&r.severity).ok_or_else(strange)?,
                status: Status::parse(&r.status).ok_or_else(strange)?,
                id: IncidentId(r.id),
                title: r.title,
                private: r.private,
                started_at: r.started_at,
                ended_at: r.ended_at,
            })
        })
        .collect()
}

/// Incident and slug.
pub async fn services(db: &Db, of: &[i64]) -> Result<Vec<(i64, String)>> {
    let mut w = Where::new();
    w.and_any("x.incident_id", of.iter().copied());
    let (sql, args) =
        w.statement("SELECT x.incident_id, s.slug FROM incident_services x JOIN services s ON s.id = x.service_id", "");
    db.fetch_all(sql, args).await
}

/// Incident, kind, topic and title of the attached alerts and deployments.
pub async fn topics(db: &Db, of: &[i64]) -> Result<Vec<(i64, String, String, String)>> {
    let mut w = Where::new();
    w.and_any("incident_id", of.iter().copied()).and_any("kind", ["alert", "deployment"]);
    w.and_raw("removed_at IS NULL").and_raw("topic <> ''");
    let limit = w.bind(MAX_EVIDENCE);
    let (sql, args) =
        w.statement("SELECT incident_id, kind, topic, title FROM evidence", &format!("ORDER BY id DESC LIMIT {limit}"));
    db.fetch_all(sql, args).await
}

/// Key and title of the newest alerts that belong to an incident now.
pub async fn alerts(db: &Db, incident: i64) -> Result<Vec<(String, String)>> {
    db.fetch_all(
        "SELECT dedup_key, title FROM alerts WHERE incident_id = $1 ORDER BY started_at DESC, id DESC LIMIT 100",
        args![incident],
    )
    .await
}

/// Incident, verdict, service, operation, version, deployment and who said it.
#[derive(sqlx::FromRow)]
pub struct VerdictRow {
    pub incident_id: i64,
    pub verdict: String,
    pub service: String,
    pub version: String,
    pub deployment_id: Option<i64>,
    pub by_name: String,
}

pub async fn verdicts(db: &Db, of: &[i64]) -> Result<Vec<VerdictRow>> {
    let mut w = Where::new();
    w.and_any("incident_id", of.iter().copied()).and_any("verdict", ["caused", "fixed"]);
    let (sql, args) = w.statement(
        "SELECT incident_id, verdict, service, version, deployment_id, by_name FROM suspect_verdicts",
        "ORDER BY id LIMIT 2000",
    );
    db.fetch_all(sql, args).await
}

#[derive(sqlx::FromRow)]
pub struct RunRow {
    pub incident_id: i64,
    pub run_id: i64,
    pub title: String,
    pub state: String,
    pub steps_done: i64,
}

/// Runs of these incidents with the number of steps that were done in them.
pub async fn runs(db: &Db, of: &[i64]) -> Result<Vec<RunRow>> {
    let mut w = Where::new();
    w.and_any("u.incident_id", of.iter().copied());
    let (sql, args) = w.statement(
        "SELECT u.incident_id, u.id AS run_id, r.title, u.state, \
         (SELECT COUNT(DISTINCT c.step_id) FROM runbook_run_records c WHERE c.run_id = u.id AND c.outcome = 'done') AS steps_done \
         FROM runbook_runs u JOIN runbooks r ON r.id = u.runbook_id",
        "ORDER BY u.id LIMIT 50",
    );
    db.fetch_all(sql, args).await
}

/// Incident, new status and reason of the changes that ended them, oldest first.
pub async fn endings(db: &Db, of: &[i64]) -> Result<Vec<(i64, String, String)>> {
    let mut w = Where::new();
    w.and_any("incident_id", of.iter().copied()).and_any("to_status", ["monitoring", "resolved"]);
    w.and_raw("reason <> ''");
    let (sql, args) =
        w.statement("SELECT incident_id, to_status, reason FROM incident_status_changes", "ORDER BY id LIMIT 100");
    db.fetch_all(sql, args).await
}

/// Incident, follow-ups and those of them that are still open.
pub async fn follow_ups(db: &Db, of: &[i64]) -> Result<Vec<(i64, i64, i64)>> {
    let mut w = Where::new();
    w.and_any("incident_id", of.iter().copied()).and_raw("kind = 'follow_up'").and_raw("state <> 'cancelled'");
    let (sql, args) = w.statement(
        "SELECT incident_id, COUNT(*), COUNT(CASE WHEN state = 'open' THEN 1 END) FROM incident_tasks",
        "GROUP BY incident_id",
    );
    db.fetch_all(sql, args).await
}
