//! What rules and checks do beyond opening incidents: runbooks offered, roles called, detection and recovery by checks,
//! noise reported; and senders that flood or replay.

use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::alerts::jobs;
use faultline::inbox::{Kind, store};
use faultline::incidents::model::input::StatusChange;
use faultline::incidents::{self, By, IncidentId, MilestoneName, Status};
use serde_json::{Value, json};

use super::inbox::inbox;
use super::support::{Backend, TestApp};

async fn check(app: &TestApp, status: &str, at: &str) {
    let body = json!({"check": "buy a book", "status": status, "service": "checkout", "environment": "production",
        "deployment_id": "v42", "trace_id": "5b8efff798038103d269b633813fc60c", "message": "no answer", "at": at});
    app.sender().await.post_json("/ingest/checks/generic", &body).await.expect(202);
    inbox(app).drain().await.unwrap();
}

async fn set_status(app: &TestApp, to: Status) {
    let tx = app.state.db.begin().await.unwrap();
    let change = StatusChange { to, reason: "test".into(), at: app.state.now(), confirmed: true };
    incidents::change_status(&tx, IncidentId(1), &change, &By::system("test"), app.state.now()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn milestone(app: &TestApp, name: MilestoneName) -> (Option<String>, String) {
    let all = incidents::milestones(&app.state.db, IncidentId(1)).await.unwrap();
    all.iter()
        .find(|m| m.name == name)
        .map_or((None, String::new()), |m| (m.at.map(|t| t.to_rfc3339()), m.reason.clone()))
}

async fn timeline(app: &TestApp, id: &str) -> String {
    app.api(Role::Admin).await.get(&format!("/api/v1/incidents/{id}/timeline?limit=100")).await.expect(200).text()
}

on_both! {
    async fn a_check_that_fails_after_a_deployment_says_so_and_its_pass_is_evidence(app: TestApp) {
        let deployed = json!({"service": "checkout", "version": "v42", "environment": "production", "started_at": "2026-11-23T10:50:00Z", "finished_at": "2026-11-23T10:52:00Z"});
        app.api(Role::Responder).await.post_json("/api/v1/deployments", &deployed).await.expect(201);
        check(&app, "failed", "2026-11-23T10:57:00Z").await;
        jobs::run_once(&app.state).await.unwrap();
        let (at, reason) = milestone(&app, MilestoneName::Detected).await;
        assert_eq!(at.as_deref(), Some("2026-11-23T10:57:00Z"));
        assert!(reason.contains("check \"buy a book\" failed 7m after the deployment of checkout v42 in production"), "{reason}");
        let evidence = app.api(Role::Viewer).await.get("/api/v1/incidents/INC-1/evidence").await.expect(200).text();
        assert!(evidence.contains("checkout v42 in production") && evidence.contains("A check failed after it"), "{evidence}");

        // A pass before anybody mitigated is no recovery yet; one after it is.
        app.advance(TimeDelta::minutes(2));
        check(&app, "passed", "2026-11-23T11:01:00Z").await;
        assert_eq!(milestone(&app, MilestoneName::ImpactEnded).await.0, None);
        check(&app, "failed", "2026-11-23T11:01:30Z").await;
        set_status(&app, Status::Monitoring).await;
        app.advance(TimeDelta::minutes(5));
        check(&app, "passed", "2026-11-23T11:06:00Z").await;
        check(&app, "passed", "2026-11-23T11:06:30Z").await;
        let (at, reason) = milestone(&app, MilestoneName::ImpactEnded).await;
        assert_eq!(at.as_deref(), Some("2026-11-23T11:06:00Z"));
        assert!(reason.contains("passes again, after the mitigation"), "{reason}");
        let told = timeline(&app, "INC-1").await;
        assert_eq!(told.matches("passes again, after the mitigation").count(), told.matches("buy a book\\\" passes again").count());
        let evidence = app.api(Role::Viewer).await.get("/api/v1/incidents/INC-1/evidence").await.expect(200).text();
        assert_eq!(evidence.matches("Evidence of the recovery").count(), 1, "{evidence}");
    }

    async fn a_rule_offers_runbooks_and_calls_roles(app: TestApp) {
        let mut chief = app.browser(Role::Commander).await;
        let runbook = json!({"source": "---\ntitle: Restart the cart\nowner: platform\n---\n\n## Steps\n\n### Do: restart it (2 min)\n"});
        app.api(Role::Commander).await.post_json("/api/v1/runbooks", &runbook).await.expect(201);
        let form = |runbooks: &'static str, notify: &'static str| [
            ("name", "Carts"), ("matchers", "service = cart"), ("group_by", "service"), ("group_labels", ""), ("window_minutes", "10"), ("hold_seconds", "0"),
            ("min_count", "1"), ("target", "open"), ("severity", "SEV1"), ("reopen_minutes", "30"), ("runbooks", runbooks), ("notify", notify), ("do", "save"),
        ];
        chief.post_form("/alerts/rules", &form("", "janitor")).await.expect(422).contains("janitor").contains("value=\"janitor\"");
        chief.post_form("/alerts/rules", &form("/runbooks/restart-the-cart", "Operations, commander")).await.redirects_to("/alerts/rules");
        chief.get("/alerts/rules").await.expect(200).contains("/runbooks/restart-the-cart").contains("notifies operations, commander");
        app.sender().await.post_json("/ingest/alerts/generic", &json!({"title": "Cart is slow", "dedup_key": "c", "service": "cart", "severity": "error"})).await.expect(202);
        inbox(&app).drain().await.unwrap();
        jobs::run_once(&app.state).await.unwrap();
        chief.get("/incidents/INC-1").await.expect(200).contains("the rule &#39;Carts&#39; attaches it").contains("Restart the cart");
        let called: Vec<(String,)> = app.state.db.fetch_all("SELECT event FROM outbox_events WHERE once_key = 'called:INC-1'", vec![]).await.unwrap();
        assert_eq!(called.len(), 1);
        let event: Value = serde_json::from_str(&called[0].0).unwrap();
        assert_eq!((&event["kind"], &event["roles"], &event["severity"]), (&json!("incident.role_called"), &json!(["operations", "commander"]), &json!("SEV1")));

        // Within the half hour after the resolution the same incident opens again.
        set_status(&app, Status::Resolved).await;
        app.advance(TimeDelta::minutes(10));
        app.sender().await.post_json("/ingest/alerts/generic", &json!({"title": "Cart is slow again", "dedup_key": "d", "service": "cart", "severity": "error"})).await.expect(202);
        inbox(&app).drain().await.unwrap();
        jobs::run_once(&app.state).await.unwrap();
        let again = app.api(Role::Viewer).await.get("/api/v1/incidents/INC-1").await.expect(200).json();
        assert_eq!(again["status"], "investigating");
        app.api(Role::Viewer).await.get("/api/v1/incidents/INC-2").await.expect(404);
    }

    async fn noise_is_reported_by_rule(app: TestApp) {
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get("/alerts/noise").await.expect(200).contains("No alert in thirty days");
        let alerts: Vec<Value> = (0..4).map(|i| json!({"title": format!("Disk {i}"), "rule": "DiskFull", "dedup_key": format!("d{i}"), "service": "store", "severity": "warning"})).collect();
        app.sender().await.post_json("/ingest/alerts/generic", &json!(alerts)).await.expect(202);
        inbox(&app).drain().await.unwrap();
        app.browser(Role::Responder).await.post_form("/alerts/bulk", &[("id", "1"), ("id", "2"), ("id", "3"), ("do", "noise"), ("back", "/alerts")]).await.expect(303);
        let told = app.api(Role::Viewer).await.get("/api/v1/alerts/noise").await.expect(200).json();
        let row = &told["items"][0];
        assert_eq!((row["episodes"].as_i64(), row["alerts"].as_i64(), row["noise"].as_i64()), (Some(4), Some(4), Some(3)), "{told}");
        viewer.get("/alerts/noise").await.expect(200).contains("75 %").contains("3 of them noise");
        viewer.get("/alerts").await.expect(200).contains("4 in all");
    }

    async fn maintenance_by_label_is_told_on_the_timelines_it_concerns(app: TestApp) {
        let alerts = json!([{"title": "A", "dedup_key": "a", "service": "cart", "severity": "critical", "labels": {"cluster": "eu"}, "starts_at": "2026-11-23T10:50:00Z"},
            {"title": "B", "dedup_key": "b", "service": "search", "severity": "critical", "labels": {"cluster": "us"}, "starts_at": "2026-11-23T10:50:00Z"}]);
        app.sender().await.post_json("/ingest/alerts/generic", &alerts).await.expect(202);
        inbox(&app).drain().await.unwrap();
        jobs::run_once(&app.state).await.unwrap();
        let window = [("title", "Move the racks"), ("matchers", "cluster = eu"), ("starts_at", ""), ("ends_at", "2026-11-23T12:00")];
        app.browser(Role::Responder).await.post_form("/alerts/maintenance", &window).await.redirects_to("/alerts/maintenance");
        let (eu, us) = (timeline(&app, "INC-1").await, timeline(&app, "INC-2").await);
        assert_ne!(eu.contains("Move the racks"), us.contains("Move the racks"));
    }

    async fn a_signed_delivery_is_not_taken_again_much_later(app: TestApp) {
        let tx = app.state.db.begin().await.unwrap();
        let settings = store::SourceSettings { secrets: "hush".into(), mapping: String::new() };
        store::save_settings(&tx, Kind::Alerts, "sentry", &settings, app.state.now(), "test").await.unwrap();
        tx.commit().await.unwrap();
        let body = json!({"action": "triggered", "data": {"event": {"issue_id": "7", "title": "x", "level": "error"}, "triggered_rule": "r"}}).to_string();
        let signature = hex::encode(faultline::inbox::signature::hmac_sha256(b"hush", &[body.as_bytes()]));
        let token = app.ingest_token().await;
        let path = format!("/ingest/alerts/sentry/{token}");
        let send = async |status: u16, at: Option<i64>| {
            let at = at.map(|t| t.to_string()).unwrap_or_default();
            let mut headers = vec![("sentry-hook-signature", signature.as_str()), ("content-type", "application/json"), ("sentry-hook-resource", "event_alert")];
            if !at.is_empty() {
                headers.push(("sentry-hook-timestamp", at.as_str()));
            }
            app.visitor().post_bytes(&path, &headers, body.clone()).await.expect(status)
        };
        let now = app.state.now().as_micros() / 1_000_000;
        send(403, Some(now - 3_600)).await.contains("more than five minutes ago");
        send(202, Some(now)).await;
        app.advance(TimeDelta::minutes(2));
        send(202, None).await;
        // The time is not part of what is signed, so a new one does not help.
        app.advance(TimeDelta::days(2));
        send(403, None).await.contains("a replay is refused");
        send(403, Some(app.state.now().as_micros() / 1_000_000)).await.contains("a replay is refused");
    }
}

/// One token floods; it is told when to come back, and others do not notice.
#[tokio::test]
async fn who_floods_waits_and_others_are_unharmed() {
    let app = TestApp::start_with(Backend::Sqlite, |c| c.ingest_rate = 2).await;
    let (mut flood, mut calm) = (app.sender().await, app.sender().await);
    let alert = |i: usize| json!({"title": "t", "dedup_key": i.to_string()});
    for i in 0..10 {
        flood.post_json("/ingest/alerts/generic", &alert(i)).await.expect(202);
    }
    let refused = flood.post_json("/ingest/alerts/generic", &alert(10)).await.expect(429);
    assert_eq!(refused.header("retry-after"), "1");
    refused.contains("too many requests");
    calm.post_json("/ingest/alerts/generic", &alert(11)).await.expect(202);
    app.advance(TimeDelta::seconds(1));
    flood.post_json("/ingest/alerts/generic", &alert(12)).await.expect(202);
    assert_eq!(inbox(&app).drain().await.unwrap(), 12, "nothing that was accepted is lost");
}
