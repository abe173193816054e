//! A check that plays a user: a synthetic transaction, a smoke test after a deployment. One JSON
//! object `{check, status, service, environment, trace_id, deployment_id, url, message, at}`, or a
//! list of them. A failure fires, a pass resolves; both are evidence.

use serde_json::Value;

use super::generic::status_word;
use super::{Input, Parsed, Problem, labels, read};
use crate::alerts::model::{AlertEvent, AlertSeverity, AlertStatus, DedupKey, Origin};

pub fn parse(body: &Value, input: &Input<'_>) -> Result<Parsed, Problem> {
    match body {
        Value::Array(members) => Ok(Parsed::each("", members, |m| one(m, input))),
        Value::Object(members) if members.get("checks").is_some_and(Value::is_array) => {
            Ok(Parsed::each("checks", read::list(body, "checks")?, |m| one(m, input)))
        }
        Value::Object(_) => Ok(Parsed::of(vec![one(body, input)?])),
        other => Err(Problem::body(format!("expected an object or a list, found {}", read::kind(other)))),
    }
}

fn one(body: &Value, input: &Input<'_>) -> Result<AlertEvent, Problem> {
    read::object(body)?;
    let name = read::any_text(body, &["check", "name", "title"])?.ok_or_else(|| Problem::at("check", "is missing"))?;
    let word = read::any_text(body, &["status", "result", "outcome", "state"])?
        .ok_or_else(|| Problem::at("status", "is missing"))?;
    let status = match word.to_ascii_lowercase().as_str() {
        "fail" | "failure" | "timeout" | "timed_out" => Some(AlertStatus::Firing),
        "pass" | "success" | "succeeded" | "true" => Some(AlertStatus::Resolved),
        other => status_word(other),
    };
    let status = status.ok_or_else(|| {
        Problem::at("status", format!("expected passed or failed, found '{}'", read::clean(&word, 40)))
    })?;
    let from =
        |names: &[&str], query: &str| Ok::<_, Problem>(read::any_text(body, names)?.or_else(|| input.query(query)));
    let subject = Subject {
        service: from(&["service", "service_name"], "service")?.and_then(|s| labels::service_name(&s)),
        environment: from(&["environment", "env"], "environment")?.map(|e| read::clean(&e, 100)),
        suite: read::text(body, "suite")?.unwrap_or_default(),
        name,
    };
    let mut event = subject.event(status);
    let at = read::time(body, "at").or_else(|| read::time(body, "timestamp"));
    match status {
        AlertStatus::Firing => event.starts_at = at,
        AlertStatus::Resolved => event.ends_at = at,
    }
    event.description =
        read::clean(&read::any_text(body, &["message", "description", "error"])?.unwrap_or_default(), read::MAX_TEXT);
    if let Some(word) = read::text(body, "severity")? {
        event.severity = AlertSeverity::from_words(&word);
    }
    event.labels.extend(read::text_map(body, "labels")?);
    if let Some(ms) = read::text(body, "duration_ms")? {
        event.annotations.insert("duration_ms".to_owned(), read::clean(&ms, 40));
    }
    event.trace_id = from(&["trace_id", "traceparent"], "trace_id")?.and_then(|t| read::trace_id(&t));
    event.deployment =
        from(&["deployment_id", "deployment", "version", "commit"], "deployment")?.map(|d| read::clean(&d, 200));
    event.links.extend(read::link("Check", from(&["url", "link"], "url")?));
    Ok(event)
}

/// What is checked. The key leaves out the deployment, so that the same check on the next version
/// resolves what failed on this one.
pub struct Subject {
    pub service: Option<String>,
    pub environment: Option<String>,
    pub suite: String,
    pub name: String,
}

impl Subject {
    pub fn event(self, status: AlertStatus) -> AlertEvent {
        let part = |p: &Option<String>| p.clone().unwrap_or_default();
        let id = [part(&self.service), part(&self.environment), self.suite.clone(), self.name.clone()].join("/");
        let title = match &self.service {
            Some(service) => format!("Check failed on {service}: {}", self.name),
            None => format!("Check failed: {}", self.name),
        };
        let mut event = AlertEvent::new(DedupKey::new("check", &id), read::clean(&title, read::MAX_TITLE));
        event.rule = read::clean(&self.name, read::MAX_TITLE);
        event.status = status;
        event.origin = Origin::Check;
        event.severity = Some(AlertSeverity::Error);
        if !self.suite.is_empty() {
            event.labels.insert("suite".to_owned(), read::clean(&self.suite, read::MAX_LABEL_VALUE));
        }
        event.labels.insert("check".to_owned(), read::clean(&self.name, read::MAX_LABEL_VALUE));
        event.service = self.service;
        event.environment = self.environment;
        event
    }
}
