//! The SQL of the alerts' page: how many, how loud, and how much of it was noise.

use crate::args;
use crate::db::{Db, Where};
use crate::error::Result;
use crate::incidents::Viewer;
use crate::reports::model::scope::Scope;

/// Sums over a set of alerts.
#[derive(Clone, Debug, Default, sqlx::FromRow)]
pub struct Sums {
    pub name: String,
    pub alerts: i64,
    pub signals: i64,
    pub episodes: i64,
    pub in_incidents: i64,
    /// Marked by a person, or gone by itself without an incident and without anybody taking it on.
    pub noise: i64,
    pub acknowledged: i64,
}

const SUMS: &str = "COUNT(*) AS alerts, CAST(COALESCE(SUM(a.signal_count), 0) AS BIGINT) AS signals, \
    CAST(COALESCE(SUM(a.episode_count), 0) AS BIGINT) AS episodes, COUNT(a.incident_id) AS in_incidents, \
    CAST(COALESCE(SUM(CASE WHEN a.noise_at IS NOT NULL OR (a.status = 'resolved' AND a.incident_id IS NULL \
        AND a.acknowledged_at IS NULL) THEN 1 ELSE 0 END), 0) AS BIGINT) AS noise, \
    COUNT(a.acknowledged_at) AS acknowledged";

const FROM: &str = "FROM alerts a LEFT JOIN incidents i ON i.id = a.incident_id";

/// Alerts whose newest episode began in the period; those of private incidents only for who sees them.
fn conditions(scope: &Scope, viewer: Viewer) -> Where {
    let mut w = Where::new();
    if !viewer.all {
        w.and(
            "(a.incident_id IS NULL OR i.private = FALSE OR EXISTS \
             (SELECT 1 FROM incident_people p WHERE p.incident_id = i.id AND p.user_id = ?))",
            viewer.user_id,
        );
    }
    w.and_all("a.started_at >= ? AND a.started_at < ?", args![scope.from, scope.to]);
    if !scope.services.is_empty() {
        w.and_any("a.service", scope.services.iter().map(String::as_str));
    }
    if !scope.environments.is_empty() {
        w.and_any("a.environment", scope.environments.iter().map(String::as_str));
    }
    if !scope.teams.is_empty() {
        w.and_any(
            "(SELECT s.owner_team FROM services s WHERE s.slug = a.service)",
            scope.teams.iter().map(String::as_str),
        );
    }
    w
}

pub async fn total(db: &Db, scope: &Scope, viewer: Viewer) -> Result<Sums> {
    let (sql, args) = conditions(scope, viewer).statement(&format!("SELECT '' AS name, {SUMS} {FROM}"), "");
    db.fetch_one(sql, args).await
}

/// Ways of grouping alerts.
#[derive(Clone, Copy, Debug)]
pub enum By {
    Rule,
    Service,
    Source,
}

/// The loudest groups first, at most `limit`.
pub async fn groups(db: &Db, scope: &Scope, viewer: Viewer, by: By, limit: i64) -> Result<Vec<Sums>> {
    let column = match by {
        By::Rule => "a.rule",
        By::Service => "a.service",
        By::Source => "a.source",
    };
    let mut w = conditions(scope, viewer);
    let most = w.bind(limit);
    let (sql, args) = w.statement(
        &format!("SELECT {column} AS name, {SUMS} {FROM}"),
        &format!("GROUP BY {column} ORDER BY noise DESC, alerts DESC, {column} LIMIT {most}"),
    );
    db.fetch_all(sql, args).await
}

/// Microseconds from the start of the episode until a person acknowledged it, at most 200,000 values.
pub async fn acknowledged_after(db: &Db, scope: &Scope, viewer: Viewer) -> Result<Vec<i64>> {
    let mut w = conditions(scope, viewer);
    w.and_raw("a.acknowledged_at >= a.started_at");
    let (sql, args) =
        w.statement(&format!("SELECT a.acknowledged_at - a.started_at {FROM}"), "ORDER BY a.id LIMIT 200000");
    Ok(db.fetch_all::<(i64,)>(sql, args).await?.into_iter().map(|r| r.0).collect())
}
