//! Generic JSON, for senders that have no format of their own: one alert, a list of alerts, or
//! `{"alerts": […]}`. `title` is all that is needed; the rest is taken when it is there.
//!
//! Key: `dedup_key` (or `fingerprint`, `key`, `id`), else the labels, else a digest of the whole
//! event, so that a retry is recognised but different problems never merge.

use serde_json::Value;

use super::{Parsed, Problem, labels, read};
use crate::alerts::model::{AlertEvent, AlertSeverity, AlertStatus, DedupKey, sha256_hex};

pub fn parse(body: &Value) -> Result<Parsed, Problem> {
    match body {
        Value::Array(members) => Ok(Parsed::each("", members, one)),
        Value::Object(members) if members.get("alerts").is_some_and(Value::is_array) => {
            Ok(Parsed::each("alerts", read::list(body, "alerts")?, one))
        }
        Value::Object(_) => Ok(Parsed::of(vec![one(body)?])),
        other => Err(Problem::body(format!("expected an object or a list, found {}", read::kind(other)))),
    }
}

fn one(body: &Value) -> Result<AlertEvent, Problem> {
    read::object(body)?;
    let label_set = read::text_map(body, "labels")?;
    let status = status(body)?;
    let title = read::any_text(body, &["title", "summary", "name", "message"])?
        .or_else(|| label_set.get("alertname").cloned())
        .ok_or_else(|| Problem::at("title", "is missing"))?;
    let given = read::any_text(body, &["dedup_key", "fingerprint", "key", "alert_id", "id"])?;
    let key = match given {
        Some(id) => DedupKey::new("generic", &id),
        None if !label_set.is_empty() => DedupKey::new("generic-labels", &labels::fingerprint(&label_set)),
        None if status == AlertStatus::Resolved => {
            return Err(Problem::at("dedup_key", "is needed to resolve an alert (or the labels that it fired with)"));
        }
        None => DedupKey::new("generic-event", &sha256_hex(body.to_string().as_bytes())),
    };
    let mut event = AlertEvent::new(key, read::clean(&title, read::MAX_TITLE));
    event.status = status;
    event.labels = label_set;
    event.annotations = read::text_map(body, "annotations")?;
    event.description =
        read::clean(&read::any_text(body, &["description", "details", "body"])?.unwrap_or_default(), read::MAX_TEXT);
    event.severity = severity(body)?;
    event.service = read::any_text(body, &["service", "service_name"])?.and_then(|s| labels::service_name(&s));
    event.environment = read::any_text(body, &["environment", "env"])?.map(|e| read::clean(&e, 100));
    if let Some(rule) = read::any_text(body, &["rule", "alertname"])?.or_else(|| event.labels.get("alertname").cloned())
    {
        event.rule = read::clean(&rule, read::MAX_TITLE);
    }
    event.starts_at =
        ["starts_at", "startsAt", "started_at", "occurred_at", "timestamp"].iter().find_map(|n| read::time(body, n));
    if status == AlertStatus::Resolved {
        event.ends_at = ["ends_at", "endsAt", "ended_at", "resolved_at"].iter().find_map(|n| read::time(body, n));
    }
    event.runbook_url = read::link("Runbook", read::text(body, "runbook_url")?).map(|l| l.url);
    event.trace_id = read::any_text(body, &["trace_id", "traceparent"])?.and_then(|t| read::trace_id(&t));
    event.deployment = read::any_text(body, &["deployment", "deployment_id", "version"])?.map(|d| read::clean(&d, 200));
    event.links.extend(read::link("Source", read::any_text(body, &["url", "link"])?));
    event.links.extend(more_links(body)?);
    Ok(event)
}

/// `links` as a list of addresses, or of `{title, url}`.
fn more_links(body: &Value) -> Result<Vec<crate::alerts::model::Link>, Problem> {
    let mut links = Vec::new();
    for item in read::list(body, "links")?.iter().take(20) {
        let title = read::any_text(item, &["title", "text"]).unwrap_or_default().unwrap_or_else(|| "Link".to_owned());
        let url = match item {
            Value::String(url) => Some(url.clone()),
            other => read::any_text(other, &["url", "href"]).map_err(|p| p.within("links"))?,
        };
        links.extend(read::link(&read::clean(&title, read::MAX_TITLE), url));
    }
    Ok(links)
}

/// The words that senders use for the two states.
pub fn status_word(word: &str) -> Option<AlertStatus> {
    match word.trim().to_ascii_lowercase().as_str() {
        "firing" | "alerting" | "triggered" | "trigger" | "open" | "opened" | "active" | "problem" | "down"
        | "failed" | "failing" | "critical" | "warning" | "error" => Some(AlertStatus::Firing),
        "resolved" | "resolve" | "ok" | "closed" | "close" | "recovered" | "recovery" | "up" | "passed" | "normal"
        | "inactive" => Some(AlertStatus::Resolved),
        _ => None,
    }
}

fn status(body: &Value) -> Result<AlertStatus, Problem> {
    let Some(word) = read::any_text(body, &["status", "state"])? else { return Ok(AlertStatus::Firing) };
    status_word(&word).ok_or_else(|| {
        Problem::at("status", format!("expected firing or resolved, found '{}'", read::clean(&word, 40)))
    })
}

fn severity(body: &Value) -> Result<Option<AlertSeverity>, Problem> {
    let Some(word) = read::any_text(body, &["severity", "priority", "level"])? else { return Ok(None) };
    AlertSeverity::from_words(&word).map(Some).ok_or_else(|| {
        Problem::at(
            "severity",
            format!("expected critical, error, warning or info, found '{}'", read::clean(&word, 40)),
        )
    })
}
