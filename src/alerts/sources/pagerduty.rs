//! PagerDuty: Events API v2 (what a monitoring tool sends *to* PagerDuty, and so to us), and its
//! own webhooks v3 (what PagerDuty says of its incidents).

use serde_json::Value;

use super::{Parsed, Problem, labels, read};
use crate::alerts::model::{AlertEvent, AlertSeverity, AlertStatus, DedupKey, sha256_hex};

pub fn parse(body: &Value) -> Result<Parsed, Problem> {
    read::object(body)?;
    if body.get("event").is_some_and(Value::is_object) {
        return webhook(body).map_err(|p| p.within("event"));
    }
    Ok(Parsed::of(vec![events_v2(body)?]))
}

/// The key of an Events v2 body: the sender's, or for a trigger without one a digest of the whole
/// body, which the answer tells the sender, so that it can resolve by it.
pub fn dedup_key(body: &Value) -> Result<Option<String>, Problem> {
    if let Some(given) = read::text(body, "dedup_key")? {
        return Ok(Some(given));
    }
    let trigger = body.get("event_action").and_then(Value::as_str) == Some("trigger");
    let mut anonymous = body.clone();
    if let Some(members) = anonymous.as_object_mut() {
        members.remove("routing_key");
    }
    Ok(trigger.then(|| sha256_hex(anonymous.to_string().as_bytes()).chars().take(32).collect()))
}

fn events_v2(body: &Value) -> Result<AlertEvent, Problem> {
    let action = read::need_text(body, "event_action")?;
    let key = dedup_key(body)?
        .ok_or_else(|| Problem::at("dedup_key", format!("is needed to {}", read::clean(&action, 40))))?;
    let empty = Value::Object(serde_json::Map::new());
    let payload = body.get("payload").filter(|p| !p.is_null()).unwrap_or(&empty);
    let within = |p: Problem| p.within("payload");
    let summary = read::text(payload, "summary").map_err(within)?;
    let (status, acknowledged) = match action.as_str() {
        "trigger" => (AlertStatus::Firing, false),
        "acknowledge" => (AlertStatus::Firing, true),
        "resolve" => (AlertStatus::Resolved, false),
        other => {
            let found = read::clean(other, 40);
            return Err(Problem::at(
                "event_action",
                format!("expected trigger, acknowledge or resolve, found '{found}'"),
            ));
        }
    };
    if action == "trigger" && summary.is_none() {
        return Err(Problem::at("payload.summary", "is missing"));
    }
    let title = summary.unwrap_or_else(|| key.clone());
    let mut event = AlertEvent::new(DedupKey::new("pagerduty", &key), read::clean(&title, read::MAX_TITLE));
    event.status = status;
    event.acknowledged = acknowledged;
    event.severity = read::text(payload, "severity").map_err(within)?.and_then(|s| AlertSeverity::from_words(&s));
    let at = read::time(payload, "timestamp");
    match status {
        AlertStatus::Firing => event.starts_at = at.filter(|_| !acknowledged),
        AlertStatus::Resolved => event.ends_at = at,
    }
    for field in ["source", "component", "group", "class"] {
        if let Some(value) = read::text(payload, field).map_err(within)? {
            event.labels.insert(field.to_owned(), read::clean(&value, read::MAX_LABEL_VALUE));
        }
    }
    if let Some(class) = event.labels.get("class") {
        event.rule = read::clean(class, read::MAX_TITLE);
    }
    event.annotations = details(payload)?;
    event.service = event.labels.get("component").and_then(|c| labels::service_name(c));
    event.links.extend(read::link("Source", read::text(body, "client_url")?));
    for item in read::list(body, "links")?.iter().take(20) {
        let title = read::text(item, "text")?.unwrap_or_else(|| "Link".to_owned());
        event.links.extend(read::link(&read::clean(&title, read::MAX_TITLE), read::text(item, "href")?));
    }
    Ok(event)
}

/// `custom_details` is an object by the documentation; senders also write plain text there.
fn details(payload: &Value) -> Result<std::collections::BTreeMap<String, String>, Problem> {
    match payload.get("custom_details") {
        Some(Value::String(text)) => Ok([("details".to_owned(), read::clean(text, read::MAX_LABEL_VALUE))].into()),
        Some(Value::Object(_)) => read::text_map(payload, "custom_details"),
        _ => Ok(std::collections::BTreeMap::new()),
    }
}

fn webhook(body: &Value) -> Result<Parsed, Problem> {
    let hook = body.get("event").unwrap_or(&Value::Null);
    let kind = read::need_text(hook, "event_type")?;
    let (status, acknowledged) = match kind.as_str() {
        "incident.triggered" | "incident.reopened" | "incident.escalated" | "incident.unacknowledged" => {
            (AlertStatus::Firing, false)
        }
        "incident.acknowledged" => (AlertStatus::Firing, true),
        "incident.resolved" => (AlertStatus::Resolved, false),
        other => return Ok(Parsed::nothing(format!("'{}' says nothing of an alert", read::clean(other, 60)))),
    };
    let data = hook.get("data").ok_or_else(|| Problem::at("data", "is missing"))?;
    let within = |p: Problem| p.within("data");
    let id = read::need_text(data, "id").map_err(within)?;
    let title = read::any_text(data, &["title", "summary"])
        .map_err(within)?
        .unwrap_or_else(|| format!("PagerDuty incident {id}"));
    let mut event = AlertEvent::new(DedupKey::new("pagerduty-incident", &id), read::clean(&title, read::MAX_TITLE));
    event.status = status;
    event.acknowledged = acknowledged;
    let priority = data.pointer("/priority/summary").and_then(Value::as_str);
    let urgency = data.get("urgency").and_then(Value::as_str);
    event.severity = [priority, urgency].into_iter().flatten().find_map(AlertSeverity::from_words);
    event.service = data.pointer("/service/summary").and_then(Value::as_str).and_then(labels::service_name);
    let at = read::time(hook, "occurred_at");
    match status {
        AlertStatus::Firing => {
            event.starts_at = read::time(data, "created_at")
                .or(at.filter(|_| matches!(kind.as_str(), "incident.triggered" | "incident.reopened")));
        }
        AlertStatus::Resolved => event.ends_at = at,
    }
    event.links.extend(read::link("PagerDuty incident", read::text(data, "html_url").map_err(within)?));
    Ok(Parsed::of(vec![event]))
}
