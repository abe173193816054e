//! Action items after their incident: found across incidents, closed by changes, opened again when it happens
//! again, and reminded of once.

use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::postmortems::jobs;
use serde_json::json;

use crate::runbooks::declared;
use crate::support::TestApp;

async fn item(app: &TestApp, incident: &str, body: serde_json::Value) -> String {
    let mut api = app.api(Role::Responder).await;
    let made = api.post_json(&format!("/api/v1/incidents/{incident}/action-items"), &body).await.expect(201).json();
    made["key"].as_str().unwrap().to_owned()
}

async fn state(app: &TestApp, key: &str) -> String {
    let item = app.api(Role::Viewer).await.get(&format!("/api/v1/action-items/{key}")).await.expect(200).json();
    item["state"].as_str().unwrap().to_owned()
}

async fn deployed(app: &TestApp, title: &str, status: &str) {
    let mut api = app.api(Role::Responder).await;
    let body = json!({ "service": "cart", "version": format!("v-{title}"), "environment": "production", "title": title, "status": status });
    api.post_json("/api/v1/deployments", &body).await.expect(201);
    app.advance(TimeDelta::minutes(1));
}

on_both! {
    async fn items_of_all_incidents_stand_on_one_page(app: TestApp) {
        let (first, second) = (declared(&app, "Cart fails", false).await.to_string(), declared(&app, "Slow", false).await.to_string());
        let (mut ada, _) = app.browser_of("Ada", Role::Responder).await;
        ada.get("/action-items").await.expect(200).contains("Nothing is open");
        let canary = item(&app, &first, json!({ "title": "Add a canary", "owner": "ada@faultline.test", "due_at": "2026-12-24", "type": "prevent", "priority": "high", "link": "https://github.com/acme/shop/issues/12" })).await;
        let graph = item(&app, &second, json!({ "title": "Draw a graph", "due_at": "2026-11-29", "type": "detect" })).await;
        item(&app, &second, json!({ "title": "Think" })).await;
        let page = ada.get("/action-items").await.expect(200);
        let text = page.text();
        page.contains("acme/shop#12").contains("Detect sooner").contains("nobody");
        let place = |what: &str| text.find(what).unwrap();
        assert!(place("Draw a graph") < place("Add a canary") && place("Add a canary") < place("Think"), "soonest due first, no date last");
        ada.get("/action-items?owner=me").await.expect(200).contains("Add a canary").lacks("Draw a graph");
        ada.get("/action-items?owner=nobody").await.expect(200).lacks("Add a canary").contains("Think");
        ada.get("/action-items?type=detect&due=week").await.expect(200).contains("Draw a graph").lacks("Think");
        ada.get("/action-items?service=cart&q=canary").await.expect(200).contains("Add a canary").lacks("Think");
        ada.get("/action-items?team=nobody-here").await.expect(200).contains("No action item matches");
        ada.get(&format!("/action-items/{graph}")).await.expect(200).contains("Draw a graph");
        let refused = ada.post_form(&format!("/action-items/{graph}"), &[("title", ""), ("owner", "x@y"), ("due_at", "soon"), ("type", "magic"), ("link", "javascript:alert(1)"), ("priority", "high"), ("state", "open")]).await.expect(422);
        refused.contains("nobody has the address").contains("must be the address of an issue").contains("soon");
        ada.post_form(&format!("/action-items/{graph}"), &[("title", "Draw two graphs"), ("owner", "ada@faultline.test"), ("due_at", "2026-12-01"), ("type", "detect"), ("priority", "low"), ("state", "done"), ("link", "")]).await.expect(303);
        ada.get("/action-items?state=done").await.expect(200).contains("Draw two graphs");
        app.browser(Role::Viewer).await.post_form(&format!("/action-items/{canary}"), &[("title", "x")]).await.expect(403);
        ada.get(&format!("/incidents/{first}/postmortem")).await.expect(200);
    }

    async fn pages_follow_each_other_without_gaps(app: TestApp) {
        let id = declared(&app, "Cart fails", false).await.to_string();
        let mut api = app.api(Role::Responder).await;
        for i in 0..5 {
            let due = if i < 3 { json!("2026-12-24") } else { json!("") };
            item(&app, &id, json!({ "title": format!("Item {i}"), "due_at": due })).await;
        }
        let mut seen = vec![];
        let mut cursor = String::new();
        loop {
            let page = api.get(&format!("/api/v1/action-items?limit=2&cursor={cursor}")).await.expect(200).json();
            assert_eq!(page["total"], 5);
            seen.extend(page["items"].as_array().unwrap().iter().map(|i| i["title"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen, ["Item 0", "Item 1", "Item 2", "Item 3", "Item 4"]);
    }

    async fn a_change_that_names_an_item_closes_it(app: TestApp) {
        let id = declared(&app, "Cart fails", false).await.to_string();
        let by_number = item(&app, &id, json!({ "title": "Add a canary" })).await;
        let by_issue = item(&app, &id, json!({ "title": "Fix the pool", "link": "https://acme.atlassian.net/browse/OPS-41" })).await;
        let other = item(&app, &id, json!({ "title": "Something else", "link": "https://acme.atlassian.net/browse/OPS-4" })).await;
        deployed(&app, &format!("Canary ({by_number})"), "failed").await;
        jobs::run_once(&app.state).await.unwrap();
        assert_eq!(state(&app, &by_number).await, "open", "a failed change closes nothing");
        deployed(&app, &format!("Canary again ({by_number})"), "succeeded").await;
        deployed(&app, "OPS-41: larger pool", "succeeded").await;
        assert_eq!(jobs::run_once(&app.state).await.unwrap(), 2);
        assert_eq!(jobs::run_once(&app.state).await.unwrap(), 0, "looked through once");
        assert_eq!((state(&app, &by_number).await, state(&app, &by_issue).await), ("done".to_owned(), "done".to_owned()));
        assert_eq!(state(&app, &other).await, "open");
        app.browser(Role::Viewer).await.get(&format!("/action-items/{by_number}")).await.expect(200).contains("Closed by");
        let mut api = app.api(Role::Responder).await;
        let closed = api.post_json("/api/v1/action-items/merged", &json!({ "title": "Merge #9", "description": "fixes ops-4" })).await.expect(200).json();
        assert_eq!(closed["closed"], json!([other]));
    }

    async fn a_merged_request_that_names_an_item_closes_it(app: TestApp) {
        let id = declared(&app, "Cart fails", false).await.to_string();
        let key = item(&app, &id, json!({ "title": "Larger pool" })).await;
        let mut github = app.sender().await;
        let mut send = async |number: i64, merged: bool, body: &str| {
            let told = json!({ "action": "closed", "repository": { "full_name": "acme/shop", "default_branch": "main" },
                "pull_request": { "number": number, "merged": merged, "title": "Pool", "body": body, "base": { "ref": "main" } } });
            github.post_json("/ingest/changes/github", &told).await.expect(202);
            faultline::app::Shared::new(&app.state).inbox.drain().await.unwrap();
        };
        send(1, false, &format!("Settles {key}")).await;
        assert_eq!(state(&app, &key).await, "open", "closed without merging");
        send(2, true, &format!("Settles {key}")).await;
        assert_eq!(state(&app, &key).await, "done");
        send(3, true, "Settles nothing").await;
        let deliveries = app.browser(Role::Admin).await.get("/settings/deliveries").await.expect(200);
        deliveries.contains(&format!("acme/shop#2 was merged: closed {key}")).contains("acme/shop#3 was merged; it names no open action item");
    }

    async fn a_recurrence_opens_preventive_items_again(app: TestApp) {
        let first = declared(&app, "Cart fails", false).await.to_string();
        let prevent = item(&app, &first, json!({ "title": "Add a canary", "type": "prevent", "due_at": "2026-11-24" })).await;
        let detect = item(&app, &first, json!({ "title": "Alert sooner", "type": "detect" })).await;
        let mut api = app.api(Role::Responder).await;
        for key in [&prevent, &detect] {
            api.json(axum::http::Method::PATCH, &format!("/api/v1/action-items/{key}"), &json!({ "state": "done" })).await.expect(200);
        }
        app.advance(TimeDelta::days(1));
        let second = declared(&app, "Cart fails again", false).await.to_string();
        let mut ada = app.browser(Role::Responder).await;
        let path = format!("/incidents/{second}/postmortem");
        for p in [&path, &format!("/incidents/{first}/postmortem")] {
            ada.post_form(p, &[]).await.redirects_to(p);
        }
        ada.post_form(&format!("{path}/recurrences"), &[("earlier", "INC-99")]).await.expect(422).contains("there is no incident");
        ada.post_form(&format!("{path}/recurrences"), &[("earlier", &second)]).await.expect(422).contains("must be another incident");
        ada.post_form(&format!("{path}/recurrences"), &[("earlier", &first)]).await.redirects_to(&format!("{path}#recurrence"));
        ada.get(&path).await.expect(200).contains("It repeats").contains("1 of its action items is open again");
        ada.get(&format!("/incidents/{first}/postmortem")).await.expect(200).contains("It happened again").contains("open again");
        let again = api.get(&format!("/api/v1/action-items/{prevent}")).await.expect(200).json();
        assert_eq!((again["state"].as_str(), again["due_at"].is_null()), (Some("open"), true));
        assert_eq!(api.get(&format!("/api/v1/action-items/{detect}")).await.expect(200).json()["state"], "done");
        let twice = api.post_json(&format!("/api/v1/incidents/{second}/recurrences"), &json!({ "earlier": first })).await.expect(200).json();
        assert_eq!(twice["reopened"], 0);
    }

    async fn an_overdue_item_is_reminded_of_once_for_each_date(app: TestApp) {
        let id = declared(&app, "Cart fails", false).await.to_string();
        let key = item(&app, &id, json!({ "title": "Add a canary", "due_at": "2026-11-24" })).await;
        let queued = || async { app.state.db.fetch_scalar::<i64>("SELECT COUNT(*) FROM outbox_events WHERE event LIKE '%follow_up.overdue%'", vec![]).await.unwrap() };
        jobs::run_once(&app.state).await.unwrap();
        assert_eq!(queued().await, 0);
        app.advance(TimeDelta::days(2));
        assert_eq!(jobs::run_once(&app.state).await.unwrap(), 1);
        assert_eq!(jobs::run_once(&app.state).await.unwrap(), 0);
        assert_eq!(queued().await, 1);
        let mut ada = app.browser(Role::Responder).await;
        ada.get("/action-items?due=overdue").await.expect(200).contains("1 overdue").contains("Add a canary");
        let mut api = app.api(Role::Responder).await;
        api.json(axum::http::Method::PATCH, &format!("/api/v1/action-items/{key}"), &json!({ "due_at": "2026-11-26" })).await.expect(200);
        app.advance(TimeDelta::days(3));
        jobs::run_once(&app.state).await.unwrap();
        assert_eq!(queued().await, 2, "a new date is reminded of again");
    }

    async fn items_of_private_incidents_are_hidden(app: TestApp) {
        let id = declared(&app, "Leaked key", true).await.to_string();
        let mut admin = app.api(Role::Admin).await;
        let made = admin.post_json(&format!("/api/v1/incidents/{id}/action-items"), &json!({ "title": "Rotate" })).await.expect(201).json();
        let key = made["key"].as_str().unwrap();
        let mut outsider = app.browser(Role::Commander).await;
        outsider.get("/action-items").await.expect(200).lacks("Rotate");
        outsider.get(&format!("/action-items/{key}")).await.expect(404);
        let mut api = app.api(Role::Responder).await;
        assert_eq!(api.get("/api/v1/action-items").await.expect(200).json()["total"], 0);
        api.json(axum::http::Method::PATCH, &format!("/api/v1/action-items/{key}"), &json!({ "state": "done" })).await.expect(404);
        assert_eq!(api.post_json("/api/v1/action-items/merged", &json!({ "title": key })).await.expect(200).json()["closed"], json!([]));
    }
}
