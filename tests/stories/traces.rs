//! Traces and logs: from a sender's request to the page that explains them.

use std::io::Write;

use axum::http::Method;
use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::incidents::{self, By, DeclareInput, Source};
use faultline::traces::{jobs, wire};
use prost::Message;
use serde_json::json;

use crate::support::{Browser, TestApp, sample};

const TWO_SERVICES: &str = include_str!("../fixtures/traces/otlp_two_services.json");
const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const JSON: (&str, &str) = ("content-type", "application/json");
const PROTO: (&str, &str) = ("content-type", "application/x-protobuf");

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// The fixture in protobuf, as an SDK would send it.
fn in_protobuf() -> Vec<u8> {
    wire::otlp_proto::encode(&wire::otlp_json::decode(TWO_SERVICES.as_bytes()).unwrap().records)
}

async fn settle(app: &TestApp) {
    app.advance(TimeDelta::seconds(10));
    jobs::run_once(&app.state, false).await.unwrap();
}

async fn declare(app: &TestApp, private: bool) -> String {
    let tx = app.state.db.begin().await.unwrap();
    let input =
        DeclareInput { title: "Checkout fails".into(), severity: "SEV2".into(), private, ..DeclareInput::default() };
    let declared = input.normalize(app.state.now(), Source::Person).unwrap();
    let id = incidents::declare(&tx, &declared, &By::system("test"), app.state.now()).await.unwrap();
    tx.commit().await.unwrap();
    id.to_string()
}

async fn send_fixture(sender: &mut Browser) {
    sender.post_bytes("/v1/traces", &[JSON], TWO_SERVICES).await.expect(200);
}

