//! The SQL of reports: what a report needs of each incident, in two statements however many there are.

pub(super) mod attention;

use std::collections::HashMap;

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Where};
use crate::error::{Error, Result};
use crate::incidents::model::MilestoneTimes;
use crate::incidents::{Kind, MilestoneName, Severity, Status, Viewer, visible};

use crate::reports::model::compute::{Record, Standing};
use crate::reports::model::scope::Scope;

/// One incident with its milestones beside each other.
#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    title: String,
    severity: String,
    status: String,
    kind: String,
    impact_started: Option<Timestamp>,
    detected: Option<Timestamp>,
    declared: Option<Timestamp>,
    acknowledged: Option<Timestamp>,
    mitigated: Option<Timestamp>,
    impact_ended: Option<Timestamp>,
    resolved: Option<Timestamp>,
    raw_impact_started: Option<Timestamp>,
    raw_detected: Option<Timestamp>,
    raw_declared: Option<Timestamp>,
    raw_acknowledged: Option<Timestamp>,
    raw_mitigated: Option<Timestamp>,
    raw_impact_ended: Option<Timestamp>,
    raw_resolved: Option<Timestamp>,
}

const HEAD: &str = "SELECT i.id, i.title, i.severity, i.status, i.kind, \
    MAX(CASE WHEN m.name = 'impact_started' THEN m.at END) AS impact_started, \
    MAX(CASE WHEN m.name = 'detected' THEN m.at END) AS detected, \
    MAX(CASE WHEN m.name = 'declared' THEN m.at END) AS declared, \
    MAX(CASE WHEN m.name = 'acknowledged' THEN m.at END) AS acknowledged, \
    MAX(CASE WHEN m.name = 'mitigated' THEN m.at END) AS mitigated, \
    MAX(CASE WHEN m.name = 'impact_ended' THEN m.at END) AS impact_ended, \
    MAX(CASE WHEN m.name = 'resolved' THEN m.at END) AS resolved, \
    MAX(CASE WHEN m.name = 'impact_started' THEN m.raw_at END) AS raw_impact_started, \
    MAX(CASE WHEN m.name = 'detected' THEN m.raw_at END) AS raw_detected, \
    MAX(CASE WHEN m.name = 'declared' THEN m.raw_at END) AS raw_declared, \
    MAX(CASE WHEN m.name = 'acknowledged' THEN m.raw_at END) AS raw_acknowledged, \
    MAX(CASE WHEN m.name = 'mitigated' THEN m.raw_at END) AS raw_mitigated, \
    MAX(CASE WHEN m.name = 'impact_ended' THEN m.raw_at END) AS raw_impact_ended, \
    MAX(CASE WHEN m.name = 'resolved' THEN m.raw_at END) AS raw_resolved \
    FROM incidents i LEFT JOIN incident_milestones m ON m.incident_id = i.id";

impl Row {
    fn into_record(self) -> Result<Record> {
        use MilestoneName::{Acknowledged, Declared, Detected, ImpactEnded, ImpactStarted, Mitigated, Resolved};
        let unknown = |what: &str, word: &str| Error::Internal(format!("incident {} has the {what} '{word}'", self.id));
        let severity = Severity::parse(&self.severity).ok_or_else(|| unknown("severity", &self.severity))?;
        let status = Status::parse(&self.status).ok_or_else(|| unknown("status", &self.status))?;
        let kind = Kind::parse(&self.kind).ok_or_else(|| unknown("kind", &self.kind))?;
        let times = [
            (ImpactStarted, self.impact_started, self.raw_impact_started),
            (Detected, self.detected, self.raw_detected),
            (Declared, self.declared, self.raw_declared),
            (Acknowledged, self.acknowledged, self.raw_acknowledged),
            (Mitigated, self.mitigated, self.raw_mitigated),
            (ImpactEnded, self.impact_ended, self.raw_impact_ended),
            (Resolved, self.resolved, self.raw_resolved),
        ];
        let mut record = Record {
            number: self.id,
            title: self.title,
            severity: level(severity),
            standing: standing(status, kind),
            open: status.is_open(),
            services: Vec::new(),
            teams: Vec::new(),
            times: MilestoneTimes::default(),
            raw: MilestoneTimes::default(),
        };
        for (name, at, raw) in times {
            record.times.set(name, at);
            record.raw.set(name, raw);
        }
        Ok(record)
    }
}

