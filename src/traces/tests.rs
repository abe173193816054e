//! The store and the actions against a real database.
#![expect(clippy::cast_possible_truncation, reason = "the numbers of these traces are small")]

use std::collections::HashSet;

use chrono::TimeDelta;

use super::explain::testing::{BASE, failing, of, span};
use super::model::{Span, SpanKind, TraceFilter};
use super::service::retention::{Keep, forget};
use super::service::settle::settle_all;
use super::service::{SpanStore, view};
use super::store::{read, retain, rollup};
use crate::clock::{Clock, Timestamp};
use crate::db::{Db, DbUrl};
use crate::telemetry::TraceId;

const NOW: Timestamp = Timestamp::from_micros(BASE / 1_000 + 60_000_000);

struct Room {
    _dir: tempfile::TempDir,
    store: SpanStore,
    clock: Clock,
}

async fn room() -> Room {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::connect(&DbUrl::sqlite_file(&dir.path().join("t.db"))).await.unwrap();
    let clock = Clock::fixed(NOW);
    Room { _dir: dir, store: SpanStore::new(db, clock.clone()), clock }
}

/// A trace of two services: `front` calls `cart`, which may fail.
fn trace(id: u128, start_ms: i64, fails: bool) -> Vec<Span> {
    let mut spans = vec![
        of(span(1, None, start_ms, start_ms + 100), "front", SpanKind::Server),
        of(span(2, Some(1), start_ms + 10, start_ms + 90), "front", SpanKind::Client),
        of(span(3, Some(2), start_ms + 11, start_ms + 80), "cart", SpanKind::Server),
    ];
    if fails {
        spans[2] = failing(spans[2].clone(), "boom");
    }
    for s in &mut spans {
        s.trace_id = TraceId::new(id).unwrap();
    }
    spans
}

#[tokio::test]
async fn spans_are_stored_once_however_they_are_delivered() {
    let room = room().await;
    let spans = trace(0xa1, 0, true);
    let first = room.store.store(spans[..2].to_vec()).await.unwrap();
    assert_eq!((first.new_spans, first.new_traces), (2, 1));
    let overlap = room.store.store(spans.clone()).await.unwrap();
    assert_eq!((overlap.new_spans, overlap.known_spans, overlap.new_traces), (1, 2, 0));
    let again = room.store.store(spans.clone()).await.unwrap();
    assert_eq!((again.new_spans, again.known_spans), (0, 3));

    let whole = view::whole(room.store.db(), "a1").await.unwrap().expect("stored");
    assert_eq!((whole.head.span_count, whole.head.error_count, whole.left_out()), (3, 1, 0));
    assert_eq!((whole.head.service.as_str(), whole.head.operation.as_str()), ("front", "op1"));
    assert_eq!(whole.head.duration_us, 100_000);
    let mut got = whole.spans;
    got.sort_by_key(|s| s.span_id);
    assert_eq!(got, spans);
}

#[tokio::test]
async fn the_root_may_come_last() {
    let room = room().await;
    let spans = trace(0xa2, 0, false);
    room.store.store(spans[2..].to_vec()).await.unwrap();
    let head = view::find(room.store.db(), "a2").await.unwrap().expect("stored");
    assert_eq!((head.service.as_str(), head.root_seen), ("cart", false));
    room.store.store(spans[..2].to_vec()).await.unwrap();
    let head = view::find(room.store.db(), "a2").await.unwrap().expect("stored");
    assert_eq!((head.service.as_str(), head.root_seen, head.duration_us), ("front", true, 100_000));
}

