//! What a draft shows of telemetry: kept traces, measurements before and after a confirmed cause, and
//! alerts that told nobody.

use chrono::TimeDelta;

use crate::alerts;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::deployments;
use crate::error::Result;
use crate::incidents::model::record::{Evidence, Incident};
use crate::incidents::{self, EvidenceKind, IncidentId, Viewer};
use crate::suspects;
use crate::traces;

use super::super::model::record::{Bar, Comparison, Side, TraceFigure, UnheededAlert};

/// Traces that a draft draws.
const MAX_TRACES: usize = 2;
/// Confirmed causes that are measured.
const MAX_COMPARED: usize = 3;
/// Services whose alerts are looked through, and alerts of each.
const MAX_SERVICES: usize = 20;
const MAX_ALERTS: i64 = 50;
/// So long before the impact an alert may have been the first sign.
const BEFORE: TimeDelta = TimeDelta::minutes(30);

/// The first traces that were attached and can still be read.
pub async fn traces(db: &Db, evidence: &[Evidence]) -> Result<Vec<TraceFigure>> {
    let mut figures = Vec::new();
    for e in evidence.iter().filter(|e| e.kind == EvidenceKind::Trace).take(MAX_TRACES) {
        let Some(snapshot) = incidents::evidence::snapshot(db, e.id).await? else { continue };
        // A damaged one is no reason not to write a postmortem.
        let rows = traces::outline(&snapshot).unwrap_or_default();
        let bars: Vec<Bar> = rows
            .into_iter()
            .map(|r| Bar {
                depth: r.depth,
                service: r.service,
                operation: r.operation,
                offset_us: r.offset_us,
                duration_us: r.duration_us,
                failed: r.failed,
                is_first_error: r.is_first_error,
            })
            .collect();
        if !bars.is_empty() {
            figures.push(TraceFigure { title: e.title.clone(), bars });
        }
    }
    Ok(figures)
}

/// Half an hour on both sides of each confirmed cause: around the change, or around the start of the impact.
pub async fn comparisons(db: &Db, incident: &Incident, now: Timestamp) -> Result<Vec<Comparison>> {
    let mut found = Vec::new();
    for cause in suspects::confirmed(db, incident.id).await?.into_iter().take(MAX_COMPARED) {
        let change = match cause.subject.deployment_id {
            Some(id) => deployments::find(db, id).await?,
            None => None,
        };
        let (start, end) =
            change.as_ref().map_or((incident.started_at, None), |d| (d.started_at.unwrap_or(d.at), d.finished_at));
        let ((b0, b1), (a0, a1)) = deployments::health::windows(start, end, now);
        let service = cause.subject.service;
        if found.iter().any(|c: &Comparison| c.service == service && c.at == start) {
            continue;
        }
        let before = side(db, &service, b0, b1).await?;
        let after = side(db, &service, a0, a1).await?;
        found.push(Comparison { service, at: start, before, after });
    }
    Ok(found)
}

#[expect(clippy::cast_possible_truncation, reason = "microseconds of a request")]
async fn side(db: &Db, service: &str, from: Timestamp, to: Timestamp) -> Result<Side> {
    let tallies = traces::service::view::service_tallies(db, service, from, to).await?;
    let Some(tally) = tallies.get(service) else { return Ok(Side::default()) };
    Ok(Side { requests: tally.calls, errors: tally.errors, p95_us: tally.percentile_us(0.95).map(|us| us as i64) })
}

/// Alerts of the incident's services around its beginning that did not lead to it, with the reason.
pub async fn unheeded(
    db: &Db,
    incident: &Incident,
    services: &[String],
    detected: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<UnheededAlert>> {
    let mut found = Vec::new();
    let until = detected.or(incident.ended_at).unwrap_or(now).max(incident.started_at);
    for service in services.iter().take(MAX_SERVICES) {
        let filter = alerts::store::Filter {
            service: service.clone(),
            from: Some(incident.started_at - BEFORE),
            to: Some(until + TimeDelta::seconds(1)),
            ..alerts::store::Filter::default()
        };
        for alert in alerts::store::list(db, &filter, MAX_ALERTS).await? {
            let reason = match alert.incident_id {
                Some(id) if id == incident.id.0 => continue,
                Some(id) => match elsewhere(db, IncidentId(id)).await {
                    Some(reason) => reason,
                    None => continue,
                },
                None if alert.noise_at.is_some() => format!("marked as noise by {}", alert.noise_by),
                None if alert.reason.is_empty() => "no rule asked for an incident".to_owned(),
                None => alert.reason.clone(),
            };
            found.push(UnheededAlert {
                title: alert.title,
                service: service.clone(),
                at: alert.state.started_at,
                reason,
            });
        }
    }
    found.sort_by(|a, b| (a.at, &a.title).cmp(&(b.at, &b.title)));
    found.truncate(20);
    Ok(found)
}

/// An incident that the alert went to instead; private ones are not named.
async fn elsewhere(db: &Db, id: IncidentId) -> Option<String> {
    let anybody = Viewer { all: false, user_id: 0 };
    incidents::get_visible(db, id, anybody).await.ok().map(|other| format!("grouped into {}", other.id))
}
