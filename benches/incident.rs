//! The page of an incident with 5,000 timeline entries, over the real router, in process:
//! `cargo bench --bench incident`. Set `FAULTLINE_BENCH_ENTRIES` for another number.
//!
//! Also fails when a page grows with the timeline: what it shows is bounded.
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
use faultline::incidents::{self, Append, By, DeclareInput, EntryKind, IncidentId, Source};
use faultline::random::Random;
use faultline::state::AppState;
use tower::ServiceExt;

/// Largest page, in bytes before compression.
const LARGEST: usize = 300_000;

#[path = "support/session.rs"]
mod session;

struct Prepared {
    state: AppState,
    cookie: String,
    incident: IncidentId,
    _folder: tempfile::TempDir,
}

async fn prepare(entries: usize) -> Prepared {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = DbUrl::sqlite_file(&folder.path().join("bench.db"));
    let now = Timestamp::parse("2026-11-23T13:45:00Z").expect("a time");
    let state = AppState {
        db: Db::connect_scratch(&url).await.expect("opened"),
        clock: Clock::fixed(now),
        random: Random::seeded(1),
        config: Arc::new(Config::load(Settings::default(), None).expect("a configuration")),
    };
    let by = By::system("bench");
    let tx = state.db.begin().await.expect("a transaction");
    let input = DeclareInput { title: "Checkout fails".into(), severity: "SEV1".into(), ..DeclareInput::default() };
    let declare = input.normalize(now, Source::Person).expect("a declaration");
    let incident = incidents::declare(&tx, &declare, &by, now).await.expect("declared");
    for n in 0..entries {
        let at = now.saturating_add(chrono::TimeDelta::seconds(n.try_into().unwrap_or(0)));
        let entry = if n % 3 == 0 {
            Append::story(
                EntryKind::Note,
                format!("Looked at **host {n}**: `load` is [high](https://example.org/{n})"),
                at,
            )
        } else {
            Append::activity(EntryKind::Alert, format!("Alert fires again on host {n}"), at)
        };
        incidents::append_timeline(&tx, incident, &entry, &by, now).await.expect("written");
    }
    tx.commit().await.expect("committed");
    let cookie = session::cookie(&state, Role::Commander).await;
    Prepared { state, cookie, incident, _folder: folder }
}

fn pages(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let entries = std::env::var("FAULTLINE_BENCH_ENTRIES").ok().and_then(|n| n.parse().ok()).unwrap_or(5_000);
    let prepared = runtime.block_on(prepare(entries));
    let router = faultline::app::router(prepared.state.clone());
    let path = format!("/incidents/{}", prepared.incident);
    let mut group = c.benchmark_group(format!("incident with {entries} entries"));
    for (name, page) in [
        ("page", path.clone()),
        ("timeline", format!("{path}/timeline")),
        ("timeline, filtered", format!("{path}/timeline?layer=story&q=host")),
        ("timeline, around an entry", format!("{path}/timeline?entry={}", entries / 2 + 1)),
    ] {
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter(|| {
                runtime.block_on(async {
                    let request =
                        Request::get(&page).header("cookie", &prepared.cookie).body(Body::empty()).expect("a request");
                    let answer = router.clone().oneshot(request).await.expect("an answer");
                    assert_eq!(answer.status(), 200, "{page}");
                    let body = http_body_util::BodyExt::collect(answer.into_body()).await.expect("a body").to_bytes();
                    assert!(body.len() < LARGEST, "{page} has {} bytes", body.len());
                    body.len()
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, pages);
criterion_main!(benches);
