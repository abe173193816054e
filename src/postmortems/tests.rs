//! The actions against a real database.

use super::model::{SectionKey, State};
use super::service::{self, Edit, Filter, Saved};
use crate::clock::Timestamp;
use crate::db::{Db, DbUrl};
use crate::error::Error;
use crate::incidents::model::input::StatusInput;
use crate::incidents::{
    Append, By, DeclareInput, EntryKind, Incident, Source, Viewer, append_timeline, change_status, declare, get_visible,
};

const EVERYBODY: Viewer = Viewer { all: false, user_id: 0 };

async fn database() -> (tempfile::TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::connect(&DbUrl::sqlite_file(&dir.path().join("t.db"))).await.unwrap();
    (dir, db)
}

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T12:00:00Z").unwrap()
}

fn by(name: &str) -> By {
    By::system(name)
}

async fn resolved(db: &Db, title: &str, private: bool) -> Incident {
    let tx = db.begin().await.unwrap();
    let slug = crate::services::ensure_discovered(&tx, "cart", now()).await.unwrap();
    let input = DeclareInput {
        title: title.to_owned(),
        severity: "SEV2".to_owned(),
        services: vec![slug],
        impact_started_at: "10:00".to_owned(),
        private,
        ..DeclareInput::default()
    };
    let id = declare(&tx, &input.normalize(now(), Source::Person).unwrap(), &by("Ada"), now()).await.unwrap();
    append_timeline(&tx, id, &Append::story(EntryKind::Note, "Found the **cause**", now()), &by("Ada"), now())
        .await
        .unwrap();
    let change = StatusInput { status: "resolved".to_owned(), ..StatusInput::default() }.normalize(now()).unwrap();
    change_status(&tx, id, &change, &by("Ada"), now()).await.unwrap();
    tx.commit().await.unwrap();
    get_visible(db, id, Viewer { all: true, user_id: 0 }).await.unwrap()
}

async fn drafted(db: &Db, incident: &Incident) -> service::Document {
    let tx = db.begin().await.unwrap();
    let document = service::draft(&tx, incident, &by("Ada"), now()).await.unwrap();
    tx.commit().await.unwrap();
    document
}

#[tokio::test]
async fn a_draft_holds_the_record_and_is_made_once() {
    let (_dir, db) = database().await;
    let incident = resolved(&db, "Cart fails", false).await;
    assert!(matches!(service::get(&db, incident.id).await, Err(Error::NotFound(_))));
    let document = drafted(&db, &incident).await;
    assert_eq!(document.sections.len(), SectionKey::ALL.len());
    assert!(document.section(SectionKey::Summary).unwrap().body.contains("SEV2 incident affecting cart"));
    assert!(document.section(SectionKey::WhatHappened).unwrap().body.contains("Found the **cause**"));
    let again = drafted(&db, &incident).await;
    assert_eq!((again.head.id, again.head.version), (document.head.id, document.head.version));
}

#[tokio::test]
async fn two_authors_of_one_section_lose_nothing() {
    let (_dir, db) = database().await;
    let incident = resolved(&db, "Cart fails", false).await;
    drafted(&db, &incident).await;
    let save = async |key, body: &str, base, who: &str| {
        let tx = db.begin().await.unwrap();
        let edit = Edit { key, body: body.to_owned(), base };
        let saved = service::save(&tx, &incident, &edit, &by(who), now()).await.unwrap();
        tx.commit().await.unwrap();
        saved
    };
    assert!(matches!(save(SectionKey::Impact, "Ada's text\r\n", 1, "Ada").await, Saved::Done(_)));
    let Saved::Clash(clash) = save(SectionKey::Impact, "Bob's text", 1, "Bob").await else { panic!("overwritten") };
    assert_eq!(
        (clash.yours.as_str(), clash.theirs.as_str(), clash.by.as_str(), clash.version),
        ("Bob's text", "Ada's text", "Ada", 2)
    );
    // Another section at the same time is no clash, and neither is the same text.
    assert!(matches!(save(SectionKey::WentWell, "Alerts", 1, "Bob").await, Saved::Done(_)));
    assert!(matches!(save(SectionKey::Impact, "Ada's text", 1, "Bob").await, Saved::Done(_)));
    let Saved::Done(document) = save(SectionKey::Impact, "Both texts", 2, "Bob").await else { panic!("clash") };
    let history = service::versions(&db, &document, SectionKey::Impact).await.unwrap();
    assert_eq!(
        history.iter().map(|v| (v.version, v.author.as_str())).collect::<Vec<_>>(),
        [(3, "Bob"), (2, "Ada"), (1, "Ada")]
    );
    assert!(!document.section(SectionKey::Impact).unwrap().untouched);
    assert!(document.section(SectionKey::Summary).unwrap().untouched);
}

