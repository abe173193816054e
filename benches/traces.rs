//! What traces cost: taking spans in, finding one trace among many, searching by service and time; beside
//! a plain batch insert of the same spans into SQLite with one row a span and two indexes, in the same run.
//!
//! `cargo bench --bench traces`. Sizes by environment: `FAULTLINE_BENCH_SPANS` (spans of the timed runs,
//! default 500,000), `FAULTLINE_BENCH_STORED` (spans in the store when traces are looked up, default
//! 10,000,000), `FAULTLINE_BENCH_SENDERS` (default 4), `FAULTLINE_BENCH_DATABASE` (a `postgres://` URL of
//! an empty database instead of SQLite). `benches/load/traces.py` measures the running server beside
//! Arize Phoenix.
//!
//! A plain program instead of criterion: one run takes minutes, and its figures are rates.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench prints, and stops when it cannot start"
)]
#![allow(missing_docs)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use faultline::accounts::{self, Actor, Role, Scope};
use faultline::clock::{Clock, Timestamp};
use faultline::config::{Config, Settings};
use faultline::db::{Db, DbUrl, Rows, Value};
use faultline::random::Random;
use faultline::state::AppState;
use faultline::telemetry::{AttrValue, Attributes, Resource, SpanId, TraceId};
use faultline::traces::model::{Span, SpanKind, TraceFilter};
use faultline::traces::service::view;
use faultline::traces::wire::otlp_proto;
use tower::ServiceExt;

/// Spans of one trace, and traces of one delivery: what a collector's batch processor sends.
const SPANS_OF_TRACE: usize = 50;
const TRACES_OF_DELIVERY: usize = 20;
const SPANS_OF_DELIVERY: usize = SPANS_OF_TRACE * TRACES_OF_DELIVERY;
const SERVICES: usize = 30;
/// 2026-01-01, in seconds; traces follow one another by a millisecond.
const BEGIN_S: i64 = 1_767_225_600;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// A hash that makes ids which look random, so that indexes are hit as in life.
const fn mix(n: u64) -> u64 {
    let mut x = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn trace_id(trace: usize) -> TraceId {
    TraceId::from_halves(mix(trace as u64), mix(trace as u64 + (1 << 40)) | 1).expect("not zero")
}

fn span_of(trace: usize, i: usize, resources: &[Arc<Resource>]) -> Span {
    let id = |i: usize| SpanId::new(mix((trace * SPANS_OF_TRACE + i) as u64) | 1).expect("not zero");
    let service = (trace + i / 5) % SERVICES;
    let mut span = Span::bare(trace_id(trace), id(i), Arc::clone(&resources[service]));
    span.parent = (i > 0).then(|| id((i - 1) / 3));
    span.name = format!("{} /api/v1/resource-{}", ["GET", "POST"][i % 2], i % 12);
    span.kind = [SpanKind::Server, SpanKind::Client, SpanKind::Internal][i % 3];
    span.start_nanos = (BEGIN_S * 1_000_000_000) + (trace as i64 * 1_000_000) + (i as i64 * 50_000);
    span.end_nanos = span.start_nanos + 1_000_000 + (mix((trace + i) as u64) % 9_000_000) as i64;
    span.attributes = Attributes(vec![
        ("http.request.method".to_owned(), AttrValue::text(["GET", "POST"][i % 2])),
        ("http.route".to_owned(), AttrValue::text(format!("/api/v1/resource-{}", i % 12))),
        ("http.response.status_code".to_owned(), AttrValue::Int(200)),
        ("server.address".to_owned(), AttrValue::text(format!("10.0.{}.{}", service, i % 250))),
        ("user.id".to_owned(), AttrValue::Int((mix(trace as u64) % 100_000) as i64)),
        ("thread.id".to_owned(), AttrValue::Int((i % 64) as i64)),
    ]);
    if trace % 50 == 7 && i == SPANS_OF_TRACE - 1 {
        span.set_error("deadline exceeded");
    }
    span
}

fn resources() -> Vec<Arc<Resource>> {
    (0..SERVICES)
        .map(|s| {
            let mut attributes = Attributes::default();
            for (key, value) in [
                ("service.name", format!("service-{s:02}")),
                ("service.version", "1.4.2".to_owned()),
                ("host.name", format!("node-{}", s % 7)),
            ] {
                attributes.push(key, AttrValue::text(value));
            }
            Arc::new(Resource::from_attributes(attributes))
        })
        .collect()
}

/// The spans of one delivery.
fn delivery(n: usize, resources: &[Arc<Resource>]) -> Vec<Span> {
    (0..SPANS_OF_DELIVERY)
        .map(|i| span_of(n * TRACES_OF_DELIVERY + i / SPANS_OF_TRACE, i % SPANS_OF_TRACE, resources))
        .collect()
}

/// The most memory that this process ever held, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn rate(spans: usize, took: Duration) -> f64 {
    spans as f64 / took.as_secs_f64()
}

