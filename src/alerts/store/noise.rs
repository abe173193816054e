//! The SQL of which rules tell much: of one service, and of all.

use crate::args;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;

/// A rule of a source with how often its alerts of one service began.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Noisy {
    pub rule: String,
    pub episodes: i64,
    /// Of its alerts, those that a person marked as noise.
    pub noise: i64,
}

/// The rules that told of a service most often since a moment.
pub async fn noisiest_rules(db: &Db, service: &str, since: Timestamp, limit: i64) -> Result<Vec<Noisy>> {
    db.fetch_all(
        "SELECT a.rule, COUNT(*) AS episodes, COUNT(DISTINCT CASE WHEN a.noise_at IS NULL THEN NULL ELSE a.id END) AS noise \
         FROM alerts a JOIN signals s ON s.alert_id = a.id WHERE a.service = $1 AND s.starts_at >= $2 AND s.status = 'firing' \
         GROUP BY a.rule ORDER BY episodes DESC, a.rule LIMIT $3",
        args![service, since, limit],
    )
    .await
}

/// A rule of a source with what came of its alerts.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct NoisyRule {
    pub source: String,
    pub rule: String,
    /// Times that one of its alerts began.
    pub episodes: i64,
    pub alerts: i64,
    /// Alerts that a person marked as noise.
    pub noise: i64,
    /// Alerts that belong to an incident.
    pub in_incident: i64,
    /// Alerts that somebody took.
    pub acknowledged: i64,
}

impl NoisyRule {
    /// Share of its alerts that were marked as noise, in percent.
    pub fn noise_percent(&self) -> i64 {
        (self.noise * 100 + self.alerts / 2) / self.alerts.max(1)
    }
}

/// The rules whose alerts began most often since a moment, those with the most noise first.
pub async fn noise(db: &Db, since: Timestamp, limit: i64) -> Result<Vec<NoisyRule>> {
    db.fetch_all(
        "SELECT a.source, a.rule, CAST(SUM(e.episodes) AS BIGINT) AS episodes, COUNT(*) AS alerts, \
         COUNT(a.noise_at) AS noise, COUNT(a.incident_id) AS in_incident, COUNT(a.acknowledged_at) AS acknowledged \
         FROM (SELECT alert_id, COUNT(*) AS episodes FROM signals WHERE starts_at >= $1 AND status = 'firing' GROUP BY alert_id) e \
         JOIN alerts a ON a.id = e.alert_id GROUP BY a.source, a.rule \
         ORDER BY COUNT(a.noise_at) DESC, SUM(e.episodes) DESC, a.source, a.rule LIMIT $2",
        args![since, limit],
    )
    .await
}
