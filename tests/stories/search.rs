//! The index, the page, the palette's answers; private incidents stay hidden.

use faultline::accounts::Role;
use faultline::args;
use faultline::search::{self, Doc, DocKind, Reader, query::Query};

use crate::support::TestApp;

const ALL: Reader = Reader { all: true, user_id: 0 };

fn doc(app: &TestApp, kind: DocKind, id: &str, title: &str, text: &str, url: &str) -> Doc {
    Doc {
        kind,
        id: id.into(),
        title: title.into(),
        text: text.into(),
        url: url.into(),
        private_incident: None,
        at: app.state.now(),
    }
}

async fn titles(app: &TestApp, query: &str, reader: Reader) -> Vec<String> {
    let found =
        search::search(&app.state.db, &Query::parse(query), reader, app.state.now(), 0, 20).await.expect("a search");
    found.hits.into_iter().map(|h| h.doc.title).collect()
}

async fn put(app: &TestApp, docs: Vec<Doc>) {
    let tx = app.state.db.begin().await.expect("a transaction");
    for doc in docs {
        search::upsert(&tx, doc).await.expect("indexed");
    }
    tx.commit().await.expect("committed");
}

/// A private incident that names one person, and its document.
async fn secret(app: &TestApp, named: i64) -> i64 {
    let tx = app.state.db.begin().await.expect("a transaction");
    let id = tx
        .insert(
            "INSERT INTO incidents (title, severity, status, kind, private, started_at, created_by_name, created_at, updated_at)
             VALUES ('Leaked credentials', 'SEV1', 'triage', 'real', $1, 0, 'x', 0, 0) RETURNING id",
            args![true],
        )
        .await
        .expect("an incident");
    tx.execute("INSERT INTO incident_people (incident_id, user_id, added_at) VALUES ($1, $2, 0)", args![id, named])
        .await
        .expect("named");
    let url = format!("/incidents/INC-{id}");
    let mut doc = doc(app, DocKind::Incident, &format!("INC-{id}"), "Leaked credentials", "", &url);
    doc.private_incident = Some(id);
    search::upsert(&tx, doc).await.expect("indexed");
    tx.commit().await.expect("committed");
    id
}

