//! Similar incidents: why they are shown, what fixed them, who sees them, and duplicates before declaring.

use axum::http::Method;
use faultline::accounts::Role;
use serde_json::{Value, json};

use crate::support::Browser;

async fn service(api: &mut Browser, slug: &str) {
    api.post_json("/api/v1/services", &json!({ "slug": slug, "name": slug })).await.expect(201);
}

async fn declare(api: &mut Browser, title: &str, services: &[&str]) -> String {
    let body = json!({ "title": title, "severity": "SEV2", "services": services, "status": "investigating" });
    api.post_json("/api/v1/incidents", &body).await.expect(201).json()["id"].as_str().expect("an id").to_owned()
}

async fn end(api: &mut Browser, id: &str, reason: &str) {
    let body = json!({ "status": "resolved", "reason": reason });
    api.post_json(&format!("/api/v1/incidents/{id}/status"), &body).await.expect(200);
}

async fn similar(api: &mut Browser, id: &str) -> Vec<Value> {
    let answer = api.get(&format!("/api/v1/incidents/{id}/similar")).await.expect(200).json();
    answer["items"].as_array().expect("items").clone()
}

on_both! {
    async fn earlier_incidents_are_shown_with_why_and_with_what_fixed_them(app: TestApp) {
        let mut api = app.api(Role::Commander).await;
        for slug in ["checkout", "payment", "mail"] {
            service(&mut api, slug).await;
        }
        let first = declare(&mut api, "Checkout times out behind payment", &["checkout", "payment"]).await;
        let task = json!({ "title": "Bound the pool", "kind": "follow_up" });
        api.post_json(&format!("/api/v1/incidents/{first}/tasks"), &task).await.expect(201);
        end(&mut api, &first, "Rolled payment back to v41").await;
        let other = declare(&mut api, "Newsletter is late", &["mail"]).await;
        end(&mut api, &other, "Sent it").await;
        let now = declare(&mut api, "Checkout times out again", &["checkout"]).await;

        let found = similar(&mut api, &now).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["id"], first.as_str());
        assert_eq!(found[0]["reasons"], json!(["the same service: checkout", "the titles share: checkout, out, times"]));
        let fixes: Vec<&str> = found[0]["fixes"].as_array().unwrap().iter().map(|f| f["text"].as_str().unwrap()).collect();
        assert_eq!(fixes, ["Resolved: Rolled payment back to v41", "1 follow-up, 1 still open"]);

        let mut viewer = app.browser(Role::Viewer).await;
        let page = viewer.get(&format!("/incidents/{now}")).await.expect(200);
        page.contains("Similar incidents").contains(&first).contains("Rolled payment back to v41");
        viewer.get(&format!("/incidents/{other}")).await.expect(200).lacks("Similar incidents");
    }

    async fn the_same_alert_and_a_confirmed_cause_weigh_more_than_the_service(app: TestApp) {
        let mut api = app.api(Role::Commander).await;
        service(&mut api, "checkout").await;
        service(&mut api, "payment").await;
        let same_alert = declare(&mut api, "Pages are slow", &[]).await;
        let alert = json!({ "title": "High latency", "dedup_key": "latency-checkout", "service": "checkout", "status": "firing" });
        let sent = api.post_json("/api/v1/alerts", &alert).await.expect(201).json();
        let alert_id = sent["id"].as_i64().or_else(|| sent["items"][0]["id"].as_i64()).expect("an id").to_string();
        let attach = |r: &str| json!({ "kind": "alert", "reference": r });
        api.post_json(&format!("/api/v1/incidents/{same_alert}/evidence"), &attach(&alert_id)).await.expect(201);
        let same_cause = declare(&mut api, "Orders fail", &[]).await;
        let verdict = json!({ "kind": "service", "service": "payment", "verdict": "caused" });
        api.post_json(&format!("/api/v1/incidents/{same_cause}/suspects/verdict"), &verdict).await.expect(200);
        let same_service = declare(&mut api, "Certificate expired", &["checkout"]).await;
        let now = declare(&mut api, "Something is wrong", &["checkout"]).await;
        api.post_json(&format!("/api/v1/incidents/{now}/evidence"), &attach(&alert_id)).await.expect(201);
        api.post_json(&format!("/api/v1/incidents/{now}/suspects/verdict"), &verdict).await.expect(200);

        let found = similar(&mut api, &now).await;
        let ids: Vec<&str> = found.iter().map(|f| f["id"].as_str().unwrap()).collect();
        assert_eq!(ids, [same_alert.as_str(), &same_cause, &same_service]);
        assert_eq!(found[0]["reasons"][0], "the same alert fired: High latency");
        assert_eq!(found[1]["reasons"][0], "payment caused that one and is named here too");
    }

    async fn private_incidents_resemble_nothing_for_those_they_do_not_name(app: TestApp) {
        let mut api = app.api(Role::Admin).await;
        service(&mut api, "vault").await;
        let secret = declare(&mut api, "Credentials leaked from vault", &["vault"]).await;
        api.json(Method::PATCH, &format!("/api/v1/incidents/{secret}"), &json!({ "private": true })).await.expect(200);
        let now = declare(&mut api, "Credentials refused by vault", &["vault"]).await;
        assert_eq!(similar(&mut api, &now).await.len(), 1);
        assert!(similar(&mut app.api(Role::Commander).await, &now).await.is_empty());
        // What an administrator's page found is not shown to others.
        app.browser(Role::Admin).await.get(&format!("/incidents/{now}")).await.expect(200).contains("leaked");
        let mut bob = app.browser(Role::Responder).await;
        bob.get(&format!("/incidents/{now}")).await.expect(200).lacks("leaked");
        bob.get("/incidents/new?title=Credentials+leaked+from+vault&services=vault").await.expect(200).lacks(&secret).contains(&now);
        // Nor does a declaration of somebody else tell of it.
        end(&mut api, &now, "fixed").await;
        bob.post_form("/incidents", &[("title", "Credentials leaked from vault"), ("severity", "SEV2"), ("services", "vault")]).await.expect(303);
    }

    async fn a_declaration_that_may_repeat_an_open_incident_asks_first(app: TestApp) {
        let mut api = app.api(Role::Responder).await;
        service(&mut api, "checkout").await;
        let open = declare(&mut api, "Checkout fails", &["checkout"]).await;
        let mut ada = app.browser(Role::Responder).await;
        let form = [("title", "Checkout is broken"), ("severity", "SEV1"), ("services", "checkout"), ("summary", "Cards are refused")];
        let asked = ada.post_form("/incidents", &form).await.expect(422);
        asked.contains("Not declared yet").contains(&open).contains("Cards are refused").contains("/incidents?sure=1");
        ada.post_form("/incidents?sure=1", &form).await.expect(303);
        // What is over, a drill, and another service are no duplicates.
        let drill = [("title", "Checkout is broken"), ("severity", "SEV1"), ("services", "checkout"), ("kind", "drill")];
        ada.post_form("/incidents", &drill).await.expect(303);
        ada.post_form("/incidents", &[("title", "Mail is late"), ("severity", "SEV3")]).await.expect(303);
    }
}
