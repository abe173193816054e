//! What a storm costs: reading deliveries, deciding groups, and the inbox's whole way on SQLite.
//!
//! `cargo bench --bench alerts`. `benches/load/alerts.py` measures the running server beside Debian's
//! Alertmanager.
#![expect(clippy::expect_used, reason = "a bench that cannot start stops")]
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use faultline::alerts::grouping::rule::defaults;
use faultline::alerts::grouping::{Candidate, Engine, Neighbours, replay::replay};
use faultline::alerts::ingest::AlertProcessor;
use faultline::alerts::model::AlertSeverity;
use faultline::alerts::sources::{Input, Source, parse};
use faultline::clock::{Clock, Timestamp};
use faultline::db::{Db, DbUrl};
use faultline::inbox::{Delivery, Inbox, Kind, Limit};
use serde_json::json;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn webhook(from: usize, count: usize) -> Vec<u8> {
    let alerts: Vec<_> = (from..from + count)
        .map(|i| {
            json!({"status": "firing", "labels": {"alertname": "HighErrors", "service": format!("svc-{}", i % 20), "pod": format!("pod-{i}"),
                "severity": "critical"}, "annotations": {"summary": "Too many errors"}, "startsAt": "2027-01-15T07:59:00Z",
                "endsAt": "0001-01-01T00:00:00Z", "fingerprint": format!("{i:016x}")})
        })
        .collect();
    json!({"version": "4", "status": "firing", "alerts": alerts}).to_string().into_bytes()
}

fn reading(c: &mut Criterion) {
    let body = webhook(0, 500);
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Elements(500));
    group.bench_function("alertmanager webhook of 500", |b| {
        let input = Input { body: &body, content_type: "application/json", query: &[], resource: "", received_at: NOW };
        b.iter(|| parse(Source::Alertmanager, black_box(&input)).map(|p| p.events.len()));
    });
    group.finish();
}

fn episodes(count: i64) -> Vec<Candidate> {
    (0..count)
        .map(|i| Candidate {
            id: i,
            source: "prometheus".to_owned(),
            rule: "HighErrors".to_owned(),
            title: "Too many errors".to_owned(),
            severity: Some(AlertSeverity::Critical),
            service: Some(format!("svc-{}", i % 20)),
            environment: None,
            labels: BTreeMap::new(),
            started_at: NOW - chrono::TimeDelta::seconds(600 - i % 600),
            ended_at: None,
        })
        .collect()
}

fn grouping(c: &mut Criterion) {
    let names: Vec<String> = (0..20).map(|i| format!("svc-{i}")).collect();
    let neighbours = Neighbours::of(names.windows(2).map(|w| (w[0].as_str(), w[1].as_str())));
    let (rules, alerts) = (defaults(), episodes(10_000));
    let mut group = c.benchmark_group("group");
    group.sample_size(20);
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("10,000 alerts of one storm", |b| {
        b.iter(|| {
            let mut engine = Engine::new(&rules, &neighbours, Vec::new());
            for alert in &alerts {
                black_box(engine.offer(alert, NOW));
            }
            engine.groups.len()
        });
    });
    group.bench_function("replay of 10,000 episodes", |b| {
        b.iter(|| replay(&rules, &neighbours, &alerts, NOW).incidents.len())
    });
    group.finish();
}

fn delivery(body: Vec<u8>) -> Delivery {
    Delivery {
        id: 0,
        kind: Kind::Alerts,
        source: "alertmanager".to_owned(),
        received_at: NOW,
        token_name: "bench".to_owned(),
        path: "/ingest/alerts/alertmanager".to_owned(),
        content_type: "application/json".to_owned(),
        headers: BTreeMap::new(),
        body,
    }
}

/// Commit (with a flush to disk) and processing of signals about known alerts.
fn inbox(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let inbox = runtime.block_on(async {
        let db = Db::connect(&DbUrl::sqlite_file(&folder.path().join("bench.db"))).await.expect("a database");
        let inbox = Inbox::new(db, Clock::fixed(NOW), Limit::default());
        inbox.register(Kind::Alerts, Arc::new(AlertProcessor));
        inbox
    });
    let mut group = c.benchmark_group("inbox");
    group.sample_size(10);
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("1,000 repeats in deliveries of 100, durable and processed", |b| {
        b.iter_batched(
            || (0..10).map(|i| delivery(webhook(i * 100, 100))).collect::<Vec<_>>(),
            |deliveries| {
                runtime.block_on(async {
                    let accepted = deliveries.into_iter().map(|d| inbox.accept(d, 202));
                    let accepted = futures::future::join_all(accepted).await;
                    assert!(accepted.iter().all(Result::is_ok));
                    inbox.drain().await.expect("processed")
                })
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, reading, grouping, inbox);
criterion_main!(benches);
