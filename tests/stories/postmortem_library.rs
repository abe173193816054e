//! Rules with due dates, the library, exports, and what telemetry draws into a draft.

use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::postmortems::jobs;
use serde_json::json;

use crate::runbooks::declared;
use crate::support::TestApp;

async fn resolve(app: &TestApp, incident: &str) {
    let mut api = app.api(Role::Responder).await;
    api.post_json(&format!("/api/v1/incidents/{incident}/status"), &json!({ "status": "resolved", "confirm": true }))
        .await
        .expect(200);
}

on_both! {
    async fn rules_say_which_postmortems_are_required_and_by_when(app: TestApp) {
        let mut admin = app.browser(Role::Admin).await;
        app.browser(Role::Commander).await.get("/settings/postmortems").await.expect(403);
        admin.get("/settings/postmortems").await.expect(200).contains("No rules");
        admin.post_form("/settings/postmortems", &[("name", ""), ("due_days", "soon"), ("severity", "SEV9")]).await.expect(422).contains("is needed").contains("must be a whole number").contains("value=\"soon\"");
        let rule = [("name", "Big ones"), ("severity", "SEV1"), ("severity", "SEV2"), ("required", "on"), ("due_days", "5"), ("gap_minutes", "10"), ("guidance.impact", "*Which customers called?*")];
        admin.post_form("/settings/postmortems", &rule).await.redirects_to("/settings/postmortems");
        admin.get("/settings/postmortems").await.expect(200).contains("Big ones").contains("required within 5 days");
        let id = declared(&app, "Cart fails", false).await.to_string();
        resolve(&app, &id).await;
        jobs::run_once(&app.state).await.unwrap();
        let mut ada = app.browser(Role::Responder).await;
        ada.get("/postmortems").await.expect(200).contains("Required and not published").contains("not drafted").contains("due 2026-11-28").lacks("overdue");
        let path = format!("/incidents/{id}/postmortem");
        ada.post_form(&path, &[]).await.redirects_to(&path);
        // The hour from the impact to now has no word in it; ten minutes are too many by this rule.
        ada.get(&path).await.expect(200).contains("Which customers called?").contains("due 2026-11-28").contains("nothing is written about");
        app.advance(TimeDelta::days(6));
        jobs::run_once(&app.state).await.unwrap();
        jobs::run_once(&app.state).await.unwrap();
        let told: i64 = app.state.db.fetch_scalar("SELECT COUNT(*) FROM outbox_events WHERE event LIKE '%Postmortem of INC-%'", vec![]).await.unwrap();
        assert_eq!(told, 1, "reminded once");
        ada.get(&path).await.expect(200).contains("overdue");
        let mut chief = app.browser(Role::Commander).await;
        chief.post_form(&format!("{path}/state"), &[("state", "published")]).await.redirects_to(&path);
        ada.get("/postmortems").await.expect(200).lacks("Required and not published");
        let rule: i64 = app.state.db.fetch_scalar("SELECT id FROM postmortem_rules", vec![]).await.unwrap();
        admin.post_form(&format!("/settings/postmortems/{rule}"), &[("name", "Small ones"), ("severity", "SEV4")]).await.redirects_to("/settings/postmortems");
        admin.get(&format!("/settings/postmortems/{rule}")).await.expect(200).contains("Small ones");
        admin.post_form(&format!("/settings/postmortems/{rule}/remove"), &[]).await.redirects_to("/settings/postmortems");
        admin.get(&format!("/settings/postmortems/{rule}")).await.expect(404);
    }

    async fn the_library_is_sorted_by_cause_and_tag_and_shows_what_comes_back(app: TestApp) {
        let mut ada = app.browser(Role::Responder).await;
        for title in ["Cart fails", "Cart is sluggish"] {
            let id = declared(&app, title, false).await;
            let path = format!("/incidents/{id}/postmortem");
            ada.post_form(&path, &[]).await.redirects_to(&path);
            ada.post_form(&format!("{path}/about"), &[("cause", "magic"), ("tags", "")]).await.expect(422);
            ada.post_form(&format!("{path}/about"), &[("cause", "capacity"), ("tags", "Retry Storm, cache")]).await.redirects_to(&format!("{path}#about"));
        }
        ada.post_form("/incidents/INC-1/postmortem/sections/root_cause", &[("body", "The zeppelin was full."), ("base", "1")]).await;
        let page = ada.get("/postmortems").await.expect(200);
        page.contains("What keeps coming back").contains("Capacity or load</strong> at <code>cart</code>").contains("2 incidents").contains("retry-storm");
        ada.get("/postmortems?cause=capacity&tag=cache").await.expect(200).contains("Cart fails").contains("Cart is sluggish");
        ada.get("/postmortems?cause=data").await.expect(200).contains("No postmortem matches");
        ada.get("/postmortems?q=zeppelin").await.expect(200).contains("Cart fails").lacks("Cart is sluggish");
        ada.get("/postmortems?q=sluggish").await.expect(200).lacks("Cart fails").contains("Cart is sluggish");
        let mut api = app.api(Role::Responder).await;
        assert_eq!(api.get("/api/v1/postmortems?tag=cache").await.expect(200).json()["items"][0]["cause"], "capacity");
        let put = axum::http::Method::PUT;
        api.json(put.clone(), "/api/v1/incidents/INC-1/postmortem", &json!({ "cause": "data", "tags": ["one"] })).await.expect(200);
        assert_eq!(api.get("/api/v1/incidents/INC-1/postmortem").await.expect(200).json()["tags"], json!(["one"]));
        api.json(put, "/api/v1/incidents/INC-1/postmortem", &json!({ "cause": "magic" })).await.expect(422);
    }

    async fn one_file_holds_the_whole_postmortem(app: TestApp) {
        let id = declared(&app, "Cart <b>fails</b>", false).await;
        let path = format!("/incidents/{id}/postmortem");
        let mut ada = app.browser(Role::Responder).await;
        ada.post_form(&path, &[]).await.redirects_to(&path);
        ada.post_form(&format!("{path}/sections/impact"), &[("body", "See [it](/traces/abc), ![graph](/incidents/INC-1/evidence/3/image) <script>alert(1)</script>"), ("base", "1")]).await;
        ada.post_form(&format!("{path}/actions"), &[("title", "Add a canary"), ("type", "prevent"), ("link", "https://github.com/acme/shop/issues/12")]).await.redirects_to(&format!("{path}#actions"));
        let file = ada.get(&format!("{path}/export.html")).await.expect(200);
        assert!(file.header("content-disposition").contains(&format!("{id}-postmortem.html")));
        let html = file.text();
        assert!(html.contains("href=\"http://faultline.test/traces/abc\"") && html.contains("acme/shop#12"), "{html}");
        for bad in ["<script", "src=", "<link", "<b>fails"] {
            assert!(!html.contains(bad), "{bad}");
        }
    }

    async fn alerts_that_told_nobody_are_named_in_the_draft(app: TestApp) {
        let mut admin = app.browser(Role::Admin).await;
        let window = [("title", "Moving racks"), ("matchers", "service = cart"), ("starts_at", ""), ("ends_at", "2026-11-23T13:00")];
        admin.post_form("/alerts/maintenance", &window).await.redirects_to("/alerts/maintenance");
        let body = json!([{ "title": "Cart errors", "dedup_key": "x1", "service": "cart", "severity": "critical", "starts_at": "2026-11-23T10:50:00Z" }]);
        app.sender().await.post_json("/ingest/alerts/generic", &body).await.expect(202);
        faultline::app::Shared::new(&app.state).inbox.drain().await.unwrap();
        faultline::alerts::jobs::run_once(&app.state).await.unwrap();
        let alone: i64 = app.state.db.fetch_scalar("SELECT COUNT(*) FROM alerts WHERE incident_id IS NULL", vec![]).await.unwrap();
        assert_eq!(alone, 1, "the alert is there and in no incident");
        app.advance(TimeDelta::minutes(20));
        let id = declared(&app, "Cart fails", false).await;
        let path = format!("/incidents/{id}/postmortem");
        admin.post_form(&path, &[]).await.redirects_to(&path);
        admin.get(&path).await.expect(200).contains("Cart errors").contains("Why it told nobody").contains("Moving racks");
    }
}
