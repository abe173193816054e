//! The SQL of learning: postmortems, follow-ups, runbooks and their runs.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Where};
use crate::error::Result;
use crate::incidents::{Viewer, visible};
use crate::reports::model::scope::Scope;

/// Real incidents that began in the period, with the scope's severities, services and teams.
fn began(scope: &Scope, viewer: Viewer) -> Where {
    let mut w = Where::new();
    visible(&mut w, viewer);
    w.and_all("i.started_at >= ? AND i.started_at < ?", args![scope.from, scope.to]);
    w.and_raw("i.kind <> 'drill' AND i.status NOT IN ('declined', 'merged')");
    narrow(&mut w, scope);
    w
}

fn narrow(w: &mut Where, scope: &Scope) {
    if !scope.severities.is_empty() {
        w.and_any("i.severity", scope.severities.iter().map(|s| format!("SEV{s}")));
    }
    const OF: [&str; 2] = [
        "i.id IN (SELECT x.incident_id FROM incident_services x JOIN services s ON s.id = x.service_id WHERE s.slug",
        "i.id IN (SELECT x.incident_id FROM incident_services x JOIN services s ON s.id = x.service_id WHERE s.owner_team",
    ];
    for (column, list) in OF.into_iter().zip([&scope.services, &scope.teams]) {
        if list.is_empty() {
            continue;
        }
        w.and_any_inside(column, list.iter().map(String::as_str), ")");
    }
}

/// Of one severity: incidents that are over, those with a published postmortem, drafts and reviews.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Written {
    pub severity: String,
    pub over: i64,
    pub published: i64,
    pub begun: i64,
}

pub async fn written(db: &Db, scope: &Scope, viewer: Viewer) -> Result<Vec<Written>> {
    let mut w = began(scope, viewer);
    w.and_raw("i.status IN ('resolved', 'closed')");
    let (sql, args) = w.statement(
        "SELECT i.severity, COUNT(*) AS over, COUNT(CASE WHEN p.state = 'published' THEN 1 END) AS published, \
         COUNT(CASE WHEN p.state <> 'published' THEN 1 END) AS begun \
         FROM incidents i LEFT JOIN postmortems p ON p.incident_id = i.id",
        "GROUP BY i.severity ORDER BY i.severity",
    );
    db.fetch_all(sql, args).await
}

/// Microseconds from resolution to publication, at most 100,000 values.
pub async fn published_after(db: &Db, scope: &Scope, viewer: Viewer) -> Result<Vec<i64>> {
    let mut w = began(scope, viewer);
    w.and_raw("p.state = 'published' AND m.name = 'resolved' AND p.published_at >= m.at");
    let (sql, args) = w.statement(
        "SELECT p.published_at - m.at FROM incidents i JOIN postmortems p ON p.incident_id = i.id \
         JOIN incident_milestones m ON m.incident_id = i.id",
        "ORDER BY i.id LIMIT 100000",
    );
    Ok(db.fetch_all::<(i64,)>(sql, args).await?.into_iter().map(|r| r.0).collect())
}

/// Follow-ups of one owner that fell due in the period.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Owner {
    pub name: String,
    pub due: i64,
    pub on_time: i64,
    pub late: i64,
    pub open: i64,
}

/// The most overdue first.
pub async fn owners(db: &Db, scope: &Scope, viewer: Viewer, now: Timestamp) -> Result<Vec<Owner>> {
    let mut w = Where::new();
    visible(&mut w, viewer);
    narrow(&mut w, scope);
    w.and_raw("t.kind = 'follow_up' AND t.state <> 'cancelled'");
    w.and_all("t.due_at >= ? AND t.due_at < ?", args![scope.from, scope.to.min(now)]);
    let (sql, args) = w.statement(
        "SELECT COALESCE(u.name, '') AS name, COUNT(*) AS due, COUNT(CASE WHEN t.done_at <= t.due_at THEN 1 END) AS on_time, \
         COUNT(CASE WHEN t.done_at > t.due_at THEN 1 END) AS late, COUNT(CASE WHEN t.done_at IS NULL THEN 1 END) AS open \
         FROM incident_tasks t JOIN incidents i ON i.id = t.incident_id LEFT JOIN users u ON u.id = t.owner_id",
        "GROUP BY COALESCE(u.name, '') ORDER BY open DESC, late DESC, name LIMIT 200",
    );
    db.fetch_all(sql, args).await
}

/// One runbook and its runs in the period.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Use {
    pub slug: String,
    pub title: String,
    pub owner: String,
    pub review_by: Option<Timestamp>,
    pub expected_s: i64,
    pub runs: i64,
    pub completed: i64,
    pub stopped: i64,
    pub failed_steps: i64,
}

/// All runbooks, the most used first, at most 500. Runs of incidents that the viewer may not see do not count.
pub async fn uses(db: &Db, scope: &Scope, viewer: Viewer) -> Result<Vec<Use>> {
    let mut w = Where::new();
    visible(&mut w, viewer);
    narrow(&mut w, scope);
    w.and_all("r.started_at >= ? AND r.started_at < ?", args![scope.from, scope.to]);
    let (sql, args) = w.statement(
        "SELECT b.slug, b.title, b.owner, b.review_by, b.expected_s, COALESCE(u.runs, 0) AS runs, \
         COALESCE(u.completed, 0) AS completed, COALESCE(u.stopped, 0) AS stopped, \
         COALESCE(u.failed_steps, 0) AS failed_steps FROM runbooks b LEFT JOIN ( \
           SELECT r.runbook_id, COUNT(*) AS runs, COUNT(CASE WHEN r.state = 'completed' THEN 1 END) AS completed, \
           COUNT(CASE WHEN r.state = 'stopped' THEN 1 END) AS stopped, \
           CAST(SUM((SELECT COUNT(*) FROM runbook_run_records x WHERE x.run_id = r.id AND x.outcome = 'failed')) AS BIGINT) \
             AS failed_steps \
           FROM runbook_runs r JOIN incidents i ON i.id = r.incident_id",
        "GROUP BY r.runbook_id) u ON u.runbook_id = b.id WHERE b.archived_at IS NULL \
         ORDER BY runs DESC, b.title, b.id LIMIT 500",
    );
    db.fetch_all(sql, args).await
}

/// Microseconds that completed runs took, at most 100,000 values.
pub async fn run_lengths(db: &Db, scope: &Scope, viewer: Viewer) -> Result<Vec<i64>> {
    let mut w = Where::new();
    visible(&mut w, viewer);
    narrow(&mut w, scope);
    w.and_raw("r.state = 'completed' AND r.ended_at >= r.started_at");
    w.and_all("r.started_at >= ? AND r.started_at < ?", args![scope.from, scope.to]);
    let (sql, args) = w.statement(
        "SELECT r.ended_at - r.started_at FROM runbook_runs r JOIN incidents i ON i.id = r.incident_id",
        "ORDER BY r.id LIMIT 100000",
    );
    Ok(db.fetch_all::<(i64,)>(sql, args).await?.into_iter().map(|r| r.0).collect())
}
