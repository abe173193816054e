//! The SQL of alerts and their signals. Reading is here; [`write`] holds what the inbox's deliveries
//! change in bulk, [`act`] what people change.

pub mod act;
pub mod firing;
pub mod grouping;
pub mod noise;
pub mod undo;
pub mod write;

use std::collections::BTreeMap;

use super::grouping::Candidate;
use super::model::{AlertSeverity, AlertState, AlertStatus, Link};
use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Where, like_contains};
use crate::error::{Error, Result};

/// An alert as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub id: i64,
    pub source: String,
    pub dedup_key: String,
    pub origin: String,
    pub severity: Option<AlertSeverity>,
    pub title: String,
    pub description: String,
    pub rule: String,
    /// A catalogue slug; empty when the source names no service.
    pub service: String,
    pub environment: String,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub links: Vec<Link>,
    pub runbook_url: String,
    pub trace_id: String,
    pub deployment: String,
    pub state: AlertState,
    pub expires_at: Option<Timestamp>,
    pub signal_count: i64,
    pub episode_count: i64,
    pub flapping_until: Option<Timestamp>,
    pub acknowledged_at: Option<Timestamp>,
    pub acknowledged_by: String,
    pub noise_at: Option<Timestamp>,
    pub noise_by: String,
    pub incident_id: Option<i64>,
    pub group_id: Option<i64>,
    pub reason: String,
    pub decide_at: Option<Timestamp>,
    pub last_delivery_id: i64,
    pub version: i64,
}

impl Alert {
    pub fn is_firing(&self) -> bool {
        self.state.status == AlertStatus::Firing
    }

