//! The shared samples of real deliveries, with the rows that must come of them.

use std::path::PathBuf;

use super::*;

/// A sample of a real delivery; `None`, said aloud, where the samples are not at hand.
pub(super) fn sample(path: &str) -> Option<Vec<u8>> {
    let root = std::env::var_os("FAULTLINE_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    let file = root.join("samples").join(path);
    match std::fs::read(&file) {
        Ok(bytes) => Some(bytes),
        Err(e) => {
            eprintln!("NOT CHECKED against {}: {e}. Our own fixtures still are.", file.display());
            None
        }
    }
}

#[test]
fn sample_alertmanager_same_labels_different_fingerprints_are_two_alerts() {
    let Some(body) = sample("alertmanager/webhook-v4-two-alerts.json") else { return };
    let events = read_all(Source::Alertmanager, &body);
    let keys: Vec<&str> = events.iter().map(|e| e.key.as_str()).collect();
    assert_eq!(keys, ["v1:prometheus:a1bc48475b20e73d", "v1:prometheus:c2ea85182f28cbd9"]);
    let first = &events[0];
    assert_eq!(first.status, AlertStatus::Firing);
    assert_eq!(first.title, "High CPU core temperature");
    assert_eq!(first.description, "CPU core temperature is 34.75C");
    assert_eq!(first.rule, "High CPU Temperature");
    assert_eq!(first.severity, Some(AlertSeverity::Critical));
    assert_eq!(first.starts_at, at("2020-02-06T00:17:58.432911Z"));
    assert_eq!(first.ends_at, None);
    assert_eq!(first.links.len(), 2);
}

#[test]
fn sample_grafana() {
    let Some(body) = sample("grafana/unified-v11-firing.json") else { return };
    let events = read_all(Source::Grafana, &body);
    let event = &events[0];
    assert_eq!((events.len(), event.key.as_str()), (1, "v1:grafana-1:e6349a25f5ef0e9e"));
    assert_eq!((event.title.as_str(), event.rule.as_str()), ("High memory usage", "Memory (copy)"));
    assert_eq!((event.starts_at, event.ends_at), (at("2024-03-01T02:09:00Z"), None));
    let links: Vec<&str> = event.links.iter().map(|l| l.title.as_str()).collect();
    assert_eq!(links, ["Source", "Dashboard", "Panel", "Silence", "Image"]);
    assert!(event.annotations["values"].contains("2.473545728e+09"));
}

#[test]
fn sample_datadog_default_template_is_understood_as_far_as_it_goes() {
    let Some(body) = sample("datadog/webhook-default-template.json") else { return };
    // As published, no variable is filled in: there is nothing to tell alerts apart by.
    let refused = parse(Source::Datadog, &input(&body)).unwrap_err();
    assert_eq!(refused.path, "alert_cycle_key");
    let filled = String::from_utf8(body).unwrap().replace("$ID", "99").replace("$EVENT_TITLE", "CPU is high");
    let parsed = parse(Source::Datadog, &input(filled.as_bytes())).unwrap();
    assert_eq!(parsed.events[0].key.as_str(), "v1:datadog-event:99");
    assert!(parsed.remark().unwrap().contains("ALERT_CYCLE_KEY"));
}

#[test]
fn sample_newrelic() {
    let Some(body) = sample("newrelic/workflow-activated.json") else { return };
    let event = &read_all(Source::NewRelic, &body)[0];
    assert_eq!(event.key.as_str(), "v1:newrelic-issue:c5faa7e6-7b54-402d-af79-f99601e0278c");
    assert_eq!(event.severity, Some(AlertSeverity::Critical));
    assert_eq!(event.service.as_deref(), Some("zulip_app"));
    assert_eq!(event.starts_at, Some(Timestamp::from_millis(1_713_755_131_352)));
    assert_eq!(event.rule, "Zulip Server Low Storage");
}

#[test]
fn sample_sentry_metric_and_event_alert() {
    if let Some(body) = sample("sentry/metric_alert-resolved.json") {
        let event = &read_all(Source::Sentry, &body)[0];
        assert_eq!((event.key.as_str(), event.status), ("v1:sentry-metric:4", AlertStatus::Resolved));
        assert_eq!((event.title.as_str(), event.service.as_deref()), ("Too many errors", Some("bar")));
        assert_eq!(event.starts_at, at("2020-09-13T12:26:40Z"));
    }
    if let Some(body) = sample("sentry/event_alert-triggered.trimmed.json") {
        let event = &read_all(Source::Sentry, &body)[0];
        assert_eq!((event.key.as_str(), event.status), ("v1:sentry-issue:1117540176", AlertStatus::Firing));
        assert_eq!(event.title, "ReferenceError: heck is not defined");
        assert_eq!(event.rule, "Very Important Alert Rule!");
        assert_eq!(event.service.as_deref(), Some("front-end"));
        assert!(event.description.contains("heck is not defined"), "{}", event.description);
    }
}

#[test]
fn sample_honeycomb() {
    let Some(body) = sample("honeycomb/trigger-v0.1.0.json") else { return };
    let event = &read_all(Source::Honeycomb, &body)[0];
    assert_eq!((event.key.as_str(), event.title.as_str()), ("v1:honeycomb-trigger:abdcefg", "trig on ttt"));
    assert_eq!(event.labels["foo"], "fooOOOddd");
    assert_eq!(event.links.len(), 1, "an empty address is no link");
}

#[test]
fn sample_pagerduty() {
    for (file, status, acknowledged) in [
        ("pagerduty/events-v2-1.json", AlertStatus::Firing, true),
        ("pagerduty/events-v2-2.json", AlertStatus::Resolved, false),
    ] {
        let Some(body) = sample(file) else { continue };
        let event = &read_all(Source::PagerDuty, &body)[0];
        assert_eq!(
            (event.key.as_str(), event.status, event.acknowledged),
            ("v1:pagerduty:dedupkeyhere", status, acknowledged)
        );
    }
    if let Some(body) = sample("pagerduty/webhook-v3-incident.triggered.json") {
        let event = &read_all(Source::PagerDuty, &body)[0];
        assert_eq!(event.key.as_str(), "v1:pagerduty-incident:PFQZPSY");
        assert_eq!((event.severity, event.service.as_deref()), (Some(AlertSeverity::Error), Some("pig208")));
        assert_eq!(event.starts_at, at("2021-06-04T13:35:29.781Z"));
    }
    if let Some(body) = sample("pagerduty/webhook-v3-service.updated.json") {
        let parsed = parse(Source::PagerDuty, &input(&body)).unwrap();
        assert!(parsed.events.is_empty() && parsed.remark().unwrap().contains("service.updated"));
    }
}

#[test]
fn sample_junit_reports() {
    for (file, firing, resolved) in [
        ("junit/junit-basic.xml", 1, 8),
        ("junit/conventions.xml", 0, 1),
        ("junit/testcase-output.xml", 0, 1),
        ("junit/testcase-properties.xml", 0, 1),
    ] {
        let Some(body) = sample(file) else { continue };
        let events = read_all(Source::JUnit, &body);
        let count = |s| events.iter().filter(|e| e.status == s).count();
        assert_eq!((count(AlertStatus::Firing), count(AlertStatus::Resolved)), (firing, resolved), "{file}");
        if file.ends_with("basic.xml") {
            let failed = events.iter().find(|e| e.status == AlertStatus::Firing).unwrap();
            assert_eq!(failed.key.as_str(), "v1:check://Tests.Authentication/testCase9");
            assert_eq!(failed.description, "AssertionError: Assertion error message");
            assert_eq!(failed.origin, Origin::Check);
        }
        if file.ends_with("properties.xml") {
            assert_eq!(events[0].deployment.as_deref(), Some("1.774"));
            assert_eq!(events[0].links[0].url, "https://github.com/actions/runs/1234");
        }
    }
}
