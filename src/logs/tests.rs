//! The store and the actions against a real database.

use std::sync::Arc;

use super::model::{Level, LogFilter, LogRecord};
use super::service;
use crate::clock::Timestamp;
use crate::db::{Db, DbUrl};
use crate::telemetry::{AttrValue, Attributes, Resource, SpanId, TraceId};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

async fn database() -> (tempfile::TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::connect(&DbUrl::sqlite_file(&dir.path().join("t.db"))).await.unwrap();
    (dir, db)
}

fn record(seconds: i64, service: &str, level: Level, body: &str, trace: u128) -> LogRecord {
    let mut attributes = Attributes::default();
    attributes.push("code", AttrValue::Int(7));
    LogRecord {
        at_nanos: (NOW.as_micros() + seconds * 1_000_000) * 1_000,
        severity: level.floor(),
        severity_text: level.word().to_uppercase(),
        body: body.to_owned(),
        trace_id: TraceId::new(trace),
        span_id: SpanId::new(3),
        attributes,
        resource: Arc::new(Resource::named(service)),
        scope: Some("app".into()),
    }
}

#[tokio::test]
async fn records_are_kept_once_and_found() {
    let (_dir, db) = database().await;
    let records = [
        record(3, "cart", Level::Error, "No stock for 100%_sure item", 9),
        record(1, "cart", Level::Info, "starting", 0),
        record(2, "front", Level::Warn, "slow answer", 9),
    ];
    assert_eq!(service::take_in(&db, &records, NOW).await.unwrap(), 3);
    assert_eq!(service::take_in(&db, &records, NOW).await.unwrap(), 0, "a repeated delivery adds nothing");

    let of_trace = service::of_trace(&db, TraceId::new(9).unwrap()).await.unwrap();
    assert_eq!(
        of_trace.iter().map(|l| l.body.as_str()).collect::<Vec<_>>(),
        ["slow answer", "No stock for 100%_sure item"]
    );
    assert_eq!(of_trace[1].span_id, SpanId::new(3));
    assert_eq!(of_trace[1].detail["attributes"]["code"], 7);

    let bodies = |filter: LogFilter| {
        let db = db.clone();
        async move {
            let (lines, more) = service::search(&db, &filter, None, 10).await.unwrap();
            assert!(!more);
            lines.into_iter().map(|l| l.body).collect::<Vec<_>>()
        }
    };
    let all = LogFilter::default();
    assert_eq!(bodies(all.clone()).await, ["No stock for 100%_sure item", "slow answer", "starting"]);
    assert_eq!(bodies(LogFilter { text: "100%_SURE".into(), ..all.clone() }).await.len(), 1);
    assert_eq!(bodies(LogFilter { text: "100__sure".into(), ..all.clone() }).await.len(), 0, "no wildcards");
    assert_eq!(bodies(LogFilter { min_severity: Level::Warn.floor(), ..all.clone() }).await.len(), 2);
    assert_eq!(bodies(LogFilter { service: "cart".into(), ..all.clone() }).await.len(), 2);
    assert_eq!(bodies(LogFilter { service: "nobody".into(), ..all.clone() }).await.len(), 0);
    assert_eq!(bodies(LogFilter { to: Some(NOW + chrono::TimeDelta::seconds(2)), ..all }).await, ["starting"]);
    assert!(crate::services::get(&db, "front").await.unwrap().discovered);
}

#[tokio::test]
async fn pages_follow_one_another_and_old_records_go() {
    let (_dir, db) = database().await;
    // Several in the same moment, to test the order within it.
    let records: Vec<_> = (0..25).map(|i| record(i / 5, "cart", Level::Info, &format!("line {i}"), 0)).collect();
    service::take_in(&db, &records, NOW).await.unwrap();
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let (lines, more) = service::search(&db, &LogFilter::default(), before, 7).await.unwrap();
        before = lines.last().map(|l| (l.at, l.id));
        seen.extend(lines.into_iter().map(|l| l.body));
        if !more {
            break;
        }
    }
    assert_eq!(seen, (0..25).rev().map(|i| format!("line {i}")).collect::<Vec<_>>());
    let gone =
        service::forget(&db, NOW + chrono::TimeDelta::seconds(62), chrono::TimeDelta::seconds(60)).await.unwrap();
    assert_eq!(gone, 10);
}