    /// What the grouping engine looks at.
    pub fn candidate(&self) -> Candidate {
        Candidate {
            id: self.id,
            source: self.source.clone(),
            rule: self.rule.clone(),
            title: self.title.clone(),
            severity: self.severity,
            service: (!self.service.is_empty()).then(|| self.service.clone()),
            environment: (!self.environment.is_empty()).then(|| self.environment.clone()),
            labels: self.labels.clone(),
            started_at: self.state.started_at,
            ended_at: self.state.ended_at,
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    source: String,
    dedup_key: String,
    status: String,
    origin: String,
    severity: Option<String>,
    title: String,
    description: String,
    rule: String,
    service: String,
    environment: String,
    labels: String,
    annotations: String,
    links: String,
    runbook_url: String,
    trace_id: String,
    deployment: String,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    first_seen_at: Timestamp,
    last_seen_at: Timestamp,
    signal_count: i64,
    episode_count: i64,
    flapping_until: Option<Timestamp>,
    acknowledged_at: Option<Timestamp>,
    acknowledged_by: String,
    noise_at: Option<Timestamp>,
    noise_by: String,
    incident_id: Option<i64>,
    group_id: Option<i64>,
    reason: String,
    decide_at: Option<Timestamp>,
    last_delivery_id: i64,
    version: i64,
}

const ALL: &str = "SELECT id, source, dedup_key, status, origin, severity, title, description, rule, service, environment, labels, \
     annotations, links, runbook_url, trace_id, deployment, started_at, ended_at, expires_at, first_seen_at, last_seen_at, \
     signal_count, episode_count, flapping_until, acknowledged_at, acknowledged_by, noise_at, noise_by, incident_id, group_id, \
     reason, decide_at, last_delivery_id, version FROM alerts";

impl Row {
    fn into_alert(self) -> Result<Alert> {
        let status = AlertStatus::parse(&self.status)
            .ok_or_else(|| Error::Internal(format!("alert of status {}", self.status)))?;
        Ok(Alert {
            id: self.id,
            source: self.source,
            dedup_key: self.dedup_key,
            origin: self.origin,
            severity: self.severity.as_deref().and_then(AlertSeverity::parse),
            title: self.title,
            description: self.description,
            rule: self.rule,
            service: self.service,
            environment: self.environment,
            labels: serde_json::from_str(&self.labels)?,
            annotations: serde_json::from_str(&self.annotations)?,
            links: serde_json::from_str(&self.links)?,
            runbook_url: self.runbook_url,
            trace_id: self.trace_id,
            deployment: self.deployment,
            state: AlertState {
                status,
                started_at: self.started_at,
                ended_at: self.ended_at,
                first_seen: self.first_seen_at,
                last_seen: self.last_seen_at,
            },
            expires_at: self.expires_at,
            signal_count: self.signal_count,
            episode_count: self.episode_count,
            flapping_until: self.flapping_until,
            acknowledged_at: self.acknowledged_at,
            acknowledged_by: self.acknowledged_by,
            noise_at: self.noise_at,
            noise_by: self.noise_by,
            incident_id: self.incident_id,
            group_id: self.group_id,
            reason: self.reason,
            decide_at: self.decide_at,
            last_delivery_id: self.last_delivery_id,
            version: self.version,
        })
    }
}

async fn read(db: &Db, filter: &Where, tail: &str) -> Result<Vec<Alert>> {
    let (sql, args) = filter.statement(ALL, tail);
    db.fetch_all::<Row>(sql, args).await?.into_iter().map(Row::into_alert).collect()
}

pub async fn find(db: &Db, id: i64) -> Result<Option<Alert>> {
    let mut w = Where::new();
    w.and("id = ?", id);
    Ok(read(db, &w, "").await?.pop())
}

/// At most 500 at a time, so that the engines' limit on bound values holds.
pub async fn find_many(db: &Db, ids: &[i64]) -> Result<Vec<Alert>> {
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(500) {
        let mut w = Where::new();
        w.and_any("id", chunk.iter().copied());
        found.extend(read(db, &w, "ORDER BY id").await?);
    }
    Ok(found)
}

pub async fn by_keys(db: &Db, keys: &[&str]) -> Result<Vec<Alert>> {
    let mut found = Vec::with_capacity(keys.len());
    for chunk in keys.chunks(500) {
        let mut w = Where::new();
        w.and_any("dedup_key", chunk.iter().copied());
        found.extend(read(db, &w, "").await?);
    }
    Ok(found)
}

/// What the list is narrowed to; empty means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub status: Option<AlertStatus>,
    pub severity: Option<AlertSeverity>,
    pub service: String,
    pub source: String,
    pub rule: String,
    /// Part of the title.
    pub text: String,
    pub incident: Option<i64>,
    /// `Some(false)`: only those in no incident.
    pub in_incident: Option<bool>,
    pub noise: Option<bool>,
    pub flapping_at: Option<Timestamp>,
    pub acknowledged: Option<bool>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Alerts after this one, in the order of the list.
    pub after: Option<(Timestamp, i64)>,
}

impl Filter {
    fn conditions(&self) -> Where {
        let mut w = Where::new();
        // Said in words, not bound, so that the planner sees which partial indexes fit.
        match self.status {
            Some(AlertStatus::Firing) => w.and_raw("status = 'firing'"),
            Some(AlertStatus::Resolved) => w.and_raw("status = 'resolved'"),
            None => &mut w,
        };
        if let Some(severity) = self.severity {
            w.and("severity = ?", severity.as_str());
        }
        for (clause, value) in [("service = ?", &self.service), ("source = ?", &self.source), ("rule = ?", &self.rule)]
        {
            if !value.is_empty() {
                w.and(clause, value.as_str());
            }
        }
        if !self.text.is_empty() {
            w.and("LOWER(title) LIKE ? ESCAPE '\\'", like_contains(&self.text.to_lowercase()));
        }
        if let Some(incident) = self.incident {
            w.and("incident_id = ?", incident);
        }
        for (choice, yes, no) in [
            (self.in_incident, "incident_id IS NOT NULL", "incident_id IS NULL"),
            (self.noise, "noise_at IS NOT NULL", "noise_at IS NULL"),
            (self.acknowledged, "acknowledged_at IS NOT NULL", "acknowledged_at IS NULL"),
        ] {
            match choice {
                Some(true) => w.and_raw(yes),
                Some(false) => w.and_raw(no),
                None => &mut w,
            };
        }
        if let Some(now) = self.flapping_at {
            w.and("flapping_until > ?", now);
        }
        if let Some(from) = self.from {
            w.and("started_at >= ?", from);
        }
        if let Some(to) = self.to {
            w.and("started_at < ?", to);
        }
        w
    }
}

/// One page, the newest start first.
pub async fn list(db: &Db, filter: &Filter, limit: i64) -> Result<Vec<Alert>> {
    let mut w = filter.conditions();
    if let Some((at, id)) = filter.after {
        w.and_all("(started_at < ? OR (started_at = ? AND id < ?))", args![at, at, id]);
    }
    let limit = w.bind(limit);
    read(db, &w, &format!("ORDER BY started_at DESC, id DESC LIMIT {limit}")).await
}

/// How many match, counted no further than `at_most`.
pub async fn count(db: &Db, filter: &Filter, at_most: i64) -> Result<i64> {
    let mut w = filter.conditions();
    let limit = w.bind(at_most);
    let (sql, args) =
        w.statement("SELECT COUNT(*) FROM (SELECT 1 AS one FROM alerts", &format!("LIMIT {limit}) AS counted"));
    db.fetch_scalar(sql, args).await
}

/// Ids of what matches, for a bulk action; at most `limit`.
pub async fn ids(db: &Db, filter: &Filter, limit: i64) -> Result<Vec<i64>> {
    let mut w = filter.conditions();
    let limit = w.bind(limit);
    let (sql, args) = w.statement("SELECT id FROM alerts", &format!("ORDER BY started_at DESC, id DESC LIMIT {limit}"));
    Ok(db.fetch_all::<(i64,)>(sql, args).await?.into_iter().map(|r| r.0).collect())
}

/// One start or one end of an episode.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Signal {
    pub id: i64,
    pub status: String,
    pub starts_at: Timestamp,
    pub ends_at: Option<Timestamp>,
    pub received_at: Timestamp,
    pub last_received_at: Timestamp,
    /// How often the sender said it.
    pub times: i64,
    pub delivery_id: i64,
    pub last_delivery_id: i64,
}

