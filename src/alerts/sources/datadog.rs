//! Datadog webhooks. The body is a template that the user writes; Faultline's set-up page gives
//! [`TEMPLATE`], and Datadog's default one is understood as far as it goes (it has no key that
//! ties a recovery to its trigger). Every value arrives as text.

use serde_json::Value;

use super::{Parsed, Problem, labels, read};
use crate::alerts::model::{AlertEvent, AlertSeverity, AlertStatus, DedupKey};

/// What a user pastes into Datadog's webhook integration.
pub const TEMPLATE: &str = r#"{
  "alert_id": "$ALERT_ID",
  "alert_cycle_key": "$ALERT_CYCLE_KEY",
  "alert_transition": "$ALERT_TRANSITION",
  "alert_scope": "$ALERT_SCOPE",
  "alert_priority": "$ALERT_PRIORITY",
  "alert_type": "$ALERT_TYPE",
  "title": "$EVENT_TITLE",
  "alert_title": "$ALERT_TITLE",
  "body": "$TEXT_ONLY_MSG",
  "tags": "$TAGS",
  "hostname": "$HOSTNAME",
  "link": "$LINK",
  "snapshot": "$SNAPSHOT",
  "date": "$DATE",
  "id": "$ID"
}"#;

pub fn parse(body: &Value) -> Result<Parsed, Problem> {
    read::object(body)?;
    let mut notes = Vec::new();
    let alert_id = value(body, "alert_id")?;
    let scope = value(body, "alert_scope")?.unwrap_or_default();
    let key = match (value(body, "alert_cycle_key")?, alert_id, value(body, "id")?) {
        (Some(cycle), _, _) => DedupKey::new("datadog-cycle", &cycle),
        (None, Some(id), _) => DedupKey::new("datadog-monitor", &format!("{id}/{scope}")),
        (None, None, Some(id)) => {
            notes.push(
                "this template has no $ALERT_CYCLE_KEY, so a recovery cannot find its alert: paste ours".to_owned(),
            );
            DedupKey::new("datadog-event", &id)
        }
        (None, None, None) => return Err(Problem::at("alert_cycle_key", "is missing, and so are alert_id and id")),
    };
    let title = match value(body, "alert_title")? {
        Some(title) => Some(title),
        None => value(body, "title")?,
    };
    let title = title.unwrap_or_else(|| "Datadog alert".to_owned());
    let mut event = AlertEvent::new(key, read::clean(&title, read::MAX_TITLE));
    let transition = value(body, "alert_transition")?;
    event.status = status(transition.as_deref())?;
    event.labels = labels::from_tags(value(body, "tags")?.unwrap_or_default().split(','));
    if !scope.is_empty() {
        event.labels.extend(labels::from_tags(scope.split(',')));
    }
    if let Some(host) = value(body, "hostname")? {
        event.labels.entry("host".to_owned()).or_insert_with(|| read::clean(&host, read::MAX_LABEL_VALUE));
    }
    event.severity = severity(value(body, "alert_priority")?, value(body, "alert_type")?, transition.as_deref());
    event.description = read::clean(&value(body, "body")?.unwrap_or_default(), read::MAX_TEXT);
    let at = read::time(body, "date");
    match event.status {
        // A renotification's date is not when the trouble began.
        AlertStatus::Firing if !is_repeat(transition.as_deref()) => event.starts_at = at,
        AlertStatus::Firing => {}
        AlertStatus::Resolved => event.ends_at = at,
    }
    event.links.extend(read::link("Datadog", value(body, "link")?));
    event.links.extend(read::link("Snapshot", value(body, "snapshot")?));
    Ok(Parsed { events: vec![event], problems: Vec::new(), notes })
}

/// A member's text, unless Datadog left its variable unfilled.
fn value(body: &Value, name: &str) -> Result<Option<String>, Problem> {
    let text = read::text(body, name)?;
    Ok(text
        .filter(|t| !(t.starts_with('$') && t[1..].chars().all(|c| c.is_ascii_uppercase() || c == '_')) && t != "null"))
}

fn status(transition: Option<&str>) -> Result<AlertStatus, Problem> {
    match transition {
        None | Some("Triggered" | "Re-Triggered" | "Warn" | "Re-Warn" | "No Data" | "Re-No Data" | "Renotify") => {
            Ok(AlertStatus::Firing)
        }
        Some("Recovered") => Ok(AlertStatus::Resolved),
        Some(other) => Err(Problem::at("alert_transition", format!("'{}' is not known", read::clean(other, 40)))),
    }
}

fn is_repeat(transition: Option<&str>) -> bool {
    matches!(transition, Some("Re-Triggered" | "Re-Warn" | "Re-No Data" | "Renotify"))
}

fn severity(priority: Option<String>, kind: Option<String>, transition: Option<&str>) -> Option<AlertSeverity> {
    if matches!(transition, Some("Warn" | "Re-Warn")) {
        return Some(AlertSeverity::Warning);
    }
    [priority, kind].into_iter().flatten().find_map(|word| AlertSeverity::from_words(&word))
}
