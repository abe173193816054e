//! Speaking with PagerDuty (Events API v2 out, v3 webhooks in) and GoAlert (generic API out, its webhook
//! in): what is sent when, and what is understood of what comes. Pure.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::fields::text_enum;

text_enum! {
    pub enum ConnectionKind("kind of connection") {
        PagerDuty = "pagerduty",
        GoAlert = "goalert",
    }
}

impl ConnectionKind {
    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::PagerDuty => "PagerDuty",
            Self::GoAlert => "GoAlert",
        }
    }
}

/// Where PagerDuty takes events of its US region; others are typed in.
pub const PAGERDUTY_EVENTS: &str = "https://events.pagerduty.com/v2/enqueue";

text_enum! {
    /// How an incident stands on one side. The order is that of its life.
    pub enum Standing("standing") {
        Triggered = "triggered",
        Acknowledged = "acknowledged",
        Resolved = "resolved",
    }
}

/// What is sent next, so that the other side comes to stand as ours; `None` when nothing is to be said.
/// A page that was acknowledged over there stays so: no tool can take that back.
pub fn next_step(remote: Option<Standing>, wanted: Standing) -> Option<Standing> {
    match (remote, wanted) {
        // Over before anybody was told: nobody needs to hear of it.
        (None, Standing::Resolved) => None,
        (None | Some(Standing::Resolved), Standing::Triggered | Standing::Acknowledged) => Some(Standing::Triggered),
        (Some(remote), wanted) if wanted > remote => Some(wanted),
        _ => None,
    }
}

/// What is told of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<'a> {
    /// `INC-12`.
    pub incident: &'a str,
    pub title: &'a str,
    pub severity: &'a str,
    pub services: &'a [String],
    /// Of the incident's page.
    pub url: &'a str,
    pub base_url: &'a str,
}

impl Told<'_> {
    fn summary(&self) -> String {
        format!("[Faultline {}] {}", self.incident, self.title)
    }

    fn dedup_key(&self) -> String {
        format!("faultline-{}", self.incident)
    }

    /// The body of a PagerDuty event.
    pub fn pagerduty(&self, routing_key: &str, step: Standing) -> Value {
        let action = match step {
            Standing::Triggered => "trigger",
            Standing::Acknowledged => "acknowledge",
            Standing::Resolved => "resolve",
        };
        let mut body = json!({ "routing_key": routing_key, "event_action": action, "dedup_key": self.dedup_key() });
        if step == Standing::Triggered {
            let severity = match self.severity {
                "SEV1" => "critical",
                "SEV2" => "error",
                "SEV3" => "warning",
                _ => "info",
            };
            let summary: String = self.summary().chars().take(1024).collect();
            body["payload"] = json!({
                "summary": summary, "source": self.base_url, "severity": severity,
                "component": self.services.first(),
                "custom_details": { "incident": self.incident, "severity": self.severity, "services": self.services },
            });
            body["client"] = json!("Faultline");
            body["client_url"] = json!(self.url);
            body["links"] = json!([{ "href": self.url, "text": self.incident }]);
        }
        body
    }

    /// The body of a GoAlert alert; `None` for an acknowledgement, which its API cannot take.
    pub fn goalert(&self, step: Standing) -> Option<Value> {
        let details = format!("{} in Faultline: {}", self.incident, self.url);
        let body = json!({ "summary": self.summary(), "details": details, "dedup": self.dedup_key() });
        match step {
            Standing::Triggered => Some(body),
            Standing::Acknowledged => None,
            Standing::Resolved => {
                let mut body = body;
                body["action"] = json!("close");
                Some(body)
            }
        }
    }
}

/// Something that the other side says about one of its alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Tells one event from a repeat.
    pub event_id: String,
    pub remote_id: String,
    /// The incident that it names, where it does.
    pub incident: Option<i64>,
    /// `None` for what changes nothing.
    pub standing: Option<Standing>,
    /// Who did it; empty when it does not say.
    pub by: String,
}

/// The number in `…INC-12…` after a mark that only our own words have.
fn number_after(text: &str, mark: &str) -> Option<i64> {
    let rest = text.get(text.find(mark)? + mark.len()..)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|n| *n > 0)
}

#[derive(Deserialize)]
struct PagerDutyBody {
    event: PagerDutyEvent,
}

