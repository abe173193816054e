//! Alerts in the browser: the list and its bulk actions, one alert, promoting, rules, maintenance,
//! set-up of sources, deliveries.

use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::alerts::jobs;
use serde_json::{Value, json};

use super::inbox::inbox;
use super::support::TestApp;

fn generic(key: &str, service: &str, severity: &str) -> Value {
    json!({"title": format!("Trouble {key}"), "dedup_key": key, "service": service, "severity": severity, "starts_at": "2026-11-23T10:50:00Z"})
}

async fn send(app: &TestApp, alerts: Vec<Value>) {
    app.sender().await.post_json("/ingest/alerts/generic", &json!(alerts)).await.expect(202);
    inbox(app).drain().await.unwrap();
}

async fn total(app: &TestApp, query: &str) -> i64 {
    app.api(Role::Admin).await.get(&format!("/api/v1/alerts?{query}")).await.expect(200).json()["total"]
        .as_i64()
        .unwrap()
}

on_both! {
    async fn the_list_shows_what_fires_and_narrows_by_the_url(app: TestApp) {
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get("/alerts").await.expect(200).contains("Nothing fires").contains("No alert matches");
        send(&app, vec![generic("one", "cart", "warning"), generic("two", "search", "info")]).await;
        viewer.get("/alerts").await.expect(200).contains("Trouble one").contains("Trouble two").contains("2 firing").lacks("Mark as noise");
        viewer.get("/alerts?service=cart").await.expect(200).contains("Trouble one").lacks("Trouble two");
        viewer.get("/alerts?severity=info&q=trouble").await.expect(200).contains("Trouble two").lacks("Trouble one");
        viewer.get("/alerts?status=resolved").await.expect(200).contains("No alert matches");
        viewer.get("/alerts/1").await.expect(200).contains("Trouble one").contains("What its source said").lacks("Make an incident");
        viewer.get("/alerts/1").await.expect(200).lacks("id=\"payload\"");
        app.browser(Role::Responder).await.get("/alerts/1").await.expect(200).contains("Make an incident").contains("&#34;dedup_key&#34;: &#34;one&#34;");
    }

    async fn many_are_moved_split_marked_and_taken_back(app: TestApp) {
        send(&app, (0..3).map(|i| generic(&format!("k{i}"), "cart", "critical")).collect()).await;
        jobs::run_once(&app.state).await.unwrap();
        assert_eq!(total(&app, "incident=INC-1").await, 3);
        let mut ada = app.browser(Role::Responder).await;
        ada.post_form("/alerts/bulk", &[("id", "1"), ("id", "2"), ("do", "split"), ("back", "/alerts?incident=INC-1")]).await.redirects_to("/alerts?incident=INC-1");
        assert_eq!(total(&app, "incident=INC-1").await, 1);
        ada.get("/alerts").await.expect(200).contains("took 2 alerts out of their incident").contains("Take back");
        ada.post_form("/alerts/undo/1", &[]).await.redirects_to("/alerts");
        assert_eq!(total(&app, "incident=INC-1").await, 3);
        ada.post_form("/alerts/undo/1", &[]).await.expect(404);
        ada.post_form("/alerts/bulk", &[("all", "yes"), ("do", "noise"), ("back", "/alerts?status=firing")]).await.redirects_to("/alerts?status=firing");
        assert_eq!(total(&app, "noise=yes").await, 3);
        ada.post_form("/alerts/bulk", &[("do", "resolve"), ("back", "//evil.example")]).await.redirects_to("/alerts");
        ada.post_form("/alerts/bulk", &[("id", "3"), ("do", "resolve"), ("back", "/alerts/3")]).await.redirects_to("/alerts/3");
        assert_eq!(total(&app, "status=firing").await, 2);
        ada.post_form("/alerts/bulk", &[("id", "1"), ("do", "move"), ("incident", "nonsense")]).await.expect(422);
    }

    async fn an_alert_is_promoted_by_a_form_that_keeps_what_was_typed(app: TestApp) {
        send(&app, vec![generic("one", "cart", "warning")]).await;
        let mut ada = app.browser(Role::Responder).await;
        ada.get("/alerts/1/promote").await.expect(200).contains("Trouble one").contains("2026-11-23T10:50").contains("SEV3");
        let mut form = vec![("title", "Carts"), ("severity", "SEV2"), ("services", "cart, nowhere"), ("summary", ""), ("impact_started_at", "2026-11-23T10:50"), ("detected_at", "2026-11-23T10:50")];
        ada.post_form("/alerts/1/promote", &form).await.expect(422).contains("nowhere").contains("Carts");
        form[2].1 = "cart";
        ada.post_form("/alerts/1/promote", &form).await.redirects_to("/incidents/INC-1");
        let milestones = faultline::incidents::milestones(&app.state.db, faultline::incidents::IncidentId(1)).await.unwrap();
        let sources: Vec<_> = milestones.iter().filter(|m| m.at.is_some_and(|t| t.to_rfc3339() == "2026-11-23T10:50:00Z")).map(|m| m.source).collect();
        assert_eq!(sources, [faultline::incidents::Source::Alert; 2]);
        ada.get("/alerts/1/promote").await.redirects_to("/incidents/INC-1");
    }

    async fn a_private_incident_does_not_show_behind_its_alerts(app: TestApp) {
        send(&app, vec![generic("one", "cart", "warning")]).await;
        let (mut ada, _) = app.browser_of("Ada", Role::Responder).await;
        let form = [("title", "Secret"), ("severity", "SEV2"), ("services", "cart"), ("summary", ""), ("private", "on"), ("impact_started_at", ""), ("detected_at", "")];
        ada.post_form("/alerts/1/promote", &form).await.redirects_to("/incidents/INC-1");
        ada.get("/alerts/1").await.expect(200).contains("INC-1");
        let mut bo = app.browser(Role::Responder).await;
        bo.get("/alerts/1").await.expect(200).lacks("INC-1").lacks("Secret");
        bo.get("/alerts?status=all").await.expect(200).lacks("INC-1");
        bo.get("/alerts?incident=INC-1").await.expect(404);
        let seen = app.api(Role::Viewer).await.get("/api/v1/alerts/1").await.expect(200).json();
        assert_eq!(seen["incident"], Value::Null);
    }

    async fn a_rule_is_tried_on_the_past_before_it_is_saved(app: TestApp) {
        send(&app, (0..6).map(|i| generic(&format!("k{i}"), &format!("svc-{i}"), "critical")).collect()).await;
        let mut chief = app.browser(Role::Commander).await;
        chief.get("/alerts/rules").await.expect(200).contains("No rule is written").contains("Default: critical alerts");
        chief.get("/alerts/rules/new").await.expect(200).contains("Try on the last 30 days");
        let form = |action: &'static str, minimum: &'static str| [
            ("name", "Everything critical"), ("matchers", "severity = critical"), ("group_by", "everything"), ("group_labels", ""), ("window_minutes", "10"),
            ("hold_seconds", "30"), ("min_count", minimum), ("target", "open"), ("severity", "SEV1"), ("reopen_minutes", "0"), ("runbooks", ""), ("do", action),
        ];
        chief.post_form("/alerts/rules", &form("try", "none")).await.expect(422).contains("a whole number from 1 to 10000").contains("Everything critical");
        chief.post_form("/alerts/rules", &form("try", "1")).await.expect(200).contains("would have made <strong>1</strong> incident instead of <strong>6</strong>");
        assert_eq!(total(&app, "incident=any").await, 0, "trying changes nothing");
        chief.post_form("/alerts/rules", &form("save", "1")).await.redirects_to("/alerts/rules");
        chief.post_form("/alerts/rules", &form("save", "1")).await.expect(422).contains("another rule has this name");
        jobs::run_once(&app.state).await.unwrap();
        assert_eq!(total(&app, "incident=INC-1").await, 6);
        chief.post_form("/alerts/rules/1/do", &[("do", "off")]).await.redirects_to("/alerts/rules");
        chief.get("/alerts/rules").await.expect(200).contains(">off<");
        chief.get("/alerts/rules/1").await.expect(200).contains("severity = critical");
        chief.post_form("/alerts/rules/1/do", &[("do", "delete")]).await.redirects_to("/alerts/rules");
        chief.get("/alerts/rules/1").await.expect(404);
    }

    async fn maintenance_suppresses_incidents_but_not_records_and_always_ends(app: TestApp) {
        let mut ada = app.browser(Role::Responder).await;
        let form = |until: &'static str| [("title", "Upgrade"), ("matchers", "service = cart"), ("starts_at", ""), ("ends_at", until)];
        ada.post_form("/alerts/maintenance", &form("")).await.expect(422).contains("a window needs an end").contains("Upgrade");
        ada.post_form("/alerts/maintenance", &form("2026-11-23T12:00")).await.redirects_to("/alerts/maintenance");
        send(&app, vec![generic("one", "cart", "critical"), generic("two", "search", "critical")]).await;
        jobs::run_once(&app.state).await.unwrap();
        assert_eq!((total(&app, "incident=any").await, total(&app, "status=firing").await), (1, 2));
        ada.get("/alerts/1").await.expect(200).contains("maintenance &#34;Upgrade&#34; until");
        app.advance(TimeDelta::minutes(61));
        jobs::run_once(&app.state).await.unwrap();
        assert_eq!(total(&app, "incident=any").await, 2, "what still fires at the end counts");
        ada.get("/alerts/maintenance").await.expect(200).contains("over");
    }

    async fn an_alert_after_the_resolution_opens_a_linked_incident(app: TestApp) {
        send(&app, vec![generic("one", "cart", "critical")]).await;
        jobs::run_once(&app.state).await.unwrap();
        let by = faultline::incidents::By::system("test");
        let change = faultline::incidents::model::input::StatusChange { to: faultline::incidents::Status::Resolved, reason: "mended".into(), at: app.state.now(), confirmed: true };
        let tx = app.state.db.begin().await.unwrap();
        faultline::incidents::change_status(&tx, faultline::incidents::IncidentId(1), &change, &by, app.state.now()).await.unwrap();
        tx.commit().await.unwrap();
        app.advance(TimeDelta::minutes(5));
        let mut again = generic("two", "cart", "critical");
        again["starts_at"] = json!("2026-11-23T11:04:00Z");
        send(&app, vec![again]).await;
        jobs::run_once(&app.state).await.unwrap();
        assert_eq!(total(&app, "incident=INC-2").await, 1);
    }

    async fn each_source_has_a_page_to_set_it_up_and_try_it(app: TestApp) {
        let mut admin = app.browser(Role::Admin).await;
        admin.get("/settings/sources").await.expect(200).contains("Prometheus Alertmanager").contains("never");
        for source in faultline::alerts::sources::Source::ALL {
            let path = format!("/settings/sources/{}", source.as_str());
            admin.get(&path).await.expect(200).contains("http://faultline.test");
            let answer = admin.post_form(&format!("{path}/test"), &[]).await;
            assert!(answer.location().starts_with("/settings/deliveries/"), "{}: {}", source.as_str(), answer.text());
            admin.get(answer.location()).await.expect(200).contains("processed");
        }
        // Prometheus and Alertmanager tell of the same labels: one alert.
        assert_eq!(total(&app, "status=firing").await, 11);
        let page = admin.post_form("/settings/sources/grafana/token", &[]).await.expect(200).text();
        let start = page.find("flt_").expect("the token is shown once");
        let token = &page[start..start + 68];
        app.visitor().post_bytes(&format!("/ingest/alerts/grafana/{token}"), &[], r#"{"alerts":[]}"#).await.expect(202);
        admin.post_form("/settings/sources/grafana/secrets", &[("secrets", "hush")]).await.redirects_to("/settings/sources/grafana");
        admin.get("/settings/sources/grafana").await.expect(200).lacks("hush");
        app.visitor().post_bytes(&format!("/ingest/alerts/grafana/{token}"), &[], r#"{"alerts":[]}"#).await.expect(401);
        admin.get("/settings/sources/nobody").await.expect(404);
    }

    async fn a_mapping_is_previewed_on_the_last_delivery(app: TestApp) {
        let mut admin = app.browser(Role::Admin).await;
        let path = "/settings/sources/generic/mapping";
        admin.post_form(path, &[("mapping", "title"), ("do", "try")]).await.expect(422).contains("line 1: write field = $.path");
        let text = "title = $.what\ndedup_key = $.nr\nservice = $.app";
        admin.post_form(path, &[("mapping", text), ("do", "try")]).await.expect(200).contains("no delivery of this kind has arrived yet");
        app.sender().await.post_json("/ingest/alerts/mapped", &json!({"nr": 7, "what": "House on fire", "app": "cart"})).await.expect(202);
        admin.post_form(path, &[("mapping", text), ("do", "try")]).await.expect(200).contains("House on fire");
        admin.post_form(path, &[("mapping", text), ("do", "save")]).await.redirects_to("/settings/sources/generic");
        inbox(&app).drain().await.unwrap();
        assert_eq!(total(&app, "service=cart").await, 1);
    }

    async fn an_admin_sees_what_was_refused_and_replays_it(app: TestApp) {
        let mut admin = app.browser(Role::Admin).await;
        admin.get("/settings/deliveries").await.expect(200).contains("Nothing has arrived yet");
        app.sender().await.post_bytes("/ingest/alerts/alertmanager", &[], "{\"alerts\": <b>").await.expect(400);
        admin.get("/settings/deliveries?status=rejected").await.expect(200).contains("not JSON").contains("alerts/alertmanager");
        admin.get("/settings/deliveries?status=processed").await.expect(200).contains("Nothing matches");
        admin.get("/settings/deliveries/1").await.expect(200).contains("&#60;b&#62;").lacks("<b>");
        let body = admin.get("/settings/deliveries/1/body").await.expect(200);
        assert!(body.header("content-disposition").starts_with("attachment") && body.text() == "{\"alerts\": <b>");
        admin.post_form("/settings/deliveries/1/replay", &[]).await.redirects_to("/settings/deliveries/1");
        admin.get("/settings/deliveries/1").await.expect(200).contains("failed").contains("refused again");
        app.browser(Role::Commander).await.get("/settings/deliveries").await.expect(403);
    }
}
