//! The incidents' and services' JSON API, as outside tools use it.

use axum::http::Method;
use faultline::accounts::Role;
use serde_json::{Value, json};

on_both! {
    async fn an_incident_lives_its_whole_life_by_api(app: TestApp) {
        let mut api = app.api(Role::Commander).await;
        let cart = json!({"slug": "cart", "name": "Cart", "owner_team": "shop", "tier": 1});
        api.post_json("/api/v1/services", &cart).await.expect(201);
        let body = json!({"title": "Cart fails", "severity": "SEV1", "services": ["cart"],
            "impact_started_at": "2026-11-23T10:30:00Z", "detected_at": "2026-11-23T10:34:00Z"});
        let made = api.post_json("/api/v1/incidents", &body).await.expect(201).json();
        assert_eq!((made["id"].as_str(), made["status"].as_str()), (Some("INC-1"), Some("triage")));
        assert_eq!(made["durations"]["to_detect_s"], json!(240.0));

        let change = json!({"status": "investigating", "reason": "looking", "at": "2026-11-23T10:40:00Z"});
        let changed = api.post_json("/api/v1/incidents/INC-1/status", &change).await.expect(200).json();
        assert_eq!(changed["acknowledged_at"], json!("2026-11-23T10:40:00Z"));
        let entry = json!({"text": "Rolled back", "occurred_at": "2026-11-23T10:50:00Z", "story": true});
        let entry = api.post_json("/api/v1/incidents/INC-1/timeline", &entry).await.expect(201).json();
        assert_eq!((entry["layer"].as_str(), entry["recorded_at"].as_str()), (Some("story"), Some("2026-11-23T11:00:00Z")));
        let resolved = json!({"status": "resolved"});
        let whole = api.post_json("/api/v1/incidents/INC-1/status", &resolved).await.expect(200).json();
        assert_eq!(whole["durations"]["to_resolve_s"], json!(1800.0));
        assert_eq!(whole["status_changes"].as_array().map(Vec::len), Some(3));

        let correct = json!({"at": "2026-11-23T10:55:00Z", "reason": "the graph was flat then"});
        let path = "/api/v1/incidents/INC-1/milestones/resolved";
        let whole = api.json(Method::PUT, path, &correct).await.expect(200).json();
        let milestone = &whole["milestones"]["resolved"];
        assert_eq!(milestone["raw_at"], json!("2026-11-23T11:00:00Z"));
        assert_eq!(milestone["history"].as_array().map(Vec::len), Some(2));
        assert_eq!((milestone["source"].as_str(), milestone["author"].as_str()), (Some("person"), Some("tests")));
        let cleared = api.json(Method::DELETE, path, &json!({"reason": "not over"})).await.expect(200).json();
        assert_eq!(cleared["resolved_at"], Value::Null);
    }

    async fn faults_are_named_by_field_as_problem_json(app: TestApp) {
        let mut api = app.api(Role::Responder).await;
        let bad = json!({"title": "", "severity": "P1", "impact_started_at": "soon"});
        let answer = api.post_json("/api/v1/incidents", &bad).await.expect(422);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        let fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
        assert_eq!(fields, ["title", "severity", "impact_started_at"]);
        api.post_bytes("/api/v1/incidents", &[("content-type", "application/json")], "{nope").await.expect(400);
        api.post_json("/api/v1/incidents", &json!({"title": "x", "severity": "SEV1", "services": "cart"})).await.expect(422).contains("does not know");
        api.post_json("/api/v1/incidents", &json!({"title": "x", "severity": "SEV1"})).await.expect(201);
        let order = json!({"at": "2026-11-23T11:00:00Z", "reason": "x"});
        api.json(Method::PUT, "/api/v1/incidents/INC-1/milestones/impact_started", &order).await.expect(200);
        let order = json!({"at": "2026-11-23T10:59:00Z", "reason": "x"});
        api.json(Method::PUT, "/api/v1/incidents/INC-1/milestones/detected", &order).await.expect(422)
            .contains("2026-11-23 11:00:00 UTC").contains("2026-11-23 10:59:00 UTC");
        api.json(Method::PUT, "/api/v1/incidents/INC-1/milestones/nope", &order).await.expect(404);
        api.post_json("/api/v1/incidents/INC-1/status", &json!({"status": "triage"})).await.expect(409);
        for path in ["/api/v1/incidents?status=x", "/api/v1/incidents?cursor=x", "/api/v1/incidents?from=x", "/api/v1/incidents?service=x"] {
            api.get(path).await.expect(422);
        }
        app.api(Role::Viewer).await.post_json("/api/v1/incidents", &bad).await.expect(403);
        app.visitor().get("/api/v1/incidents").await.expect(401);
    }

    async fn a_creation_that_is_sent_twice_happens_once(app: TestApp) {
        let mut api = app.api(Role::Responder).await;
        let key = [("idempotency-key", "abc"), ("content-type", "application/json")];
        let body = json!({"title": "Once", "severity": "SEV3"}).to_string();
        let first = api.post_bytes("/api/v1/incidents", &key, body.clone()).await.expect(201).json();
        let again = api.post_bytes("/api/v1/incidents", &key, body).await.expect(201).json();
        assert_eq!(first, again);
        let other = json!({"title": "Other", "severity": "SEV3"}).to_string();
        api.post_bytes("/api/v1/incidents", &key, other).await.expect(409);
        assert_eq!(api.get("/api/v1/incidents").await.json()["total"], json!(1));
        let entry = json!({"text": "once"}).to_string();
        for _ in 0..2 {
            api.post_bytes("/api/v1/incidents/INC-1/timeline", &key, entry.clone()).await.expect(409);
        }
    }

    async fn lists_come_in_pages_newest_first(app: TestApp) {
        let mut api = app.api(Role::Responder).await;
        for n in 0..5 {
            let body = json!({"title": format!("Nr {n}"), "severity": "SEV3", "impact_started_at": format!("2026-11-2{n}T10:00:00Z")});
            if n < 4 { api.post_json("/api/v1/incidents", &body).await.expect(201); }
        }
        let first = api.get("/api/v1/incidents?limit=3").await.expect(200).json();
        let titles = |page: &Value| page["items"].as_array().unwrap().iter().map(|i| i["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(titles(&first), ["Nr 3", "Nr 2", "Nr 1"]);
        assert_eq!(first["total"], json!(4));
        let next = api.get(&format!("/api/v1/incidents?limit=3&cursor={}", first["next_cursor"].as_str().unwrap())).await.json();
        assert_eq!((titles(&next), next["next_cursor"].is_null()), (vec!["Nr 0".to_owned()], true));
        let some = api.get("/api/v1/incidents?from=2026-11-21&to=2026-11-23&status=open&severity=SEV3&q=nr").await.json();
        assert_eq!(titles(&some), ["Nr 2", "Nr 1"]);
        for n in 0..3 {
            api.post_json("/api/v1/incidents/INC-1/tasks", &json!({"title": format!("Task {n}")})).await.expect(201);
        }
        let tasks = api.get("/api/v1/incidents/INC-1/tasks?limit=2").await.json();
        assert_eq!((tasks["items"].as_array().map(Vec::len), tasks["total"].as_i64()), (Some(2), Some(3)));
        let rest = api.get(&format!("/api/v1/incidents/INC-1/tasks?cursor={}", tasks["next_cursor"].as_str().unwrap())).await.json();
        assert_eq!(rest["items"][0]["title"], json!("Task 2"));
        let timeline = api.get("/api/v1/incidents/INC-1/timeline?limit=1").await.json();
        assert_eq!(timeline["total"], json!(4));
        assert_eq!(timeline["items"][0]["kind"], json!("declared"));
    }

    async fn items_are_changed_by_api_with_a_version_check(app: TestApp) {
        let mut api = app.api(Role::Commander).await;
        api.post_json("/api/v1/incidents", &json!({"title": "A", "severity": "SEV3"})).await.expect(201);
        let patched = api.json(Method::PATCH, "/api/v1/incidents/INC-1", &json!({"severity": "SEV1", "reason": "worse", "version": 1})).await.expect(200).json();
        assert_eq!((patched["severity"].as_str(), patched["version"].as_i64()), (Some("SEV1"), Some(2)));
        api.json(Method::PATCH, "/api/v1/incidents/INC-1", &json!({"title": "B", "version": 1})).await.expect(409);
        let entry = api.post_json("/api/v1/incidents/INC-1/timeline", &json!({"text": "a"})).await.json()["id"].as_i64().unwrap();
        let path = format!("/api/v1/incidents/INC-1/timeline/{entry}");
        api.json(Method::PATCH, &path, &json!({"text": "b", "version": 1})).await.expect(200);
        api.json(Method::PATCH, &path, &json!({"text": "c", "version": 1})).await.expect(409);
        let whole = api.get(&path).await.json();
        assert_eq!((whole["text"].as_str(), whole["versions"][0]["text"].as_str()), (Some("b"), Some("a")));
        assert!(!api.json(Method::DELETE, &path, &Value::Null).await.expect(200).json()["deleted_at"].is_null());
        let log = json!({"kind": "log", "text": "ERROR"});
        let piece = api.post_json("/api/v1/incidents/INC-1/evidence", &log).await.expect(201).json();
        assert_eq!(api.get(&format!("/api/v1/incidents/INC-1/evidence/{}", piece["id"])).await.json()["snapshot"], json!("ERROR"));
        api.post_json("/api/v1/incidents/INC-1/evidence", &json!({"kind": "trace"})).await.expect(422);
        api.post_json("/api/v1/incidents", &json!({"title": "Twin", "severity": "SEV3"})).await.expect(201);
        let merged = api.post_json("/api/v1/incidents/INC-2/merge", &json!({"into": "INC-1"})).await.expect(200).json();
        assert_eq!((merged["status"].as_str(), merged["merged_into"].as_str()), (Some("merged"), Some("INC-1")));
        let free = api.post_json("/api/v1/incidents/INC-2/unmerge", &json!({})).await.expect(200).json();
        assert_eq!(free["status"], json!("triage"));
    }

    async fn a_private_incident_is_hidden_from_tokens_that_are_not_admin(app: TestApp) {
        let mut admin = app.api(Role::Admin).await;
        let mut other = app.api(Role::Commander).await;
        admin.post_json("/api/v1/incidents", &json!({"title": "Secret", "severity": "SEV1", "private": true})).await.expect(201);
        other.get("/api/v1/incidents").await.expect(200).lacks("Secret");
        assert_eq!(other.get("/api/v1/incidents").await.json()["total"], json!(0));
        for part in ["", "/timeline", "/evidence", "/tasks", "/milestones"] {
            other.get(&format!("/api/v1/incidents/INC-1{part}")).await.expect(404);
        }
        other.post_json("/api/v1/incidents/INC-1/status", &json!({"status": "closed"})).await.expect(404);
        admin.get("/api/v1/incidents/INC-1").await.expect(200).contains("Secret");
    }

    async fn the_catalogue_is_kept_by_api(app: TestApp) {
        let mut api = app.api(Role::Responder).await;
        let tx = app.state.db.begin().await.unwrap();
        faultline::services::see_dependency(&tx, "Web Shop", "cart", app.state.now(), app.state.now()).await.unwrap();
        tx.commit().await.unwrap();
        let shop = api.get("/api/v1/services/web-shop").await.expect(200).json();
        assert_eq!(shop["discovered"], json!(true));
        let described = json!({"slug": "web-shop", "name": "Shop", "tier": 1, "dependencies": ["cart"]});
        let shop = api.post_json("/api/v1/services", &described).await.expect(201).json();
        assert_eq!((shop["discovered"].as_bool(), shop["dependencies"][0].as_str()), (Some(false), Some("cart")));
        api.post_json("/api/v1/services", &described).await.expect(422).contains("in the catalogue already");
        api.post_json("/api/v1/services", &json!({"slug": "Bad Slug", "tier": 9})).await.expect(422).contains("slug").contains("tier");
        let edges = api.get("/api/v1/services/cart/dependencies").await.json();
        assert_eq!((edges["dependents"][0]["service"].as_str(), edges["dependents"][0]["declared"].as_bool()), (Some("web-shop"), Some(true)));
        let patched = api.json(Method::PATCH, "/api/v1/services/web-shop", &json!({"owner_team": "shop"})).await.expect(200).json();
        assert_eq!((patched["owner_team"].as_str(), patched["tier"].as_i64()), (Some("shop"), Some(1)));
        let page = api.get("/api/v1/services?limit=1").await.json();
        assert_eq!((page["items"][0]["slug"].as_str(), page["next_cursor"].as_str(), page["total"].as_i64()), (Some("cart"), Some("cart"), Some(2)));
        app.browser(Role::Responder).await.get("/services?show=discovered").await.expect(200).contains("cart").lacks("web-shop");
    }
}
