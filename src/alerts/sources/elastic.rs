//! Elastic: Kibana's webhook connector. The body is a template that the user writes; Faultline's
//! set-up page gives [`TEMPLATE`], once for the active and once for the recovered action.

use serde_json::Value;

use super::{Parsed, Problem, labels, read};
use crate::alerts::model::{AlertEvent, AlertSeverity, AlertStatus, DedupKey};

/// What a user pastes into the connector's body.
pub const TEMPLATE: &str = r#"{
  "rule_id": "{{rule.id}}",
  "rule_name": "{{rule.name}}",
  "alert_id": "{{alert.id}}",
  "action_group": "{{alert.actionGroup}}",
  "date": "{{date}}",
  "url": "{{rule.url}}",
  "tags": "{{rule.tags}}",
  "reason": "{{context.reason}}"
}"#;

pub fn parse(body: &Value) -> Result<Parsed, Problem> {
    read::object(body)?;
    let rule = read::need_text(body, "rule_id")?;
    let alert = read::text(body, "alert_id")?.unwrap_or_default();
    let name = read::text(body, "rule_name")?.unwrap_or_else(|| format!("Kibana rule {rule}"));
    let title = if alert.is_empty() || alert == "query matched" || alert == "*" {
        name.clone()
    } else {
        format!("{name}: {alert}")
    };
    let key = DedupKey::new("elastic", &format!("{rule}/{alert}"));
    let mut event = AlertEvent::new(key, read::clean(&title, read::MAX_TITLE));
    event.rule = read::clean(&name, read::MAX_TITLE);
    let group = read::text(body, "action_group")?.unwrap_or_default();
    let recovered = group.eq_ignore_ascii_case("recovered") || group.eq_ignore_ascii_case("resolved");
    let at = read::time(body, "date");
    if recovered {
        event.status = AlertStatus::Resolved;
        event.ends_at = at;
    }
    // Kibana repeats an active alert with the date of each run, so that is no start; an explicit
    // one is taken when the user's template has it.
    event.starts_at = read::time(body, "started_at");
    event.severity = read::text(body, "severity")?.or(Some(group)).and_then(|s| AlertSeverity::from_words(&s));
    event.description = read::clean(&read::any_text(body, &["reason", "message"])?.unwrap_or_default(), read::MAX_TEXT);
    event.labels = labels::from_tags(read::text(body, "tags").unwrap_or_default().unwrap_or_default().split(','));
    event.labels.insert("rule_id".to_owned(), read::clean(&rule, read::MAX_LABEL_VALUE));
    if let Some(service) = read::any_text(body, &["service", "service_name"])? {
        event.service = labels::service_name(&service);
    }
    event.links.extend(read::link("Kibana", read::text(body, "url")?));
    Ok(Parsed::of(vec![event]))
}
