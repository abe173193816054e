//! Payload tests: our own fixtures of every documented format, and properties that must hold for
//! whatever arrives. `samples` reads real deliveries.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::alerts::model::{AlertSeverity, AlertStatus, Origin};

#[path = "samples.rs"]
mod samples;

#[path = "hostile_tests.rs"]
mod hostile;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn input(body: &[u8]) -> Input<'_> {
    Input { body, content_type: "application/json", query: &[], resource: "", received_at: NOW }
}

fn read_all(source: Source, body: &[u8]) -> Vec<AlertEvent> {
    parse(source, &input(body)).unwrap_or_else(|p| panic!("{}: {p}", source.as_str())).events
}

fn one(source: Source, body: &Value) -> AlertEvent {
    let mut events = read_all(source, body.to_string().as_bytes());
    assert_eq!(events.len(), 1, "{body}");
    events.remove(0)
}

fn refusal(source: Source, body: &Value) -> String {
    parse(source, &input(body.to_string().as_bytes())).expect_err(&body.to_string()).to_string()
}

fn at(text: &str) -> Option<Timestamp> {
    let parsed = Timestamp::parse(text);
    assert!(parsed.is_some(), "{text}");
    parsed
}

fn alertmanager(alerts: &Value) -> Value {
    json!({"version": "4", "status": "firing", "groupKey": "{}", "alerts": alerts})
}

#[test]
fn alertmanager_members_decide_for_themselves() {
    let body = alertmanager(&json!([
        {"status": "firing", "labels": {"alertname": "A", "service": "shop/checkout", "env": "prod"}, "annotations": {},
         "startsAt": "2026-01-02T03:04:05Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "aa"},
        {"status": "resolved", "labels": {"alertname": "A", "service": "cart"},
         "annotations": {"runbook_url": "https://runbooks.example/a", "trace_id": "5B8EFFF798038103D269B633813FC60C"},
         "startsAt": "2026-01-02T03:04:05Z", "endsAt": "2026-01-02T04:00:00Z", "fingerprint": "bb"},
    ]));
    let events = read_all(Source::Alertmanager, body.to_string().as_bytes());
    assert_eq!(events[0].service.as_deref(), Some("checkout"));
    assert_eq!(events[0].environment.as_deref(), Some("prod"));
    assert_eq!((events[0].status, events[0].ends_at), (AlertStatus::Firing, None));
    assert_eq!((events[1].status, events[1].ends_at), (AlertStatus::Resolved, at("2026-01-02T04:00:00Z")));
    assert_eq!(events[1].runbook_url.as_deref(), Some("https://runbooks.example/a"));
    assert_eq!(events[1].trace_id.as_deref(), Some("5b8efff798038103d269b633813fc60c"));
}

#[test]
fn one_broken_member_costs_only_itself() {
    let body = alertmanager(&json!([
        {"status": "firing", "labels": {"alertname": "A"}, "fingerprint": "aa"},
        {"status": "firing", "labels": ["not", "labels"], "fingerprint": "bb"},
        {"status": "perhaps", "labels": {"alertname": "C"}, "fingerprint": "cc"},
    ]));
    let parsed = parse(Source::Alertmanager, &input(body.to_string().as_bytes())).unwrap();
    assert_eq!(parsed.events.len(), 1);
    let problems: Vec<String> = parsed.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "alerts[1].labels: expected an object, found a list",
            "alerts[2].status: expected firing or resolved, found 'perhaps'"
        ]
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let broken = |body: &[u8]| parse(Source::Alertmanager, &input(body)).unwrap_err().to_string();
    assert!(broken(b"{\"alerts\": [").contains("EOF"), "{}", broken(b"{\"alerts\": ["));
    assert_eq!(broken(b""), "the body is empty");
    assert!(broken(b"\xC3\x28").contains("byte 0"));
    assert_eq!(refusal(Source::Alertmanager, &json!({})), "alerts: is missing: this is not an Alertmanager webhook");
    assert_eq!(refusal(Source::Alertmanager, &json!({"alerts": 5})), "alerts: expected a list, found a number");
    assert_eq!(refusal(Source::Alertmanager, &json!([1])), "expected an object, found a list");
    assert_eq!(
        refusal(Source::Alertmanager, &alertmanager(&json!([1, 2]))),
        "alerts[0]: expected an object, found a number (and 1 more like it)"
    );
    assert_eq!(
        refusal(Source::Grafana, &json!({"ruleId": 5, "state": "odd"})),
        "state: expected alerting or ok, found 'odd'"
    );
    assert_eq!(refusal(Source::PagerDuty, &json!({"event_action": "resolve"})), "dedup_key: is needed to resolve");
    assert_eq!(refusal(Source::PagerDuty, &json!({"event_action": "trigger"})), "payload.summary: is missing");
    assert_eq!(refusal(Source::Generic, &json!({"labels": {"a": "b"}})), "title: is missing");
    assert_eq!(refusal(Source::Sentry, &json!({"data": {"event": {}}})), "data.event.issue_id: is missing");
    assert_eq!(refusal(Source::Elastic, &json!({"rule_id": null})), "rule_id: is missing");
    assert_eq!(
        refusal(Source::Prometheus, &json!([{"labels": {"a": ""}}])),
        "[0].labels: at least one label is needed"
    );
}

