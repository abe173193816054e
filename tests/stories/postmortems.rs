//! Postmortems: drafted in one click, written by two, published, read by who may.

use faultline::accounts::Role;
use serde_json::json;

use crate::runbooks::declared;

on_both! {
    async fn a_postmortem_is_drafted_written_and_published(app: TestApp) {
        let id = declared(&app, "Cart fails", false).await;
        let (mut ada, _) = app.browser_of("Ada", Role::Responder).await;
        let path = format!("/incidents/{id}/postmortem");
        ada.get("/postmortems").await.expect(200).contains("No postmortems yet");
        ada.get(&path).await.expect(200).contains("Draft from the record");
        ada.post_form(&path, &[]).await.redirects_to(&path);
        ada.get(&path).await.expect(200).contains("SEV2 incident affecting cart").contains("as drafted").contains("a question is not answered");
        let section = format!("{path}/sections/impact");
        ada.get(&section).await.expect(200).contains("name=\"base\" value=\"1\"");
        ada.post_form(&section, &[("body", "**1,200** orders"), ("base", "1"), ("preview", "on")]).await.expect(200).contains("<strong>1,200</strong>").contains("not saved");
        ada.get(&path).await.expect(200).lacks("1,200");
        ada.post_form(&section, &[("body", "**1,200** orders"), ("base", "1")]).await.redirects_to(&format!("{path}#impact"));
        ada.get(&path).await.expect(200).contains("<strong>1,200</strong>");

        let (mut bob, _) = app.browser_of("Bob", Role::Responder).await;
        let clash = bob.post_form(&section, &[("body", "Bob was here"), ("base", "1")]).await.expect(409);
        clash.contains("Ada saved this section meanwhile").contains("Bob was here").contains("**1,200** orders").contains("name=\"base\" value=\"2\"");
        bob.post_form(&section, &[("body", "**1,200** orders; Bob was here"), ("base", "2")]).await.redirects_to(&format!("{path}#impact"));
        bob.get(&format!("{section}/versions")).await.expect(200).contains("Version 3").contains("Bob").contains("diff-removed");
        bob.post_form(&format!("{section}/regenerate"), &[("base", "3"), ("how", "replace")]).await.redirects_to(&format!("{path}#impact"));
        bob.get(&path).await.expect(200).contains("How many users").lacks("Bob was here");
        bob.post_form(&section, &[("body", "**1,200** orders; Bob was here"), ("base", "4")]).await;

        bob.post_form(&format!("{path}/actions"), &[("title", ""), ("owner", "")]).await.expect(422).contains("is needed");
        bob.post_form(&format!("{path}/actions"), &[("title", "Add a canary"), ("owner", "ada@faultline.test"), ("due_at", "2026-12-24")]).await.redirects_to(&format!("{path}#actions"));
        bob.get(&path).await.expect(200).contains("Add a canary").contains("due 2026-12-24");
        let task: i64 = app.state.db.fetch_scalar("SELECT id FROM incident_tasks", vec![]).await.unwrap();
        bob.post_form(&format!("{path}/actions/{task}"), &[("state", "done")]).await.redirects_to(&format!("{path}#actions"));

        bob.post_form(&section, &[("body", ""), ("base", "5")]).await;
        let mut chief = app.browser(Role::Commander).await;
        chief.post_form(&format!("{path}/state"), &[("state", "published")]).await.expect(422).contains("“Impact” is empty");
        bob.post_form(&section, &[("body", "**1,200** orders"), ("base", "6")]).await;
        bob.post_form(&format!("{path}/state"), &[("state", "in_review")]).await.redirects_to(&path);
        ada.post_form(&format!("{path}/state"), &[("state", "published")]).await.expect(403);
        let (mut cleo, _) = app.browser_of("Cleo", Role::Commander).await;
        cleo.post_form(&format!("{path}/state"), &[("state", "published")]).await.redirects_to(&path);
        ada.get(&path).await.expect(200).contains("Published").contains("by Cleo").lacks("/sections/impact\"");
        ada.post_form(&section, &[("body", "late"), ("base", "7")]).await.expect(409);
        ada.get("/postmortems?state=published&q=orders").await.expect(200).contains("Cart fails");
        ada.get("/postmortems?state=draft").await.expect(200).contains("No postmortem matches");
        let export = ada.get(&format!("{path}/export.md")).await.expect(200);
        assert!(export.text().starts_with(&format!("# {id}: Cart fails\n")), "{}", export.text());

        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get(&path).await.expect(200).contains("1,200").lacks("name=\"state\"");
        viewer.post_form(&format!("{path}/state"), &[("state", "draft")]).await.expect(403);
    }

    async fn a_postmortem_by_api(app: TestApp) {
        let id = declared(&app, "Cart fails", false).await;
        let mut api = app.api(Role::Responder).await;
        let path = format!("/api/v1/incidents/{id}/postmortem");
        api.get(&path).await.expect(404);
        let made = api.post_json(&path, &json!({})).await.expect(201).json();
        assert_eq!((made["state"].as_str(), made["sections"].as_array().map(Vec::len)), (Some("draft"), Some(9)));
        api.post_json(&path, &json!({})).await.expect(200);
        let put = axum::http::Method::PUT;
        api.json(put.clone(), &path, &json!({ "sections": { "impct": "x" } })).await.expect(422).contains("sections.impct");
        let saved = api.json(put.clone(), &path, &json!({ "sections": { "impact": "12 % of users" }, "version": 1 })).await.expect(200).json();
        assert_eq!((saved["sections"][1]["body"].as_str(), saved["version"].as_i64()), (Some("12 % of users"), Some(2)));
        api.json(put.clone(), &path, &json!({ "sections": { "impact": "x" }, "version": 1 })).await.expect(409);
        let whole = saved["markdown"].as_str().unwrap().replace("12 % of users", "13 % of users");
        api.json(put.clone(), &path, &json!({ "state": "published" })).await.expect(403);
        let mut api = app.api(Role::Commander).await;
        let saved = api.json(put.clone(), &path, &json!({ "markdown": whole, "state": "published" })).await.expect(200).json();
        assert_eq!((saved["state"].as_str(), saved["sections"][1]["body"].as_str()), (Some("published"), Some("13 % of users")));
        let list = api.get("/api/v1/postmortems?state=published").await.expect(200).json();
        assert_eq!((list["total"].as_i64(), list["items"][0]["incident"].as_str()), (Some(1), Some(id.to_string().as_str())));
    }

    async fn private_incidents_hide_their_postmortem(app: TestApp) {
        let id = declared(&app, "Leaked key", true).await;
        let mut admin = app.browser(Role::Admin).await;
        let path = format!("/incidents/{id}/postmortem");
        admin.post_form(&path, &[]).await.redirects_to(&path);
        let mut outsider = app.browser(Role::Commander).await;
        outsider.get("/postmortems").await.expect(200).lacks("Leaked");
        outsider.get(&path).await.expect(404);
        outsider.get(&format!("{path}/sections/impact")).await.expect(404);
        outsider.get(&format!("{path}/export.md")).await.expect(404);
        outsider.post_form(&path, &[]).await.expect(404);
        outsider.get(&format!("/api/v1/incidents/{id}/postmortem")).await.expect(404);
    }
}
