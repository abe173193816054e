//! The reports' overview over many incidents: `cargo bench --bench reports`.
//!
//! `FAULTLINE_BENCH_INCIDENTS` says how many (20,000 unless said), over ten years; with `FAULTLINE_BENCH_FOLDER`
//! the SQLite file stays there and is used again. With `FAULTLINE_TEST_POSTGRES`
//! the same is measured on PostgreSQL, beside the percentiles of the four main measures by one hand-written
//! statement over the same rows, whose figures must agree. Prints milliseconds and this process's memory.
#![allow(
    missing_docs,
    dead_code,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    reason = "a bench that cannot run says why, and its figures belong on standard output"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::http::Request;
use faultline::accounts::{self, Actor, Role, Scope};
use faultline::clock::{Clock, Timestamp};
use faultline::config::{Config, Settings};
use faultline::db::{Db, DbUrl};
use faultline::random::Random;
use faultline::reports::jobs;
use faultline::state::AppState;
use tower::ServiceExt;

#[path = "../tests/support/database.rs"]
mod database;
#[path = "support/session.rs"]
mod session;
use database::Backend;

const END: &str = "2026-11-23T13:45:00Z";
const OVERVIEW: &str = "/reports?from=2016-11-01&to=2026-11-23";
const FIGURES: &str = "/api/v1/reports/overview?from=2016-11-01&to=2026-11-23";

/// The four main measures by hand: what the ledger has to beat and to agree with.
const BY_HAND: &str = "SELECT \
    percentile_cont(0.50) WITHIN GROUP (ORDER BY d.at - s.at), percentile_cont(0.95) WITHIN GROUP (ORDER BY d.at - s.at), \
    percentile_cont(0.50) WITHIN GROUP (ORDER BY a.at - d.at), percentile_cont(0.95) WITHIN GROUP (ORDER BY a.at - d.at), \
    percentile_cont(0.50) WITHIN GROUP (ORDER BY m.at - d.at), percentile_cont(0.95) WITHIN GROUP (ORDER BY m.at - d.at), \
    percentile_cont(0.50) WITHIN GROUP (ORDER BY r.at - s.at), percentile_cont(0.95) WITHIN GROUP (ORDER BY r.at - s.at) \
    FROM incidents i \
    JOIN incident_milestones s ON s.incident_id = i.id AND s.name = 'impact_started' AND s.at >= $1 AND s.at < $2 \
    JOIN incident_milestones d ON d.incident_id = i.id AND d.name = 'detected' \
    JOIN incident_milestones a ON a.incident_id = i.id AND a.name = 'acknowledged' \
    JOIN incident_milestones m ON m.incident_id = i.id AND m.name = 'mitigated' \
    JOIN incident_milestones r ON r.incident_id = i.id AND r.name = 'resolved' \
    WHERE i.kind <> 'drill' AND i.status NOT IN ('declined', 'merged')";

type ByHand = (f64, f64, f64, f64, f64, f64, f64, f64);

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let quick = std::env::args().any(|a| a == "--test");
    let many = if quick { 500 } else { number("FAULTLINE_BENCH_INCIDENTS", 20_000) };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut backends = vec![Backend::Sqlite];
    if std::env::var("FAULTLINE_TEST_POSTGRES").is_ok() {
        backends.push(Backend::Postgres);
    }
    for backend in backends {
        runtime.block_on(measure(backend, many, if quick { 2 } else { 40 }));
    }
}

struct AskedAs {
    cookie: String,
    authorization: String,
}

