//! Sentry's integration platform: issue alerts (`event_alert`), metric alerts and issue changes.
//! An issue alert never resolves itself; the `issue` hook with action `resolved` does, by the same
//! issue id. The kind comes from the header `Sentry-Hook-Resource`, or from the body's shape.

use serde_json::Value;

use super::{Parsed, Problem, labels, read};
use crate::alerts::model::{AlertEvent, AlertSeverity, AlertStatus, DedupKey};

pub fn parse(body: &Value, resource: &str) -> Result<Parsed, Problem> {
    read::object(body)?;
    let data = body.get("data").ok_or_else(|| Problem::at("data", "is missing: this is not a Sentry hook"))?;
    let has = |name: &str| data.get(name).is_some_and(Value::is_object);
    let within = |p: Problem| p.within("data");
    match resource {
        "event_alert" | "metric_alert" | "issue" | "" => {}
        other => return Ok(Parsed::nothing(format!("Sentry's '{}' hooks hold no alert", read::clean(other, 40)))),
    }
    let action = read::text(body, "action")?.unwrap_or_default();
    if has("metric_alert") {
        metric_alert(data, &action).map_err(within)
    } else if has("event") {
        event_alert(data).map_err(within)
    } else if has("issue") {
        issue(data, &action).map_err(within)
    } else {
        Err(Problem::at("data", "holds none of event, metric_alert and issue"))
    }
}

fn event_alert(data: &Value) -> Result<Parsed, Problem> {
    let hook = data.get("event").unwrap_or(&Value::Null);
    let within = |p: Problem| p.within("event");
    let id = read::any_text(hook, &["issue_id", "groupID"])
        .and_then(|id| id.ok_or_else(|| Problem::at("issue_id", "is missing")))
        .map_err(within)?;
    let title =
        read::any_text(hook, &["title", "message"]).map_err(within)?.unwrap_or_else(|| format!("Sentry issue {id}"));
    let mut event = AlertEvent::new(DedupKey::new("sentry-issue", &id), read::clean(&title, read::MAX_TITLE));
    event.rule =
        read::clean(&read::text(data, "triggered_rule")?.unwrap_or_else(|| event.title.clone()), read::MAX_TITLE);
    event.severity = read::text(hook, "level").map_err(within)?.and_then(|l| AlertSeverity::from_words(&l));
    event.labels = tags(hook);
    if let Some(release) = read::text(hook, "release").map_err(within)? {
        event.labels.insert("release".to_owned(), read::clean(&release, read::MAX_LABEL_VALUE));
    }
    event.environment = read::text(hook, "environment").map_err(within)?.map(|e| read::clean(&e, 100));
    let url = read::any_text(hook, &["web_url", "url"]).map_err(within)?;
    event.service = project(hook, url.as_deref());
    event.description = description(hook);
    // Sentry repeats an issue alert for new events of the same issue: the time of one event is
    // not the start of the trouble, so the first delivery's receipt decides.
    event.trace_id = hook.pointer("/contexts/trace/trace_id").and_then(Value::as_str).and_then(read::trace_id);
    event.links.extend(read::link("Sentry event", url));
    Ok(Parsed::of(vec![event]))
}