async fn open(folder: &std::path::Path) -> AppState {
    let url = std::env::var("FAULTLINE_BENCH_DATABASE")
        .unwrap_or_else(|_| format!("sqlite:{}", folder.join("faultline.db").display()));
    let settings = Settings { database_url: Some(url), ..Settings::default() };
    let config = Config::load(settings, None).expect("a valid configuration");
    let db = Db::connect(&config.database_url).await.expect("a database");
    AppState { db, clock: Clock::System, random: Random::System, config: Arc::new(config) }
}

/// Sends deliveries `from..to` through the router, as a collector does; waits for every answer. What was
/// answered is durable and can be found.
async fn take_in(router: &axum::Router, token: &str, from: usize, to: usize, senders: usize) -> Duration {
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(from));
    let began = Instant::now();
    let mut tasks = Vec::new();
    let mut encoding = Duration::ZERO;
    for _ in 0..senders {
        let (router, next, token) = (router.clone(), next.clone(), token.to_owned());
        tasks.push(tokio::spawn(async move {
            let resources = resources();
            let mut own = Duration::ZERO;
            loop {
                let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if n >= to {
                    return own;
                }
                // The sender's own work is not the server's.
                let encode = Instant::now();
                let body = otlp_proto::encode(&delivery(n, &resources));
                own += encode.elapsed();
                loop {
                    let request = Request::post("/v1/traces")
                        .header("authorization", format!("Bearer {token}"))
                        .header("content-type", "application/x-protobuf")
                        .header("content-length", body.len())
                        .body(Body::from(body.clone()))
                        .expect("a request");
                    let status = router.clone().oneshot(request).await.expect("an answer").status().as_u16();
                    match status {
                        200 => break,
                        429 | 503 => tokio::time::sleep(Duration::from_millis(20)).await,
                        other => panic!("refused with {other}"),
                    }
                }
            }
        }));
    }
    for task in tasks {
        encoding += task.await.expect("a sender");
    }
    // Senders encode on the same cores: their share of the time is taken off.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    began.elapsed().saturating_sub(encoding / u32::try_from(cores.min(senders)).unwrap_or(1))
}

/// One row a span and two indexes, a transaction per delivery, as durable as ours. Only the inserting is
/// timed: the spans are decoded already.
async fn plain_insert(folder: &std::path::Path, deliveries: usize) -> Duration {
    let url = DbUrl::parse(&format!("sqlite:{}", folder.join("plain.db").display())).expect("an address");
    let db = Db::connect(&url).await.expect("a database");
    let tx = db.begin().await.expect("a transaction");
    for sql in [
        "CREATE TABLE plain_spans (id INTEGER PRIMARY KEY, trace_id TEXT NOT NULL, span_id TEXT NOT NULL, parent_id TEXT, \
         service TEXT NOT NULL, name TEXT NOT NULL, kind BIGINT NOT NULL, started_at BIGINT NOT NULL, duration_us BIGINT NOT NULL, \
         failed BOOLEAN NOT NULL, attributes TEXT NOT NULL)",
        "CREATE INDEX plain_by_trace ON plain_spans (trace_id)",
        "CREATE INDEX plain_by_service ON plain_spans (service, started_at)",
    ] {
        tx.execute(sql, vec![]).await.expect("created");
    }
    tx.commit().await.expect("committed");
    let resources = resources();
    let mut took = Duration::ZERO;
    for n in 0..deliveries {
        let spans = delivery(n, &resources);
        let began = Instant::now();
        let mut rows = Rows::new(
            "INSERT INTO plain_spans (trace_id, span_id, parent_id, service, name, kind, started_at, duration_us, failed, attributes)",
            10,
            "",
        );
        for span in &spans {
            rows.push([
                Value::from(span.trace_id.to_string()),
                Value::from(span.span_id.to_string()),
                Value::from(span.parent.map(|p| p.to_string())),
                Value::from(span.service()),
                Value::from(&span.name),
                Value::from(i64::from(span.kind.number())),
                Value::from(span.start_nanos / 1_000),
                Value::from(span.duration_nanos() / 1_000),
                Value::from(span.failed()),
                Value::from(serde_json::to_string(&span.attributes).expect("JSON")),
            ]);
        }
        let tx = db.begin().await.expect("a transaction");
        tx.insert_rows(rows).await.expect("inserted");
        tx.commit().await.expect("committed");
        took += began.elapsed();
    }
    db.close().await;
    took
}

