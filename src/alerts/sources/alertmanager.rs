//! Prometheus Alertmanager webhook, version 4.
//!
//! The group's own status is `firing` while any member fires, so each member is read by itself.
//! `truncatedAlerts` says how many members the sender left out.

use serde_json::Value;

use super::{Parsed, Problem, Source, labels, read};
use crate::alerts::model::{AlertEvent, AlertStatus, DedupKey};

pub fn parse(body: &Value) -> Result<Parsed, Problem> {
    read::object(body)?;
    if body.get("alerts").is_none() {
        return Err(Problem::at("alerts", "is missing: this is not an Alertmanager webhook"));
    }
    let external = read::text(body, "externalURL").unwrap_or_default();
    let mut parsed = Parsed::each("alerts", read::list(body, "alerts")?, |member| {
        let mut event = member_event(member, "prometheus")?;
        event.links.extend(read::link("Alertmanager", external.clone()));
        Ok(event)
    });
    note_truncated(body, &mut parsed);
    Ok(parsed)
}

/// Tells the admin when the sender left members out (`max_alerts`).
pub fn note_truncated(body: &Value, parsed: &mut Parsed) {
    let truncated = body.get("truncatedAlerts").and_then(Value::as_u64).unwrap_or(0);
    if truncated > 0 {
        parsed.notes.push(format!("the sender left out {truncated} alerts (max_alerts)"));
    }
}

/// One member of a group: what Alertmanager and Grafana have in common.
pub fn member_event(member: &Value, scope: &str) -> Result<AlertEvent, Problem> {
    let object = read::object(member)?;
    let labels = read::text_map(member, "labels")?;
    let annotations = read::text_map(member, "annotations")?;
    let fingerprint = match read::text(member, "fingerprint")? {
        Some(given) => given,
        None if labels.is_empty() => return Err(Problem::at("labels", "is missing, and there is no fingerprint")),
        None => labels::fingerprint(&labels),
    };
    let ends_at = read::time(member, "endsAt");
    let status = match read::text(member, "status")?.as_deref() {
        Some("firing" | "alerting") => AlertStatus::Firing,
        Some("resolved" | "ok" | "normal") => AlertStatus::Resolved,
        Some(other) => {
            return Err(Problem::at(
                "status",
                format!("expected firing or resolved, found '{}'", read::clean(other, 40)),
            ));
        }
        None if object.contains_key("endsAt") && ends_at.is_some() => AlertStatus::Resolved,
        None => AlertStatus::Firing,
    };
    let mut event = from_labels(DedupKey::new(scope, &fingerprint), labels, annotations);
    event.status = status;
    event.starts_at = read::time(member, "startsAt");
    event.ends_at = ends_at.filter(|_| status == AlertStatus::Resolved);
    event.links.extend(read::link("Source", read::text(member, "generatorURL")?));
    Ok(event)
}

/// Title and description as the Prometheus world writes them.
pub fn from_labels(
    key: DedupKey,
    labels: std::collections::BTreeMap<String, String>,
    annotations: std::collections::BTreeMap<String, String>,
) -> AlertEvent {
    let rule = labels.get("alertname").cloned().unwrap_or_default();
    let title = annotations.get("summary").or_else(|| annotations.get("title")).cloned();
    let title = title.filter(|t| !t.is_empty()).unwrap_or_else(|| {
        if rule.is_empty() { format!("Alert from {}", Source::Alertmanager.title()) } else { rule.clone() }
    });
    let mut event = AlertEvent::new(key, read::clean(&title, read::MAX_TITLE));
    let description = annotations.get("description").or_else(|| annotations.get("message"));
    event.description = description.map(|d| read::clean(d, read::MAX_TEXT)).unwrap_or_default();
    if !rule.is_empty() {
        event.rule = read::clean(&rule, read::MAX_TITLE);
    }
    event.labels = labels;
    event.annotations = annotations;
    event
}
