//! Grafana: unified alerting (Alertmanager's shape and more), and the body of versions before 9.

use serde_json::Value;

use super::alertmanager::{member_event, note_truncated};
use super::{Parsed, Problem, read};
use crate::alerts::model::{AlertEvent, AlertStatus, DedupKey};

pub fn parse(body: &Value) -> Result<Parsed, Problem> {
    read::object(body)?;
    if body.get("alerts").is_some() {
        return unified(body);
    }
    if body.get("ruleId").is_some() || body.get("ruleName").is_some() {
        return legacy(body);
    }
    Err(Problem::at("alerts", "is missing: this is not a Grafana webhook"))
}

fn unified(body: &Value) -> Result<Parsed, Problem> {
    // Fingerprints are made of labels, which two organisations of one Grafana may share.
    let org = read::text(body, "orgId")?.unwrap_or_else(|| "1".to_owned());
    let scope = format!("grafana-{}", read::clean(&org, 40));
    let mut parsed = Parsed::each("alerts", read::list(body, "alerts")?, |member| {
        let mut event = member_event(member, &scope)?;
        for (title, field) in
            [("Dashboard", "dashboardURL"), ("Panel", "panelURL"), ("Silence", "silenceURL"), ("Image", "imageURL")]
        {
            event.links.extend(read::link(title, read::text(member, field)?));
        }
        if let Some(values) = read::text(member, "valueString")? {
            event.annotations.insert("values".to_owned(), read::clean(&values, read::MAX_LABEL_VALUE));
        }
        Ok(event)
    });
    note_truncated(body, &mut parsed);
    Ok(parsed)
}

/// `{ruleName, ruleId, state, message, ruleUrl, imageUrl, evalMatches}`.
fn legacy(body: &Value) -> Result<Parsed, Problem> {
    let id = read::need_text(body, "ruleId")?;
    let name = read::any_text(body, &["ruleName", "title"])?.unwrap_or_else(|| format!("Rule {id}"));
    let mut event = AlertEvent::new(DedupKey::new("grafana-rule", &id), read::clean(&name, read::MAX_TITLE));
    event.status = match read::need_text(body, "state")?.as_str() {
        "alerting" | "no_data" | "pending" | "unknown" => AlertStatus::Firing,
        "ok" | "paused" => AlertStatus::Resolved,
        other => {
            return Err(Problem::at("state", format!("expected alerting or ok, found '{}'", read::clean(other, 40))));
        }
    };
    event.description = read::clean(&read::text(body, "message")?.unwrap_or_default(), read::MAX_TEXT);
    event.labels = read::text_map(body, "tags")?;
    event.links.extend(read::link("Rule", read::text(body, "ruleUrl")?));
    event.links.extend(read::link("Image", read::text(body, "imageUrl")?));
    Ok(Parsed::of(vec![event]))
}