crate::on_both! {
    async fn a_trace_as_json_is_answered_listed_and_drawn(app: TestApp) {
        let mut sender = app.sender().await;
        let answer = sender.post_bytes("/v1/traces", &[JSON], TWO_SERVICES).await.expect(200);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.json(), json!({}), "full success leaves partialSuccess unset");

        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get("/traces").await.expect(200).contains(TRACE).contains("checkout").contains("2 failed");
        viewer.get("/traces?service=inventory&error=1").await.expect(200).contains(TRACE);
        viewer.get("/traces?service=checkout&operation=nothing").await.expect(200).contains("No traces");
        viewer.get("/traces?min_duration_ms=soon").await.expect(200).contains("is not a number");
        let page = viewer.get(&format!("/traces/{TRACE}")).await.expect(200);
        let page = page.contains("First error").contains("OutOfStock: no item 7").contains("first error</strong>");
        page.contains("<svg").lacks("style=");
        viewer.get(&format!("/traces/{TRACE}?span=eee19b7ec3c1b174")).await.expect(200).contains("exception.message").contains("1.3.2");
        // Other ways to name it lead to the same page.
        viewer.get("/traces/D269B633813FC60C").await.redirects_to(&format!("/traces/{TRACE}"));
        viewer.get("/traces?q=15161849952847513100").await.redirects_to(&format!("/traces/{TRACE}"));
        viewer.get("/traces?q=0123456789abcdef0123456789abcdef").await.expect(200).contains("is not in this store");
        viewer.get("/traces?q=hello").await.expect(200).contains("names no trace");
        viewer.get("/traces/0123456789abcdef0123456789abcdef").await.expect(404);
    }

    async fn protobuf_is_answered_in_protobuf_and_repeats_do_no_harm(app: TestApp) {
        let mut sender = app.sender().await;
        for _ in 0..2 {
            let answer = sender.post_bytes("/v1/traces", &[PROTO], in_protobuf()).await.expect(200);
            assert_eq!(answer.header("content-type"), "application/x-protobuf");
            assert_eq!(answer.text(), "");
        }
        sender.post_bytes("/v1/traces", &[PROTO, ("content-encoding", "gzip")], gzip(&in_protobuf())).await.expect(200);
        let mut api = app.api(Role::Viewer).await;
        let trace = api.get(&format!("/api/v1/traces/{TRACE}")).await.expect(200).json();
        assert_eq!(trace["span_count"], 2);
        assert_eq!(trace["spans"].as_array().map(Vec::len), Some(2));
        assert_eq!(trace["first_error"]["service"], "inventory");
        assert_eq!(trace["first_error"]["message"], "OutOfStock: no item 7");
        let list = api.get("/api/v1/traces?service=inventory&error=true&limit=1").await.expect(200).json();
        assert_eq!(list["items"][0]["trace_id"], TRACE);
        assert_eq!(list["next_cursor"], json!(null));
    }

    async fn one_bad_span_is_named_and_its_neighbours_are_kept(app: TestApp) {
        let mut sender = app.sender().await;
        let mut body: serde_json::Value = serde_json::from_str(TWO_SERVICES).unwrap();
        body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["spanId"] = json!("12");
        let answer = sender.post_bytes("/v1/traces", &[JSON], body.to_string()).await.expect(200).json();
        assert_eq!(answer["partialSuccess"]["rejectedSpans"], "1");
        assert!(answer["partialSuccess"]["errorMessage"].as_str().unwrap().contains("span id '12' has 2 characters"));
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get(&format!("/traces/{TRACE}")).await.expect(200).contains("checkout").lacks("OutOfStock");
    }

    async fn what_cannot_be_read_is_refused_in_the_senders_own_format(app: TestApp) {
        #[derive(Clone, PartialEq, Message)]
        struct Status {
            #[prost(int32, tag = "1")]
            code: i32,
            #[prost(string, tag = "2")]
            message: String,
        }
        let mut sender = app.sender().await;
        let answer = sender.post_bytes("/v1/traces", &[PROTO], b"\x0a\xff".as_slice()).await.expect(400);
        let status = Status::decode(answer.text().as_bytes()).unwrap();
        assert_eq!(status.code, 3);
        let answer = sender.post_bytes("/v1/traces", &[JSON], "[").await.expect(400);
        assert_eq!(answer.json()["code"], 3);
        sender.post_bytes("/v1/traces", &[JSON, ("content-encoding", "gzip")], &gzip(b"{}")[..8]).await.expect(400);
        sender.post_bytes("/v1/traces", &[("content-type", "text/csv")], "a,b").await.expect(400).contains("application/x-protobuf");
        let bomb = gzip(&vec![b' '; 80 << 20]);
        sender.post_bytes("/v1/traces", &[JSON, ("content-encoding", "gzip")], bomb).await.expect(413);
        sender.post_bytes("/v1/traces", &[JSON], "{}").await.expect(200);
        let mut stranger = app.visitor();
        assert_eq!(stranger.post_bytes("/v1/traces", &[JSON], TWO_SERVICES).await.expect(401).json()["code"], 16);
        stranger.post_bytes("/v1/logs", &[JSON], "{}").await.expect(401);
        stranger.post_bytes("/api/v2/spans", &[JSON], "[]").await.expect(401);
    }

    async fn zipkin_spans_are_taken(app: TestApp) {
        let mut sender = app.sender().await;
        let body = sample("zipkin/skew.json").unwrap_or_else(|| {
            br#"[{"traceId":"1e223ff1f80f1c69","id":"bf396325699c84bf","kind":"SERVER","name":"get","timestamp":1470150004071068,
               "duration":99411,"localEndpoint":{"serviceName":"servicea"}},{"traceId":"1e223ff1f80f1c69","parentId":"bf396325699c84bf",
               "id":"74280ae0c10d8062","kind":"SERVER","name":"post","timestamp":1470150004008761,"duration":93577,"shared":true,
               "localEndpoint":{"serviceName":"serviceb"}}]"#.to_vec()
        });
        sender.post_bytes("/api/v2/spans", &[JSON], body).await.expect(202);
        sender.post_bytes("/api/v2/spans", &[JSON], "{}").await.expect(400);
        sender.post_bytes("/api/v2/spans", &[JSON], r#"[{"id":"1"}]"#).await.expect(400);
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get("/traces/00000000000000001e223ff1f80f1c69").await.expect(200).contains("serviceb").contains("clock corrected");
    }

    async fn services_and_their_calls_appear_in_the_catalogue(app: TestApp) {
        let mut sender = app.sender().await;
        send_fixture(&mut sender).await;
        settle(&app).await;
        let checkout = faultline::services::get(&app.state.db, "checkout").await.unwrap();
        assert!(checkout.discovered);
        let callees = faultline::services::dependencies(&app.state.db, &checkout).await.unwrap();
        assert_eq!(callees.iter().map(|e| (e.service.as_str(), e.declared)).collect::<Vec<_>>(), [("inventory", false)]);
    }

    async fn logs_stand_beside_their_spans(app: TestApp) {
        let mut sender = app.sender().await;
        send_fixture(&mut sender).await;
        let logs = json!({"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "inventory"}}]},
            "scopeLogs": [{"logRecords": [
                {"timeUnixNano": "1544712660500000000", "severityNumber": 17, "body": {"stringValue": "stock table locked <b>"},
                 "traceId": TRACE, "spanId": "eee19b7ec3c1b174"},
                {"timeUnixNano": "1544712660500000000", "traceId": "77"}]}]}]});
        let answer = sender.post_bytes("/v1/logs", &[JSON], logs.to_string()).await.expect(200).json();
        assert_eq!(answer["partialSuccess"]["rejectedLogRecords"], "1");
        let mut viewer = app.browser(Role::Viewer).await;
        let page = viewer.get(&format!("/traces/{TRACE}")).await.expect(200);
        page.contains("stock table locked").lacks("locked <b>");
        viewer.get("/logs?level=error&q=LOCKED&service=inventory").await.expect(200).contains("stock table locked");
        viewer.get("/logs?level=fatal").await.expect(200).contains("No log records");
        viewer.get(&format!("/logs?trace={TRACE}")).await.expect(200).contains("stock table locked");
        for other in ["x-datadog-trace-id%3A+15161849952847513100", "d269b633813fc60c", "00-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174-01"] {
            viewer.get(&format!("/logs?trace={other}")).await.expect(200).contains("stock table locked");
        }
        viewer.get("/logs?trace=xyz").await.expect(200).contains("names no trace");
        let mut api = app.api(Role::Viewer).await;
        let found = api.get(&format!("/api/v1/logs?service=inventory&severity=error&trace_id={TRACE}&limit=5")).await.expect(200).json();
        assert_eq!(found["items"][0]["severity"], 17);
    }

    async fn a_trace_kept_with_an_incident_outlives_the_store(app: TestApp) {
        let mut sender = app.sender().await;
        send_fixture(&mut sender).await;
        let incident = declare(&app, false).await;
        let mut responder = app.browser(Role::Responder).await;
        let attach = format!("/traces/{TRACE}/attach");
        responder.post_form(&attach, &[("incident", &incident)]).await.redirects_to(&format!("/incidents/{incident}/evidence"));
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.post_form(&attach, &[("incident", &incident)]).await.expect(403);

        // The same by the incident's API: any notation is resolved, and attached twice it is one piece.
        let mut api = app.api(Role::Responder).await;
        let traceparent = format!("00-{TRACE}-eee19b7ec3c1b174-01");
        let path = format!("/api/v1/incidents/{incident}/evidence");
        api.post_json(&path, &json!({"kind": "trace", "traceparent": traceparent})).await.expect(201);
        api.post_json(&path, &json!({"kind": "trace", "trace_id": "0123456789abcdef0123456789abcdef"})).await.expect(422);

        // Years later the store has forgotten it.
        app.advance(TimeDelta::days(4_000));
        jobs::run_once(&app.state, true).await.unwrap();
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get(&format!("/traces/{TRACE}")).await.expect(404);
        let (evidence, snapshot) = kept(&app, &incident).await;
        assert_eq!(evidence.reference, TRACE);
        let html = incidents::hooks::EvidenceSource::draw(&faultline::traces::TraceEvidence, &evidence, &snapshot).unwrap().unwrap();
        for text in ["OutOfStock: no item 7", "inventory", "checkout", "<svg"] {
            assert!(html.contains(text), "{text} is kept");
        }
    }

    async fn vendors_agents_and_sdks_are_understood(app: TestApp) {
        let mut sender = app.sender().await;
        let token = app.ingest_token().await;
        let mut stranger = app.visitor();
        let dd = json!([[{"trace_id": 77, "span_id": 5, "parent_id": 0, "name": "web.request", "service": "dd-shop", "resource": "GET /dd",
            "start": 1_700_000_000_000_000_000_u64, "duration": 2_000_000, "error": 1, "meta": {"error.message": "no stock"}}]]);
        let packed = rmp_serde::to_vec_named(&dd).unwrap();
        let msgpack = ("content-type", "application/msgpack");
        let answer = stranger.send(Method::PUT, &format!("/datadog/{token}/v0.4/traces"), &[msgpack], packed.clone()).await.expect(200);
        assert_eq!(answer.json()["rate_by_service"]["service:,env:"], 1);
        sender.send(Method::PUT, "/v0.4/traces", &[msgpack], packed).await.expect(200);
        stranger.send(Method::PUT, "/v0.4/traces", &[msgpack], vec![0x90]).await.expect(401);
        sender.send(Method::PUT, "/v0.4/traces", &[msgpack], vec![0xc1]).await.expect(400);

        let apm = "{\"metadata\":{\"service\":{\"name\":\"apm-shop\",\"agent\":{\"name\":\"n\",\"version\":\"1\"}}}}\n\
            {\"transaction\":{\"id\":\"945254c567a5417e\",\"trace_id\":\"945254c567a5417eaaaaaaaaaaaaaaaa\",\"name\":\"GET /apm\",\"type\":\"request\",\"duration\":3}}\n";
        let ndjson = ("content-type", "application/x-ndjson");
        let answer = sender.post_bytes("/intake/v2/events", &[ndjson], apm).await.expect(202);
        assert_eq!(answer.json()["accepted"], 1);
        let answer = sender.post_bytes("/intake/v2/events", &[ndjson], format!("{apm}{{\"span\":{{}}}}\n")).await.expect(400).json();
        assert_eq!((answer["accepted"].as_i64(), answer["errors"].as_array().map(Vec::len)), (Some(1), Some(1)));

        let envelope = format!("{{\"event_id\":\"abc\",\"dsn\":\"http://{token}@host/42\"}}\n{{\"type\":\"event\"}}\n{{\"message\":\"sentry says hello\",\"level\":\"error\"}}\n");
        let answer = stranger.post_bytes("/api/42/envelope/", &[("content-type", "application/x-sentry-envelope")], envelope).await.expect(200);
        assert_eq!(answer.json()["id"], "abc");
        stranger.post_bytes("/api/42/envelope/", &[], "{}\n").await.expect(401);

        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get("/traces?q=77").await.redirects_to("/traces/0000000000000000000000000000004d");
        viewer.get("/traces/4d").await.redirects_to("/traces/0000000000000000000000000000004d");
        viewer.get("/traces").await.expect(200).contains("dd-shop").contains("apm-shop");
        viewer.get("/logs").await.expect(200).contains("sentry says hello").contains("sentry-project-42");
    }

    async fn a_saved_trace_is_imported_and_the_graph_drawn(app: TestApp) {
        let mut responder = app.browser(Role::Responder).await;
        responder.get("/traces/import").await.expect(200);
        let multipart = ("content-type", "multipart/form-data; boundary=xx");
        let form = |text: &str| format!("--xx\r\ncontent-disposition: form-data; name=\"text\"\r\n\r\n{text}\r\n--xx--\r\n");
        let origin = ("origin", "http://faultline.test");
        responder.post_bytes("/traces/import", &[multipart, origin], form(TWO_SERVICES)).await.redirects_to(&format!("/traces/{TRACE}"));
        responder.post_bytes("/traces/import", &[multipart, origin], form("{nonsense")).await.expect(422).contains("{nonsense");
        settle(&app).await;
        responder.get("/traces/graph?hours=24").await.expect(200).contains("catalogue").contains("inventory");
        responder.get("/services/inventory").await.expect(200).contains("Newest failed traces");
        responder.get("/traces/graph?service=nobody").await.expect(200).contains("No calls");
    }

    async fn a_private_incident_is_not_told_to_others(app: TestApp) {
        let mut sender = app.sender().await;
        send_fixture(&mut sender).await;
        let incident = declare(&app, true).await;
        let mut responder = app.browser(Role::Responder).await;
        responder.post_form(&format!("/traces/{TRACE}/attach"), &[("incident", &incident)]).await.expect(404);
        responder.post_form(&format!("/traces/{TRACE}/attach"), &[("incident", "soon")]).await.expect(422);
    }

    async fn a_failing_trace_is_compared_with_a_healthy_one(app: TestApp) {
        let mut sender = app.sender().await;
        send_fixture(&mut sender).await;
        let compare = format!("/traces/{TRACE}/compare");
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get(&compare).await.expect(200).contains("Nothing to compare with");
        let mut healthy: serde_json::Value = serde_json::from_str(TWO_SERVICES).unwrap();
        for group in healthy["resourceSpans"].as_array_mut().unwrap() {
            let span = &mut group["scopeSpans"][0]["spans"][0];
            span["traceId"] = json!("6b8efff798038103d269b633813fc60c");
            (span["status"], span["attributes"], span["events"]) = (json!({}), json!([]), json!([]));
        }
        sender.post_bytes("/v1/traces", &[JSON], healthy.to_string()).await.expect(200);
        viewer.get(&compare).await.expect(200).contains("newly failing").contains("First divergence").contains("inventory GET /items/{id}: newly failing");
    }

    async fn what_was_refused_is_counted_for_the_administrator(app: TestApp) {
        let mut sender = app.sender().await;
        let mut body: serde_json::Value = serde_json::from_str(TWO_SERVICES).unwrap();
        body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["spanId"] = json!("0000000000000000");
        sender.post_bytes("/v1/traces", &[JSON], body.to_string()).await.expect(200);
        sender.post_bytes("/v1/traces", &[JSON], "[").await.expect(400);
        sender.post_bytes("/api/v2/spans", &[JSON], r#"[{"id":"1"}]"#).await.expect(400);
        let counts = faultline::traces::service::view::ingest_counts(&app.state.db, app.state.now() - TimeDelta::hours(2)).await.unwrap();
        let shown: Vec<_> = counts.iter().map(|(door, c)| (door.as_str(), c.deliveries, c.accepted, c.refused, c.unread)).collect();
        assert_eq!(shown, [("otlp", 2, 1, 1, 1), ("zipkin", 1, 0, 1, 0)]);
        app.browser(Role::Commander).await.get("/settings/telemetry").await.expect(403);
        let page = app.browser(Role::Admin).await.get("/settings/telemetry").await.expect(200);
        page.contains("1 spans in 1 traces").contains("zipkin").contains("for 14 days");
        app.browser(Role::Admin).await.get("/settings/deliveries").await.expect(200).contains("span id is zero");
    }

    async fn damaged_traces_are_stored_and_drawn(app: TestApp) {
        let mut sender = app.sender().await;
        let span = |id: &str, parent: &str, start: u64, end: u64| json!({ "traceId": TRACE, "spanId": id, "parentSpanId": parent, "name": "op\u{0}",
            "startTimeUnixNano": start.to_string(), "endTimeUnixNano": end.to_string() });
        // A circle of three, one that is its own parent, one that ends before it starts, one without any time.
        let spans = json!([span("00000000000000a1", "00000000000000a3", 1_700_000_000_000_000_000, 1_700_000_000_100_000_000),
            span("00000000000000a2", "00000000000000a1", 1_700_000_000_010_000_000, 1_700_000_000_020_000_000),
            span("00000000000000a3", "00000000000000a2", 1_700_000_000_010_000_000, 1_700_000_000_020_000_000),
            span("00000000000000a4", "00000000000000a4", 1_700_000_000_010_000_000, 1_700_000_000_020_000_000),
            span("00000000000000a5", "00000000000000a1", 1_700_000_000_020_000_000, 1_700_000_000_010_000_000),
            span("00000000000000a6", "00000000000000a1", 0, 0)]);
        let body = json!({ "resourceSpans": [{ "resource": {}, "scopeSpans": [{ "spans": spans }] }] });
        assert_eq!(sender.post_bytes("/v1/traces", &[JSON], body.to_string()).await.expect(200).json(), json!({}));
        settle(&app).await;
        let mut viewer = app.browser(Role::Viewer).await;
        let page = viewer.get(&format!("/traces/{TRACE}")).await.expect(200);
        page.contains("led in a circle").contains("ends before it starts").contains("no time recorded");
        assert_eq!(app.api(Role::Viewer).await.get(&format!("/api/v1/traces/{TRACE}")).await.expect(200).json()["span_count"], 6);
        // Bytes that are no text are no JSON, and no text in protobuf either.
        sender.post_bytes("/v1/traces", &[JSON], b"{\"resourceSpans\":[{\"resource\":\xff}]}".as_slice()).await.expect(400);
        let damaged = |word: &[u8]| {
            let mut proto = in_protobuf();
            let at = proto.windows(word.len()).position(|w| w == word).unwrap();
            proto[at] = 0xff;
            proto
        };
        let refused = sender.post_bytes("/v1/traces", &[PROTO], damaged(b"OutOfStock")).await.expect(200).text();
        assert!(refused.contains("1 refused") && refused.contains("not a span"), "{refused}");
        // A service whose name cannot be read loses its name, not its spans.
        assert_eq!(sender.post_bytes("/v1/traces", &[PROTO], damaged(b"checkout")).await.expect(200).text(), "");
        sender.post_bytes("/v1/traces", &[PROTO], &in_protobuf()[..40]).await.expect(400);
    }

    async fn five_thousand_spans_open_as_a_bounded_page(app: TestApp) {
        let mut sender = app.sender().await;
        for batch in 0..5_u64 {
            let spans: Vec<_> = (0..1_000_u64)
                .map(|i| {
                    let n = batch * 1_000 + i;
                    let parent = if n == 0 { String::new() } else { format!("{:016x}", (n - 1) / 4 + 1) };
                    json!({ "traceId": TRACE, "spanId": format!("{:016x}", n + 1), "parentSpanId": parent, "name": format!("step {}", n % 700),
                        "startTimeUnixNano": (1_700_000_000_000_000_000 + n * 10_000).to_string(),
                        "endTimeUnixNano": (1_700_000_000_100_000_000 + n * 10_000).to_string() })
                })
                .collect();
            let body = json!({ "resourceSpans": [{ "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": "big" } }] },
                "scopeSpans": [{ "spans": spans }] }] });
            sender.post_bytes("/v1/traces", &[JSON, ("content-encoding", "gzip")], gzip(body.to_string().as_bytes())).await.expect(200);
        }
        let mut viewer = app.browser(Role::Viewer).await;
        let page = viewer.get(&format!("/traces/{TRACE}?unfold=1")).await.expect(200).contains("5000 spans");
        let packed = gzip(&page.body).len();
        assert!(packed < 60_000, "{packed} bytes compressed");
        viewer.get(&format!("/traces/{TRACE}?unfold=1&row=4800")).await.expect(200);
    }

    async fn senders_keep_their_spans_while_the_database_is_away(app: TestApp) {
        let mut sender = app.sender().await;
        app.state.db.close().await;
        for (path, kind) in [("/v1/traces", JSON), ("/v1/traces", PROTO), ("/v1/logs", JSON)] {
            let answer = sender.post_bytes(path, &[kind], TWO_SERVICES).await.expect(503);
            assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|s| s > 0), "{path}: {:?}", answer.headers);
            assert_eq!(answer.header("content-type"), kind.1, "{path}");
        }
        sender.post_bytes("/api/v2/spans", &[JSON], "[]").await.expect(503);
    }

    async fn a_full_house_sends_deliveries_back_instead_of_growing(app: TestApp) {
        let store = faultline::traces::SpanStore::new(app.state.db.clone(), app.state.clock.clone());
        let all = store.admit(64 << 20, true).unwrap();
        let refused = store.admit(1, false).err().unwrap();
        assert_eq!((refused.status(), refused.to_string().contains("try again")), (429, true));
        drop(all);
        store.admit(1, false).unwrap();
    }

    async fn an_incident_shows_whom_it_reaches(app: TestApp) {
        send_fixture(&mut app.sender().await).await;
        settle(&app).await;
        let mut api = app.api(Role::Responder).await;
        let start = "2018-12-13T14:51:00Z";
        let body = json!({ "title": "Stock fails", "severity": "SEV2", "services": ["inventory"], "impact_started_at": start });
        let incident = api.post_json("/api/v1/incidents", &body).await.expect(201).json()["id"].as_str().unwrap().to_owned();
        let page = app.browser(Role::Viewer).await.get(&format!("/incidents/{incident}")).await.expect(200);
        page.contains("Blast radius").contains("calls inventory").contains("/services/checkout");
    }
}

async fn kept(app: &TestApp, incident: &str) -> (incidents::record::Evidence, incidents::record::Snapshot) {
    let id = incidents::IncidentId::parse(incident).unwrap();
    let list = incidents::evidence::page(&app.state.db, id, 0, 10).await.unwrap();
    let evidence = list.into_iter().next().unwrap();
    let snapshot = incidents::evidence::snapshot(&app.state.db, evidence.id).await.unwrap().unwrap();
    (evidence, snapshot)
}
