//! An alert as the API and the evidence of an incident show it.

use serde_json::{Value, json};

use super::store::Alert;
use crate::incidents::IncidentId;

/// `incident` is given only when the asker may know of it.
pub fn json(alert: &Alert, incident: Option<IncidentId>) -> Value {
    json!({
        "id": alert.id,
        "source": alert.source,
        "origin": alert.origin,
        "dedup_key": alert.dedup_key,
        "status": alert.state.status,
        "severity": alert.severity,
        "title": alert.title,
        "description": alert.description,
        "rule": alert.rule,
        "service": text(&alert.service),
        "environment": text(&alert.environment),
        "labels": alert.labels,
        "annotations": alert.annotations,
        "links": alert.links,
        "runbook_url": text(&alert.runbook_url),
        "trace_id": text(&alert.trace_id),
        "deployment": text(&alert.deployment),
        "started_at": alert.state.started_at,
        "ended_at": alert.state.ended_at,
        "first_seen_at": alert.state.first_seen,
        "last_seen_at": alert.state.last_seen,
        "count": alert.signal_count,
        "episodes": alert.episode_count,
        "acknowledged_at": alert.acknowledged_at,
        "acknowledged_by": text(&alert.acknowledged_by),
        "noise": alert.noise_at.is_some(),
        "incident": incident,
        "reason": text(&alert.reason),
    })
}

fn text(value: &str) -> Option<&str> {
    (!value.is_empty()).then_some(value)
}
