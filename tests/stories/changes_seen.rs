//! Changes that nobody reported, how services did after changes, set-up of pipelines, and the command for them.

use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::cli::deploy::{self, Deploy};
use faultline::clock::Timestamp;
use faultline::error::Error;
use faultline::incidents::{self, By, DeclareInput, Source};
use serde_json::{Value, json};

use crate::support::TestApp;

/// `count` calls of a service within a minute, one in `fails_each` failing (0 for none), each `ms` long.
async fn calls(app: &TestApp, version: &str, minute: i64, count: u64, fails_each: u64, ms: i64) {
    let start = app.state.now() + TimeDelta::minutes(minute);
    let spans: Vec<Value> = (0..count)
        .map(|i| {
            let at = start + TimeDelta::milliseconds(i64::try_from(i).unwrap() * 100);
            let seed = u64::try_from(at.as_micros()).unwrap() ^ (i << 40);
            json!({"traceId": format!("{seed:016x}{i:016x}"), "spanId": format!("{:016x}", seed ^ 0x5555), "name": "GET /cart", "kind": 2,
                "startTimeUnixNano": (at.as_micros() * 1_000).to_string(), "endTimeUnixNano": ((at.as_micros() + ms * 1_000) * 1_000).to_string(),
                "status": {"code": if fails_each > 0 && i % fails_each == 0 { 2 } else { 1 }}})
        })
        .collect();
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let resource = json!({"attributes": [attribute("service.name", "cart"), attribute("service.version", version),
        attribute("deployment.environment.name", "prod")]});
    let body = json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]});
    app.sender().await.post_json("/v1/traces", &body).await.expect(200);
}

/// Lets a minute pass, in which traces are counted and versions noticed.
async fn pass(app: &TestApp) {
    app.advance(TimeDelta::minutes(1));
    faultline::traces::jobs::run_once(&app.state, false).await.expect("settled");
    faultline::deployments::jobs::run_once(&app.state).await.expect("looked after");
}

async fn list(app: &TestApp) -> Vec<Value> {
    let all = app.api(Role::Viewer).await.get("/api/v1/deployments").await.expect(200).json();
    all["items"].as_array().expect("a list").clone()
}

async fn report(app: &TestApp, version: &str, status: &str, at: Timestamp) -> Value {
    let body = json!({"service": "cart", "version": version, "environment": "production", "status": status, "started_at": at.to_rfc3339()});
    app.api(Role::Responder).await.post_json("/api/v1/deployments", &body).await.json()
}