#[derive(Deserialize)]
struct PagerDutyEvent {
    id: String,
    event_type: String,
    #[serde(default)]
    agent: Option<PagerDutyAgent>,
    #[serde(default)]
    data: PagerDutyData,
}

#[derive(Deserialize)]
struct PagerDutyAgent {
    #[serde(default)]
    summary: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PagerDutyData {
    id: String,
    title: Option<String>,
    incident_key: Option<String>,
}

/// Reads a v3 webhook. `Ok(None)` for events that are no concern of ours.
///
/// # Errors
/// What is wrong with the body.
pub fn hear_pagerduty(body: &[u8]) -> Result<Option<Heard>, String> {
    let body: PagerDutyBody = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let event = body.event;
    let standing = match event.event_type.as_str() {
        "incident.acknowledged" => Some(Standing::Acknowledged),
        "incident.resolved" => Some(Standing::Resolved),
        "incident.triggered" => None,
        _ => return Ok(None),
    };
    let key = event.data.incident_key.unwrap_or_default();
    let title = event.data.title.unwrap_or_default();
    let incident = number_after(&key, "faultline-INC-")
        .or_else(|| title.starts_with("[Faultline INC-").then(|| number_after(&title, "[Faultline INC-")).flatten());
    Ok(Some(Heard {
        event_id: event.id,
        remote_id: event.data.id,
        incident,
        standing,
        by: event.agent.and_then(|a| a.summary).unwrap_or_default(),
    }))
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct GoAlertBody {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "AlertID")]
    alert_id: i64,
    summary: String,
    log_entry: String,
}

/// Reads GoAlert's webhook. It carries no event id, so equal words about one alert count as a repeat.
///
/// # Errors
/// What is wrong with the body.
pub fn hear_goalert(body: &[u8]) -> Result<Option<Heard>, String> {
    let body: GoAlertBody = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let entry = body.log_entry.trim().to_lowercase();
    let standing = match body.kind.as_str() {
        "Alert" => None,
        "AlertStatus" | "AlertStatusBundle" if entry.starts_with("acknowledged") => Some(Standing::Acknowledged),
        "AlertStatus" | "AlertStatusBundle" if entry.starts_with("closed") => Some(Standing::Resolved),
        _ => return Ok(None),
    };
    if body.alert_id <= 0 {
        return Err("AlertID is missing".to_owned());
    }
    let marked = body.summary.starts_with("[Faultline INC-");
    let incident = marked.then(|| number_after(&body.summary, "[Faultline INC-")).flatten();
    let by = body.log_entry.split_once(" by ").map_or(String::new(), |(_, who)| who.trim().to_owned());
    let word = standing.map_or("alert", Standing::as_str);
    Ok(Some(Heard {
        event_id: format!("{} {word}", body.alert_id),
        remote_id: body.alert_id.to_string(),
        incident,
        standing,
        by,
    }))
}