fn tags(hook: &Value) -> std::collections::BTreeMap<String, String> {
    let pairs = hook.get("tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let pairs = pairs.iter().filter_map(|pair| Some((pair.get(0)?.as_str()?, pair.get(1)?)));
    pairs
        .take(read::MAX_LABELS)
        .map(|(k, v)| (read::clean(k, read::MAX_TITLE), read::clean(&read::plain(v), read::MAX_LABEL_VALUE)))
        .collect()
}

/// The project's slug: a member of its own in new hooks, else a part of the event's API address.
fn project(hook: &Value, url: Option<&str>) -> Option<String> {
    for field in ["project_slug", "project_name"] {
        if let Some(slug) = hook.get(field).and_then(Value::as_str) {
            return labels::service_name(slug);
        }
    }
    let api = hook.get("url").and_then(Value::as_str).or(url)?;
    let mut parts = api.split('/').skip_while(|part| *part != "projects").skip(2);
    parts.next().and_then(labels::service_name)
}

/// The innermost frames of the failing stack, newest first.
fn description(hook: &Value) -> String {
    let mut lines = Vec::new();
    let values = hook.pointer("/exception/values").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if let Some(exception) = values.last() {
        let part = |name: &str| exception.get(name).and_then(Value::as_str).unwrap_or_default();
        lines.push(format!("{}: {}", part("type"), part("value")));
        let frames =
            exception.pointer("/stacktrace/frames").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for frame in frames.iter().rev().take(8) {
            let part =
                |name: &str| frame.get(name).map(read::plain).filter(|v| v != "null").unwrap_or_else(|| "?".to_owned());
            lines.push(format!("  at {} ({}:{})", part("function"), part("filename"), part("lineno")));
        }
    }
    if let Some(culprit) = hook.get("culprit").and_then(Value::as_str).filter(|c| !c.is_empty()) {
        lines.push(format!("in {culprit}"));
    }
    read::clean(&lines.join("\n"), read::MAX_TEXT)
}

fn metric_alert(data: &Value, action: &str) -> Result<Parsed, Problem> {
    let hook = data.get("metric_alert").unwrap_or(&Value::Null);
    let within = |p: Problem| p.within("metric_alert");
    let id = read::need_text(hook, "id").map_err(within)?;
    let rule = hook.pointer("/alert_rule/name").and_then(Value::as_str).map(ToOwned::to_owned);
    let title = match rule.clone() {
        Some(name) => name,
        None => read::text(data, "description_title")?.unwrap_or_else(|| format!("Sentry metric alert {id}")),
    };
    let mut event = AlertEvent::new(DedupKey::new("sentry-metric", &id), read::clean(&title, read::MAX_TITLE));
    event.status = match action {
        "critical" | "warning" => AlertStatus::Firing,
        "resolved" => AlertStatus::Resolved,
        other => {
            let found = read::clean(other, 40);
            return Ok(Parsed::nothing(format!(
                "a metric alert's action '{found}' is neither critical, warning nor resolved"
            )));
        }
    };
    event.severity = AlertSeverity::from_words(action);
    event.description = read::clean(&read::text(data, "description_text")?.unwrap_or_default(), read::MAX_TEXT);
    event.starts_at = read::time(hook, "date_started").or_else(|| read::time(hook, "date_detected"));
    event.ends_at = read::time(hook, "date_closed").filter(|_| event.status == AlertStatus::Resolved);
    event.environment = hook.pointer("/alert_rule/environment").and_then(Value::as_str).map(|e| read::clean(e, 100));
    let projects = read::list(hook, "projects").map_err(within)?;
    event.service = projects.first().map(read::plain).and_then(|p| labels::service_name(&p));
    event.links.extend(read::link("Sentry alert", read::text(data, "web_url")?));
    Ok(Parsed::of(vec![event]))
}

fn issue(data: &Value, action: &str) -> Result<Parsed, Problem> {
    let hook = data.get("issue").unwrap_or(&Value::Null);
    let within = |p: Problem| p.within("issue");
    let id = read::need_text(hook, "id").map_err(within)?;
    let title = read::text(hook, "title").map_err(within)?.unwrap_or_else(|| format!("Sentry issue {id}"));
    let mut event = AlertEvent::new(DedupKey::new("sentry-issue", &id), read::clean(&title, read::MAX_TITLE));
    event.status = match action {
        "created" | "unresolved" => AlertStatus::Firing,
        "resolved" | "archived" | "ignored" => AlertStatus::Resolved,
        other => {
            return Ok(Parsed::nothing(format!(
                "an issue that was '{}' is neither new nor over",
                read::clean(other, 40)
            )));
        }
    };
    event.severity = read::text(hook, "level").map_err(within)?.and_then(|l| AlertSeverity::from_words(&l));
    event.service = hook.pointer("/project/slug").and_then(Value::as_str).and_then(labels::service_name);
    event.description = read::clean(&read::text(hook, "culprit").map_err(within)?.unwrap_or_default(), read::MAX_TEXT);
    event.links.extend(read::link("Sentry issue", read::any_text(hook, &["web_url", "permalink"]).map_err(within)?));
    Ok(Parsed::of(vec![event]))
}