#[test]
fn the_fingerprint_is_the_one_that_alertmanager_computes() {
    // The FNV-1a offset for no label at all, as in Prometheus' own code.
    assert_eq!(labels::fingerprint(&[].into()), "cbf29ce484222325");
    let set = [("alertname".to_owned(), "Down".to_owned()), ("job".to_owned(), "shop".to_owned())].into();
    let body =
        json!([{"labels": {"job": "shop", "alertname": "Down", "empty": ""}, "startsAt": "2026-01-02T03:04:05Z"}]);
    assert_eq!(one(Source::Prometheus, &body).key.as_str(), format!("v1:prometheus:{}", labels::fingerprint(&set)));
}

#[test]
fn prometheus_says_over_by_an_end_in_the_past_and_promises_by_one_in_the_future() {
    let alert =
        |end: &str| json!([{"labels": {"alertname": "Down"}, "startsAt": "2026-01-02T03:04:05Z", "endsAt": end}]);
    let over = one(Source::Prometheus, &alert("2026-01-02T04:04:05Z"));
    assert_eq!((over.status, over.expires_at), (AlertStatus::Resolved, None));
    let promised = one(Source::Prometheus, &alert("2099-01-02T04:04:05Z"));
    assert_eq!(
        (promised.status, promised.ends_at, promised.expires_at),
        (AlertStatus::Firing, None, at("2099-01-02T04:04:05Z"))
    );
    let unset = one(Source::Prometheus, &alert("0001-01-01T00:00:00Z"));
    assert_eq!(unset.expires_at, Some(NOW + prometheus::RESOLVE_TIMEOUT));
}

#[test]
fn grafana_before_version_9() {
    let body = json!({"ruleName": "CPU", "ruleId": 7, "state": "alerting", "message": "hot", "ruleUrl": "https://g.example/7"});
    let event = one(Source::Grafana, &body);
    assert_eq!(
        (event.key.as_str(), event.status, event.description.as_str()),
        ("v1:grafana-rule:7", AlertStatus::Firing, "hot")
    );
}

#[test]
fn datadog_ties_a_recovery_to_its_trigger_by_the_cycle_key() {
    let send = |transition: &str| {
        one(
            Source::Datadog,
            &json!({"alert_id": "5", "alert_cycle_key": "77", "alert_transition": transition, "alert_scope": "service:cart,env:prod",
                    "alert_priority": "P2", "title": "CPU", "date": "1700000000000", "tags": "team:a,service:cart", "link": "https://dd.example/5"}),
        )
    };
    let (trigger, recovery, again) = (send("Triggered"), send("Recovered"), send("Renotify"));
    assert_eq!(trigger.key.as_str(), "v1:datadog-cycle:77");
    assert_eq!(trigger.key, recovery.key);
    assert_eq!((trigger.severity, trigger.service.as_deref()), (Some(AlertSeverity::Error), Some("cart")));
    assert_eq!((trigger.starts_at, trigger.environment.as_deref()), (at("2023-11-14T22:13:20Z"), Some("prod")));
    assert_eq!((recovery.status, recovery.ends_at), (AlertStatus::Resolved, at("2023-11-14T22:13:20Z")));
    assert_eq!(again.starts_at, None, "a renotification is not a start");
    assert_eq!(
        refusal(Source::Datadog, &json!({"id": "1", "alert_transition": "Odd"})),
        "alert_transition: 'Odd' is not known"
    );
}

