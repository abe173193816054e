//! Collects from the other rooms what the ranking looks at for one live incident.

use chrono::TimeDelta;

use super::model::{AlertSignal, Change, Dependency, LogLine, Observation, Span, Telemetry};
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::incidents::{Incident, MilestoneName};
use crate::services::slug_of;
use crate::{alerts, deployments, incidents, logs, services, telemetry, traces};

/// How long after the impact telemetry is read: later, people have begun to change things.
const WINDOW: TimeDelta = TimeDelta::minutes(10);
/// The healthy stretch ends this long before the impact, which is often noticed late.
const MARGIN: TimeDelta = TimeDelta::minutes(5);
/// Where healthy traces are sought, nearest first.
const BASELINES: [TimeDelta; 3] = [TimeDelta::minutes(20), TimeDelta::hours(2), TimeDelta::hours(24)];
/// Fewer healthy traces than this, and an older stretch is read too.
const ENOUGH: usize = 50;
const MAX_TRACES: i64 = 1_500;
const MAX_SPANS: usize = 80_000;
const MAX_LINES: usize = 20_000;
/// Where a stretch holds more than that, each of so many slices gives an equal share.
const SLICES: i32 = 20;

/// The moment from which on telemetry counts as the incident's.
pub async fn impact(db: &Db, incident: &Incident) -> Result<Timestamp> {
    let times = incidents::times(db, incident.id).await?;
    Ok(times.get(MilestoneName::ImpactStarted).unwrap_or(incident.started_at))
}

pub async fn observation(db: &Db, incident: &Incident, impact: Timestamp, now: Timestamp) -> Result<Observation> {
    let end = incident.ended_at.unwrap_or(now).min(now).min(impact + WINDOW);
    let mut baseline = Vec::new();
    let mut from = impact;
    for back in BASELINES {
        from = impact - back;
        baseline = spans(db, from, impact - MARGIN).await?;
        if baseline.iter().filter(|s| s.parent_id.is_none()).count() >= ENOUGH {
            break;
        }
    }
    let incident_spans = spans(db, impact, end).await?;
    let incident_lines = lines(db, impact, end).await?;
    // Lines are only compared with lines of a stretch of which the spans were read.
    let calm_end = baseline.iter().map(|s| s.end).max().map_or(impact - MARGIN, |n| Timestamp::from_micros(n / 1_000));
    Ok(Observation {
        impact_started_at: impact.as_micros().saturating_mul(1_000),
        baseline: Telemetry { spans: baseline, logs: lines(db, from, calm_end).await? },
        incident: Telemetry { spans: incident_spans, logs: incident_lines },
        changes: changes(db, impact).await?,
        alerts: alert_signals(db, incident).await?,
        dependencies: services::all_edges(db)
            .await?
            .into_iter()
            .map(|(caller, callee)| Dependency { caller, callee })
            .collect(),
    })
}

/// One name for a service wherever it is named: its slug in the catalogue.
fn slug(name: &str) -> String {
    slug_of(name).unwrap_or_else(|| name.to_owned())
}

async fn spans(db: &Db, from: Timestamp, to: Timestamp) -> Result<Vec<Span>> {
    if to <= from {
        return Ok(Vec::new());
    }
    let all = traces::service::view::window(db, from, to, MAX_TRACES).await?;
    let total: usize = all.iter().map(|(_, spans)| spans.len()).sum();
    if i64::try_from(all.len()).is_ok_and(|n| n < MAX_TRACES) && total <= MAX_SPANS {
        return Ok(taken(&all, MAX_SPANS));
    }
    // More than is read: the first seconds alone would miss what comes later, so each slice gives its share.
    let mut out = Vec::new();
    for slice in 0..SLICES {
        let at = |n: i32| from + (to - from) / SLICES * n;
        let room = MAX_SPANS / usize::try_from(SLICES).unwrap_or(1);
        let some = traces::service::view::window(db, at(slice), at(slice + 1), MAX_TRACES / i64::from(SLICES)).await?;
        out.extend(taken(&some, room));
    }
    Ok(out)
}

/// Whole traces, as many as have room for their spans.
fn taken(all: &[(telemetry::TraceId, Vec<traces::model::Span>)], room: usize) -> Vec<Span> {
    let mut out = Vec::new();
    for (trace, spans) in all {
        if out.len() + spans.len() > room {
            break;
        }
        let trace_id = trace.to_string();
        out.extend(spans.iter().filter(|s| s.has_time()).map(|s| span(&trace_id, s)));
    }
    out
}

fn span(trace_id: &str, s: &traces::model::Span) -> Span {
    Span {
        trace_id: trace_id.to_owned(),
        span_id: s.span_id.to_string(),
        parent_id: s.parent.map(|p| p.to_string()),
        service: slug(s.service()),
        operation: s.name.clone(),
        version: s.resource.version.clone(),
        start: s.start_nanos,
        end: s.end_nanos,
        error: s.failed(),
    }
}

async fn lines(db: &Db, from: Timestamp, to: Timestamp) -> Result<Vec<LogLine>> {
    let filter = logs::model::LogFilter { from: Some(from), to: Some(to), ..Default::default() };
    let (lines, _) = logs::service::search(db, &filter, None, MAX_LINES).await?;
    Ok(lines
        .into_iter()
        .map(|l| LogLine {
            time: l.at.as_micros().saturating_mul(1_000),
            service: slug(&l.service),
            trace_id: l.trace_id.map(|t: telemetry::TraceId| t.to_string()),
            span_id: l.span_id.map(|s| s.to_string()),
            error: l.severity >= logs::model::Level::Error.floor(),
            body: l.body,
        })
        .collect())
}

/// Changes of the day before the impact that went out or are going out.
async fn changes(db: &Db, impact: Timestamp) -> Result<Vec<Change>> {
    let filter =
        deployments::Filter { from: Some(impact - TimeDelta::hours(24)), to: Some(impact), ..Default::default() };
    Ok(deployments::page(db, &filter, 500)
        .await?
        .into_iter()
        .filter(|d| d.status != deployments::ChangeStatus::Cancelled)
        .map(|d| Change {
            id: d.id.to_string(),
            service: d.service,
            version: d.version,
            at: d.at.as_micros().saturating_mul(1_000),
        })
        .collect())
}

async fn alert_signals(db: &Db, incident: &Incident) -> Result<Vec<AlertSignal>> {
    let filter = alerts::store::Filter { incident: Some(incident.id.0), ..Default::default() };
    Ok(alerts::store::list(db, &filter, 200)
        .await?
        .into_iter()
        .filter(|a| !a.service.is_empty())
        .map(|a| AlertSignal {
            id: a.id.to_string(),
            service: a.service.clone(),
            at: a.state.started_at.as_micros().saturating_mul(1_000),
        })
        .collect())
}