/// 1 for SEV1.
pub const fn level(severity: Severity) -> u8 {
    match severity {
        Severity::Sev1 => 1,
        Severity::Sev2 => 2,
        Severity::Sev3 => 3,
        Severity::Sev4 => 4,
    }
}

const fn standing(status: Status, kind: Kind) -> Standing {
    match (status, kind) {
        (Status::Merged, _) => Standing::Merged,
        (Status::Declined, _) => Standing::Declined,
        (_, Kind::Drill) => Standing::Drill,
        _ => Standing::Counted,
    }
}

/// Severity and visibility, and everything that reaches into the period: the computation decides
/// which of them began in it and names the others.
fn conditions(scope: &Scope, viewer: Viewer) -> Where {
    let mut w = Where::new();
    visible(&mut w, viewer);
    if !scope.severities.is_empty() {
        w.and_any("i.severity", scope.severities.iter().map(|s| format!("SEV{s}")));
    }
    let (from, to) = (scope.from, scope.to);
    if scope.raw {
        w.and_all(
            "((i.started_at < ? AND (i.ended_at IS NULL OR i.ended_at >= ?)) OR i.id IN \
             (SELECT r.incident_id FROM incident_milestones r WHERE r.raw_at >= ? AND r.raw_at < ?))",
            args![to, from, from, to],
        );
    } else {
        w.and_all("i.started_at < ? AND (i.ended_at IS NULL OR i.ended_at >= ?)", args![to, from]);
    }
    w
}

/// All incidents that the viewer may see and that touch the scope's period, oldest number first.
pub async fn records(db: &Db, scope: &Scope, viewer: Viewer) -> Result<Vec<Record>> {
    let (sql, args) = conditions(scope, viewer).statement(HEAD, "GROUP BY i.id ORDER BY i.id");
    let rows = db.fetch_all::<Row>(sql, args).await?;
    let mut records = rows.into_iter().map(Row::into_record).collect::<Result<Vec<_>>>()?;
    let (sql, args) = conditions(scope, viewer).statement(
        "SELECT x.incident_id, s.slug, s.owner_team FROM incidents i \
         JOIN incident_services x ON x.incident_id = i.id JOIN services s ON s.id = x.service_id",
        "ORDER BY s.slug",
    );
    let mut places: HashMap<i64, usize> = HashMap::with_capacity(records.len());
    for (place, record) in records.iter().enumerate() {
        places.insert(record.number, place);
    }
    for (number, slug, team) in db.fetch_all::<(i64, String, String)>(sql, args).await? {
        // An incident declared between the two statements has services but no record yet.
        let Some(record) = places.get(&number).and_then(|place| records.get_mut(*place)) else { continue };
        record.services.push(slug);
        if !team.is_empty() && !record.teams.contains(&team) {
            record.teams.push(team);
        }
    }
    Ok(records)
}

/// What the filter fields offer: slugs of services and names of teams, at most 500 each.
pub async fn choices(db: &Db) -> Result<(Vec<String>, Vec<String>)> {
    let slugs: Vec<(String,)> = db.fetch_all("SELECT slug FROM services ORDER BY slug LIMIT 500", vec![]).await?;
    let teams: Vec<(String,)> = db
        .fetch_all(
            "SELECT DISTINCT owner_team FROM services WHERE owner_team <> '' ORDER BY owner_team LIMIT 500",
            vec![],
        )
        .await?;
    Ok((slugs.into_iter().map(|r| r.0).collect(), teams.into_iter().map(|r| r.0).collect()))
}