#[test]
fn newrelic_tolerates_broken_times() {
    for created in [json!(null), json!("soon"), json!(1.0e30), json!(-1)] {
        let event = one(Source::NewRelic, &json!({"id": "x", "title": "t", "state": "CREATED", "createdAt": created}));
        assert_eq!(event.starts_at, None);
    }
    let closed = one(
        Source::NewRelic,
        &json!({"id": "x", "state": "CLOSED", "createdAt": 1_713_755_131_352_i64, "updatedAt": 1_713_769_708_699_i64}),
    );
    assert_eq!(
        (closed.status, closed.ends_at),
        (AlertStatus::Resolved, Some(Timestamp::from_millis(1_713_769_708_699)))
    );
}

#[test]
fn sentry_pairs_an_issue_alert_with_the_issues_end() {
    let fired = one(
        Source::Sentry,
        &json!({"action": "triggered", "data": {"event": {"issue_id": "9", "title": "Boom", "level": "fatal",
            "url": "https://sentry.example/api/0/projects/acme/checkout/events/1/",
            "contexts": {"trace": {"trace_id": "5b8efff798038103d269b633813fc60c"}}}, "triggered_rule": "r"}}),
    );
    let over = one(
        Source::Sentry,
        &json!({"action": "resolved", "data": {"issue": {"id": "9", "title": "Boom", "project": {"slug": "checkout"}}}}),
    );
    assert_eq!(fired.key, over.key);
    assert_eq!((fired.status, over.status), (AlertStatus::Firing, AlertStatus::Resolved));
    assert_eq!((fired.service.as_deref(), over.service.as_deref()), (Some("checkout"), Some("checkout")));
    assert_eq!(fired.trace_id.as_deref(), Some("5b8efff798038103d269b633813fc60c"));
    assert_eq!(fired.severity, Some(AlertSeverity::Critical));
}

#[test]
fn elastic_reads_the_template_that_the_set_up_page_gives() {
    let fill = |group: &str| {
        let text = elastic::TEMPLATE
            .replace("{{rule.id}}", "r1")
            .replace("{{alert.id}}", "host-7")
            .replace("{{rule.name}}", "Disk")
            .replace("{{alert.actionGroup}}", group)
            .replace("{{date}}", "2026-01-02T03:04:05.000Z")
            .replace("{{rule.tags}}", "service:store,infra");
        one(Source::Elastic, &serde_json::from_str(&text).expect("the template is JSON"))
    };
    let (fired, over) = (fill("threshold met"), fill("recovered"));
    assert_eq!((fired.key.as_str(), &fired.key), ("v1:elastic:r1/host-7", &over.key));
    assert_eq!((fired.title.as_str(), fired.service.as_deref()), ("Disk: host-7", Some("store")));
    assert_eq!((over.status, over.ends_at), (AlertStatus::Resolved, at("2026-01-02T03:04:05Z")));
}

#[test]
fn the_datadog_template_is_json() {
    assert!(serde_json::from_str::<Value>(datadog::TEMPLATE).is_ok());
}

#[test]
fn pagerduty_events_without_a_key_get_one_from_the_body_but_not_from_the_secret() {
    let send = |routing: &str, summary: &str| {
        one(
            Source::PagerDuty,
            &json!({"routing_key": routing, "event_action": "trigger", "payload": {"summary": summary, "source": "h", "severity": "warning"}}),
        )
    };
    assert_eq!(send("a", "x").key, send("b", "x").key);
    assert_ne!(send("a", "x").key, send("a", "y").key);
    assert_eq!(send("a", "x").severity, Some(AlertSeverity::Warning));
}