on_both! {
    async fn what_is_gathered_is_found_at_the_end_as_it_was_last(app: TestApp) {
        let db = app.state.db.clone();
        let work = async {
            put(&app, vec![
                doc(&app, DocKind::Incident, "1", "Cart melts", "", "/incidents/INC-1"),
                doc(&app, DocKind::Incident, "2", "Cart vanishes", "", "/incidents/INC-2"),
                doc(&app, DocKind::Incident, "3", "Cart leaks", "", "/incidents/INC-3"),
            ]).await;
            assert!(titles(&app, "cart", ALL).await.is_empty(), "not yet");
            put(&app, vec![doc(&app, DocKind::Incident, "1", "Cart freezes", "", "/incidents/INC-1")]).await;
            let tx = db.begin().await?;
            search::remove(&tx, DocKind::Incident, "2").await?;
            search::set_private(&tx, 3, true).await?;
            tx.commit().await
        };
        search::gathering(&app.state.db, work).await.expect("done");
        let mut found = titles(&app, "cart", ALL).await;
        found.sort();
        assert_eq!(found, ["Cart freezes", "Cart leaks"]);
        assert_eq!(titles(&app, "cart", Reader { all: false, user_id: 0 }).await, ["Cart freezes"]);
    }

    async fn what_was_handed_over_is_found_best_first_and_replaced(app: TestApp) {
        put(&app, vec![
            doc(&app, DocKind::Incident, "INC-1", "Cart is down", "connection reset by peer", "/incidents/INC-1"),
            doc(&app, DocKind::Timeline, "1", "Entry", "the cart's connection pool was reset", "/incidents/INC-1#entry-1"),
            doc(&app, DocKind::Runbook, "db", "Database connections", "", "/runbooks/db"),
        ]).await;
        assert_eq!(titles(&app, "cart", ALL).await, ["Cart is down", "Entry"]);
        assert_eq!(titles(&app, "\"connection reset\"", ALL).await, ["Cart is down"]);
        assert_eq!(titles(&app, "connections -cart", ALL).await, ["Database connections"]);
        assert_eq!(titles(&app, "kind:runbook conn", ALL).await, ["Database connections"]);
        assert_eq!(titles(&app, "'; DROP TABLE search_docs; -- \" OR * NEAR(", ALL).await, Vec::<String>::new());
        put(&app, vec![doc(&app, DocKind::Incident, "INC-1", "Basket is slow", "", "/incidents/INC-1")]).await;
        assert_eq!(titles(&app, "cart", ALL).await, ["Entry"]);
        assert_eq!(titles(&app, "basket", ALL).await, ["Basket is slow"]);
        let tx = app.state.db.begin().await.expect("a transaction");
        search::remove(&tx, DocKind::Incident, "INC-1").await.expect("removed");
        search::remove(&tx, DocKind::Incident, "INC-404").await.expect("nothing to do");
        tx.commit().await.expect("committed");
        assert!(titles(&app, "basket", ALL).await.is_empty());
    }

    async fn private_incidents_are_found_only_by_those_they_name(app: TestApp) {
        let (mut ada, actor) = app.browser_of("Ada", Role::Responder).await;
        let mut bob = app.browser(Role::Responder).await;
        let id = secret(&app, actor.user_id.expect("a person")).await;
        put(&app, vec![doc(&app, DocKind::Runbook, "r", "Rotate credentials", "", "/runbooks/r")]).await;
        ada.get("/search?q=credentials").await.expect(200).contains("Leaked").contains("Rotate");
        ada.get(&format!("/search?q=INC-{id}")).await.redirects_to(&format!("/incidents/INC-{id}"));
        bob.get("/search?q=credentials").await.expect(200).lacks("Leaked").contains("Rotate").contains("1 found");
        bob.get(&format!("/search?q=INC-{id}")).await.expect(200).contains("Nothing found");
        app.browser(Role::Admin).await.get("/search?q=credentials").await.expect(200).contains("Leaked");
        let seen = app.api(Role::Commander).await.get("/api/v1/search?q=leaked").await.expect(200).json();
        assert_eq!(seen["total"], 0);
        let tx = app.state.db.begin().await.expect("a transaction");
        search::set_private(&tx, id, false).await.expect("public");
        tx.commit().await.expect("committed");
        bob.get("/search?q=credentials").await.expect(200).contains("Leaked");
    }

    async fn whole_inputs_jump(app: TestApp) {
        put(&app, vec![
            doc(&app, DocKind::Incident, "INC-9000", "Cart is down", "", "/incidents/INC-9000"),
            doc(&app, DocKind::Deployment, "1", "cart v1.3.2 in production", "", "/deployments/1"),
        ]).await;
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get("/search?q=inc-9000").await.redirects_to("/incidents/INC-9000");
        viewer.get("/search?q=v1.3.2").await.redirects_to("/deployments?version=v1.3.2");
        viewer.get("/search?q=v9.9.9").await.expect(200).contains("Nothing found");
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        viewer.get(&format!("/search?q=00-{trace}-00f067aa0ba902b7-01")).await.redirects_to(&format!("/traces/{trace}"));
        viewer.get("/search?q=INC-9000&stay=1").await.expect(200);
        let api = app.api(Role::Viewer).await.get("/api/v1/search?q=INC-9000").await.expect(200).json();
        assert_eq!(api["jump"], "/incidents/INC-9000");
    }

    async fn pages_show_hits_kinds_and_escape_what_was_typed(app: TestApp) {
        let many = (0..45).map(|n| doc(&app, DocKind::Alert, &n.to_string(), &format!("Disk {n} is full"), "<img src=x> disk", "/alerts/1"));
        put(&app, many.collect()).await;
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get("/search").await.expect(200).contains("Ctrl");
        let first = viewer.get("/search?q=disk").await.expect(200);
        first.contains("<mark>Disk</mark>").contains("45 found").contains("&#60;img").lacks("<img src=x").contains("page=1");
        viewer.get("/search?q=disk&page=2").await.expect(200).lacks(">More<");
        viewer.get("/search?q=disk&kind=runbook").await.expect(200).contains("Nothing found");
        viewer.get("/search?q=%22%3E%3Cscript%3E").await.expect(200).lacks("<script>").contains("&#60;script&#62;");
        viewer.get("/search?q=-only").await.expect(200).contains("Say what to look for");
    }
}

on_both! {
    async fn what_people_write_is_found_where_they_wrote_it(app: TestApp) {
        let mut ada = app.browser(Role::Commander).await;
        let mut api = app.api(Role::Commander).await;
        let service = serde_json::json!({"slug": "inventory", "name": "Inventory", "owner_team": "Warehouse"});
        api.post_json("/api/v1/services", &service).await.expect(201);
        let incident = serde_json::json!({"title": "Stock counts drift", "severity": "SEV2", "services": ["inventory"]});
        let id = api.post_json("/api/v1/incidents", &incident).await.expect(201).json()["id"].as_str().expect("an id").to_owned();
        let entry = serde_json::json!({"text": "The reconciler skipped a shard", "story": true});
        api.post_json(&format!("/api/v1/incidents/{id}/timeline"), &entry).await.expect(201);
        ada.get("/search?q=drift").await.expect(200).contains(&format!("/incidents/{id}"));
        ada.get("/search?q=reconciler").await.expect(200).contains(&format!("/incidents/{id}/timeline#entry-"));
        ada.get("/search?q=warehouse").await.expect(200).contains("/services/inventory");
        // A private incident takes its entries with it.
        let hide = serde_json::json!({"private": true});
        api.json(axum::http::Method::PATCH, &format!("/api/v1/incidents/{id}"), &hide).await.expect(200);
        ada.get("/search?q=reconciler").await.expect(200).contains("Nothing found");
        ada.get("/search?q=drift").await.expect(200).contains("Nothing found");
        app.browser(Role::Admin).await.get("/search?q=reconciler").await.expect(200).contains(&id);
    }
}

