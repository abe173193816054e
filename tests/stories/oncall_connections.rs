//! PagerDuty and GoAlert both ways: what they are told, what they tell, and that nothing echoes.

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode};
use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::inbox::signature::hmac_sha256;
use faultline::oncall::jobs;
use faultline::outbound::{Outbound, Policy};
use serde_json::{Value, json};

use super::support::{Backend, TestApp};

/// A receiver that answers with a status and keeps what it was sent.
struct Receiver {
    url: String,
    seen: Arc<Mutex<Vec<Value>>>,
    status: Arc<Mutex<u16>>,
}

impl Receiver {
    async fn start() -> Self {
        let (seen, status) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(202)));
        let (kept, answer) = (seen.clone(), status.clone());
        let app = axum::Router::new().fallback(move |_: HeaderMap, body: String| {
            let (kept, answer) = (kept.clone(), answer.clone());
            async move {
                kept.lock().unwrap().push(serde_json::from_str(&body).unwrap());
                (StatusCode::from_u16(*answer.lock().unwrap()).unwrap(), r#"{"_id": 76}"#)
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, seen, status }
    }

    fn take(&self) -> Vec<Value> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    fn answer(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }
}

fn local() -> Outbound {
    Outbound::new(Policy::parse("127.0.0.1").unwrap()).unwrap()
}

async fn app_with(backend: Backend) -> TestApp {
    TestApp::start_with(backend, |config| config.outbound_allow = "127.0.0.1".to_owned()).await
}

/// Connects and gives the path that the other side sends to.
async fn connect(app: &TestApp, kind: &str, url: &str) -> String {
    let mut admin = app.browser(Role::Admin).await;
    let form = [("name", kind), ("kind", kind), ("url", url), ("routing_key", "R0UT3"), ("sends_from", "SEV2")];
    let page = admin.post_form("/oncall/connections", &form).await.expect(201).text();
    page.split("http://faultline.test").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

async fn declare(app: &TestApp, more: Value) -> String {
    let mut body = json!({"title": "Cards fail", "severity": "SEV1"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.api(Role::Admin).await.post_json("/api/v1/incidents", &body).await.expect(201).json()["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn rounds(app: &TestApp) {
    while jobs::connect_once(&app.state, &local()).await.unwrap() > 0 {}
}

async fn status(app: &TestApp, id: &str) -> String {
    app.api(Role::Admin).await.get(&format!("/api/v1/incidents/{id}")).await.expect(200).json()["status"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn change(app: &TestApp, id: &str, status: &str) {
    let body = json!({"status": status, "reason": "by hand"});
    app.api(Role::Responder).await.post_json(&format!("/api/v1/incidents/{id}/status"), &body).await.expect(200);
}

fn actions(events: &[Value]) -> Vec<String> {
    events.iter().map(|e| e["event_action"].as_str().unwrap_or_default().to_owned()).collect()
}

fn signed(secret: &str, body: &str) -> String {
    format!("v1={}", hex::encode(hmac_sha256(secret.as_bytes(), &[body.as_bytes()])))
}

async fn both(story: impl AsyncFn(TestApp)) {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        story(app_with(backend).await).await;
    }
}

#[tokio::test]
async fn pagerduty_follows_an_incident_and_is_told_each_thing_once() {
    both(async |app: TestApp| {
        let pagerduty = Receiver::start().await;
        connect(&app, "pagerduty", &pagerduty.url).await;
        declare(&app, json!({"severity": "SEV3"})).await;
        declare(&app, json!({"private": true})).await;
        declare(&app, json!({"kind": "drill"})).await;
        rounds(&app).await;
        assert!(pagerduty.take().is_empty(), "too low, private, a drill");
        let id = declare(&app, json!({})).await;
        rounds(&app).await;
        let sent = pagerduty.take();
        assert_eq!(actions(&sent), ["trigger"]);
        assert_eq!(
            (sent[0]["routing_key"].as_str(), sent[0]["dedup_key"].as_str()),
            (Some("R0UT3"), Some(format!("faultline-{id}").as_str()))
        );
        assert_eq!(sent[0]["payload"]["severity"], "critical");
        change(&app, &id, "investigating").await;
        rounds(&app).await;
        rounds(&app).await;
        assert_eq!(actions(&pagerduty.take()), ["acknowledge"]);
        change(&app, &id, "resolved").await;
        rounds(&app).await;
        assert_eq!(actions(&pagerduty.take()), ["resolve"]);
        change(&app, &id, "investigating").await;
        rounds(&app).await;
        assert_eq!(actions(&pagerduty.take()), ["trigger", "acknowledge"], "reopened");
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_fails_is_tried_again_and_at_last_switched_off() {
    both(async |app: TestApp| {
        let pagerduty = Receiver::start().await;
        pagerduty.answer(503);
        connect(&app, "pagerduty", &pagerduty.url).await;
        let id = declare(&app, json!({})).await;
        rounds(&app).await;
        assert_eq!(pagerduty.take().len(), 1);
        rounds(&app).await;
        assert!(pagerduty.take().is_empty(), "not before its pause is over");
        app.advance(TimeDelta::minutes(1));
        pagerduty.answer(202);
        rounds(&app).await;
        assert_eq!(actions(&pagerduty.take()), ["trigger"]);
        // What is refused for good is not repeated; after five of them the connection is off.
        pagerduty.answer(400);
        change(&app, &id, "investigating").await;
        rounds(&app).await;
        for _ in 0..4 {
            declare(&app, json!({})).await;
            rounds(&app).await;
        }
        assert_eq!(pagerduty.take().len(), 5);
        app.browser(Role::Admin)
            .await
            .get("/oncall/connections")
            .await
            .expect(200)
            .contains("5 events in a row could not be delivered");
        declare(&app, json!({})).await;
        rounds(&app).await;
        assert!(pagerduty.take().is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_pagerduty_says_is_done_once_and_never_sent_back() {
    both(async |app: TestApp| {
        let pagerduty = Receiver::start().await;
        let path = connect(&app, "pagerduty", &pagerduty.url).await;
        let id = declare(&app, json!({})).await;
        rounds(&app).await;
        pagerduty.take();
        let event = |event_id: &str, kind: &str| {
            json!({"event": {"id": event_id, "event_type": kind, "resource_type": "incident", "agent": {"summary": "Bo"},
                "data": {"id": "PX1", "title": format!("[Faultline {id}] Cards fail")}}}).to_string()
        };
        let body = event("E1", "incident.acknowledged");
        let mut sender = app.visitor();
        let header = |signature: String| vec![("x-pagerduty-signature".to_owned(), signature)];
        let mut send = async |path: &str, body: &str, headers: Vec<(String, String)>| {
            let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            sender.post_bytes(path, &headers, body.to_owned()).await.status.as_u16()
        };
        assert_eq!(send(&path, &body, header(signed("s3cret", &body))).await, 403, "no secret is kept yet");
        app.browser(Role::Admin).await.post_form("/oncall/connections/1/do", &[("do", "secret"), ("signing_secret", "s3cret")]).await.expect(303);
        assert_eq!(send(&path, &body, vec![]).await, 403);
        assert_eq!(send(&path, &body, header(signed("other", &body))).await, 403);
        assert_eq!(send("/ingest/oncall/1/0000", &body, header(signed("s3cret", &body))).await, 401);
        assert_eq!(send(&path, "{}", header(signed("s3cret", "{}"))).await, 400);
        for _ in 0..3 {
            assert_eq!(send(&path, &body, header(signed("s3cret", &body))).await, 204);
        }
        let incident = app.api(Role::Admin).await.get(&format!("/api/v1/incidents/{id}")).await.expect(200).text();
        assert!(incident.contains("Acknowledged in pagerduty by Bo"), "{incident}");
        rounds(&app).await;
        assert!(pagerduty.take().is_empty(), "an echo");
        // Renamed over there, it is still known by its id.
        let body = event("E2", "incident.resolved").replace("[Faultline", "[renamed");
        assert_eq!(send(&path, &body, header(signed("s3cret", &body))).await, 204);
        assert_eq!(status(&app, &id).await, "resolved");
        rounds(&app).await;
        assert!(pagerduty.take().is_empty(), "an echo");
        // A late repeat of the acknowledgement changes nothing.
        let body = event("E1", "incident.acknowledged");
        assert_eq!(send(&path, &body, header(signed("s3cret", &body))).await, 204);
        assert_eq!(status(&app, &id).await, "resolved");
    })
    .await;
}

#[tokio::test]
async fn goalert_is_triggered_and_closed_and_tells_what_happened() {
    both(async |app: TestApp| {
        let goalert = Receiver::start().await;
        let path = connect(&app, "goalert", &goalert.url).await;
        let first = declare(&app, json!({})).await;
        rounds(&app).await;
        let sent = goalert.take();
        assert_eq!(
            (sent.len(), sent[0]["summary"].as_str()),
            (1, Some(format!("[Faultline {first}] Cards fail").as_str()))
        );
        let mut sender = app.visitor();
        let acknowledged =
            json!({"AppName": "GoAlert", "Type": "AlertStatus", "AlertID": 76, "LogEntry": "Acknowledged by Bo"});
        sender.post_json(&path, &acknowledged).await.expect(204);
        sender.post_json(&path, &json!({"AppName": "GoAlert", "Type": "Test"})).await.expect(204);
        sender.post_json("/ingest/oncall/1/wrong", &acknowledged).await.expect(401);
        rounds(&app).await;
        assert!(goalert.take().is_empty());
        change(&app, &first, "resolved").await;
        rounds(&app).await;
        let sent = goalert.take();
        assert_eq!((sent.len(), sent[0]["action"].as_str()), (1, Some("close")));
        // A foreign alert with a number that nobody linked is left alone.
        let foreign = json!({"AppName": "GoAlert", "Type": "AlertStatus", "AlertID": 99, "LogEntry": "Closed by Bo"});
        sender.post_json(&path, &foreign).await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn connections_are_for_administrators_and_their_addresses_are_guarded() {
    both(async |app: TestApp| {
        let mut admin = app.browser(Role::Admin).await;
        let form = |url: &'static str| {
            [("name", "PD"), ("kind", "pagerduty"), ("url", url), ("routing_key", ""), ("sends_from", "SEV9")]
        };
        admin
            .post_form("/oncall/connections", &form("http://169.254.169.254/"))
            .await
            .expect(422)
            .contains("integration key")
            .contains("is not a severity")
            .contains("169.254.169.254");
        app.browser(Role::Commander).await.get("/oncall/connections").await.expect(403);
    })
    .await;
}

#[tokio::test]
async fn connections_by_api_show_no_secret_twice() {
    both(async |app: TestApp| {
        let goalert = Receiver::start().await;
        let mut admin = app.api(Role::Admin).await;
        let path = "/api/v1/oncall/connections";
        let refused = admin.post_json(path, &json!({ "name": "", "kind": "pager", "sends_from": "SEV2" })).await;
        let fields = refused.expect(422).json()["errors"].to_string();
        assert!(fields.contains("kind") && fields.contains("name"), "{fields}");
        let input = json!({ "name": "Ops", "kind": "goalert", "url": goalert.url, "sends_from": "SEV2" });
        let made = admin.post_json(path, &input).await.expect(201).json();
        let at = made["receives_at"].as_str().unwrap().to_owned();
        assert!(at.starts_with("http://faultline.test/ingest/oncall/1/"), "{made}");
        admin.post_json(path, &input).await.expect(422);
        let one = format!("{path}/1");
        let change = json!({ "enabled": false, "signing_secret": "hush-hush" });
        let changed = admin.json(axum::http::Method::PATCH, &one, &change).await.expect(200).json();
        assert_eq!((&changed["enabled"], &changed["has_signing_secret"]), (&json!(false), &json!(true)));
        let listed = admin.get(path).await.expect(200).text();
        assert!(!listed.contains("hush-hush") && !listed.contains("receives_at") && listed.contains("Ops"), "{listed}");
        app.api(Role::Commander).await.get(path).await.expect(403);
        admin.json(axum::http::Method::DELETE, &one, &json!({})).await.expect(200);
        admin.json(axum::http::Method::DELETE, &one, &json!({})).await.expect(404);
        admin.json(axum::http::Method::PATCH, &one, &change).await.expect(404);
        assert_eq!(admin.get(path).await.expect(200).json()["total"], 0);
    })
    .await;
}