#[tokio::test]
async fn a_section_is_drafted_anew_without_the_others() {
    let (_dir, db) = database().await;
    let incident = resolved(&db, "Cart fails", false).await;
    drafted(&db, &incident).await;
    let tx = db.begin().await.unwrap();
    service::save(
        &tx,
        &incident,
        &Edit { key: SectionKey::Impact, body: "By hand".to_owned(), base: 1 },
        &by("Ada"),
        now(),
    )
    .await
    .unwrap();
    append_timeline(&tx, incident.id, &Append::story(EntryKind::Note, "Remembered later", now()), &by("Ada"), now())
        .await
        .unwrap();
    let (Saved::Done(document), 0) =
        service::regenerate(&tx, &incident, (SectionKey::WhatHappened, 1), service::Redraft::Merge, &by("Ada"), now())
            .await
            .unwrap()
    else {
        panic!("clash")
    };
    tx.commit().await.unwrap();
    assert!(document.section(SectionKey::WhatHappened).unwrap().body.contains("Remembered later"));
    assert_eq!(document.section(SectionKey::Impact).unwrap().body, "By hand");
}

#[tokio::test]
async fn publication_needs_its_sections_and_closes_the_text() {
    let (_dir, db) = database().await;
    let incident = resolved(&db, "Cart fails", false).await;
    drafted(&db, &incident).await;
    let tx = db.begin().await.unwrap();
    let empty = Edit { key: SectionKey::Impact, body: " ".to_owned(), base: 1 };
    service::save(&tx, &incident, &empty, &by("Ada"), now()).await.unwrap();
    let refused = service::change_state(&tx, &incident, State::Published, &by("Ada"), now()).await;
    assert!(matches!(refused, Err(Error::Invalid(e)) if e.has("impact")));
    service::save(
        &tx,
        &incident,
        &Edit { body: "12 % of orders".to_owned(), base: 2, ..empty.clone() },
        &by("Ada"),
        now(),
    )
    .await
    .unwrap();
    let published = service::change_state(&tx, &incident, State::Published, &by("Cy"), now()).await.unwrap();
    assert_eq!((published.head.state, published.head.published_by.as_deref()), (State::Published, Some("Cy")));
    let refused =
        service::save(&tx, &incident, &Edit { body: "x".to_owned(), base: 3, ..empty }, &by("Ada"), now()).await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
    assert!(matches!(
        service::change_state(&tx, &incident, State::InReview, &by("Ada"), now()).await,
        Err(Error::Conflict(_))
    ));
    let back = service::change_state(&tx, &incident, State::Draft, &by("Ada"), now()).await.unwrap();
    assert_eq!((back.head.state, back.head.published_at), (State::Draft, None));
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn lists_hide_private_incidents_and_search_the_text() {
    let (_dir, db) = database().await;
    for (title, private) in [("Cart fails", false), ("Leaked key", true), ("Pay hangs", false)] {
        let incident = resolved(&db, title, private).await;
        drafted(&db, &incident).await;
    }
    let titles = async |filter: Filter, viewer| {
        let found = service::found(&db, &filter.text, viewer, now()).await.unwrap();
        let filter = Filter { found, ..filter };
        service::page(&db, &filter, viewer, 10).await.unwrap().into_iter().map(|l| l.title).collect::<Vec<_>>()
    };
    assert_eq!(titles(Filter::default(), EVERYBODY).await, ["Pay hangs", "Cart fails"]);
    assert_eq!(titles(Filter::default(), Viewer { all: true, user_id: 0 }).await.len(), 3);
    assert_eq!(
        titles(Filter { text: "FOUND cart".to_owned(), ..Filter::default() }, EVERYBODY).await.len(),
        2,
        "the body names the service"
    );
    assert_eq!(titles(Filter { text: "hangs".to_owned(), ..Filter::default() }, EVERYBODY).await, ["Pay hangs"]);
    assert_eq!(titles(Filter { service: "none".to_owned(), ..Filter::default() }, EVERYBODY).await.len(), 0);
    assert_eq!(titles(Filter { state: Some(State::Published), ..Filter::default() }, EVERYBODY).await.len(), 0);
    assert_eq!(service::count(&db, &Filter::default(), EVERYBODY, 100).await.unwrap(), 2);
}

#[tokio::test]
async fn remarks_come_from_the_record() {
    let (_dir, db) = database().await;
    let incident = resolved(&db, "Cart fails", false).await;
    let document = drafted(&db, &incident).await;
    let findings = service::findings(&db, &incident, &document, &[], now()).await.unwrap();
    assert!(findings.iter().any(|f| f.rule == super::model::lint::Rule::NoActions));
    assert!(findings.iter().any(|f| f.rule == super::model::lint::Rule::TimelineGap));
}
