//! Changes: from deliveries, by API, by form; lists, pages, evidence.

use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::deployments::{
    self, ChangeEvent, ChangeKind, ChangeSource, ChangeStatus, Filter, Recorded, input::DeploymentInput,
};
use faultline::incidents::{self, By, DeclareInput, Source};
use serde_json::json;

use faultline::inbox::{
    Kind,
    store::{SourceSettings, save_settings},
};

use crate::support::{TestApp, sample};

/// Works off what the inbox holds, as the server's own loop does.
async fn drain(app: &TestApp) -> usize {
    faultline::app::Shared::new(&app.state).inbox.drain().await.expect("processed")
}

async fn set_secret(app: &TestApp, source: &str, secrets: &str) {
    let tx = app.state.db.begin().await.expect("a transaction");
    let settings = SourceSettings { secrets: secrets.into(), mapping: String::new() };
    save_settings(&tx, Kind::Changes, source, &settings, app.state.now(), "test").await.expect("saved");
    tx.commit().await.expect("committed");
}

/// `X-Hub-Signature-256` of a body.
fn hub_signature(secret: &str, body: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

fn github_status(state: &str, at: &str) -> String {
    json!({
        "deployment_status": {"id": 7, "state": state, "environment": "production", "created_at": at},
        "deployment": {"id": 42, "sha": "0123456789abcdef0123456789abcdef01234567", "ref": "v1.3.2",
            "environment": "production", "created_at": "2026-11-23T10:00:00Z", "creator": {"login": "ada"}},
        "repository": {"full_name": "acme/inventory-service", "html_url": "https://git.example/acme/inventory-service"}
    })
    .to_string()
}

fn event(app: &TestApp, id: &str, version: &str, status: ChangeStatus, minute: i64) -> ChangeEvent {
    ChangeEvent {
        source: ChangeSource::Github,
        external_id: id.into(),
        service: "Cart Service".into(),
        environment: "production".into(),
        kind: ChangeKind::Deployment,
        status,
        version: Some(version.into()),
        commit: None,
        author: Some("ada".into()),
        title: None,
        url: None,
        started_at: None,
        finished_at: None,
        reported_at: app.state.now() + TimeDelta::minutes(minute),
    }
}

async fn tell(app: &TestApp, event: &ChangeEvent) -> Recorded {
    let tx = app.state.db.begin().await.expect("a transaction");
    let recorded = deployments::record(&tx, event, event.reported_at).await.expect("recorded");
    tx.commit().await.expect("committed");
    recorded
}

async fn declare(app: &TestApp, title: &str, private: bool) -> incidents::IncidentId {
    let tx = app.state.db.begin().await.expect("a transaction");
    let input = DeclareInput { title: title.into(), severity: "SEV2".into(), private, ..DeclareInput::default() };
    let now = app.state.now();
    let declare = input.normalize(now, Source::Person).expect("fine");
    let id = incidents::declare(&tx, &declare, &By::system("test"), now).await.expect("declared");
    tx.commit().await.expect("committed");
    id
}

on_both! {
    async fn reports_in_any_order_are_one_change(app: TestApp) {
        let done = tell(&app, &event(&app, "a", "1.0", ChangeStatus::Succeeded, 5)).await;
        assert!(done.is_new);
        for late in [event(&app, "a", "1.0", ChangeStatus::Pending, 0), event(&app, "a", "1.0", ChangeStatus::Started, 1)] {
            assert_eq!(tell(&app, &late).await, Recorded { id: done.id, is_new: false });
        }
        tell(&app, &event(&app, "a", "1.0", ChangeStatus::Started, 1)).await;
        let db = &app.state.db;
        let change = deployments::get(db, done.id).await.expect("there");
        assert_eq!((change.status, change.service.as_str()), (ChangeStatus::Succeeded, "cart-service"));
        assert_eq!(change.started_at, Some(app.state.now() + TimeDelta::minutes(1)));
        let told: Vec<_> = deployments::reports(db, done.id).await.expect("read").into_iter().map(|r| r.status).collect();
        assert_eq!(told, ["pending", "started", "succeeded"]);
    }

    async fn a_version_that_returns_is_a_rollback(app: TestApp) {
        for (id, version, minute) in [("r1", "1.0", 0), ("r2", "1.1", 10), ("r3", "1.0", 20), ("r4", "1.2", 30)] {
            tell(&app, &event(&app, id, version, ChangeStatus::Succeeded, minute)).await;
        }
        // Another environment has a history of its own.
        let staging = ChangeEvent { environment: "staging".into(), ..event(&app, "r5", "1.1", ChangeStatus::Succeeded, 40) };
        tell(&app, &staging).await;
        let page = deployments::page(&app.state.db, &Filter::default(), 10).await.expect("read");
        let kinds: Vec<_> = page.into_iter().map(|d| d.kind).collect();
        use ChangeKind::{Deployment as D, Rollback as R};
        assert_eq!(kinds, [D, D, R, D, D]);
    }

    async fn changes_without_an_id_are_told_apart_by_time(app: TestApp) {
        let input = |minute: i64, status: &str| {
            let input = DeploymentInput {
                service: "cart".into(),
                version: "2.0".into(),
                status: status.into(),
                ..DeploymentInput::default()
            };
            input.normalize(app.state.now() + TimeDelta::minutes(minute)).expect("fine")
        };
        let started = tell(&app, &input(0, "started")).await;
        let done = tell(&app, &input(4, "succeeded")).await;
        assert_eq!((done.id, done.is_new), (started.id, false));
        let again = tell(&app, &input(60 * 24, "succeeded")).await;
        assert!(again.is_new && again.id != started.id);
        let twice = tell(&app, &input(60 * 24, "succeeded")).await;
        assert_eq!((twice.id, twice.is_new), (again.id, false));
    }

    async fn a_seen_version_joins_the_reported_change(app: TestApp) {
        let reported = tell(&app, &event(&app, "o", "3.0", ChangeStatus::Succeeded, 0)).await;
        let seen = |id: &str, version: &str, minute| ChangeEvent {
            source: ChangeSource::Observed,
            ..event(&app, id, version, ChangeStatus::Succeeded, minute)
        };
        assert_eq!(tell(&app, &seen("s0", "3.0", 7)).await, Recorded { id: reported.id, is_new: false });
        assert!(deployments::get(&app.state.db, reported.id).await.expect("there").observed);
        let alone = tell(&app, &seen("s1", "3.1", 9)).await;
        assert!(alone.is_new && deployments::get(&app.state.db, alone.id).await.expect("there").observed);
    }

    async fn the_list_filters_counts_and_pages(app: TestApp) {
        for n in 0..5 {
            let environment = if n % 2 == 0 { "production" } else { "staging" };
            let status = if n == 4 { ChangeStatus::Failed } else { ChangeStatus::Succeeded };
            let event = ChangeEvent {
                environment: environment.into(),
                ..event(&app, &format!("p{n}"), &format!("4.{n}"), status, -n)
            };
            tell(&app, &event).await;
        }
        let mut api = app.api(Role::Viewer).await;
        let all = api.get("/api/v1/deployments?limit=2").await.expect(200).json();
        assert_eq!((all["items"].as_array().map(Vec::len), &all["total"]), (Some(2), &json!(5)));
        let next = all["next_cursor"].as_str().expect("a next page");
        let rest = api.get(&format!("/api/v1/deployments?limit=10&cursor={next}")).await.expect(200).json();
        assert_eq!(rest["items"].as_array().map(Vec::len), Some(3));
        assert_eq!(rest["items"][0]["version"], "4.2");
        let failed = api.get("/api/v1/deployments?status=failed&environment=production&service=cart-service").await.expect(200).json();
        assert_eq!((&failed["total"], &failed["items"][0]["version"]), (&json!(1), &json!("4.4")));
        api.get("/api/v1/deployments?status=exploded&service=nobody").await.expect(422).contains("exploded").contains("nobody");

        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get("/deployments").await.expect(200).contains("4.0").contains("4.4").lacks("Report a change");
        viewer.get("/deployments?environment=staging").await.expect(200).contains("4.1").lacks("4.2");
        viewer.get("/deployments?version=9.9").await.expect(200).contains("No change matches");
        viewer.get("/deployments?kind=magic").await.expect(422).contains("magic");
    }

    async fn a_program_reports_by_api_once_per_key(app: TestApp) {
        let mut api = app.api(Role::Responder).await;
        let body = json!({"service": "cart", "version": "v1.3.2", "environment": "Production",
            "started_at": "2026-11-23T10:00:00Z", "commit": "0123abc", "author": "ada", "url": "https://ci.example/1"});
        let made = api.post_json("/api/v1/deployments", &body).await.expect(201).json();
        assert_eq!((&made["status"], &made["environment"]), (&json!("started"), &json!("production")));
        let done = json!({"service": "cart", "version": "v1.3.2", "environment": "production", "status": "succeeded",
            "finished_at": "2026-11-23T10:04:00Z"});
        let told = api.post_json("/api/v1/deployments", &done).await.expect(200).json();
        assert_eq!((&told["id"], &told["status"]), (&made["id"], &json!("succeeded")));
        let shown = api.get(&format!("/api/v1/deployments/{}", made["id"])).await.expect(200).json();
        assert_eq!(shown["reports"].as_array().map(Vec::len), Some(2));
        api.post_json("/api/v1/deployments", &json!({"kind": "magic"})).await.expect(422).contains("service").contains("magic");
        api.get("/api/v1/deployments/999999").await.expect(404);
        app.api(Role::Viewer).await.post_json("/api/v1/deployments", &body).await.expect(403);

        let keyed = [("content-type", "application/json"), ("idempotency-key", "k1")];
        let other = json!({"service": "search", "version": "7"}).to_string();
        let first = api.post_bytes("/api/v1/deployments", &keyed, other.clone()).await.expect(201).json();
        app.advance(TimeDelta::hours(1));
        let again = api.post_bytes("/api/v1/deployments", &keyed, other).await.expect(201).json();
        assert_eq!(first["id"], again["id"]);
        api.post_bytes("/api/v1/deployments", &keyed, json!({"service": "x", "version": "1"}).to_string()).await.expect(409);
    }

    async fn a_person_reports_a_change_and_attaches_it(app: TestApp) {
        let mut browser = app.browser(Role::Responder).await;
        browser.get("/deployments/new").await.expect(200).contains("Record the change");
        let wrong = [("service", ""), ("version", "v9 <b>"), ("started_at", "soon")];
        browser.post_form("/deployments", &wrong).await.expect(422).contains("v9 &#60;b&#62;").contains("is needed").contains("soon");
        let fields = [("service", "cart"), ("version", "v9"), ("kind", "feature_flag"), ("started_at", "-10m")];
        let page = browser.post_form("/deployments", &fields).await.expect(303).location().to_owned();
        browser.get(&page).await.expect(200).contains("Feature flag").contains("v9").contains("In progress");

        let incident = declare(&app, "Cart is down", false).await.to_string();
        let hidden = declare(&app, "Leaked keys", true).await.to_string();
        let attach = format!("{page}/attach");
        for unknown in ["INC-4711", "x", hidden.as_str()] {
            browser.post_form(&attach, &[("incident", unknown)]).await.expect(422).contains("there is no incident").contains(unknown);
        }
        for _ in 0..2 {
            browser.post_form(&attach, &[("incident", &incident.to_lowercase())]).await.redirects_to(&page);
        }
        let mut admin = app.browser(Role::Admin).await;
        admin.post_form(&attach, &[("incident", &hidden)]).await.redirects_to(&page);
        browser.get(&page).await.expect(200).contains("Cart is down").lacks("Leaked keys");
        admin.get(&page).await.expect(200).contains("Cart is down").contains("Leaked keys");
        app.browser(Role::Viewer).await.post_form(&attach, &[("incident", &incident)]).await.expect(403);
    }

    async fn a_signed_github_deployment_status_becomes_a_deployment(app: TestApp) {
        set_secret(&app, "github", "the old secret\nIt's a Secret to Everybody").await;
        let own = github_status("success", "2026-11-23T10:03:00Z").into_bytes();
        let body = sample("github/deployment_status.payload.json");
        let mut sender = app.visitor();
        for body in [Some(own), body].into_iter().flatten() {
            let signature = hub_signature("It's a Secret to Everybody", &body);
            let headers = [("x-github-event", "deployment_status"), ("content-type", "application/json"), ("x-hub-signature-256", signature.as_str())];
            sender.post_bytes("/ingest/changes/github", &headers, body.clone()).await.expect(202);
            // Sent again: still one change.
            sender.post_bytes("/ingest/changes/github", &headers, body.clone()).await.expect(202);
            let wrong = [("x-github-event", "deployment_status"), ("x-hub-signature-256", "sha256=00")];
            sender.post_bytes("/ingest/changes/github", &wrong, body.clone()).await.expect(403);
            sender.post_bytes("/ingest/changes/github", &[("x-github-event", "deployment_status")], body).await.expect(401);
        }
        assert!(drain(&app).await >= 2);
        let mut viewer = app.browser(Role::Viewer).await;
        let list = viewer.get("/deployments?service=inventory-service").await.expect(200);
        list.contains("v1.3.2").contains("Succeeded").contains("ada").contains("1 in all");
    }

    async fn deliveries_in_any_order_and_number_are_one_deployment(app: TestApp) {
        let mut sender = app.sender().await;
        let token = app.ingest_token().await;
        let kind = [("x-github-event", "deployment_status")];
        for (state, at) in [("success", "2026-11-23T10:03:00Z"), ("in_progress", "2026-11-23T10:01:00Z"), ("inactive", "2026-11-23T10:30:00Z")] {
            sender.post_bytes("/ingest/changes/github", &kind, github_status(state, at)).await.expect(202);
            app.visitor().post_bytes(&format!("/ingest/changes/github/{token}"), &kind, github_status(state, at)).await.expect(202);
        }
        drain(&app).await;
        let all = app.api(Role::Viewer).await.get("/api/v1/deployments").await.expect(200).json();
        assert_eq!((&all["total"], &all["items"][0]["status"]), (&json!(1), &json!("succeeded")));
        assert_eq!(all["items"][0]["started_at"], "2026-11-23T10:00:00Z");
        let services = app.browser(Role::Viewer).await.get("/deployments").await.expect(200);
        services.contains("inventory-service");
    }

    async fn what_cannot_be_read_is_refused_with_its_reason(app: TestApp) {
        let mut sender = app.sender().await;
        sender.post_bytes("/ingest/changes/generic", &[], "{").await.expect(400).contains("not JSON");
        sender.post_bytes("/ingest/changes/generic", &[], r#"{"version":"1"}"#).await.expect(400).contains("service");
        sender.post_bytes("/ingest/changes/generic", &[], r#"{"service":"a","status":"exploded"}"#).await.expect(400).contains("exploded");
        sender.post_bytes("/ingest/changes/observed", &[], "{}").await.expect(404);
        sender.post_bytes("/ingest/changes/magic", &[], "{}").await.expect(404);
        app.visitor().post_bytes("/ingest/changes/generic", &[], r#"{"service":"a"}"#).await.expect(401);
        assert_eq!(drain(&app).await, 0);
    }

    async fn every_source_has_its_door(app: TestApp) {
        let mut sender = app.sender().await;
        let token = app.ingest_token().await;
        let bodies = [
            ("gitlab", json!({"object_kind": "deployment", "status": "success", "deployment_id": 1, "environment": "production",
                "project": {"path_with_namespace": "acme/gitlab-svc"}, "short_sha": "279484c0", "ref": "main"})),
            ("argocd", json!({"app": "argo-svc", "phase": "Succeeded", "revision": "0123456789", "environment": "production"})),
            ("cdevents", json!({"context": {"id": "1", "source": "/ci", "type": "dev.cdevents.service.deployed.0.3.0", "timestamp": "2026-11-23T10:00:00Z"},
                "subject": {"id": "cd-svc", "content": {"environment": {"id": "production"}, "artifactId": "pkg:oci/cd-svc@1.0"}}})),
            ("sentry", json!({"version": "a@1.0", "projects": ["sentry-svc"], "dateReleased": "2026-11-23T10:00:00Z"})),
            ("generic", json!([{"service": "generic-svc", "version": "1"}, {"service": "other-svc", "kind": "config"}])),
        ];
        for (source, body) in bodies {
            sender.post_json(&format!("/ingest/changes/{source}"), &body).await.expect(202);
        }
        let change = json!({"routing_key": token, "payload": {"summary": "Deployed v2.0.0", "source": "pd-svc", "timestamp": "2026-11-23T10:00:00Z"}});
        app.visitor().post_json("/v2/change/enqueue", &change).await.expect(202);
        app.visitor().post_json("/v2/change/enqueue", &json!({"routing_key": "wrong", "payload": {}})).await.expect(401);
        let ask = [("webhook-request-origin", "ci.example")];
        let answer = app.visitor().send(axum::http::Method::OPTIONS, "/ingest/changes/cdevents", &ask, vec![]).await.expect(200);
        assert_eq!(answer.header("webhook-allowed-origin"), "ci.example");
        drain(&app).await;
        let all = app.api(Role::Viewer).await.get("/api/v1/deployments").await.expect(200);
        assert_eq!(all.json()["total"], 7);
        all.contains("gitlab-svc").contains("argo-svc").contains("cd-svc").contains("sentry-svc").contains("generic-svc").contains("pd-svc");
    }
}
