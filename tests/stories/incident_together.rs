//! Customer impact, other incidents, and templates.

use chrono::TimeDelta;
use faultline::accounts::Role;
use serde_json::json;

use crate::support::{Browser, TestApp};

async fn declare(browser: &mut Browser, title: &str, more: &[(&str, &str)]) -> String {
    let mut form = vec![("title", title), ("severity", "SEV2")];
    form.extend_from_slice(more);
    browser.post_form("/incidents", &form).await.expect(303).location().to_owned()
}

/// `web` needs `cart`, which needs `db`.
async fn catalogue(app: &TestApp) {
    let mut api = app.api(Role::Admin).await;
    for (name, needs) in [("db", json!([])), ("cart", json!(["db"])), ("web", json!(["cart"]))] {
        let body = json!({ "name": name, "tier": 1, "owner_team": "shop", "dependencies": needs });
        api.post_json("/api/v1/services", &body).await.expect(201);
    }
}

on_both! {
    async fn customers_are_affected_in_windows(app: TestApp) {
        let mut ada = app.browser_of("Ada", Role::Responder).await.0;
        let mut bo = app.browser_of("Bo", Role::Responder).await.0;
        let path = declare(&mut ada, "Cart fails", &[]).await;
        let impacts = format!("{path}/impacts");
        ada.post_form(&impacts, &[("what", " "), ("affected", "1,200 in Europe"), ("started_at", "10:00"), ("ended_at", "09:00")]).await.expect(422)
            .contains("is needed").contains("must not be earlier than its start").contains("1,200 in Europe");
        ada.post_form(&impacts, &[("what", "Checkout fails"), ("affected", "1,200 in Europe"), ("started_at", "10:00")]).await.expect(303);
        ada.get(&path).await.contains("Checkout fails").contains("still going on").contains("for 1h").contains("from the windows of customer impact");
        ada.post_form(&impacts, &[("what", "Search is slow"), ("started_at", "10:30"), ("ended_at", "10:45")]).await.expect(303);
        app.advance(TimeDelta::minutes(10));
        ada.post_form(&format!("{impacts}/1/end"), &[]).await.expect(303);
        ada.get(&path).await.contains("1h 10m in all").lacks("still going on</span>").contains("Customers no longer affected since 2026-11-23 11:10 UTC");
        ada.get(&format!("{path}/milestones/impact_ended")).await.contains("2026-11-23 11:10:00");
        // Two people change one window: neither text is lost.
        let form = |what: &'static str| [("what", what), ("started_at", "2026-11-23 10:00"), ("ended_at", "2026-11-23 11:00"), ("version", "2")];
        bo.post_form(&format!("{impacts}/1"), &form("Bo's words")).await.expect(303);
        ada.post_form(&format!("{impacts}/1"), &form("Ada's words")).await.expect(409).contains("Bo&#39;s words").contains("Ada&#39;s words").contains("Bo changed this window");
        ada.post_form(&format!("{impacts}/2/remove"), &[]).await.expect(303);
        ada.get(&path).await.lacks("Search is slow</span>").contains("Customer impact removed: Search is slow");
        ada.get(&format!("{impacts}/2")).await.expect(404);
        let mut api = app.api(Role::Responder).await;
        let list = api.get("/api/v1/incidents/INC-1/impacts").await.json();
        assert_eq!((list["items"].as_array().map(Vec::len), list["total_s"].as_i64()), (Some(1), Some(3_600)));
        let made = api.post_json("/api/v1/incidents/INC-1/impacts", &json!({ "what": "Mail late", "started_at": "2026-11-23T11:00:00Z" })).await.expect(201).json();
        api.json(axum::http::Method::PUT, &format!("/api/v1/incidents/INC-1/impacts/{}", made["id"]), &json!({ "what": "x", "version": 7 })).await.expect(409);
    }

    async fn the_next_update_is_promised_and_ends_with_the_incident(app: TestApp) {
        let mut ada = app.browser(Role::Responder).await;
        let path = declare(&mut ada, "Cart fails", &[]).await;
        let next = format!("{path}/next-update");
        ada.post_form(&next, &[("due", "yesterday")]).await.expect(422).contains("is not a time").contains("value=\"yesterday\"");
        ada.post_form(&next, &[("due", "30m")]).await.redirects_to(&path);
        ada.get(&path).await.contains("2026-11-23 11:30").contains("Next update promised for 2026-11-23 11:30 UTC").lacks("overdue");
        app.advance(TimeDelta::minutes(31));
        ada.get("/").await.contains("update overdue");
        ada.post_form(&format!("{path}/timeline"), &[("text", "/update 1h")]).await.redirects_to(&path);
        ada.get("/").await.lacks("update overdue");
        ada.post_form(&format!("{path}/status"), &[("status", "resolved")]).await.expect(303);
        ada.get(&path).await.lacks("none promised").lacks("promise one");
        ada.post_form(&next, &[("due", "30m")]).await.expect(422);
        app.api(Role::Responder).await.json(axum::http::Method::PUT, "/api/v1/incidents/INC-1/next-update", &json!({ "due": "30m" })).await.expect(409);
    }

    async fn two_people_at_one_time_or_one_role_are_told_of_each_other(app: TestApp) {
        let mut ada = app.browser_of("Ada", Role::Responder).await.0;
        let mut bo = app.browser_of("Bo", Role::Responder).await.0;
        let path = declare(&mut ada, "Cart fails", &[]).await;
        let detected = format!("{path}/milestones/detected");
        ada.get(&detected).await.contains("name=\"values\" value=\"1\"");
        bo.post_form(&detected, &[("at", "10:40"), ("reason", "Bo's reason"), ("values", "1")]).await.expect(303);
        ada.post_form(&detected, &[("at", "10:50"), ("reason", "Ada's reason"), ("values", "1")]).await.expect(409)
            .contains("Bo changed Detected meanwhile").contains("Bo&#39;s reason").contains("Ada&#39;s reason").contains("value=\"10:50\"");
        ada.post_form(&format!("{detected}/clear"), &[("reason", "wrong"), ("values", "1")]).await.expect(409);
        let roles = format!("{path}/roles");
        let take = [("role", "commander"), ("email", "me"), ("holder", "")];
        bo.post_form(&roles, &take).await.expect(303);
        ada.post_form(&roles, &take).await.expect(422).contains("Commander is Bo now");
        ada.get(&path).await.contains("Bo is now Commander").lacks("handed over");
        ada.post_form(&roles, &[("role", "commander"), ("email", "me"), ("holder", "bo@faultline.test")]).await.expect(303);
        ada.get(&format!("{path}/timeline?kind=role")).await.contains("Bo handed over Commander to Ada");
    }

    async fn who_else_may_be_hit_is_shown_and_added_by_a_click(app: TestApp) {
        catalogue(&app).await;
        let mut ada = app.browser(Role::Responder).await;
        let path = declare(&mut ada, "Database down", &[("services", "db")]).await;
        ada.get(&path).await.contains("2 other services need what is hit").contains("needs cart → db");
        ada.post_form(&format!("{path}/services"), &[("service", "cart")]).await.expect(303);
        ada.get(&path).await.contains("Services: added cart").contains("1 other services need");
        ada.post_form(&format!("{path}/services"), &[("service", "nope")]).await.expect(400);
        let radius = app.api(Role::Viewer).await.get("/api/v1/incidents/INC-1/blast-radius").await.json();
        assert_eq!(radius["reached"], json!([{ "service": "web", "through": ["cart"] }]));
    }

    async fn incidents_are_linked_from_both_sides(app: TestApp) {
        let mut ada = app.browser(Role::Responder).await;
        let first = declare(&mut ada, "Network split", &[]).await;
        let second = declare(&mut ada, "Cart fails", &[]).await;
        let third = declare(&mut ada, "Search fails", &[]).await;
        let links = format!("{second}/links");
        for (form, complaint) in [
            ([("other", "INC-99"), ("relation", "related")], "&#39;INC-99&#39; is not an incident"),
            ([("other", "INC-2"), ("relation", "related")], "is the same incident"),
            ([("other", "INC-1"), ("relation", "enemy")], "is not a relation"),
        ] {
            ada.post_form(&links, &form).await.expect(422).contains(complaint);
        }
        ada.post_form(&links, &[("other", "inc-1"), ("relation", "caused_by")]).await.redirects_to(&format!("{second}#links"));
        ada.post_form(&links, &[("other", "INC-1"), ("relation", "related")]).await.expect(422).contains("INC-1 is linked already");
        ada.post_form(&format!("{first}/links"), &[("other", "INC-2")]).await.expect(422).contains("INC-2 is linked already");
        ada.get(&second).await.contains("caused by").contains("Network split").contains("This incident is caused by INC-1");
        ada.get(&first).await.contains("the cause of").contains("Cart fails");
        ada.post_form(&format!("{third}/links"), &[("other", "INC-1"), ("relation", "parent")]).await.expect(303);
        ada.get(&first).await.contains("made up of").contains("Search fails");
        ada.post_form(&format!("{first}/links"), &[("other", "INC-3"), ("relation", "parent")]).await.expect(422).contains("is itself a part of");
        ada.post_form(&format!("{first}/links/remove"), &[("link", "INC-3")]).await.expect(303);
        ada.get(&third).await.lacks("Network split");
        ada.post_form(&format!("{first}/links/remove"), &[("link", "1")]).await.expect(303);
        ada.get(&second).await.contains("Not linked to another one");
        ada.post_form(&format!("{second}/links/remove"), &[("link", "1")]).await.expect(404);
    }

    async fn a_link_tells_nothing_of_a_private_incident(app: TestApp) {
        let mut ada = app.browser_of("Ada", Role::Commander).await.0;
        let mut bo = app.browser_of("Bo", Role::Commander).await.0;
        let public = declare(&mut ada, "Cart fails", &[]).await;
        let secret = declare(&mut ada, "Key stolen", &[("private", "true")]).await;
        bo.post_form(&format!("{public}/links"), &[("other", "INC-2")]).await.expect(422).contains("is not an incident").lacks("Key stolen");
        ada.post_form(&format!("{secret}/links"), &[("other", "INC-1"), ("relation", "caused_by")]).await.expect(303);
        ada.get(&public).await.contains("Key stolen").contains("the cause of");
        bo.get(&public).await.expect(200).lacks("Key stolen").lacks("INC-2");
        bo.get(&format!("{public}/timeline")).await.lacks("INC-2");
        bo.post_form(&format!("{public}/links/remove"), &[("link", "1")]).await.expect(404);
        let items = app.api(Role::Viewer).await.get("/api/v1/incidents/INC-1/links").await.json();
        assert_eq!(items["items"], json!([]));
    }

    async fn a_declaration_starts_from_a_template(app: TestApp) {
        catalogue(&app).await;
        let mut ada = app.browser_of("Ada", Role::Commander).await.0;
        let mut bo = app.browser_of("Bo", Role::Commander).await.0;
        let list = "/settings/incident-templates";
        app.browser(Role::Responder).await.get(list).await.expect(403);
        ada.get(list).await.contains("No template yet");
        let wrong = [("name", "Database down"), ("severity", "SEV1"), ("services", "dbb"), ("summary", "kept words")];
        ada.post_form(list, &wrong).await.expect(422).contains("the catalogue does not know &#39;dbb&#39;").contains("kept words");
        let form = [
            ("name", "Database down"), ("title", "The database is down"), ("severity", "SEV1"), ("services", "db"),
            ("summary", "Call the vendor."), ("tasks", "Fail over\nCall the vendor"), ("follow_ups", "Test the fail-over"), ("for_service", "db"),
        ];
        ada.post_form(list, &form).await.redirects_to(list);
        ada.post_form(list, &form).await.expect(422).contains("is the name of another template");
        let new = "/incidents/new?services=db&attach=deployment:7";
        ada.get(new).await.contains("value=\"The database is down\"").contains("Call the vendor.").contains("2 tasks and 1 follow-ups").contains("deployment 7");
        ada.get("/incidents/new").await.lacks("The database is down").contains("Database down");
        let declared = [("title", "Database of Europe down"), ("severity", "SEV2"), ("template", "database-down"), ("services", "db"), ("lead", "true")];
        let path = ada.post_form("/incidents", &declared).await.expect(303).location().to_owned();
        ada.get(&path).await.contains("Database of Europe down").contains("SEV2").contains("Fail over").contains("Test the fail-over").contains("Ada is now Commander");
        ada.post_form("/incidents", &[("title", "x"), ("severity", "1"), ("template", "nope")]).await.expect(422).contains("there is no template");
        ada.post_form("/incidents", &[("title", "x"), ("severity", "1"), ("attach", "deployment:7")]).await.expect(422).contains("names no deployment");
        let made = app.api(Role::Responder).await.post_json("/api/v1/incidents", &json!({ "template": "database-down" })).await.expect(201).json();
        assert_eq!((made["title"].as_str(), made["severity"].as_str()), (Some("The database is down"), Some("SEV1")));
        let page = format!("{list}/database-down");
        let edit = |summary: &'static str| [("name", "Database down"), ("severity", "SEV1"), ("summary", summary), ("version", "1")];
        bo.post_form(&page, &edit("Bo's words")).await.expect(303);
        ada.post_form(&page, &edit("Ada's words")).await.expect(409).contains("Bo&#39;s words").contains("Ada&#39;s words");
        ada.post_form(&format!("{page}/delete"), &[]).await.redirects_to(list);
        ada.get(list).await.contains("No template yet");
    }
}
