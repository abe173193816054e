//! How each source is told to send to Faultline: the address, the sender's own configuration to
//! copy, how the delivery is authenticated, and an example body for a test.
//!
//! Pure text; the set-up pages in `web` show it.

use super::sources::{Source, datadog, elastic};
use crate::inbox::signature::Scheme;

/// Stands where the token goes until one is made.
pub const TOKEN_PLACEHOLDER: &str = "YOUR-INGEST-TOKEN";

/// Everything that a set-up page says about one source.
#[derive(Clone, Debug)]
pub struct Guide {
    pub source: Source,
    /// The address to send to; holds the token where the sender can set no header.
    pub url: String,
    pub steps: Vec<&'static str>,
    pub snippet_title: &'static str,
    pub snippet: String,
    /// Whether the sender can sign, and how.
    pub scheme: Option<Scheme>,
    /// A body that the "send a test" button delivers to the inbox.
    pub example: &'static str,
    /// What the source cannot tell us, where that matters.
    pub caveat: &'static str,
}

/// The path that a source sends to, without a token.
pub const fn path(source: Source) -> &'static str {
    match source {
        Source::Alertmanager => "/ingest/alerts/alertmanager",
        Source::Prometheus => "/api/v2/alerts",
        Source::Grafana => "/ingest/alerts/grafana",
        Source::Datadog => "/ingest/alerts/datadog",
        Source::NewRelic => "/ingest/alerts/newrelic",
        Source::Sentry => "/ingest/alerts/sentry",
        Source::Honeycomb => "/ingest/alerts/honeycomb",
        Source::Elastic => "/ingest/alerts/elastic",
        Source::PagerDuty => "/v2/enqueue",
        Source::Generic => "/ingest/alerts/generic",
        Source::JUnit => "/ingest/checks/junit",
        Source::Check => "/ingest/checks/generic",
    }
}

/// The signature scheme of a source that can sign.
pub const fn scheme(source: Source) -> Option<Scheme> {
    match source {
        Source::Grafana => Some(Scheme::Grafana),
        Source::Sentry => Some(Scheme::Sentry),
        Source::Honeycomb => Some(Scheme::Honeycomb),
        Source::PagerDuty => Some(Scheme::PagerDuty),
        _ => None,
    }
}

/// The guide for a source. `base_url` has no slash at its end; `token` is shown as given.
pub fn guide(source: Source, base_url: &str, token: &str) -> Guide {
    let plain = format!("{base_url}{}", path(source));
    let with_token = format!("{plain}/{token}");
    let url = match source {
        Source::Sentry | Source::Honeycomb => with_token,
        _ => plain,
    };
    let (steps, snippet_title, caveat) = words(source);
    Guide {
        source,
        snippet: snippet(source, base_url, &url, token),
        url,
        steps,
        snippet_title,
        scheme: scheme(source),
        example: example(source),
        caveat,
    }
}

