//! Traces that live elsewhere: sources are configured, and what they know is fetched and kept. The sources
//! are small servers in this process that answer as the systems' documentation says.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::incidents::{self, By, DeclareInput, Source};
use faultline::trace_sources::jobs;
use faultline::traces::wire;
use serde_json::{Value, json};

use crate::support::{Backend, TestApp};

const ID: &str = "5b8efff798038103d269b633813fc60c";
const TWO_SERVICES: &str = include_str!("../fixtures/traces/otlp_two_services.json");

/// A request as the source saw it.
#[derive(Clone, Debug)]
struct Seen {
    path: String,
    headers: HeaderMap,
    body: Value,
}

type Answers = Arc<dyn Fn(&Seen) -> Response + Send + Sync>;

/// A source of traces in this process.
struct Fake {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    async fn start(answers: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let state: (Answers, Arc<Mutex<Vec<Seen>>>) = (Arc::new(answers), seen.clone());
        let router = Router::new().fallback(answer).with_state(state);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, seen }
    }

    fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer(
    State((answers, seen)): State<(Answers, Arc<Mutex<Vec<Seen>>>)>,
    _: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let one = Seen { path: uri.to_string(), headers, body: serde_json::from_slice(&body).unwrap_or_default() };
    seen.lock().unwrap().push(one.clone());
    answers(&one)
}

fn is(body: &Value) -> Response {
    axum::Json(body.clone()).into_response()
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, "not found").into_response()
}

/// An application that may call this machine.
async fn start(backend: Backend) -> TestApp {
    TestApp::start_with(backend, |config| config.outbound_allow = "127.0.0.1".to_owned()).await
}

/// Adds a source by the API; gives its id.
async fn add(app: &TestApp, kind: &str, url: &str, more: Value) -> i64 {
    let mut body = json!({ "name": kind, "kind": kind, "base_url": url });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.api(Role::Admin).await.post_json("/api/v1/trace-sources", &body).await.expect(201).json()["id"]
        .as_i64()
        .unwrap()
}

/// Fetches by the API until it ends; gives the fetch.
async fn fetch(app: &TestApp, reference: &str) -> Value {
    let mut api = app.api(Role::Responder).await;
    let asked = api.post_json("/api/v1/trace-fetches", &json!({ "reference": reference })).await.expect(202).json();
    for _ in 0..10 {
        jobs::run_once(&app.state).await.unwrap();
        let now = api.get(&format!("/api/v1/trace-fetches/{}", asked["id"])).await.expect(200).json();
        if now["state"] != "waiting" {
            return now;
        }
        app.advance(TimeDelta::hours(1));
    }
    panic!("it never ended");
}

async fn spans_of(app: &TestApp, id: &str) -> Value {
    app.api(Role::Viewer).await.get(&format!("/api/v1/traces/{id}")).await.expect(200).json()
}

async fn declare(app: &TestApp, private: bool) -> String {
    let tx = app.state.db.begin().await.unwrap();
    let input =
        DeclareInput { title: "Cart fails".into(), severity: "SEV2".into(), private, ..DeclareInput::default() };
    let declared = input.normalize(app.state.now(), Source::Person).unwrap();
    let id = incidents::declare(&tx, &declared, &By::system("test"), app.state.now()).await.unwrap();
    tx.commit().await.unwrap();
    id.to_string()
}

/// The fixture as Jaeger's query API gives it.
fn in_jaeger() -> Value {
    json!({ "data": [{ "traceID": ID, "processes": { "p1": { "serviceName": "checkout" }, "p2": { "serviceName": "inventory" } },
        "spans": [
            { "traceID": ID, "spanID": "a1", "operationName": "POST /pay", "references": [], "startTime": 1_700_000_000_000_000_i64,
              "duration": 5000, "processID": "p1", "tags": [{ "key": "error", "type": "bool", "value": true }], "logs": [] },
            { "traceID": ID, "spanID": "a2", "operationName": "reserve", "startTime": 1_700_000_000_001_000_i64, "duration": 3000,
              "references": [{ "refType": "CHILD_OF", "traceID": ID, "spanID": "a1" }], "processID": "p2",
              "tags": [{ "key": "error", "type": "bool", "value": true }], "logs": [] }
        ] }], "total": 0, "limit": 0, "offset": 0, "errors": null })
}