/// What people paste by accident or on purpose.
const HOSTILE: [&str; 16] = [
    "\"",
    "\"unclosed",
    "AND OR NOT NEAR",
    "NEAR(a b, 3)",
    "a* b* *",
    "title:x {title}:y",
    "^start",
    "-",
    "--drop -- table",
    "'; DROP TABLE search_docs; --",
    "a & b | !c <-> d",
    ":*",
    "\u{0}",
    "a\u{0}b",
    "\u{e000}incident",
    "🦀 İstanbul ﷺ \u{202e}evil",
];

on_both! {
    async fn a_search_is_narrowed_to_a_service_and_a_time_by_its_address(app: TestApp) {
        let mut api = app.api(Role::Commander).await;
        for slug in ["checkout", "payment"] {
            api.post_json("/api/v1/services", &serde_json::json!({ "slug": slug, "name": slug })).await.expect(201);
        }
        let past = |title: &str, service: &str, at: &str| serde_json::json!({
            "title": title, "severity": "SEV3", "services": [service], "kind": "backfilled", "impact_started_at": at, "resolved_at": at,
        });
        api.post_json("/api/v1/incidents", &past("Timeouts in spring", "checkout", "2026-04-01T10:00:00Z")).await.expect(201);
        api.post_json("/api/v1/incidents", &past("Timeouts in autumn", "payment", "2026-10-01T10:00:00Z")).await.expect(201);
        let mut ada = app.browser(Role::Viewer).await;
        ada.get("/search?q=timeouts").await.expect(200).contains("2 found");
        ada.get("/search?q=timeouts&service=payment").await.expect(200).contains("autumn").lacks("spring");
        ada.get("/search?q=timeouts&to=2026-05-01").await.expect(200).contains("spring").lacks("autumn").contains("value=\"2026-05-01\"");
        ada.get("/search?q=timeouts&from=2026-05-01&kind=incident").await.expect(200).contains("autumn").lacks("spring");
        ada.get("/search?q=timeouts&from=soon").await.expect(422).contains("&#39;soon&#39; is not a time").contains("value=\"soon\"");
        api.get("/api/v1/search?q=timeouts&from=soon").await.expect(422);
        let found = api.get("/api/v1/search?q=timeouts&service=checkout").await.expect(200).json();
        assert_eq!(found["total"], 1);
        // A deployment and an alert have services of their own.
        let alert = serde_json::json!({ "title": "Timeouts rise", "dedup_key": "t", "service": "checkout", "status": "firing" });
        api.post_json("/api/v1/alerts", &alert).await.expect(201);
        let found = api.get("/api/v1/search?q=timeouts&service=checkout&kind=alert").await.expect(200).json();
        assert_eq!(found["items"][0]["title"], "Timeouts rise");
    }

    async fn nothing_that_can_be_typed_is_an_error(app: TestApp) {
        put(&app, vec![doc(&app, DocKind::Incident, "INC-1", "Cart is down", "drop table", "/incidents/INC-1")]).await;
        let mut ada = app.browser(Role::Viewer).await;
        let long = "x".repeat(10_000);
        let many = "word ".repeat(2_000);
        for typed in HOSTILE.iter().copied().chain([long.as_str(), many.as_str()]) {
            let encoded: String = url::form_urlencoded::byte_serialize(typed.as_bytes()).collect();
            let status = ada.get(&format!("/search?q={encoded}")).await.status;
            assert!(status == 200 || status == 303, "{typed:?} answers {status}");
            let status = ada.get(&format!("/api/v1/search?q={encoded}&service={encoded}")).await.status;
            assert_eq!(status, 200, "{typed:?}");
        }
        // The mark of a kind is none that can be typed.
        assert!(titles(&app, "\u{e000}incident", ALL).await.is_empty());
        assert_eq!(titles(&app, "drop -\u{e000}incident", ALL).await, ["Cart is down"]);
    }

    async fn the_index_is_made_anew_from_what_the_rooms_hold(app: TestApp) {
        let mut api = app.api(Role::Commander).await;
        api.post_json("/api/v1/services", &serde_json::json!({ "slug": "ledger", "name": "Ledger" })).await.expect(201);
        let body = serde_json::json!({ "title": "Ledger drifts", "severity": "SEV2", "services": ["ledger"] });
        api.post_json("/api/v1/incidents", &body).await.expect(201);
        api.post_json("/api/v1/incidents/INC-1/timeline", &serde_json::json!({ "text": "The ledger lost a page", "story": true })).await.expect(201);
        let alert = serde_json::json!({ "title": "Ledger lags", "dedup_key": "l", "service": "ledger", "status": "firing" });
        api.post_json("/api/v1/alerts", &alert).await.expect(201);
        api.post_json("/api/v1/deployments", &serde_json::json!({ "service": "ledger", "version": "v7", "environment": "production" })).await.expect(201);
        let before = titles(&app, "ledger", ALL).await;
        assert!(before.len() >= 5, "{before:?}");
        let count = faultline::cli::search::rebuild(&app.state.db).await.expect("rebuilt");
        assert_eq!(count, 4);
        assert_eq!(titles(&app, "ledger", ALL).await, before);
    }
}