/// The newest signals of an alert.
pub async fn signals(db: &Db, alert: i64, limit: i64) -> Result<Vec<Signal>> {
    db.fetch_all(
        "SELECT id, status, starts_at, ends_at, received_at, last_received_at, times, delivery_id, last_delivery_id FROM signals \
         WHERE alert_id = $1 ORDER BY received_at DESC, id DESC LIMIT $2",
        args![alert, limit],
    )
    .await
}

/// What people and rules did with an alert.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct AlertLog {
    pub at: Timestamp,
    pub kind: String,
    pub actor: String,
    pub text: String,
}

pub async fn log(db: &Db, alert: i64, limit: i64) -> Result<Vec<AlertLog>> {
    db.fetch_all(
        "SELECT at, kind, actor, text FROM alert_events WHERE alert_id = $1 ORDER BY at DESC, id DESC LIMIT $2",
        args![alert, limit],
    )
    .await
}

/// How many alerts fire, by severity; the empty text stands for "not said".
pub async fn firing_by_severity(db: &Db) -> Result<Vec<(String, i64)>> {
    // One count each: SQLite's planner then takes the index of what fires, where a GROUP BY read every row.
    let mut sql = "SELECT '' AS severity, COUNT(*) FROM alerts WHERE status = 'firing' AND severity IS NULL".to_owned();
    for severity in AlertSeverity::ALL.map(AlertSeverity::as_str) {
        sql += " UNION ALL ";
        sql +=
            &format!("SELECT '{severity}', COUNT(*) FROM alerts WHERE status = 'firing' AND severity = '{severity}'");
    }
    let counts: Vec<(String, i64)> = db.fetch_all(Sql::built(format!("{sql} ORDER BY 1")), args![]).await?;
    Ok(counts.into_iter().filter(|c| c.1 > 0).collect())
}

/// Firing and ended alerts of an incident.
pub async fn counts_of_incident(db: &Db, incident: i64) -> Result<(i64, i64)> {
    let rows: Vec<(String, i64)> = db
        .fetch_all("SELECT status, COUNT(*) FROM alerts WHERE incident_id = $1 GROUP BY status", args![incident])
        .await?;
    let of = |status: &str| rows.iter().find(|r| r.0 == status).map_or(0, |r| r.1);
    Ok((of("firing"), of("resolved")))
}
