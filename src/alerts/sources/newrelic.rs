//! New Relic workflow webhooks with the default template. The issue is the alert.

use serde_json::Value;

use super::{Parsed, Problem, labels, read};
use crate::alerts::model::{AlertEvent, AlertSeverity, AlertStatus, DedupKey};

pub fn parse(body: &Value) -> Result<Parsed, Problem> {
    read::object(body)?;
    let id = read::any_text(body, &["id", "issueId"])?.ok_or_else(|| Problem::at("id", "is missing"))?;
    let title = read::text(body, "title")?.unwrap_or_else(|| format!("New Relic issue {id}"));
    let mut event = AlertEvent::new(DedupKey::new("newrelic-issue", &id), read::clean(&title, read::MAX_TITLE));
    let state = read::need_text(body, "state")?;
    (event.status, event.acknowledged) = match state.to_ascii_uppercase().as_str() {
        "CREATED" | "ACTIVATED" | "OPEN" | "OPENED" => (AlertStatus::Firing, false),
        "ACKNOWLEDGED" => (AlertStatus::Firing, true),
        "CLOSED" | "DEACTIVATED" | "RESOLVED" => (AlertStatus::Resolved, false),
        _ => {
            let found = read::clean(&state, 40);
            return Err(Problem::at(
                "state",
                format!("expected CREATED, ACTIVATED, ACKNOWLEDGED or CLOSED, found '{found}'"),
            ));
        }
    };
    event.severity = read::text(body, "priority")?.and_then(|p| AlertSeverity::from_words(&p));
    event.starts_at = read::time(body, "createdAt");
    if event.status == AlertStatus::Resolved {
        event.ends_at = read::time(body, "updatedAt").filter(|end| event.starts_at.is_none_or(|start| *end >= start));
    }
    let entities = texts(body, "impactedEntities")?;
    event.service = entities.first().and_then(|name| labels::service_name(name));
    for (label, field) in
        [("entity", "impactedEntities"), ("policy", "alertPolicyNames"), ("condition", "alertConditionNames")]
    {
        let joined = texts(body, field)?.join(", ");
        if !joined.is_empty() {
            event.labels.insert(label.to_owned(), read::clean(&joined, read::MAX_LABEL_VALUE));
        }
    }
    if let Some(rule) = event.labels.get("condition") {
        event.rule = read::clean(rule, read::MAX_TITLE);
    }
    event.links.extend(read::link("New Relic issue", read::text(body, "issueUrl")?));
    Ok(Parsed::of(vec![event]))
}

/// A list of texts, or one text where the template was edited.
fn texts(body: &Value, name: &str) -> Result<Vec<String>, Problem> {
    match body.get(name) {
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        _ => Ok(read::list(body, name)?.iter().filter(|v| !v.is_null()).map(read::plain).collect()),
    }
}
