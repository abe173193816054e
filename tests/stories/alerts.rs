//! Alerts: deduplicated, listed, acknowledged, promoted, grouped.

use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::alerts::jobs;
use serde_json::{Value, json};

use super::inbox::inbox;
use super::support::TestApp;

fn member(name: &str, service: &str, severity: &str, status: &str, starts: &str) -> Value {
    let ends = if status == "resolved" { "2026-11-23T10:59:00Z" } else { "0001-01-01T00:00:00Z" };
    json!({"status": status, "labels": {"alertname": name, "service": service, "severity": severity},
        "annotations": {"summary": format!("{name} on {service}")}, "startsAt": starts, "endsAt": ends,
        "fingerprint": format!("{name}-{service}")})
}

async fn send(app: &TestApp, members: Vec<Value>) {
    app.sender()
        .await
        .post_json("/ingest/alerts/alertmanager", &json!({"version": "4", "alerts": members}))
        .await
        .expect(202);
    inbox(app).drain().await.unwrap();
}

async fn alerts(app: &TestApp, query: &str) -> Value {
    app.api(Role::Viewer).await.get(&format!("/api/v1/alerts{query}")).await.expect(200).json()
}

const TEN: &str = "2026-11-23T10:50:00Z";

on_both! {
    async fn repeats_are_one_alert_and_each_member_ends_by_itself(app: TestApp) {
        let fire = || vec![member("Errors", "Checkout", "critical", "firing", TEN), member("Errors", "cart", "critical", "firing", TEN)];
        send(&app, fire()).await;
        send(&app, fire()).await;
        let list = alerts(&app, "?status=firing").await;
        assert_eq!(list["total"], 2);
        assert_eq!((&list["items"][0]["count"], &list["items"][0]["episodes"]), (&json!(2), &json!(1)));
        let catalogue = app.api(Role::Viewer).await;
        drop(catalogue);
        send(&app, vec![member("Errors", "cart", "critical", "resolved", TEN)]).await;
        let firing = alerts(&app, "?status=firing").await;
        assert_eq!((&firing["total"], &firing["items"][0]["service"]), (&json!(1), &json!("checkout")));
        let over = alerts(&app, "?status=resolved").await;
        assert_eq!(over["items"][0]["ended_at"], "2026-11-23T10:59:00Z");
        // The late firing of the same episode does not open it again; a new one does.
        send(&app, vec![member("Errors", "cart", "critical", "firing", TEN)]).await;
        assert_eq!(alerts(&app, "?status=firing").await["total"], 1);
        send(&app, vec![member("Errors", "cart", "critical", "firing", "2026-11-23T10:59:30Z")]).await;
        let again = alerts(&app, "?status=firing&service=cart").await;
        assert_eq!((&again["total"], &again["items"][0]["episodes"]), (&json!(1), &json!(2)));
        let service = faultline::services::find(&app.state.db, "checkout").await.unwrap().unwrap();
        assert!(service.discovered);
    }

    async fn a_replayed_delivery_is_not_counted_again(app: TestApp) {
        send(&app, vec![member("Errors", "cart", "critical", "firing", TEN)]).await;
        inbox(&app).replay(1).await.unwrap();
        assert_eq!(alerts(&app, "").await["items"][0]["count"], 1);
    }

    async fn an_alert_is_acknowledged_and_ended_by_hand(app: TestApp) {
        send(&app, vec![member("Errors", "cart", "warning", "firing", TEN)]).await;
        let mut api = app.api(Role::Responder).await;
        let acknowledged = api.post_json("/api/v1/alerts/1/acknowledge", &json!({})).await.expect(200).json();
        assert_eq!(acknowledged["acknowledged_by"], "tests");
        let ended = api.post_json("/api/v1/alerts/1/resolve", &json!({})).await.expect(200).json();
        assert_eq!(ended["status"], "resolved");
        api.post_json("/api/v1/alerts/1/resolve", &json!({})).await.expect(409);
        api.post_json("/api/v1/alerts/99/resolve", &json!({})).await.expect(404);
        app.api(Role::Viewer).await.post_json("/api/v1/alerts/1/acknowledge", &json!({})).await.expect(403);
    }

    async fn promoting_prefills_the_incident_and_keeps_the_alert_as_evidence(app: TestApp) {
        send(&app, vec![member("Errors", "cart", "error", "firing", TEN)]).await;
        let mut api = app.api(Role::Responder).await;
        let made = api.post_json("/api/v1/alerts/1/promote", &json!({"title": "Carts are lost"})).await.expect(201).json();
        assert_eq!((&made["id"], &made["title"], &made["severity"], &made["services"]), (&json!("INC-1"), &json!("Carts are lost"), &json!("SEV2"), &json!(["cart"])));
        assert_eq!(alerts(&app, "?incident=INC-1").await["items"][0]["incident"], "INC-1");
        let times = faultline::incidents::milestones(&app.state.db, faultline::incidents::IncidentId(1)).await.unwrap();
        let impact = times.iter().find(|m| m.name == faultline::incidents::MilestoneName::ImpactStarted).unwrap();
        assert_eq!(impact.at.map(|t| t.to_rfc3339()).as_deref(), Some(TEN));
        assert_eq!(impact.source, faultline::incidents::Source::Alert);
        api.post_json("/api/v1/alerts/1/promote", &json!({})).await.expect(409).contains("INC-1");
    }

    async fn programs_send_generic_alerts_and_see_what_they_became(app: TestApp) {
        let mut api = app.api(Role::Responder).await;
        let made = api.post_json("/api/v1/alerts", &json!({"title": "Disk is full", "dedup_key": "d", "service": "Store", "severity": "critical"})).await.expect(201).json();
        assert_eq!((&made["status"], &made["service"], &made["severity"]), (&json!("firing"), &json!("store"), &json!("critical")));
        let again = api.post_json("/api/v1/alerts", &json!({"title": "Disk is full", "dedup_key": "d", "status": "resolved"})).await.expect(201).json();
        assert_eq!((&again["id"], &again["status"]), (&made["id"], &json!("resolved")));
        api.post_json("/api/v1/alerts", &json!({"severity": "critical"})).await.expect(400).contains("title: is missing");
        let list = api.post_json("/api/v1/alerts", &json!([{"title": "a"}, {"title": "b"}])).await.expect(201).json();
        assert_eq!(list["items"].as_array().unwrap().len(), 2);
    }

    async fn prometheus_itself_may_send_and_what_it_forgets_ends(app: TestApp) {
        let mut sender = app.sender().await;
        let body = json!([{"labels": {"alertname": "Down", "job": "shop"}, "startsAt": TEN, "endsAt": "2026-11-23T11:04:00Z"}]);
        sender.post_json("/api/v2/alerts", &body).await.expect(200);
        inbox(&app).drain().await.unwrap();
        jobs::run_once(&app.state).await.unwrap();
        assert_eq!(alerts(&app, "?status=firing").await["total"], 1);
        app.advance(TimeDelta::minutes(5));
        jobs::run_once(&app.state).await.unwrap();
        let over = alerts(&app, "?status=resolved").await;
        assert_eq!(over["items"][0]["ended_at"], "2026-11-23T11:04:00Z");
    }

    async fn a_storm_opens_one_incident_by_itself_and_says_why_each_joined(app: TestApp) {
        let names: Vec<String> = (0..300).map(|i| format!("Errors{i:03}")).collect();
        send(&app, names.iter().map(|n| member(n, "cart", "critical", "firing", TEN)).collect()).await;
        jobs::run_once(&app.state).await.unwrap();
        let joined = alerts(&app, "?incident=INC-1&limit=200").await;
        assert_eq!(joined["total"], 300);
        assert!(joined["items"][0]["reason"].as_str().unwrap().contains("same service cart"), "{}", joined["items"][0]);
        let incident = faultline::incidents::get_visible(&app.state.db, faultline::incidents::IncidentId(1), faultline::incidents::Viewer { all: true, user_id: 0 }).await.unwrap();
        assert_eq!(incident.started_at.to_rfc3339(), TEN);
        send(&app, vec![member("Late", "cart", "critical", "firing", "2026-11-23T10:58:00Z"), member("Other", "search", "critical", "firing", "2026-11-23T10:58:00Z")]).await;
        jobs::run_once(&app.state).await.unwrap();
        assert_eq!(alerts(&app, "?incident=INC-1&limit=1").await["total"], 301);
        assert_eq!(alerts(&app, "?incident=INC-2&limit=1").await["total"], 1);
    }

    async fn a_blip_pages_nobody_and_a_young_alert_waits(app: TestApp) {
        send(&app, vec![member("Blip", "cart", "critical", "resolved", "2026-11-23T10:58:50Z"), member("Young", "cart", "critical", "firing", "2026-11-23T10:59:50Z")]).await;
        jobs::run_once(&app.state).await.unwrap();
        assert_eq!(alerts(&app, "?incident=any").await["total"], 0);
        app.advance(TimeDelta::seconds(25));
        jobs::run_once(&app.state).await.unwrap();
        assert_eq!(alerts(&app, "?incident=INC-1").await["items"][0]["rule"], "Young");
    }

    async fn a_parameter_that_means_nothing_is_named(app: TestApp) {
        let mut api = app.api(Role::Viewer).await;
        let problem = api.get("/api/v1/alerts?status=odd&from=never").await.expect(422).json();
        let fields: Vec<&str> = problem["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
        assert_eq!(fields, ["status", "from"]);
        api.get("/api/v1/alerts?incident=INC-77").await.expect(404);
        api.get("/api/v1/alerts?cursor=junk").await.expect(422);
    }
}