#[tokio::test]
async fn many_deliveries_at_once_are_all_answered_and_all_there() {
    let room = room().await;
    let tasks: Vec<_> = (1..=60u128)
        .map(|id| {
            let store = room.store.clone();
            // Every third delivery repeats an earlier one.
            tokio::spawn(async move { store.store(trace(1 + id - id % 3, 0, false)).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let distinct = (1..=60u128).map(|id| 1 + id - id % 3).collect::<HashSet<_>>().len();
    let (traces, spans) = retain::stored_counts(room.store.db()).await.unwrap();
    assert_eq!((traces, spans), (distinct as i64, 3 * distinct as i64));
}

#[tokio::test]
async fn traces_are_found_by_every_notation() {
    let room = room().await;
    let id = 0x5b8e_fff7_9803_8103_d269_b633_813f_c60c;
    room.store.store(trace(id, 0, false)).await.unwrap();
    for text in [
        "5b8efff798038103d269b633813fc60c",
        "D269B633813FC60C",
        "15161849952847513100",
        "traceparent: 00-5b8efff798038103d269b633813fc60c-0000000000000001-01",
        "https://jaeger.example/trace/5b8efff798038103d269b633813fc60c",
    ] {
        let found = view::find(room.store.db(), text).await.unwrap();
        assert_eq!(found.map(|t| t.trace_id), TraceId::new(id), "{text}");
    }
    assert_eq!(view::find(room.store.db(), "5b8efff798038103d269b633813fc60d").await.unwrap(), None);
}

#[tokio::test]
async fn searches_filter_and_page() {
    let room = room().await;
    for i in 1..=30 {
        room.store.store(trace(i, i as i64 * 1_000, i % 5 == 0)).await.unwrap();
    }
    let db = room.store.db();
    let ids = |found: &[super::model::TraceHead]| found.iter().map(|t| t.trace_id.low64()).collect::<Vec<_>>();
    let all = TraceFilter::default();
    let (page, next) = read::search(db, &all, None, 12).await.unwrap();
    assert_eq!(ids(&page), (19..=30).rev().collect::<Vec<_>>());
    let (page, next) = read::search(db, &all, next, 12).await.unwrap();
    assert_eq!(ids(&page), (7..=18).rev().collect::<Vec<_>>());
    let (page, next) = read::search(db, &all, next, 12).await.unwrap();
    assert_eq!((ids(&page), next), ((1..=6).rev().collect::<Vec<_>>(), None));

    let cart = TraceFilter { service: "cart".into(), ..TraceFilter::default() };
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let (page, next) = read::search(db, &cart, cursor, 7).await.unwrap();
        seen.extend(ids(&page));
        if next.is_none() {
            break;
        }
        cursor = next;
    }
    assert_eq!(seen, (1..=30).rev().collect::<Vec<_>>());

    let failed = TraceFilter { error: true, ..cart.clone() };
    assert_eq!(ids(&read::search(db, &failed, None, 50).await.unwrap().0), [30, 25, 20, 15, 10, 5]);
    let front_failed = TraceFilter { service: "front".into(), error: true, ..TraceFilter::default() };
    assert!(read::search(db, &front_failed, None, 50).await.unwrap().0.is_empty(), "only cart's own spans failed");
    let operation = TraceFilter { operation: "op3".into(), min_duration_us: Some(69_000), ..cart.clone() };
    assert_eq!(read::search(db, &operation, None, 50).await.unwrap().0.len(), 30);
    let slower = TraceFilter { min_duration_us: Some(69_001), ..operation };
    assert!(read::search(db, &slower, None, 50).await.unwrap().0.is_empty());
    let at = |s: i64| Some(Timestamp::from_micros(BASE / 1_000 + s * 1_000_000));
    let window = TraceFilter { from: at(10), to: at(12), ..TraceFilter::default() };
    assert_eq!(ids(&read::search(db, &window, None, 50).await.unwrap().0), [11, 10]);
    assert!(read::search(db, &TraceFilter { service: "nobody".into(), ..all }, None, 5).await.unwrap().0.is_empty());
    assert_eq!(read::services(db).await.unwrap(), ["cart", "front"]);
    assert_eq!(read::operations(db, "front").await.unwrap(), ["op1", "op2"]);
}

#[tokio::test]
async fn settled_traces_are_counted_once_and_show_dependencies() {
    let room = room().await;
    let db = room.store.db();
    room.store.store(trace(1, 0, true)).await.unwrap();
    room.store.store(trace(2, 10, false)[..2].to_vec()).await.unwrap();
    assert_eq!(settle_all(&room.store).await.unwrap(), 0, "not quiet yet");
    room.clock.advance(TimeDelta::seconds(6));
    assert_eq!(settle_all(&room.store).await.unwrap(), 2);
    let span_of = (NOW - TimeDelta::hours(1), NOW + TimeDelta::hours(1));
    let edges = rollup::edge_tallies(db, span_of.0, span_of.1).await.unwrap();
    let edge = &edges[&("front".to_owned(), "cart".to_owned())];
    assert_eq!((edge.calls, edge.errors), (1, 1));

    // The rest of the second trace comes late; the first one is delivered again.
    room.store.store(trace(2, 10, false)).await.unwrap();
    room.store.store(trace(1, 0, true)).await.unwrap();
    room.clock.advance(TimeDelta::seconds(6));
    assert_eq!(settle_all(&room.store).await.unwrap(), 2);
    let services = rollup::service_tallies(db, "", span_of.0, span_of.1).await.unwrap();
    assert_eq!((services["front"].calls, services["cart"].calls, services["cart"].errors), (2, 2, 1));
    let edges = rollup::edge_tallies(db, span_of.0, span_of.1).await.unwrap();
    assert_eq!(edges[&("front".to_owned(), "cart".to_owned())].calls, 2);

    let front = crate::services::get(db, "front").await.unwrap();
    assert!(front.discovered);
    let callees = crate::services::dependencies(db, &front).await.unwrap();
    assert_eq!(callees.iter().map(|e| (e.service.as_str(), e.declared)).collect::<Vec<_>>(), [("cart", false)]);
}

#[tokio::test]
async fn old_traces_are_forgotten_by_age_and_by_size() {
    let room = room().await;
    let db = room.store.db();
    for i in 1..=10 {
        room.store.store(trace(i, i as i64 * 60_000, false)).await.unwrap();
    }
    // It is now one minute after the base; the tenth trace lies nine minutes ahead.
    room.clock.set(NOW + TimeDelta::minutes(10));
    let keep = Keep { age: TimeDelta::minutes(6), ..Keep::default() };
    assert_eq!(forget(&room.store, keep).await.unwrap(), 4);
    assert_eq!(retain::stored_counts(db).await.unwrap(), (6, 18));
    let cart = TraceFilter { service: "cart".into(), ..TraceFilter::default() };
    assert_eq!(read::search(db, &cart, None, 50).await.unwrap().0.len(), 6);
    assert_eq!(forget(&room.store, Keep { bytes: 0, ..keep }).await.unwrap(), 6);
    assert_eq!(retain::stored_bytes(db).await.unwrap(), 0);
}

#[tokio::test]
async fn a_window_of_traces_is_read_whole() {
    let room = room().await;
    for i in 1..=5 {
        room.store.store(trace(i, i as i64 * 1_000, false)).await.unwrap();
    }
    let at = |s: i64| Timestamp::from_micros(BASE / 1_000 + s * 1_000_000);
    let found = view::window(room.store.db(), at(2), at(4), 100).await.unwrap();
    assert_eq!(found.iter().map(|(id, spans)| (id.low64(), spans.len())).collect::<Vec<_>>(), [(2, 3), (3, 3)]);
}