#[expect(clippy::too_many_lines, reason = "a table: one entry a source")]
fn words(source: Source) -> (Vec<&'static str>, &'static str, &'static str) {
    match source {
        Source::Alertmanager => (
            vec![
                "Add the receiver to alertmanager.yml and name it in a route.",
                "Reload Alertmanager.",
                "Keep send_resolved on, so that alerts end by themselves.",
            ],
            "alertmanager.yml",
            "",
        ),
        Source::Prometheus => (
            vec![
                "Name Faultline as an Alertmanager in prometheus.yml (Loki's ruler takes the same settings).",
                "Reload Prometheus.",
            ],
            "prometheus.yml",
            "Prometheus repeats every firing alert about once a minute; an alert that stops being repeated ends by itself.",
        ),
        Source::Grafana => (
            vec![
                "Alerting → Contact points → Add contact point, integration Webhook.",
                "Paste the URL, choose POST, and the authorization scheme Bearer with the token.",
                "To sign as well, set the HMAC secret there and below.",
            ],
            "Contact point (provisioning file)",
            "",
        ),
        Source::Datadog => (
            vec![
                "Integrations → Webhooks → New.",
                "Paste the URL, the payload and the custom header.",
                "Mention @webhook-faultline in the message of your monitors.",
            ],
            "Payload, then custom headers",
            "Datadog's default payload has no key that ties a recovery to its trigger: use this one.",
        ),
        Source::NewRelic => (
            vec![
                "Alerts → Destinations → Add a webhook with the URL.",
                "Choose token authentication and paste the token.",
                "Add the destination to a workflow; keep the default template.",
            ],
            "Destination",
            "",
        ),
        Source::Sentry => (
            vec![
                "Settings → Developer settings → New internal integration.",
                "Paste the webhook URL, switch on Alert Rule Action, and tick the issue resource.",
                "Copy the client secret into the signing secrets below.",
            ],
            "Internal integration",
            "An issue alert never ends by itself at Sentry: tick the issue resource, so that a resolved issue ends its alert.",
        ),
        Source::Honeycomb => (
            vec![
                "Team settings → Integrations → Add integration → Webhook.",
                "Paste the URL; a shared secret may be set there and below.",
                "Add the recipient to your triggers.",
            ],
            "Webhook",
            "",
        ),
        Source::Elastic => (
            vec![
                "Stack Management → Connectors → Webhook, with the URL and the header.",
                "In each rule add the connector twice: for the active group and for Recovered, both with this body.",
            ],
            "Header, then body",
            "",
        ),
        Source::PagerDuty => (
            vec![
                "Any tool that can send PagerDuty events sends here instead.",
                "Set its events address to the URL and its routing (integration) key to the token.",
            ],
            "Try it",
            "PagerDuty's own webhooks (v3) go to /ingest/alerts/pagerduty with the token at the end of the path.",
        ),
        Source::Generic => (
            vec![
                "Send one alert, a list, or {\"alerts\": […]}. Only title is needed.",
                "Give dedup_key, so that a later delivery with status resolved ends the alert.",
                "A format of your own: fill in a mapping below.",
            ],
            "Try it",
            "",
        ),
        Source::JUnit => (
            vec![
                "Send the report after the tests, failed or not.",
                "Name the service, environment and deployment in the query.",
            ],
            "In your pipeline",
            "A failing case fires, the same case passing later resolves it; skipped cases say nothing.",
        ),
        Source::Check => (
            vec![
                "Send the outcome of each run of a synthetic check.",
                "With trace_id the failing trace is one click away.",
            ],
            "Try it",
            "",
        ),
    }
}

fn snippet(source: Source, base_url: &str, url: &str, token: &str) -> String {
    let host = base_url.split_once("://").map_or(base_url, |(_, host)| host);
    let scheme = base_url.split_once("://").map_or("http", |(scheme, _)| scheme);
    let curl = |kind: &str, body: &str| {
        format!(
            "curl -X POST '{url}' \\\n  -H 'Authorization: Bearer {token}' -H 'Content-Type: {kind}' \\\n  -d '{body}'"
        )
    };
    match source {
        Source::Alertmanager => format!(
            "receivers:\n  - name: faultline\n    webhook_configs:\n      - url: {url}\n        send_resolved: true\n        http_config:\n          authorization:\n            credentials: {token}\nroute:\n  receiver: faultline\n  group_by: [alertname, service]\n  group_wait: 10s"
        ),
        Source::Prometheus => format!(
            "alerting:\n  alertmanagers:\n    - scheme: {scheme}\n      api_version: v2\n      authorization:\n        credentials: {token}\n      static_configs:\n        - targets: ['{host}']"
        ),
        Source::Grafana => format!(
            "apiVersion: 1\ncontactPoints:\n  - name: Faultline\n    receivers:\n      - uid: faultline\n        type: webhook\n        settings:\n          url: {url}\n          httpMethod: POST\n          authorization_scheme: Bearer\n          authorization_credentials: {token}"
        ),
        Source::Datadog => format!("{}\n\n{{\"Authorization\": \"Bearer {token}\"}}", datadog::TEMPLATE),
        Source::NewRelic => format!("Endpoint URL   {url}\nAuthorization  Bearer {token}"),
        Source::Sentry | Source::Honeycomb => format!("Webhook URL  {url}"),
        Source::Elastic => format!("Authorization: Bearer {token}\n\n{}", elastic::TEMPLATE),
        Source::PagerDuty => format!(
            "curl -X POST '{url}' -H 'Content-Type: application/json' \\\n  -d '{{\"routing_key\": \"{token}\", \"event_action\": \"trigger\", \"dedup_key\": \"disk-7\",\n       \"payload\": {{\"summary\": \"Disk is full\", \"source\": \"db-7\", \"severity\": \"critical\"}}}}'"
        ),
        Source::Generic => curl(
            "application/json",
            r#"{"title": "Disk is full", "dedup_key": "disk-7", "severity": "critical", "service": "storage", "status": "firing"}"#,
        ),
        Source::JUnit => format!(
            "curl -X POST '{url}?service=checkout&environment=production&deployment=v42' \\\n  -H 'Authorization: Bearer {token}' -H 'Content-Type: application/xml' \\\n  --data-binary @report.xml"
        ),
        Source::Check => curl(
            "application/json",
            r#"{"check": "buy a book", "status": "failed", "service": "checkout", "environment": "production", "message": "no answer"}"#,
        ),
    }
}

