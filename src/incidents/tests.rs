//! The actions against a real database.

use super::*;
use crate::clock::Timestamp;
use crate::db::{Db, DbUrl};

async fn database() -> (tempfile::TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::connect(&DbUrl::sqlite_file(&dir.path().join("t.db"))).await.unwrap();
    (dir, db)
}

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T10:00:00Z").unwrap()
}

#[tokio::test]
async fn an_incident_goes_from_declaration_to_resolution() {
    let (_dir, db) = database().await;
    let by = By::system("test");
    let tx = db.begin().await.unwrap();
    let slug = crate::services::ensure_discovered(&tx, "Cart Service", now()).await.unwrap();
    let input = DeclareInput {
        title: "Cart fails".into(),
        severity: "SEV1".into(),
        services: vec![slug],
        impact_started_at: "09:30".into(),
        ..DeclareInput::default()
    };
    let id = declare(&tx, &input.normalize(now(), Source::Person).unwrap(), &by, now()).await.unwrap();
    let change = model::input::StatusInput { status: "resolved".into(), ..Default::default() }.normalize(now()).unwrap();
    change_status(&tx, id, &change, &by, now()).await.unwrap();
    let attach = Attach { kind: EvidenceKind::Link, title: "x".into(), note: String::new(), reference: "https://x/".into(), url: String::new(), topic: String::new(), occurred_at: None, snapshot: Some(NewSnapshot::json(&serde_json::json!({"a":1}))) };
    let e = add_evidence(&tx, id, &attach, &by, now()).await.unwrap();
    assert_eq!(add_evidence(&tx, id, &attach, &by, now()).await.unwrap(), e);
    let a = Append::story(EntryKind::Import, "x", now()).keyed("k");
    assert!(append_timeline(&tx, id, &a, &by, now()).await.unwrap().is_some());
    assert!(append_timeline(&tx, id, &a, &by, now()).await.unwrap().is_none());
    assert_eq!(events::take(&tx, 10, now()).await.unwrap().len(), 2);
    tx.commit().await.unwrap();
    let incident = get_visible(&db, id, Viewer { all: false, user_id: 0 }).await.unwrap();
    assert_eq!(incident.status, Status::Resolved);
    assert_eq!(incident.started_at.to_minute(), "2026-11-23 09:30");
    assert_eq!(evidence::snapshot(&db, e).await.unwrap().unwrap().body, br#"{"a":1}"#);
}
