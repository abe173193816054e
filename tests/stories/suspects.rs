//! Suspects: spans, logs and a deployment come in as from outside; the ranking, its page, its API, verdicts.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::clock::Timestamp;
use faultline::incidents::{self, By, DeclareInput, IncidentId, Source};
use faultline::suspects::model::{Observation, Span, Telemetry};
use faultline::suspects::{jobs, synthetic};
use serde_json::{Value, json};

use super::notifications::receiver::Receiver;
use super::notifications::{channel, configured, work};
use super::support::TestApp;

/// A made case with its times moved so that the impact was ten minutes ago.
struct Staged {
    seen: Observation,
    service: String,
    impact: Timestamp,
}

fn stage(app: &TestApp) -> Staged {
    // A small system in which one operation throws in most requests.
    let made = synthetic::case(360, 1.0);
    let (case, service) = (made.observation, made.fault.service);
    let impact = app.state.now() - TimeDelta::minutes(10);
    let moved = impact.as_micros() * 1_000 - case.impact_started_at;
    let shift = |t: &Telemetry, more: i64| {
        let mut t = t.clone();
        for s in &mut t.spans {
            (s.start, s.end) = (s.start + moved + more, s.end + moved + more);
        }
        for l in &mut t.logs {
            l.time += moved + more;
        }
        t
    };
    // Made baselines lie half an hour back; bring them into the nearest stretch that is read.
    let seen = Observation {
        impact_started_at: case.impact_started_at + moved,
        baseline: shift(&case.baseline, 15 * 60 * 1_000_000_000),
        incident: shift(&case.incident, 0),
        ..Observation::default()
    };
    Staged { seen, service, impact }
}

fn otlp_span(s: &Span) -> Value {
    json!({
        "traceId": s.trace_id, "spanId": s.span_id, "parentSpanId": s.parent_id.clone().unwrap_or_default(),
        "name": s.operation, "kind": 2, "startTimeUnixNano": s.start.to_string(), "endTimeUnixNano": s.end.to_string(),
        "status": {"code": if s.error { 2 } else { 0 }},
    })
}

/// Sends all spans as OTLP JSON, one resource a service and version.
async fn send_spans(app: &TestApp, spans: &[Span]) {
    for chunk in spans.chunks(4_000) {
        let mut by_sender: BTreeMap<(&str, Option<&str>), Vec<Value>> = BTreeMap::new();
        for s in chunk {
            by_sender.entry((&s.service, s.version.as_deref())).or_default().push(otlp_span(s));
        }
        let resources: Vec<Value> = by_sender
            .into_iter()
            .map(|((service, version), spans)| {
                let mut attributes = vec![json!({"key": "service.name", "value": {"stringValue": service}})];
                attributes.extend(version.map(|v| json!({"key": "service.version", "value": {"stringValue": v}})));
                json!({"resource": {"attributes": attributes}, "scopeSpans": [{"spans": spans}]})
            })
            .collect();
        app.sender().await.post_json("/v1/traces", &json!({"resourceSpans": resources})).await.expect(200);
    }
}

async fn send_logs(app: &TestApp, seen: &Telemetry) {
    let lines: Vec<Value> = seen
        .logs
        .iter()
        .map(|l| {
            json!({"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": l.service}}]},
                "scopeLogs": [{"logRecords": [{"timeUnixNano": l.time.to_string(), "body": {"stringValue": l.body},
                    "severityNumber": if l.error { 17 } else { 9 }, "traceId": l.trace_id, "spanId": l.span_id}]}]})
        })
        .collect();
    for chunk in lines.chunks(2_000) {
        app.sender().await.post_json("/v1/logs", &json!({"resourceLogs": chunk})).await.expect(200);
    }
}

async fn declare(app: &TestApp, impact: Timestamp, private: bool) -> IncidentId {
    let tx = app.state.db.begin().await.expect("a transaction");
    let input = DeclareInput {
        title: "Requests go wrong".into(),
        severity: "SEV2".into(),
        private,
        impact_started_at: impact.to_rfc3339(),
        ..DeclareInput::default()
    };
    let now = app.state.now();
    let id = incidents::declare(&tx, &input.normalize(now, Source::Person).expect("fine"), &By::system("test"), now)
        .await
        .expect("declared");
    tx.commit().await.expect("committed");
    id
}

async fn suspects(app: &TestApp, id: IncidentId) -> Value {
    app.api(Role::Viewer).await.get(&format!("/api/v1/incidents/{id}/suspects")).await.expect(200).json()
}

fn first(answer: &Value, kind: &str) -> Value {
    let all = answer["suspects"].as_array().expect("a list");
    all.iter().find(|s| s["kind"] == kind).cloned().unwrap_or_default()
}