/// The id that GoAlert gave an alert, from its answer to the generic API.
pub fn goalert_id(answer: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    ["_id", "id", "ID"].iter().find_map(|name| answer.get(name)?.as_i64()).filter(|id| *id > 0).map(|id| id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Acknowledged, Resolved, Triggered};

    fn told(services: &[String]) -> Told<'_> {
        Told {
            incident: "INC-12",
            title: "Cards fail",
            severity: "SEV2",
            services,
            url: "https://f.example/incidents/INC-12",
            base_url: "https://f.example",
        }
    }

    #[test]
    fn each_side_catches_up_and_nothing_is_said_twice() {
        assert_eq!(next_step(None, Triggered), Some(Triggered));
        assert_eq!(next_step(None, Acknowledged), Some(Triggered), "told first, then answered");
        assert_eq!(next_step(None, Resolved), None);
        assert_eq!(next_step(Some(Triggered), Acknowledged), Some(Acknowledged));
        assert_eq!(next_step(Some(Triggered), Resolved), Some(Resolved));
        assert_eq!(next_step(Some(Acknowledged), Triggered), None);
        assert_eq!(next_step(Some(Resolved), Triggered), Some(Triggered), "reopened");
        for standing in Standing::ALL {
            assert_eq!(next_step(Some(*standing), *standing), None);
        }
    }

    /// Following the steps always ends, and ends at an agreement.
    #[test]
    fn the_steps_lead_to_agreement() {
        for wanted in Standing::ALL {
            for start in [None, Some(Triggered), Some(Acknowledged), Some(Resolved)] {
                let (mut remote, mut steps) = (start, 0);
                while let Some(step) = next_step(remote, *wanted) {
                    (remote, steps) = (Some(step), steps + 1);
                    assert!(steps < 4, "{start:?} → {wanted:?}");
                }
                assert!(remote.is_none() || remote >= Some(*wanted), "{start:?} → {wanted:?}: {remote:?}");
            }
        }
    }

    #[test]
    fn events_are_written_as_documented() {
        let services = ["payments".to_owned()];
        let trigger = told(&services).pagerduty("R0UT3", Triggered);
        assert_eq!(
            (trigger["event_action"].as_str(), trigger["dedup_key"].as_str()),
            (Some("trigger"), Some("faultline-INC-12"))
        );
        assert_eq!(
            (trigger["payload"]["severity"].as_str(), trigger["payload"]["component"].as_str()),
            (Some("error"), Some("payments"))
        );
        let resolve = told(&services).pagerduty("R0UT3", Resolved);
        assert!(resolve.get("payload").is_none() && resolve["event_action"] == "resolve");
        assert_eq!(
            told(&services).goalert(Resolved).and_then(|b| Some(b["action"].as_str()?.to_owned())).as_deref(),
            Some("close")
        );
        assert_eq!(told(&services).goalert(Acknowledged), None);
    }

    #[test]
    fn pagerdutys_webhooks_are_understood() {
        let body = |kind: &str, data: Value| {
            json!({"event": {"id": "01E", "event_type": kind, "resource_type": "incident", "agent": {"summary": "Ada"}, "client": null, "data": data}}).to_string()
        };
        let heard = hear_pagerduty(
            body("incident.acknowledged", json!({"id": "PX", "title": "[Faultline INC-12] Cards"})).as_bytes(),
        );
        let expected = Heard {
            event_id: "01E".into(),
            remote_id: "PX".into(),
            incident: Some(12),
            standing: Some(Acknowledged),
            by: "Ada".into(),
        };
        assert_eq!(heard, Ok(Some(expected)));
        let by_key = hear_pagerduty(
            body("incident.resolved", json!({"id": "PX", "title": "renamed", "incident_key": "faultline-INC-3"}))
                .as_bytes(),
        );
        assert_eq!(by_key.map(|h| h.and_then(|h| h.incident)), Ok(Some(3)));
        let foreign = hear_pagerduty(
            body("incident.resolved", json!({"id": "PX", "title": "about [Faultline INC-3]"})).as_bytes(),
        );
        assert_eq!(foreign.map(|h| h.and_then(|h| h.incident)), Ok(None));
        assert_eq!(hear_pagerduty(body("service.updated", json!({"id": "S"})).as_bytes()), Ok(None));
        assert!(hear_pagerduty(b"[]").is_err() && hear_pagerduty(b"{}").is_err());
    }

    #[test]
    fn goalerts_webhooks_are_understood() {
        let alert = json!({"AppName": "GoAlert", "Type": "Alert", "AlertID": 76, "Summary": "[Faultline INC-12] Cards", "Details": "x", "ServiceID": "s"});
        let heard = hear_goalert(alert.to_string().as_bytes()).expect("read").expect("ours");
        assert_eq!((heard.incident, heard.standing, heard.remote_id.as_str()), (Some(12), None, "76"));
        let closed = json!({"AppName": "GoAlert", "Type": "AlertStatus", "AlertID": 76, "LogEntry": "Closed by Bo"});
        let heard = hear_goalert(closed.to_string().as_bytes()).expect("read").expect("a status");
        assert_eq!((heard.standing, heard.by.as_str(), heard.event_id.as_str()), (Some(Resolved), "Bo", "76 resolved"));
        for kind in ["Test", "Verification", "ScheduleOnCallUsers", "AlertBundle"] {
            assert_eq!(hear_goalert(json!({"Type": kind}).to_string().as_bytes()), Ok(None));
        }
        assert!(hear_goalert(br#"{"Type":"Alert"}"#).is_err());
        assert_eq!(goalert_id(br#"{"_id": 76, "status": "triggered"}"#).as_deref(), Some("76"));
        assert_eq!(goalert_id(b"ok"), None);
    }
}
