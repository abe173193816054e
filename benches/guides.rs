//! Runbooks and postmortems: `cargo bench --bench guides`.
//!
//! Rendering a runbook of 200 kB (`FAULTLINE_BENCH_RUNBOOK_KB`), and the list pages over the real router in
//! process with 10,000 of each (`FAULTLINE_BENCH_GUIDES`). After each group the slowest answers are printed.
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "criterion's macros make public items; a bench that cannot run says why, and prints what it measured"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use criterion::{Criterion, criterion_group, criterion_main};
use faultline::accounts::{self, Actor, Role, Scope};
use faultline::args;
use faultline::clock::{Clock, Timestamp};
use faultline::config::{Config, Settings};
use faultline::db::{Db, DbUrl};
use faultline::incidents::By;
use faultline::random::Random;
use faultline::runbooks::model::record::Origin;
use faultline::runbooks::service::edit::{self, Draft};
use faultline::state::AppState;
use tower::ServiceExt;

fn size(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Everything that real runbooks hold, over and over.
fn long_runbook(bytes: usize) -> String {
    let mut text = String::from("---\ntitle: Long\nowner: platform\n---\n\n");
    let mut n = 0;
    while text.len() < bytes {
        n += 1;
        text.push_str(&format!(
            "## Part {n}\n\nSome *words* with `code`, a [link](https://example.org/{n}) and **weight**.\n\n\
             | Signal | Value |\n|:--|--:|\n| errors | {n} % |\n| latency | {n} ms |\n\n\
             - [ ] look at the dashboard\n- [x] tell support\n\n> [!WARNING]\n> Mind the queue.\n\n\
             ```bash\nkubectl rollout undo deployment/{{{{service}}}} --to-revision={n}\n```\n\n"
        ));
        if n <= 90 {
            text.push_str(&format!("### Do: step {n} (2 min)\n\nDo this.\n\n"));
        }
    }
    text
}

fn rendering(c: &mut Criterion) {
    let source = long_runbook(size("FAULTLINE_BENCH_RUNBOOK_KB", 200) * 1_000);
    let parsed = faultline::runbooks::model::parse(&source).expect("the bench's own runbook");
    c.bench_function("runbook/parse", |b| b.iter(|| faultline::runbooks::model::parse(&source).is_ok()));
    let mut n = 0;
    c.bench_function("runbook/render", |b| {
        // Another prefix each time, so that it is rendered and not found again.
        b.iter(|| {
            n += 1;
            faultline::markdown::render_document(&parsed.body, &format!("rb{n}-"))
        });
    });
    c.bench_function("runbook/render again", |b| b.iter(|| faultline::markdown::render_document(&parsed.body, "rb-")));
}

struct Prepared {
    state: AppState,
    bearer: String,
    _folder: tempfile::TempDir,
}

async fn prepare(count: usize) -> Prepared {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = DbUrl::sqlite_file(&folder.path().join("bench.db"));
    let now = Timestamp::parse("2026-11-23T13:45:00Z").expect("a time");
    let state = AppState {
        db: Db::connect_scratch(&url).await.expect("opened"),
        clock: Clock::fixed(now),
        random: Random::seeded(1),
        config: Arc::new(Config::load(Settings::default(), None).expect("a configuration")),
    };
    faultline::demo::bulk::fill(&state.db, count, 10, now).await.expect("incidents");
    let by = By::system("Bench");
    for chunk in 0..count.div_ceil(500) {
        let tx = state.db.begin().await.expect("a transaction");
        for i in chunk * 500..count.min((chunk + 1) * 500) {
            let source = format!(
                "---\ntitle: Runbook {i}\nowner: team-{}\nservices: [service-{}]\ntags: [tag-{}]\n---\n\n### Do: restart it (5 min)\n",
                i % 40,
                i % 300,
                i % 60
            );
            let draft = Draft { source, note: String::new(), origin: Origin::Api };
            edit::create(&tx, None, &draft, &by, now).await.expect("a runbook");
        }
        tx.commit().await.expect("committed");
    }
    postmortems(&state, now).await;
    let (_, bearer) = accounts::service::add_token(&state, &Actor::system(), "bench", Scope::Api, Role::Admin)
        .await
        .expect("a token");
    Prepared { state, bearer, _folder: folder }
}

/// Written straight into the tables: drafting ten thousand would measure the drafting.
async fn postmortems(state: &AppState, now: Timestamp) {
    let tx = state.db.begin().await.expect("a transaction");
    tx.execute(
        "INSERT INTO postmortems (incident_id, state, created_by_name, created_at, updated_at, cause) \
         SELECT id, 'published', 'Bench', started_at, started_at, CASE WHEN id % 3 = 0 THEN 'change' ELSE 'capacity' END FROM incidents",
        args![],
    )
    .await
    .expect("postmortems");
    for key in faultline::postmortems::model::SectionKey::ALL {
        tx.execute(
            "INSERT INTO postmortem_sections (postmortem_id, section, body, untouched, version, updated_at, updated_by_name) \
             SELECT id, $1, 'The queue was full and requests were refused for a while.', FALSE, 1, $2, 'Bench' FROM postmortems",
            args![key.as_str(), now],
        )
        .await
        .expect("sections");
    }
    tx.execute(
        "INSERT INTO postmortem_tags (postmortem_id, tag) SELECT id, 'tag-' || CAST(id % 30 AS TEXT) FROM postmortems",
        args![],
    )
    .await
    .expect("tags");
    tx.execute(
        "INSERT INTO incident_tasks (incident_id, kind, state, title, due_at, created_by_name, created_at, updated_at) \
         SELECT id, 'follow_up', 'open', 'Add a canary', ended_at, 'Bench', started_at, started_at FROM incidents",
        args![],
    )
    .await
    .expect("tasks");
    tx.commit().await.expect("committed");
}

const PAGES: [(&str, &str); 7] = [
    ("runbooks", "/api/v1/runbooks?limit=50"),
    ("runbooks of a tag", "/api/v1/runbooks?limit=50&tag=tag-7"),
    ("runbooks by words", "/api/v1/runbooks?limit=50&q=runbook%20777"),
    ("postmortems", "/api/v1/postmortems?limit=50"),
    ("postmortems of a cause", "/api/v1/postmortems?limit=50&cause=change"),
    ("postmortems of a tag", "/api/v1/postmortems?limit=50&tag=tag-7"),
    ("action items", "/api/v1/action-items?limit=50"),
];

fn lists(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let prepared = runtime.block_on(prepare(size("FAULTLINE_BENCH_GUIDES", 10_000)));
    let router = faultline::app::router(prepared.state.clone());
    let ask = async |path: &str| {
        let request = Request::get(path).header("authorization", format!("Bearer {}", prepared.bearer));
        let answer = router.clone().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a body").len()
    };
    for (name, path) in PAGES {
        c.bench_function(&format!("list/{name}"), |b| b.iter(|| runtime.block_on(ask(path))));
        let mut took: Vec<Duration> = (0..200)
            .map(|_| {
                let began = Instant::now();
                runtime.block_on(ask(path));
                began.elapsed()
            })
            .collect();
        took.sort_unstable();
        let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or_default();
        println!("list/{name}: p50 {:?}, p99 {:?}", at(50), at(99));
    }
}

criterion_group!(benches, rendering, lists);
criterion_main!(benches);