on_both! {
    async fn a_version_that_changes_in_spans_is_a_deployment_and_its_return_a_rollback(app: TestApp) {
        calls(&app, "v1", -20, 100, 0, 20).await;
        pass(&app).await;
        assert!(list(&app).await.is_empty(), "what ran all the time is no change");
        calls(&app, "v2", -10, 100, 0, 20).await;
        pass(&app).await;
        let seen = list(&app).await;
        assert_eq!(seen.len(), 1);
        assert_eq!((&seen[0]["version"], &seen[0]["source"], &seen[0]["observed"]), (&json!("v2"), &json!("observed"), &json!(true)));
        assert_eq!((&seen[0]["kind"], &seen[0]["environment"]), (&json!("deployment"), &json!("prod")));
        calls(&app, "v1", -4, 100, 0, 20).await;
        pass(&app).await;
        // The same spans told again change nothing.
        pass(&app).await;
        let seen = list(&app).await;
        let told: Vec<_> = seen.iter().map(|d| (d["version"].as_str().unwrap(), d["kind"].as_str().unwrap())).collect();
        assert_eq!(told, [("v1", "rollback"), ("v2", "deployment")]);
        app.browser(Role::Viewer).await.get("/services/cart").await.expect(200).contains("Rollback").contains("id=\"deployments\"");
    }

    async fn seen_and_reported_are_one_change_whichever_comes_first(app: TestApp) {
        let now = app.state.now();
        calls(&app, "v1", -40, 30, 0, 20).await;
        pass(&app).await;
        // Reported first: spans call the environment otherwise.
        let first = report(&app, "v2", "started", now - TimeDelta::minutes(12)).await;
        calls(&app, "v2", -11, 30, 0, 20).await;
        pass(&app).await;
        let all = list(&app).await;
        assert_eq!(all.len(), 1, "{all:#?}");
        assert_eq!((&all[0]["id"], &all[0]["observed"], &all[0]["status"]), (&first["id"], &json!(true), &json!("started")));
        // Seen first, reported afterwards.
        calls(&app, "v3", -3, 30, 0, 20).await;
        pass(&app).await;
        let seen = list(&app).await[0].clone();
        assert_eq!((&seen["version"], &seen["source"]), (&json!("v3"), &json!("observed")));
        let told = report(&app, "v3", "failed", now - TimeDelta::minutes(4)).await;
        assert_eq!((&told["id"], &told["source"], &told["observed"], &told["status"]), (&seen["id"], &json!("api"), &json!(true), &json!("failed")));
        assert_eq!(told["environment"], "production");
        assert_eq!(list(&app).await.len(), 2);
    }

    async fn before_and_after_is_counted_from_spans_and_kept(app: TestApp) {
        let now = app.state.now();
        calls(&app, "v1", -15, 200, 0, 20).await;
        calls(&app, "v2", -5, 200, 4, 90).await;
        pass(&app).await;
        let change = report(&app, "v2", "succeeded", now - TimeDelta::minutes(5)).await;
        pass(&app).await;
        let path = format!("/api/v1/deployments/{}", change["id"]);
        let shown = app.api(Role::Viewer).await.get(&path).await.expect(200).json();
        let health = &shown["health"];
        assert_eq!((&health["before"]["requests"], &health["after"]["requests"], &health["after"]["errors"]), (&json!(200), &json!(200), &json!(50)));
        assert_eq!((&health["errors"], &health["latency"], &health["is_final"]), (&json!("worse"), &json!("worse"), &json!(false)));
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get(&format!("/deployments/{}", change["id"])).await.expect(200).contains("25.0 %").contains("Worse after").contains("Counted again");
        viewer.get("/deployments").await.expect(200).contains("Worse after").contains("25.0 %");
        app.advance(TimeDelta::minutes(40));
        pass(&app).await;
        let settled = app.api(Role::Viewer).await.get(&path).await.expect(200).json();
        assert_eq!((&settled["health"]["is_final"], &settled["health"]["after"]["errors"]), (&json!(true), &json!(50)));
    }

    async fn one_click_on_a_change_says_what_it_caused(app: TestApp) {
        let change = report(&app, "v9", "succeeded", app.state.now() - TimeDelta::minutes(5)).await;
        let page = format!("/deployments/{}", change["id"]);
        let declare = async |title: &str, private: bool| {
            let tx = app.state.db.begin().await.expect("a transaction");
            let input = DeclareInput { title: title.into(), severity: "SEV2".into(), private, ..DeclareInput::default() };
            let declare = input.normalize(app.state.now(), Source::Person).expect("fine");
            let id = incidents::declare(&tx, &declare, &By::system("test"), app.state.now()).await.expect("declared");
            tx.commit().await.expect("committed");
            id.to_string()
        };
        let (open, hidden) = (declare("Cart is down", false).await, declare("Leaked keys", true).await);
        let mut responder = app.browser(Role::Responder).await;
        let say = |incident: &str, verdict: &str| [("incident", incident.to_owned()), ("verdict", verdict.to_owned())];
        let fields = say(&open, "caused");
        let fields: Vec<_> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        responder.post_form(&format!("{page}/verdict"), &fields).await.redirects_to(&page);
        responder.get(&page).await.expect(200).contains("Cart is down").contains("badge-bad\">Caused it");
        responder.get(&format!("/incidents/{open}")).await.expect(200).contains("caused by the deployment of cart v9");
        let shown = app.api(Role::Viewer).await.get(&format!("/api/v1{page}")).await.expect(200).json();
        assert_eq!(shown["incidents"][0]["id"], json!(open), "the confirmed change is evidence");
        // Said otherwise later: the last word counts.
        let fixed = [("incident", open.as_str()), ("verdict", "fixed")];
        responder.post_form(&format!("{page}/verdict"), &fixed).await.redirects_to(&page);
        responder.get(&page).await.expect(200).contains("badge-good\">Fixed it").lacks("badge-bad\">Caused it");
        // Nobody learns of a private incident, or says something about it unseen.
        for unknown in [hidden.as_str(), "INC-4711", "x"] {
            let answer = responder.post_form(&format!("{page}/verdict"), &[("incident", unknown), ("verdict", "caused")]).await.expect(422);
            answer.contains("there is no incident").contains(&format!("value=\"{unknown}\"")).lacks("Leaked keys");
        }
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.post_form(&format!("{page}/verdict"), &fixed).await.expect(403);
        viewer.get(&page).await.expect(200).contains("Cart is down").lacks("/verdict\"");
    }

    async fn each_pipeline_has_a_page_with_address_token_secrets_and_test(app: TestApp) {
        let mut admin = app.browser(Role::Admin).await;
        admin.get("/settings/changes").await.expect(200).contains("Any pipeline").contains("GitHub").contains("never");
        for source in ["generic", "github", "gitlab", "argocd", "cdevents", "pagerduty", "sentry"] {
            let page = format!("/settings/changes/{source}");
            admin.get(&page).await.expect(200).contains("http://faultline.test/").contains("Nothing has arrived yet");
            let done = admin.post_form(&format!("{page}/test"), &[]).await.expect(303).location().to_owned();
            admin.get(&done).await.expect(200).contains("processed");
            admin.get(&page).await.expect(200).lacks("Nothing has arrived yet").contains("answered 202");
        }
        assert_eq!(list(&app).await.iter().filter(|d| d["service"] == "faultline-test").count(), 7);
        admin.get("/settings/changes/generic").await.expect(200).contains("curl -sf -X POST &#39;http://faultline.test/ingest/changes/generic&#39;").contains("faultline deploy");
        admin.get("/settings/changes/argocd").await.expect(200).contains("template.faultline-sync");
        let made = admin.post_form("/settings/changes/gitlab/token", &[]).await.expect(200).text();
        let token = made.split("<code class=\"secret\">").nth(1).and_then(|t| t.split('<').next()).expect("shown once").to_owned();
        assert!(token.starts_with("flt_") && made.matches(&token).count() >= 2, "also in the snippet");
        admin.get("/settings/changes/gitlab").await.expect(200).lacks(&token);
        admin.post_form("/settings/changes/github/secrets", &[("secrets", "one-secret\ntwo-secret")]).await.redirects_to("/settings/changes/github");
        admin.get("/settings/changes/github").await.expect(200).contains(">set<").lacks("one-secret");
        app.sender().await.post_json("/ingest/changes/github", &json!({"zen": "x"})).await.expect(401);
        admin.post_form("/settings/changes/argocd/secrets", &[("secrets", "x")]).await.expect(404);
        admin.get("/settings/changes/observed").await.expect(404);
        app.browser(Role::Commander).await.get("/settings/changes").await.expect(403);
    }

    async fn changes_that_cannot_be_true_are_kept_without_their_lies(app: TestApp) {
        let mut sender = app.sender().await;
        let bodies = [
            json!({"service": "new-svc", "version": "1", "started_at": "2099-01-01T00:00:00Z"}),
            json!({"service": "old-svc", "version": "1", "started_at": "1970-01-01T00:00:00Z", "finished_at": "0001-01-01T00:00:00Z"}),
            json!({"service": "back-svc", "id": "b", "version": "1", "status": "succeeded"}),
            json!({"service": "back-svc", "id": "b", "version": "1", "status": "started"}),
            json!({"service": "back-svc", "id": "b", "version": "1", "status": "pending"}),
            json!([{"service": "two-svc", "version": "1", "environment": "eu"}, {"service": "two-svc", "version": "1", "environment": "us"}]),
            json!({"service": "long-svc", "version": "v".repeat(100_000), "title": "\u{0} t"}),
            json!({"service": 7, "version": 1.5, "author": {"name": "x"}}),
        ];
        for body in &bodies {
            sender.post_json("/ingest/changes/generic", body).await.expect(202);
            sender.post_json("/ingest/changes/generic", body).await.expect(202);
        }
        for (body, why) in [
            ("", "JSON"), ("[1]", "change 1"), ("\u{feff}{}", "service"), (r#"{"service": ""}"#, "service"), (r#"{"service":"a","started_at":"soon"}"#, "started_at"),
            (r#"{"service":"a","kind":["x"]}"#, ""), ("null", "neither"),
        ] {
            let answer = sender.post_bytes("/ingest/changes/generic", &[("content-type", "application/json")], body).await;
            assert!([400, 202].contains(&answer.status.as_u16()), "{body}: {}", answer.status);
            if answer.status.as_u16() == 400 {
                answer.contains(why);
            }
        }
        faultline::app::Shared::new(&app.state).inbox.drain().await.expect("processed");
        let all = list(&app).await;
        let of = |service: &str| all.iter().filter(|d| d["service"] == service).collect::<Vec<_>>();
        assert_eq!((of("new-svc").len(), of("old-svc").len(), of("back-svc").len(), of("two-svc").len()), (1, 1, 1, 2));
        let now = app.state.now().to_rfc3339();
        assert_eq!((&of("new-svc")[0]["started_at"], &of("old-svc")[0]["finished_at"]), (&json!(now), &json!(now)));
        assert_eq!(of("back-svc")[0]["status"], "succeeded", "a status does not go backwards");
        assert!(of("long-svc")[0]["version"].as_str().is_some_and(|v| v.len() == 200));
        assert_eq!((&of("7")[0]["version"], &of("7")[0]["author"]), (&json!("1.5"), &json!("")));
    }

    async fn the_command_reports_with_either_token_and_says_why_not(app: TestApp) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = app.router.clone();
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let told = Deploy {
            service: "cart".into(), release: "v1.3.2".into(), environment: "production".into(), kind: "deployment".into(),
            status: "succeeded".into(), commit: "0123abc".into(), url: Some(url), token: Some(app.ingest_token().await), ..Deploy::default()
        };
        deploy::run(&told, "").await.expect("recorded");
        faultline::app::Shared::new(&app.state).inbox.drain().await.expect("processed");
        let seen = list(&app).await;
        assert_eq!((&seen[0]["version"], &seen[0]["commit"], &seen[0]["source"]), (&json!("v1.3.2"), &json!("0123abc"), &json!("generic")));
        let api = faultline::accounts::service::add_token(&app.state, &faultline::accounts::Actor::system(), "ci", faultline::accounts::Scope::Api, Role::Responder).await.expect("a token").1;
        deploy::run(&Deploy { token: Some(api), release: "v1.3.3".into(), ..told.clone() }, "").await.expect("recorded");
        assert_eq!(list(&app).await[0]["source"], "api");
        let wrong = Deploy { token: Some("flt_wrong".into()), ..told.clone() };
        assert!(matches!(deploy::run(&wrong, "").await, Err(Error::Unauthenticated)));
        deploy::run(&Deploy { best_effort: true, ..wrong }, "").await.expect("never fails the pipeline");
        assert!(matches!(deploy::run(&Deploy { token: None, ..told }, "").await, Err(Error::Invalid(e)) if e.has("token")));
        server.abort();
    }
}