/// Median and 95th percentile, in milliseconds.
fn quantiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let at = |q: usize| times.get(times.len().saturating_sub(1) * q / 100).map_or(0.0, |d| d.as_secs_f64() * 1e3);
    (at(50), at(95))
}

const ASKED: usize = 200;

async fn look_up(db: &Db, traces: usize) -> (f64, f64) {
    let mut times = Vec::new();
    for i in 0..ASKED {
        let id = trace_id(usize::try_from(mix(i as u64)).unwrap_or(0) % traces).to_string();
        let began = Instant::now();
        let whole = view::whole(db, &id).await.expect("read").expect("it is stored");
        times.push(began.elapsed());
        assert_eq!(whole.spans.len(), SPANS_OF_TRACE, "a trace is whole");
    }
    quantiles(times)
}

async fn search(db: &Db, traces: usize, error: bool) -> (f64, f64) {
    let mut times = Vec::new();
    for i in 0..ASKED {
        let start = BEGIN_S * 1_000 + i64::try_from(mix(i as u64) % traces as u64).unwrap_or(0);
        let filter = TraceFilter {
            service: format!("service-{:02}", i % SERVICES),
            error,
            from: Some(Timestamp::from_millis(start)),
            to: Some(Timestamp::from_millis(start + 600_000)),
            ..TraceFilter::default()
        };
        let began = Instant::now();
        view::search(db, &filter, None, 50).await.expect("searched");
        times.push(began.elapsed());
    }
    quantiles(times)
}

async fn run() {
    let spans = setting("FAULTLINE_BENCH_SPANS", 500_000).max(SPANS_OF_DELIVERY);
    let stored = setting("FAULTLINE_BENCH_STORED", 10_000_000).max(spans);
    let senders = setting("FAULTLINE_BENCH_SENDERS", 4).max(1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let deliveries = spans / SPANS_OF_DELIVERY;

    let plain = plain_insert(folder.path(), deliveries).await;
    let plain_rate = rate(deliveries * SPANS_OF_DELIVERY, plain);
    println!(
        "plain insert, one row a span, two indexes: {plain_rate:.0} spans/s ({deliveries} batches of {SPANS_OF_DELIVERY})"
    );

    let state = open(folder.path()).await;
    let (_, token) = accounts::service::add_token(&state, &Actor::system(), "bench", Scope::Ingest, Role::Viewer)
        .await
        .expect("a token");
    let router = faultline::app::router(state.clone());
    let took = take_in(&router, &token, 0, deliveries, senders).await;
    let own_rate = rate(deliveries * SPANS_OF_DELIVERY, took);
    println!(
        "POST /v1/traces, {senders} senders: {own_rate:.0} spans/s, {:.2} times the plain insert",
        own_rate / plain_rate
    );
    println!("most memory so far: {} MiB (senders, plain insert and server in one process)", peak_mib());

    let all = stored / SPANS_OF_DELIVERY;
    if all > deliveries {
        let took = take_in(&router, &token, deliveries, all, senders).await;
        println!(
            "the rest up to {} spans: {:.0} spans/s",
            all * SPANS_OF_DELIVERY,
            rate((all - deliveries) * SPANS_OF_DELIVERY, took)
        );
        println!("most memory so far: {} MiB", peak_mib());
    }
    let traces = all * TRACES_OF_DELIVERY;
    let (bytes, _, spans_in) = view::stored(&state.db).await.expect("counted");
    println!(
        "stored: {spans_in} spans in {traces} traces, {:.0} bytes a span compressed",
        bytes as f64 / spans_in.max(1) as f64
    );
    let (p50, p95) = look_up(&state.db, traces).await;
    println!("a trace of {SPANS_OF_TRACE} spans by its id: p50 {p50:.2} ms, p95 {p95:.2} ms");
    let (p50, p95) = search(&state.db, traces, false).await;
    println!("search by service and ten minutes: p50 {p50:.2} ms, p95 {p95:.2} ms");
    let (p50, p95) = search(&state.db, traces, true).await;
    println!("the same, failed only: p50 {p50:.2} ms, p95 {p95:.2} ms");
    state.db.close().await;
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run());
}