/// Stories that start their application with leave to call this machine.
macro_rules! both {
    ($($(#[$attr:meta])* async fn $name:ident($app:ident: TestApp) $body:block)*) => {$(
        mod $name {
            use super::*;
            $(#[$attr])*
            async fn story($app: TestApp) $body
            #[tokio::test]
            async fn sqlite() { story(start(Backend::Sqlite).await).await; }
            #[tokio::test]
            async fn postgres() { story(start(Backend::Postgres).await).await; }
        }
    )*};
}

both! {
    async fn a_pasted_jaeger_page_is_fetched_and_kept_with_the_incident(app: TestApp) {
        let fake = Fake::start(|seen| match seen.path.as_str() {
            // An older Jaeger answers what it does not know with its interface.
            path if path.starts_with("/api/v3/") => ([("content-type", "text/html")], "<!doctype html>").into_response(),
            path if path == format!("/api/traces/{ID}") => is(&in_jaeger()),
            _ => missing(),
        }).await;
        add(&app, "jaeger", &fake.url, json!({ "username": "me", "secret": "hunter2" })).await;
        let incident = declare(&app, false).await;
        let mut responder = app.browser(Role::Responder).await;
        let page = format!("{}/trace/{ID}?uiFind=a2", fake.url);
        let path = format!("/incidents/{incident}/evidence");
        responder.post_form(&path, &[("kind", "trace"), ("reference", &page)]).await.expect(303);
        responder.get(&path).await.expect(200).contains("Waiting to be fetched").contains(ID);

        assert_eq!(jobs::run_once(&app.state).await.unwrap(), 1);
        responder.get(&path).await.expect(200).contains("checkout POST /pay (2 spans, 2 failed spans)").lacks("Waiting");
        let piece = responder.get(&format!("{path}/1")).await.expect(200);
        piece.contains("reserve").contains("<svg").contains("jaeger: 2 spans").contains(&page);
        responder.get(&format!("/incidents/{incident}/timeline")).await.expect(200).contains("fetched and kept");
        assert_eq!(fake.requests()[0].headers["authorization"], format!("Basic {}", STANDARD.encode("me:hunter2")));
        assert_eq!(jobs::run_once(&app.state).await.unwrap(), 0, "nothing is left to do");
        // The same page again is the same piece, and nothing is asked.
        let asked = fake.requests().len();
        responder.post_form(&path, &[("kind", "trace"), ("reference", &page)]).await.expect(303);
        jobs::run_once(&app.state).await.unwrap();
        assert_eq!(fake.requests().len(), asked);
    }

    async fn a_trace_stays_whole_after_its_source_and_the_store_dropped_it(app: TestApp) {
        let is_gone = Arc::new(Mutex::new(false));
        let gone = is_gone.clone();
        let fake = Fake::start(move |_| if *gone.lock().unwrap() { missing() } else { is(&in_jaeger()) }).await;
        add(&app, "jaeger", &fake.url, json!({})).await;
        let incident = declare(&app, false).await;
        let mut api = app.api(Role::Responder).await;
        let path = format!("/api/v1/incidents/{incident}/evidence");
        let piece = api.post_json(&path, &json!({ "kind": "trace", "traceparent": format!("00-{ID}-00000000000000a1-01") })).await.expect(201).json();
        jobs::run_once(&app.state).await.unwrap();
        *is_gone.lock().unwrap() = true;
        app.advance(TimeDelta::days(400));
        faultline::traces::jobs::run_once(&app.state, true).await.unwrap();
        api.get(&format!("/api/v1/traces/{ID}")).await.expect(404);
        let mut viewer = app.browser(Role::Viewer).await;
        let page = viewer.get(&format!("/incidents/{incident}/evidence/{}", piece["id"])).await.expect(200);
        page.contains("POST /pay").contains("reserve").contains("First error");
    }

    async fn a_source_that_cannot_answer_is_asked_again_and_given_up(app: TestApp) {
        let fake = Fake::start(|_| (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "40")], "starting").into_response()).await;
        add(&app, "zipkin", &fake.url, json!({})).await;
        let incident = declare(&app, false).await;
        let mut responder = app.browser(Role::Responder).await;
        let path = format!("/incidents/{incident}/evidence");
        responder.post_form(&path, &[("kind", "trace"), ("reference", ID)]).await.expect(303);
        jobs::run_once(&app.state).await.unwrap();
        responder.get(&path).await.expect(200).contains("Try 1 did not give it").contains("starting").lacks("Try again");
        app.advance(TimeDelta::seconds(39));
        assert_eq!(jobs::run_once(&app.state).await.unwrap(), 0, "the source asked for 40 seconds");
        for _ in 0..6 {
            app.advance(TimeDelta::hours(1));
            jobs::run_once(&app.state).await.unwrap();
        }
        responder.get(&path).await.expect(200).contains("Given up after 6 tries").contains("Try again");
        let mut admin = app.browser(Role::Admin).await;
        admin.get("/settings/trace-sources").await.expect(200).contains("failing").contains("starting");
        // A person may start it over.
        app.browser(Role::Viewer).await.post_form("/trace-fetches/1/retry", &[]).await.expect(403);
        responder.post_form("/trace-fetches/1/retry", &[]).await.expect(303);
        responder.get(&path).await.expect(200).contains("Waiting to be fetched");
    }

    async fn a_dead_nodes_fetch_is_taken_over(app: TestApp) {
        let fake = Fake::start(|_| is(&in_jaeger())).await;
        add(&app, "jaeger", &fake.url, json!({})).await;
        let mut api = app.api(Role::Responder).await;
        let asked = api.post_json("/api/v1/trace-fetches", &json!({ "reference": ID })).await.expect(202).json();
        // Another node took it and never came back.
        let tx = app.state.db.begin().await.unwrap();
        let until = app.state.now() + TimeDelta::minutes(5);
        tx.execute("UPDATE trace_fetches SET state = 'running', lease = 'dead', lease_until = $1, attempts = 1", faultline::args![until]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(jobs::run_once(&app.state).await.unwrap(), 0);
        app.advance(TimeDelta::minutes(6));
        assert_eq!(jobs::run_once(&app.state).await.unwrap(), 1);
        assert_eq!(api.get(&format!("/api/v1/trace-fetches/{}", asked["id"])).await.expect(200).json()["state"], "done");
    }

    async fn an_unknown_trace_is_looked_for_three_times(app: TestApp) {
        let fake = Fake::start(|_| missing()).await;
        add(&app, "tempo", &fake.url, json!({ "scope": "team-a", "secret": "tok" })).await;
        let fetched = fetch(&app, ID).await;
        assert_eq!((fetched["state"].as_str(), fetched["attempts"].as_i64()), (Some("failed"), Some(3)));
        assert_eq!(fetched["outcome"][0]["said"], "does not know this trace");
        let seen = &fake.requests()[0];
        assert_eq!((seen.headers["x-scope-orgid"].as_bytes(), seen.headers["authorization"].as_bytes()), (&b"team-a"[..], &b"Bearer tok"[..]));
    }

    async fn jaeger_v3_zipkin_and_tempo_are_read(app: TestApp) {
        let v3 = Fake::start(|seen| {
            if seen.path.starts_with("/api/v3/traces/") { is(&json!({ "result": serde_json::from_str::<Value>(TWO_SERVICES).unwrap() })) } else { missing() }
        }).await;
        add(&app, "jaeger", &v3.url, json!({})).await;
        assert_eq!(fetch(&app, &format!("{}/trace/{ID}", v3.url)).await["state"], "done");
        assert_eq!(spans_of(&app, ID).await["span_count"], 2);

        // Zipkin knows 64-bit ids.
        let zipkin = Fake::start(|seen| {
            if seen.path != "/api/v2/trace/1e223ff1f80f1c69" { return missing(); }
            is(&json!([{ "traceId": "1e223ff1f80f1c69", "id": "bf396325699c84bf", "kind": "SERVER", "name": "get", "timestamp": 1_470_150_004_071_068_i64,
                "duration": 99411, "localEndpoint": { "serviceName": "servicea" } }]))
        }).await;
        add(&app, "zipkin", &zipkin.url, json!({})).await;
        assert_eq!(fetch(&app, &format!("{}/zipkin/traces/1e223ff1f80f1c69", zipkin.url)).await["state"], "done");
        assert_eq!(spans_of(&app, "1e223ff1f80f1c69").await["service"], "servicea");

        let tempo = Fake::start(|seen| {
            if seen.path.starts_with("/api/v2/") { return missing(); }
            let body = TWO_SERVICES.replace("5b8efff798038103d269b633813fc60c", &"ab".repeat(16)).replace("5B8EFFF798038103D269B633813FC60C", &"ab".repeat(16));
            let spans = wire::otlp_json::decode(body.as_bytes()).unwrap().records;
            ([("content-type", "application/protobuf")], wire::otlp_proto::encode(&spans)).into_response()
        }).await;
        add(&app, "tempo", &tempo.url, json!({})).await;
        let fetched = fetch(&app, &"ab".repeat(16)).await;
        assert_eq!(fetched["state"], "done", "{fetched}");
        assert_eq!(spans_of(&app, &"ab".repeat(16)).await["span_count"], 2);
        assert!(tempo.requests().iter().all(|s| s.headers["accept"] == "application/protobuf"));
    }

    async fn elasticsearch_gives_spans_and_log_lines(app: TestApp) {
        let fake = Fake::start(|seen| {
            assert!(seen.path.starts_with("/traces-apm*,logs-shop*/_search?"), "{}", seen.path);
            assert_eq!(seen.body["query"]["bool"]["should"][0]["term"]["trace.id"], ID);
            is(&json!({ "hits": { "total": { "value": 3 }, "hits": [
                { "_source": { "processor": { "event": "transaction" }, "trace": { "id": ID }, "transaction": { "id": "00000000000000a1", "name": "GET /cart", "type": "request",
                    "result": "HTTP 5xx", "duration": { "us": 1500 } }, "timestamp": { "us": 1_700_000_000_000_000_i64 }, "service": { "name": "shop" }, "event": { "outcome": "failure" } } },
                { "_source": { "processor": { "event": "span" }, "trace": { "id": ID }, "parent": { "id": "00000000000000a1" }, "span": { "id": "00000000000000a2", "name": "SELECT", "type": "db",
                    "duration": { "us": 900 } }, "timestamp": { "us": 1_700_000_000_000_100_i64 }, "service": { "name": "shop" } } },
                { "_source": { "@timestamp": "2023-11-14T22:13:20.001Z", "message": "no row for cart 7", "log.level": "error", "trace.id": ID, "service.name": "shop" } },
            ] } }))
        }).await;
        add(&app, "elastic", &fake.url, json!({ "scope": "traces-apm*,logs-shop*", "secret": "a2V5" })).await;
        let fetched = fetch(&app, ID).await;
        assert_eq!(fetched["outcome"][0]["said"], "2 spans and 1 log lines.");
        assert_eq!(fake.requests()[0].headers["authorization"], "ApiKey a2V5");
        app.browser(Role::Viewer).await.get(&format!("/traces/{ID}")).await.expect(200).contains("GET /cart").contains("no row for cart 7");
    }

    async fn datadog_is_searched_page_by_page(app: TestApp) {
        let fake = Fake::start(|seen| {
            assert_eq!(seen.path, "/api/v2/spans/events/search");
            let query = seen.body["data"]["attributes"]["filter"]["query"].as_str().unwrap();
            assert_eq!(query, format!("trace_id:{ID} OR trace_id:15161849952847513100"));
            let span = |id: &str, parent: &str, name: &str, error: Value| json!({ "id": "x", "type": "spans", "attributes": { "span_id": id, "parent_id": parent,
                "trace_id": "15161849952847513100", "service": "web", "resource_name": name, "type": "web", "env": "prod", "host": "h1",
                "start_timestamp": "2023-11-14T22:13:20.000Z", "end_timestamp": "2023-11-14T22:13:20.250Z", "custom": { "http": { "status_code": "500" }, "error": error } } });
            if seen.body["data"]["attributes"]["page"]["cursor"] == "c2" {
                return is(&json!({ "data": [span("43", "42", "SELECT", json!({ "type": "DbError", "message": "gone" }))] }));
            }
            is(&json!({ "data": [span("42", "0", "GET /", json!({}))], "meta": { "page": { "after": "c2" } } }))
        }).await;
        add(&app, "datadog", &fake.url, json!({ "secret": "api", "secret_extra": "app" })).await;
        let fetched = fetch(&app, &format!("https://app.datadoghq.com/apm/trace/{ID}")).await;
        assert_eq!(fetched["state"], "done", "{fetched}");
        let trace = spans_of(&app, ID).await;
        assert_eq!((trace["span_count"].as_i64(), trace["first_error"]["message"].as_str()), (Some(2), Some("gone")));
        assert_eq!(trace["spans"][1]["parent_span_id"], "000000000000002a");
        let seen = &fake.requests()[0].headers;
        assert_eq!((seen["dd-api-key"].as_bytes(), seen["dd-application-key"].as_bytes()), (&b"api"[..], &b"app"[..]));
    }

    async fn new_relic_is_asked_by_nrql(app: TestApp) {
        let fake = Fake::start(|seen| {
            let nrql = seen.body["variables"]["nrql"].as_str().unwrap().to_owned();
            assert_eq!(seen.body["variables"]["account"], 1234);
            let results = if nrql.contains("FROM Span") {
                json!([{ "trace.id": ID, "id": "00000000000000a1", "name": "GET /", "timestamp": 1_700_000_000_000_i64, "duration.ms": 12.5,
                    "service.name": "web", "span.kind": "server", "otel.status_code": "ERROR", "error.message": "boom" }])
            } else {
                json!([{ "timestamp": 1_700_000_000_001_i64, "message": "it broke", "level": "ERROR", "span.id": "00000000000000a1", "service.name": "web" }])
            };
            is(&json!({ "data": { "actor": { "account": { "nrql": { "results": results } } } } }))
        }).await;
        add(&app, "newrelic", &fake.url, json!({ "scope": 1234, "secret": "NRAK" })).await;
        assert_eq!(fetch(&app, ID).await["outcome"][0]["said"], "1 spans and 1 log lines.");
        assert_eq!(spans_of(&app, ID).await["first_error"]["message"], "boom");
        assert_eq!(fake.requests()[0].headers["api-key"], "NRAK");
        app.browser(Role::Viewer).await.get(&format!("/traces/{ID}")).await.expect(200).contains("it broke");
    }

    async fn sentry_is_read_by_its_table_of_events(app: TestApp) {
        let fake = Fake::start(|seen| {
            assert!(seen.path.starts_with("/api/0/organizations/acme/events/?"), "{}", seen.path);
            if seen.path.contains("dataset=errors") {
                return is(&json!({ "data": [{ "id": "e", "title": "DbError: gone", "timestamp": "2023-11-14T22:13:20Z", "level": "error", "project": "web" }] }));
            }
            let row = |id: &str, parent: &str| json!({ "id": id, "parent_span": parent, "span.op": "http.server", "span.description": "GET /cart", "project": "web",
                "release": "web@1.2", "precise.start_ts": 1_700_000_000.25, "precise.finish_ts": 1_700_000_000.75, "span.status": "internal_error" });
            if seen.path.contains("cursor=0%3A100%3A0") {
                return is(&json!({ "data": [row("00000000000000a2", "00000000000000a1")] }));
            }
            let next = "<https://x>; rel=\"next\"; results=\"true\"; cursor=\"0:100:0\"";
            ([("link", next)], axum::Json(json!({ "data": [row("00000000000000a1", "")] }))).into_response()
        }).await;
        add(&app, "sentry", &fake.url, json!({ "scope": "acme", "secret": "tok" })).await;
        assert_eq!(fetch(&app, ID).await["outcome"][0]["said"], "2 spans and 1 log lines.");
        let trace = spans_of(&app, ID).await;
        assert_eq!((trace["duration_us"].as_i64(), trace["spans"][0]["version"].as_str()), (Some(500_000), Some("1.2")));
    }

    async fn honeycomb_is_linked(app: TestApp) {
        add(&app, "honeycomb", "https://api.honeycomb.io", json!({ "scope": "acme/environments/prod" })).await;
        let incident = declare(&app, false).await;
        let mut responder = app.browser(Role::Responder).await;
        let path = format!("/incidents/{incident}/evidence");
        responder.post_form(&path, &[("kind", "trace"), ("reference", ID)]).await.expect(303);
        jobs::run_once(&app.state).await.unwrap();
        let page = responder.get(&format!("{path}/1")).await.expect(200);
        page.contains("Only linked").contains(&format!("https://ui.honeycomb.io/acme/environments/prod/trace?trace_id={ID}"));
    }

    async fn what_a_source_answers_wrongly_is_told_and_not_kept(app: TestApp) {
        for (body, told) in [("{}", "cannot be read"), ("[", "cannot be read"), (r#"{"data":[]}"#, "does not know")] {
            let fake = Fake::start(move |_| ([("content-type", "application/json")], body).into_response()).await;
            let id = add(&app, "jaeger", &fake.url, json!({})).await;
            let fetched = fetch(&app, ID).await;
            assert_eq!(fetched["state"], "failed", "{body}: {fetched}");
            assert!(fetched["outcome"][0]["said"].as_str().unwrap().contains(told), "{body}: {fetched}");
            app.api(Role::Admin).await.json(Method::DELETE, &format!("/api/v1/trace-sources/{id}"), &Value::Null).await.expect(204);
        }
        // A source that answers with another trace.
        let fake = Fake::start(|_| is(&in_jaeger())).await;
        add(&app, "jaeger", &fake.url, json!({})).await;
        assert_eq!(fetch(&app, &"cd".repeat(16)).await["state"], "failed");
        app.api(Role::Viewer).await.get(&format!("/api/v1/traces/{ID}")).await.expect(404);
    }

    async fn sources_are_set_tested_and_removed_without_showing_their_secret(app: TestApp) {
        let fake = Fake::start(|seen| match seen.headers.get("authorization").map(|v| v.as_bytes()) {
            Some(b"Bearer hunter2") => is(&json!({ "services": ["a", "b"] })),
            _ => (StatusCode::UNAUTHORIZED, "who are you").into_response(),
        }).await;
        let mut admin = app.browser(Role::Admin).await;
        admin.get("/settings/trace-sources").await.expect(200).contains("No trace sources yet");
        admin.get("/settings/trace-sources/new?kind=jaeger").await.expect(200).contains("Password, or a bearer token");
        let wrong = admin.post_form("/settings/trace-sources", &[("kind", "jaeger"), ("name", "prod"), ("base_url", "jaeger"), ("secret", "typed-wrong")]).await.expect(422);
        wrong.contains("must be an http:// or https:// address").contains("value=\"prod\"").lacks("typed-wrong");
        let made = [("kind", "jaeger"), ("name", "prod"), ("base_url", fake.url.as_str()), ("secret", "hunter2")];
        admin.post_form("/settings/trace-sources", &made).await.redirects_to("/settings/trace-sources/1");
        admin.post_form("/settings/trace-sources", &made).await.expect(422).contains("is taken by another source");
        let page = admin.get("/settings/trace-sources/1").await.expect(200);
        page.contains("One is kept and never shown").lacks("hunter2");
        admin.post_form("/settings/trace-sources/1/test", &[]).await.expect(303);
        admin.get("/settings/trace-sources/1").await.expect(200).contains("The test succeeded. It answers by api/v3 and knows 2 services.");
        // Without the box it is switched off; the secret stays.
        admin.post_form("/settings/trace-sources/1", &[("name", "prod"), ("base_url", &fake.url)]).await.expect(303);
        admin.get("/settings/trace-sources").await.expect(200).contains(">off<");
        let moved = [("name", "prod"), ("base_url", "https://elsewhere.example")];
        admin.post_form("/settings/trace-sources/1", &moved).await.expect(422).contains("must be typed again");
        admin.post_form("/settings/trace-sources/1", &[("name", "prod"), ("base_url", &fake.url), ("forget_secret", "1"), ("enabled", "1")]).await.expect(303);
        let mut api = app.api(Role::Admin).await;
        let said = api.post_json("/api/v1/trace-sources/1/test", &json!({})).await.expect(200).json();
        assert_eq!((said["ok"].as_bool(), said["message"].as_str().unwrap().contains("credentials (401): who are you")), (Some(false), true), "{said}");
        let shown = api.get("/api/v1/trace-sources/1").await.expect(200).json();
        assert_eq!((shown["has_secret"].as_bool(), shown.get("secret")), (Some(false), None));
        admin.post_form("/settings/trace-sources/1/remove", &[]).await.expect(303);
        api.get("/api/v1/trace-sources/1").await.expect(404);
        let audit: Vec<(String,)> = app.state.db.fetch_all("SELECT action FROM audit_log WHERE subject_kind = 'trace_source' ORDER BY id", vec![]).await.unwrap();
        assert_eq!(audit.len(), 4);
    }

    async fn a_fetch_of_a_private_incident_is_not_told_to_others(app: TestApp) {
        let fake = Fake::start(|_| missing()).await;
        add(&app, "jaeger", &fake.url, json!({})).await;
        let incident = declare(&app, true).await;
        let mut admin = app.browser(Role::Admin).await;
        admin.post_form(&format!("/incidents/{incident}/evidence"), &[("kind", "trace"), ("reference", ID)]).await.expect(303);
        admin.get("/trace-fetches/1").await.expect(200).contains("Waiting");
        let mut other = app.browser(Role::Commander).await;
        other.get("/trace-fetches/1").await.expect(404);
        other.post_form("/trace-fetches/1/retry", &[]).await.expect(404);
        app.api(Role::Commander).await.get("/api/v1/trace-fetches/1").await.expect(404);
    }

    async fn pasting_an_absent_trace_offers_to_fetch_it(app: TestApp) {
        let mut responder = app.browser(Role::Responder).await;
        responder.get(&format!("/traces?q={ID}")).await.expect(200).contains("is not in this store").contains("Fetch it from the trace sources");
        responder.post_form("/trace-fetches", &[("reference", ID)]).await.redirects_to("/traces");
        responder.get("/traces").await.expect(200).contains("none is configured");
        let incident = declare(&app, false).await;
        let refused = responder.post_form(&format!("/incidents/{incident}/evidence"), &[("kind", "trace"), ("reference", ID)]).await.expect(422);
        refused.contains("names no trace that is in this store");
        let fake = Fake::start(|_| is(&in_jaeger())).await;
        add(&app, "jaeger", &fake.url, json!({})).await;
        responder.post_form("/trace-fetches", &[("reference", ID)]).await.redirects_to("/trace-fetches/1");
        responder.post_form("/trace-fetches", &[("reference", ID)]).await.redirects_to("/trace-fetches/1");
        responder.get("/trace-fetches/1").await.expect(200).contains("Waiting to be fetched");
        jobs::run_once(&app.state).await.unwrap();
        responder.get("/trace-fetches/1").await.redirects_to(&format!("/traces/{ID}"));
    }
}

crate::on_both! {
    async fn addresses_inside_are_not_called(app: TestApp) {
        let fake = Fake::start(|_| is(&in_jaeger())).await;
        let id = add(&app, "jaeger", &fake.url, json!({})).await;
        let said = app.api(Role::Admin).await.post_json(&format!("/api/v1/trace-sources/{id}/test"), &json!({})).await.expect(200).json();
        assert_eq!(said["ok"], false);
        assert_eq!(fetch(&app, ID).await["state"], "failed");
        assert!(fake.requests().is_empty(), "it was called all the same");
    }
}