const fn example(source: Source) -> &'static str {
    match source {
        Source::Alertmanager | Source::Grafana => {
            r#"{"version":"4","status":"firing","orgId":1,"alerts":[{"status":"firing","labels":{"alertname":"FaultlineTest","severity":"info"},"annotations":{"summary":"Test from Faultline's set-up page"},"endsAt":"0001-01-01T00:00:00Z"}]}"#
        }
        Source::Prometheus => {
            r#"[{"labels":{"alertname":"FaultlineTest","severity":"info"},"annotations":{"summary":"Test from Faultline's set-up page"}}]"#
        }
        Source::Datadog => {
            r#"{"alert_id":"faultline-test","alert_cycle_key":"faultline-test","alert_transition":"Triggered","title":"Test from Faultline's set-up page","alert_priority":"P5"}"#
        }
        Source::NewRelic => {
            r#"{"id":"faultline-test","title":"Test from Faultline's set-up page","priority":"LOW","state":"ACTIVATED"}"#
        }
        Source::Sentry => {
            r#"{"action":"triggered","data":{"event":{"issue_id":"faultline-test","title":"Test from Faultline's set-up page","level":"info"},"triggered_rule":"test"}}"#
        }
        Source::Honeycomb => {
            r#"{"version":"v0.1.0","id":"faultline-test","name":"Test from Faultline's set-up page","status":"TRIGGERED"}"#
        }
        Source::Elastic => {
            r#"{"rule_id":"faultline-test","rule_name":"Test from Faultline's set-up page","alert_id":"*","action_group":"info"}"#
        }
        Source::PagerDuty => {
            r#"{"event_action":"trigger","dedup_key":"faultline-test","payload":{"summary":"Test from Faultline's set-up page","source":"faultline","severity":"info"}}"#
        }
        Source::Generic => {
            r#"{"title":"Test from Faultline's set-up page","dedup_key":"faultline-test","severity":"info"}"#
        }
        Source::JUnit => {
            r#"<testsuite name="faultline"><testcase name="set-up test"><failure message="Test from Faultline's set-up page"/></testcase></testsuite>"#
        }
        Source::Check => r#"{"check":"Test from Faultline's set-up page","status":"failed","severity":"info"}"#,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::sources::{Input, parse};
    use crate::clock::Timestamp;

    #[test]
    fn every_example_is_read_by_its_own_source() {
        for source in Source::ALL {
            let guide = guide(source, "https://faultline.example", TOKEN_PLACEHOLDER);
            let input = Input {
                body: guide.example.as_bytes(),
                content_type: "",
                query: &[],
                resource: "",
                received_at: Timestamp::from_secs(1_700_000_000),
            };
            let parsed = parse(source, &input).unwrap_or_else(|p| panic!("{}: {p}", source.as_str()));
            assert_eq!(parsed.events.len(), 1, "{}", source.as_str());
            assert!(guide.url.starts_with("https://faultline.example/") && !guide.steps.is_empty());
        }
    }
}