#[test]
fn generic_never_merges_by_title() {
    let alert = |service: &str| json!({"title": "Down", "service": service});
    assert_ne!(one(Source::Generic, &alert("a")).key, one(Source::Generic, &alert("b")).key);
    assert_eq!(one(Source::Generic, &alert("a")).key, one(Source::Generic, &alert("a")).key);
    let keyed = one(
        Source::Generic,
        &json!({"title": "Down", "dedup_key": "k", "status": "resolved", "severity": "P1", "starts_at": 1_700_000_000}),
    );
    assert_eq!((keyed.key.as_str(), keyed.status), ("v1:generic:k", AlertStatus::Resolved));
    assert!(
        refusal(Source::Generic, &json!({"title": "Down", "status": "resolved"})).starts_with("dedup_key: is needed")
    );
    assert_eq!(
        refusal(Source::Generic, &json!({"title": "x", "severity": "purple"})),
        "severity: expected critical, error, warning or info, found 'purple'"
    );
    assert_eq!(read_all(Source::Generic, br#"{"alerts":[{"title":"a"},{"title":"b"}]}"#).len(), 2);
}

#[test]
fn a_check_takes_its_context_from_the_url() {
    let query = [("service".to_owned(), "checkout".to_owned()), ("deployment".to_owned(), "v42".to_owned())];
    let body = json!({"check": "buy a book", "status": "failed", "trace_id": "5b8efff798038103d269b633813fc60c", "at": "2026-01-02T03:04:05Z"});
    let text = body.to_string();
    let parsed = parse(Source::Check, &Input { query: &query, ..input(text.as_bytes()) }).unwrap();
    let failed = &parsed.events[0];
    assert_eq!((failed.service.as_deref(), failed.deployment.as_deref()), (Some("checkout"), Some("v42")));
    assert_eq!((failed.origin, failed.starts_at), (Origin::Check, at("2026-01-02T03:04:05Z")));
    let junit = br#"<testsuite name="e2e"><testcase name="buy a book"><failure message="no"/></testcase><testcase name="s"><skipped/></testcase></testsuite>"#;
    let parsed = parse(Source::JUnit, &Input { query: &query, ..input(junit) }).unwrap();
    assert_eq!((parsed.events.len(), parsed.events[0].service.as_deref()), (1, Some("checkout")));
    assert!(parsed.remark().unwrap().contains("1 skipped"));
}

#[test]
fn junit_that_is_no_report_is_named() {
    let refused = |body: &str| parse(Source::JUnit, &input(body.as_bytes())).unwrap_err().to_string();
    assert_eq!(refused("<html></html>"), "expected testsuites or testsuite, found 'html'");
    assert_eq!(refused("<testsuite><testcase name='a'>"), "the report ends within 'testcase'");
    assert_eq!(refused(""), "the body is empty");
    assert!(refused(&"<testsuite>".repeat(100)).contains("more than 64"));
    assert!(refused("<testsuite></testcase>").starts_with("not XML"));
}

#[test]
fn huge_texts_are_cut_and_nul_is_dropped() {
    let body = json!({"title": "x".repeat(100_000), "dedup_key": "k\u{0}k", "description": "a\u{0}b", "labels": {"l": "y".repeat(50_000)}});
    let event = one(Source::Generic, &body);
    assert_eq!(event.title.chars().count(), read::MAX_TITLE);
    assert_eq!(event.labels["l"].chars().count(), read::MAX_LABEL_VALUE);
    assert_eq!(event.description, "ab");
    assert!(!event.key.as_str().contains('\0'));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("firing")),
    ];
    let names = prop::sample::select(vec![
        "alerts",
        "labels",
        "annotations",
        "status",
        "fingerprint",
        "startsAt",
        "endsAt",
        "data",
        "event",
        "issue",
        "metric_alert",
        "id",
        "payload",
        "event_action",
        "tags",
        "title",
        "state",
        "links",
        "ruleId",
        "result_groups_triggered",
        "rule_id",
        "check",
        "x",
    ]);
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(names.clone().prop_map(ToOwned::to_owned), inner, 0..6)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_breaks_a_reader(value in any_json(), source in prop::sample::select(Source::ALL.to_vec())) {
        let text = value.to_string();
        if let Ok(parsed) = parse(source, &input(text.as_bytes())) {
            for event in parsed.events {
                prop_assert!(event.key.as_str().len() < 400 && !event.title.contains('\0'));
            }
        }
    }

    #[test]
    fn no_bytes_break_a_reader(body in prop::collection::vec(any::<u8>(), 0..200), source in prop::sample::select(Source::ALL.to_vec())) {
        let _ = parse(source, &input(&body)).map(|p| p.events.len());
    }

    #[test]
    fn different_fingerprints_never_share_a_key(a in "[a-z0-9]{1,200}", b in "[a-z0-9]{1,200}") {
        let key = |fp: &str| one(Source::Alertmanager, &alertmanager(&json!([
            {"status": "firing", "labels": {"alertname": "Same"}, "annotations": {"summary": "same"}, "fingerprint": fp}]))).key;
        prop_assert_eq!(a == b, key(&a) == key(&b));
    }
}