on_both! {
    async fn what_broke_is_named_from_what_came_in(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        for kind in ["slack", "webhook"] {
            channel(&app, kind, kind, &receiver.url(kind), json!({})).await;
        }
        let staged = stage(&app);
        send_spans(&app, &staged.seen.baseline.spans).await;
        send_spans(&app, &staged.seen.incident.spans).await;
        send_logs(&app, &staged.seen.baseline).await;
        send_logs(&app, &staged.seen.incident).await;
        let body = json!({"service": staged.service, "version": "v1.3.2", "environment": "production", "status": "succeeded",
            "started_at": (staged.impact - TimeDelta::minutes(4)).to_rfc3339(),
            "finished_at": (staged.impact - TimeDelta::minutes(3)).to_rfc3339()});
        app.api(Role::Responder).await.post_json("/api/v1/deployments", &body).await.expect(201);
        let id = declare(&app, staged.impact, false).await;

        assert_eq!(jobs::run_once(&app.state).await.unwrap(), 1, "ranked without being asked");
        assert_eq!(jobs::run_once(&app.state).await.unwrap(), 0, "and not again at once");
        let answer = suspects(&app, id).await;
        let service = first(&answer, "service");
        assert_eq!(service["service"], staged.service.as_str(), "{answer:#}");
        assert!(service["reasons"].as_array().is_some_and(|r| !r.is_empty()));
        let deployment = first(&answer, "deployment");
        assert_eq!((&deployment["service"], &deployment["version"]), (&json!(staged.service), &json!("v1.3.2")));
        let headline = answer["headline"].as_str().expect("a sentence");
        assert!(headline.contains(&format!("after the deployment of {} v1.3.2", staged.service)), "{headline}");

        // The sentence goes out by itself, once, and leads to its evidence.
        work(&app).await;
        work(&app).await;
        let told: Vec<Value> = receiver.all("/webhook").iter().map(|s| s.json()).filter(|b| b["type"] == "incident.suspect_found").collect();
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].to_string().contains(headline) && told[0].to_string().contains(&format!("/incidents/{id}/suspects")), "{}", told[0]);
        let slack: Vec<Value> = receiver.all("/slack").iter().map(|s| s.json()).collect();
        assert_eq!(slack.iter().filter(|b| b.to_string().contains(headline)).count(), 1, "{slack:#?}");

        let mut browser = app.browser(Role::Responder).await;
        let path = format!("/incidents/{id}/suspects");
        browser.get(&path).await.expect(200).contains(&staged.service).contains("Caused by").contains("/traces/");
        let said = [("kind", "deployment"), ("service", staged.service.as_str()), ("version", "v1.3.2"),
            ("deployment", deployment["deployment"].as_str().expect("a number")), ("verdict", "caused")];
        browser.post_form(&format!("{path}/verdict"), &said).await.redirects_to(&path);
        let answer = suspects(&app, id).await;
        assert_eq!((&answer["verdicts"][0]["verdict"], &answer["verdicts"][0]["service_rank"]), (&json!("caused"), &json!(1)));
        browser.get(&path).await.expect(200).contains("Caused by:");
        browser.get("/reports/suspects").await.expect(200).contains("100 %").contains(&staged.service);
        browser.get("/reports/suspects?from=-2d&to=-1d").await.expect(200).contains("No confirmed causes yet");
        browser.get("/reports/suspects?from=soon").await.expect(422).contains("is not a time");
        let told = app.api(Role::Viewer).await.get("/api/v1/reports/suspects").await.expect(200).json();
        assert_eq!((&told["overall"]["confirmed"], &told["by_service"][&staged.service]["first"]), (&json!(1), &json!(1)));
        browser.get(&path).await.expect(200).contains("/compare\">Compare with a healthy one");

        // The draft of the postmortem tells it, too.
        let postmortem = format!("/incidents/{id}/postmortem");
        browser.post_form(&postmortem, &[]).await.redirects_to(&postmortem);
        browser.get(&postmortem).await.expect(200).contains(&format!("{} v1.3.2", staged.service));

        // Wrong words are complained about; a viewer may look but not decide.
        browser.post_form(&format!("{path}/verdict"), &[("kind", "moon"), ("verdict", "caused")]).await.expect(422).contains("kind");
        app.browser(Role::Viewer).await.get(&path).await.expect(200).lacks("<button class=\"btn btn-small\" name=\"verdict\"");
        app.browser(Role::Viewer).await.post_form(&format!("{path}/verdict"), &said).await.expect(403);
    }

    async fn with_nothing_known_it_says_so(app: TestApp) {
        let id = declare(&app, app.state.now() - TimeDelta::minutes(5), false).await;
        let answer = suspects(&app, id).await;
        assert_eq!(answer["suspects"], json!([]));
        assert_eq!(answer["headline"], Value::Null);
        assert!(answer["missing"].as_array().is_some_and(|m| m.len() >= 3));
        app.browser(Role::Viewer).await.get(&format!("/incidents/{id}/suspects")).await.expect(200).contains("Nobody is suspected yet");
    }

    async fn suspects_of_a_private_incident_are_private(app: TestApp) {
        let id = declare(&app, app.state.now() - TimeDelta::minutes(5), true).await;
        app.api(Role::Responder).await.get(&format!("/api/v1/incidents/{id}/suspects")).await.expect(404);
        let mut browser = app.browser(Role::Responder).await;
        browser.get(&format!("/incidents/{id}/suspects")).await.expect(404);
        let said = [("kind", "service"), ("service", "cart"), ("verdict", "caused")];
        browser.post_form(&format!("/incidents/{id}/suspects/verdict"), &said).await.expect(404);
        app.browser(Role::Admin).await.get(&format!("/incidents/{id}/suspects")).await.expect(200);
    }
}
