//! Honeycomb triggers. One trigger is one alert; the groups over the threshold are kept in it.

use serde_json::Value;

use super::{Parsed, Problem, labels, read};
use crate::alerts::model::{AlertEvent, AlertSeverity, AlertStatus, DedupKey};

pub fn parse(body: &Value) -> Result<Parsed, Problem> {
    read::object(body)?;
    let id = read::need_text(body, "id")?;
    let name = read::any_text(body, &["name", "summary"])?.unwrap_or_else(|| format!("Honeycomb trigger {id}"));
    let mut event = AlertEvent::new(DedupKey::new("honeycomb-trigger", &id), read::clean(&name, read::MAX_TITLE));
    let status = read::need_text(body, "status")?;
    event.status = match status.to_ascii_uppercase().as_str() {
        "TRIGGERED" => AlertStatus::Firing,
        "OK" => AlertStatus::Resolved,
        _ => {
            return Err(Problem::at(
                "status",
                format!("expected TRIGGERED or OK, found '{}'", read::clean(&status, 40)),
            ));
        }
    };
    event.description =
        read::clean(&read::any_text(body, &["description", "summary"])?.unwrap_or_default(), read::MAX_TEXT);
    event.severity = read::text(body, "alert_severity")?.and_then(|s| AlertSeverity::from_words(&s));
    let triggered = read::list(body, "result_groups_triggered")?;
    if let Some(Value::Object(group)) = triggered.first().and_then(|g| g.get("Group")) {
        for (k, v) in group.iter().take(read::MAX_LABELS) {
            event.labels.insert(read::clean(k, read::MAX_TITLE), read::clean(&read::plain(v), read::MAX_LABEL_VALUE));
        }
    }
    if triggered.len() > 1 {
        let groups: Vec<String> =
            triggered.iter().take(20).map(|g| g.get("Group").map(read::plain).unwrap_or_default()).collect();
        event.annotations.insert("groups".to_owned(), read::clean(&groups.join(", "), read::MAX_LABEL_VALUE));
    }
    for field in ["operator", "threshold"] {
        if let Some(value) = read::text(body, field)? {
            event.annotations.insert(field.to_owned(), read::clean(&value, read::MAX_LABEL_VALUE));
        }
    }
    // The address has the data set, which by Honeycomb's convention is the service's name.
    let url = read::text(body, "trigger_url")?;
    event.service = url.as_deref().and_then(dataset);
    event.links.extend(read::link("Trigger", url));
    event.links.extend(read::link("Result", read::text(body, "result_url")?));
    Ok(Parsed::of(vec![event]))
}

fn dataset(url: &str) -> Option<String> {
    let mut parts = url.split('/').skip_while(|part| *part != "datasets").skip(1);
    parts.next().filter(|name| *name != "__all__" && *name != "dataset").and_then(labels::service_name)
}
