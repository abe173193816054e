//! Pages over the real router, in process: `cargo bench --bench pages`.
//!
//! On the demo's year and on 100,000 generated incidents; set `FAULTLINE_BENCH_INCIDENTS` for another
//! number. What the network adds is measured by `benches/serve.rs`.
#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "criterion's macros make public items; a bench that cannot run says why"
)]

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use faultline::accounts::Role;
use faultline::clock::{Clock, Timestamp};
use faultline::config::{Config, Settings};
use faultline::db::{Db, DbUrl};
use faultline::random::Random;
use faultline::state::AppState;
use tower::ServiceExt;

#[path = "support/session.rs"]
mod session;

const PAGES: [(&str, &str); 4] = [
    ("list", "/incidents"),
    ("search", "/incidents?q=requests&severity=SEV1"),
    ("incident", "/incidents/INC-1"),
    ("report", "/reports"),
];

struct Prepared {
    state: AppState,
    cookie: String,
    _folder: tempfile::TempDir,
}

async fn prepare(generated: usize) -> Prepared {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = DbUrl::sqlite_file(&folder.path().join("bench.db"));
    let end = Timestamp::parse("2026-11-23T13:45:00Z").expect("a time");
    let state = AppState {
        db: Db::connect_scratch(&url).await.expect("opened"),
        clock: Clock::fixed(end),
        random: Random::seeded(1),
        config: Arc::new(Config::load(Settings::default(), None).expect("a configuration")),
    };
    faultline::cli::demo::fill(&state, end).await.expect("the demo's year");
    if generated > 0 {
        faultline::demo::bulk::fill(&state.db, generated, 10, end).await.expect("generated");
    }
    let cookie = session::cookie(&state, Role::Admin).await;
    Prepared { state, cookie, _folder: folder }
}

fn pages(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let many = std::env::var("FAULTLINE_BENCH_INCIDENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    for (set, generated) in [("demo", 0), ("many", many)] {
        let prepared = runtime.block_on(prepare(generated));
        let router = faultline::app::router(prepared.state.clone());
        let mut group = c.benchmark_group(set);
        group.sample_size(30);
        for (name, path) in PAGES {
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter(|| {
                    runtime.block_on(async {
                        let request = Request::get(path)
                            .header("cookie", &prepared.cookie)
                            .body(Body::empty())
                            .expect("a request");
                        let answer = router.clone().oneshot(request).await.expect("an answer");
                        assert_eq!(answer.status(), 200, "{path}");
                        http_body_util::BodyExt::collect(answer.into_body()).await.expect("a body").to_bytes().len()
                    })
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, pages);
criterion_main!(benches);