impl AskedAs {
    async fn new(state: &AppState) -> Self {
        let (_, token) = accounts::service::add_token(state, &Actor::system(), "bench", Scope::Api, Role::Admin)
            .await
            .expect("a token");
        let cookie = session::cookie(state, Role::Admin).await;
        Self { cookie, authorization: format!("Bearer {token}") }
    }
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

async fn measure(backend: Backend, many: usize, rounds: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let end = Timestamp::parse(END).expect("a time");
    let kept = std::env::var_os("FAULTLINE_BENCH_FOLDER").filter(|_| backend == Backend::Sqlite).map(PathBuf::from);
    let is_filled = kept.as_ref().is_some_and(|folder| folder.join("faultline.db").exists());
    let state = AppState {
        db: match &kept {
            Some(folder) if is_filled => {
                Db::connect(&DbUrl::sqlite_file(&folder.join("faultline.db"))).await.expect("the kept database")
            }
            _ => database::fresh(backend, kept.as_deref().unwrap_or(folder.path())).await,
        },
        clock: Clock::fixed(end),
        random: if is_filled { Random::System } else { Random::seeded(1) },
        config: Arc::new(Config::load(Settings::default(), None).expect("a configuration")),
    };
    if !is_filled {
        let started = Instant::now();
        faultline::demo::bulk::fill(&state.db, many, 10, end).await.expect("generated");
        println!("{backend:?}: {many} incidents written in {:.1} s", started.elapsed().as_secs_f64());
    }
    let started = Instant::now();
    jobs::run_once(&state).await.expect("folded");
    println!("{backend:?}: folded in {:.1} s", started.elapsed().as_secs_f64());
    let asked_as = AskedAs::new(&state).await;

    let before = resident();
    // Nobody asked this since the last incident changed: all of it is computed.
    {
        let router = faultline::app::router(state.clone());
        print("overview, computed for the first time", backend, &mut [timed(&router, OVERVIEW, &asked_as).await]);
    }
    let mut cold = Vec::new();
    for _ in 0..rounds {
        // A process that has just started: nothing of the ledger is in memory yet, but somebody asked before.
        let router = faultline::app::router(state.clone());
        cold.push(timed(&router, OVERVIEW, &asked_as).await);
    }
    print("overview, after a start", backend, &mut cold);
    let router = faultline::app::router(state.clone());
    timed(&router, OVERVIEW, &asked_as).await;
    let mut warm = Vec::new();
    for _ in 0..rounds * 5 {
        warm.push(timed(&router, OVERVIEW, &asked_as).await);
    }
    print("overview, warm", backend, &mut warm);
    let mut fresh = Vec::new();
    for i in 0..rounds {
        // Loaded, but never asked: another severity mix and length each time.
        let path =
            format!("{OVERVIEW}&severity=SEV{},SEV{}&hours=clock&tier={}", i % 4 + 1, (i + 1) % 4 + 1, i / 4 % 4 + 1);
        fresh.push(timed(&router, &path, &asked_as).await);
    }
    print("overview, warm ledger and a new question", backend, &mut fresh);
    edited(&state, &router, &asked_as, backend, rounds).await;
    println!("{backend:?}: memory {:.0} MB, {:.0} MB before the reports", resident(), before);
    if backend == Backend::Postgres {
        by_hand(&state, &router, &asked_as, rounds, median(&mut cold), median(&mut warm)).await;
    }
}

/// Each answer after one incident was changed.
async fn edited(state: &AppState, router: &axum::Router, asked_as: &AskedAs, backend: Backend, rounds: usize) {
    let mut times = Vec::new();
    for i in 0..rounds {
        let tx = state.db.begin().await.expect("a transaction");
        tx.execute("UPDATE incidents SET severity = 'SEV1' WHERE id = $1", faultline::args![i as i64 + 1])
            .await
            .expect("changed");
        tx.commit().await.expect("committed");
        times.push(timed(router, OVERVIEW, asked_as).await);
    }
    print("overview, after an edit", backend, &mut times);
}

/// The statement by hand over the same rows, and whether both agree.
async fn by_hand(state: &AppState, router: &axum::Router, asked_as: &AskedAs, rounds: usize, cold: f64, warm: f64) {
    let (from, to) = (
        Timestamp::parse("2016-11-01T00:00:00Z").expect("a time"),
        Timestamp::parse("2026-11-24T00:00:00Z").expect("a time"),
    );
    let mut times = Vec::new();
    let mut figures: Option<ByHand> = None;
    for _ in 0..rounds.min(10) {
        let started = Instant::now();
        figures = Some(state.db.fetch_one(BY_HAND, faultline::args![from, to]).await.expect("percentiles"));
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    print("one hand-written statement", Backend::Postgres, &mut times);
    let hand = median(&mut times);
    println!("ratio to the statement by hand: cold {:.2}, warm {:.4}", cold / hand, warm / hand);
    let answer = request(router, FIGURES, asked_as).await;
    let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
    let f = figures.expect("at least one round");
    for (measure, p50, p95) in [("mttd", f.0, f.1), ("mtta", f.2, f.3), ("mttm", f.4, f.5), ("mttr", f.6, f.7)] {
        for (name, micros) in [("p50_s", p50), ("p95_s", p95)] {
            let ours = answer["total"][measure][name].as_f64().expect("a figure");
            assert!((ours - micros / 1e6).abs() < 0.0011, "{measure} {name}: {ours} is not {}", micros / 1e6);
        }
    }
    println!("the figures agree");
}

async fn request(router: &axum::Router, path: &str, asked_as: &AskedAs) -> Vec<u8> {
    // Pages take a session, the API a token.
    let (header, value) = if path.starts_with("/api/") {
        ("authorization", &asked_as.authorization)
    } else {
        ("cookie", &asked_as.cookie)
    };
    let request = Request::get(path).header(header, value).body(Body::empty()).expect("a request");
    let answer = router.clone().oneshot(request).await.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    http_body_util::BodyExt::collect(answer.into_body()).await.expect("a body").to_bytes().to_vec()
}

/// Milliseconds until the whole page is there.
async fn timed(router: &axum::Router, path: &str, asked_as: &AskedAs) -> f64 {
    let started = Instant::now();
    request(router, path, asked_as).await;
    started.elapsed().as_secs_f64() * 1e3
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn print(what: &str, backend: Backend, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() as f64 * share) as usize).min(times.len() - 1)];
    println!(
        "{backend:?}: {what}: p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms, n {}; by then {:.0} MB",
        at(0.5),
        at(0.99),
        at(1.0),
        times.len(),
        resident()
    );
}

/// Resident memory of this process in megabytes; 0 where it cannot be read.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}
