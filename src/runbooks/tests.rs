//! The actions against a real database.

use std::collections::BTreeMap;

use super::model::record::{Origin, RunState};
use super::model::{IncidentFacts, Outcome, StepState};
use super::service::folder::FolderFile;
use super::service::runs::{RecordInput, StartInput};
use super::service::sync::{Report, take_in};
use super::service::{edit, get, get_version, runs, suggest};
use super::store;
use crate::clock::Timestamp;
use crate::db::{Db, DbUrl};
use crate::error::Error;
use crate::incidents::{By, DeclareInput, IncidentId, Source, declare};

async fn database() -> (tempfile::TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::connect(&DbUrl::sqlite_file(&dir.path().join("t.db"))).await.unwrap();
    (dir, db)
}

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T10:00:00Z").unwrap()
}

fn later(minutes: i64) -> Timestamp {
    now() + chrono::TimeDelta::minutes(minutes)
}

fn by(name: &str) -> By {
    By::system(name)
}

fn text(title: &str, steps: &str) -> String {
    format!(
        "---\ntitle: {title}\nowner: platform\nservices: ['cart*']\ntags: [deploy]\nattach_when:\n  - title: release\n---\n\n{steps}\n"
    )
}

fn file(name: &str, content: &str) -> FolderFile {
    FolderFile { name: name.to_owned(), content: Ok(content.to_owned()) }
}

const STEPS: &str = "### Check: is {{service}} bad? (2 min)\n### Decide: go back?\n- Yes -> next\n- No -> end\n### Do: roll back (5 min)\n";

async fn incident(db: &Db, title: &str) -> IncidentId {
    let tx = db.begin().await.unwrap();
    let input = DeclareInput { title: title.to_owned(), severity: "SEV2".to_owned(), ..DeclareInput::default() };
    let id = declare(&tx, &input.normalize(now(), Source::Person).unwrap(), &by("Ada"), now()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn files_are_taken_in_once_and_versioned_by_content() {
    let (_dir, db) = database().await;
    let files = [file("roll-back.md", &text("Roll back", STEPS)), file("net/dns.md", &text("DNS", "### Do: x\n"))];
    let report = take_in(&db, &files, now()).await.unwrap();
    assert_eq!(report.taken, ["roll-back.md", "net/dns.md"]);
    assert!(take_in(&db, &files, later(1)).await.unwrap().is_empty());

    let runbook = get(&db, "roll-back").await.unwrap();
    assert_eq!(
        (runbook.title.as_str(), runbook.version, runbook.step_count, runbook.expected_s),
        ("Roll back", 1, 3, 420)
    );
    assert_eq!((runbook.services.clone(), runbook.tags.clone()), (vec!["cart*".to_owned()], vec!["deploy".to_owned()]));
    assert_eq!(get(&db, "net-dns").await.unwrap().file.as_deref(), Some("net/dns.md"));

    let changed = [file("roll-back.md", &text("Roll it back", STEPS)), files[1].clone()];
    assert_eq!(take_in(&db, &changed, later(2)).await.unwrap().taken, ["roll-back.md"]);
    let runbook = get(&db, "roll-back").await.unwrap();
    assert_eq!((runbook.title.as_str(), runbook.version), ("Roll it back", 2));
    assert_eq!(get_version(&db, &runbook, 1).await.unwrap().origin, Origin::File);
}

#[tokio::test]
async fn a_broken_file_is_listed_and_the_last_good_version_stays() {
    let (_dir, db) = database().await;
    take_in(&db, &[file("a.md", &text("A", STEPS))], now()).await.unwrap();
    let broken = [
        file("a.md", "---\nowner: 7\n---\n"),
        FolderFile { name: "b.md".to_owned(), content: Err("is not UTF-8 text".to_owned()) },
    ];
    let report = take_in(&db, &broken, later(1)).await.unwrap();
    assert_eq!(report, Report { broken: vec!["a.md".to_owned(), "b.md".to_owned()], ..Report::default() });
    assert!(take_in(&db, &broken, later(2)).await.unwrap().is_empty(), "an unchanged broken file is not read again");
    assert_eq!(get(&db, "a").await.unwrap().version, 1);
    let listed = store::problems::list(&db, 10).await.unwrap();
    let shown: Vec<_> =
        listed.iter().flat_map(|f| f.problems.iter().map(move |p| format!("{}: {p}", f.file))).collect();
    assert_eq!(
        shown,
        [
            "a.md: line 1: title: is missing",
            "a.md: line 2: owner: must be text, not a number; put it in quotes",
            "b.md: line 1: file: is not UTF-8 text",
        ]
    );
    take_in(&db, &[file("a.md", &text("A", STEPS))], later(3)).await.unwrap();
    assert_eq!(store::problems::list(&db, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_file_that_disappears_leaves_a_usable_runbook() {
    let (_dir, db) = database().await;
    let files = [file("a.md", &text("A", STEPS))];
    take_in(&db, &files, now()).await.unwrap();
    assert_eq!(take_in(&db, &[], later(1)).await.unwrap().disappeared, ["a.md"]);
    assert_eq!(get(&db, "a").await.unwrap().file_missing_since, Some(later(1)));
    assert!(take_in(&db, &[], later(2)).await.unwrap().is_empty());
    take_in(&db, &files, later(3)).await.unwrap();
    assert_eq!(get(&db, "a").await.unwrap().file_missing_since, None);
}

#[tokio::test]
async fn when_page_and_file_both_change_a_person_decides() {
    let (_dir, db) = database().await;
    take_in(&db, &[file("a.md", &text("First", STEPS))], now()).await.unwrap();
    let save = async |title: &str, base: i64| {
        let tx = db.begin().await.unwrap();
        let runbook = get(&tx, "a").await.unwrap();
        let draft = edit::Draft { source: text(title, STEPS), note: String::new(), origin: Origin::Browser };
        let saved = edit::save(&tx, &runbook, base, &draft, &by("Ada"), later(1)).await;
        match saved {
            Ok(runbook) => tx.commit().await.map(|()| runbook),
            Err(e) => Err(e),
        }
    };
    assert_eq!(save("Page", 1).await.unwrap().version, 2);
    assert!(matches!(save("Other", 1).await, Err(Error::Conflict(_))));
    assert_eq!(save("Page", 2).await.unwrap().version, 2, "the same text is no new version");
    // The unchanged file does not undo the edit.
    assert!(take_in(&db, &[file("a.md", &text("First", STEPS))], later(2)).await.unwrap().is_empty());

    let report = take_in(&db, &[file("a.md", &text("File", STEPS))], later(3)).await.unwrap();
    assert_eq!(report.waiting, ["a.md"]);
    let runbook = get(&db, "a").await.unwrap();
    assert_eq!((runbook.title.as_str(), runbook.version, runbook.pending_version), ("Page", 2, Some(3)));

    let tx = db.begin().await.unwrap();
    let runbook = edit::decide_pending(&tx, "a", true, later(4)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((runbook.title.as_str(), runbook.version, runbook.pending_version), ("File", 3, None));
    // Page and file are equal again: the next change of the file goes through.
    assert_eq!(take_in(&db, &[file("a.md", &text("Again", STEPS))], later(5)).await.unwrap().taken, ["a.md"]);

    save("Page again", 4).await.unwrap();
    // The page's text written into the file ends the difference without a question.
    let report = take_in(&db, &[file("a.md", &text("Page again", STEPS))], later(6)).await.unwrap();
    assert_eq!((report.waiting.len(), get(&db, "a").await.unwrap().pending_version), (0, None));
}

#[tokio::test]
async fn a_run_is_recorded_told_and_pins_its_version() {
    let (_dir, db) = database().await;
    take_in(&db, &[file("a.md", &text("Roll back", STEPS))], now()).await.unwrap();
    let id = incident(&db, "Errors after the release").await;
    let values = BTreeMap::from([("service".to_owned(), "cart".to_owned())]);
    let tx = db.begin().await.unwrap();
    let input = StartInput { runbook: "a".to_owned(), ..StartInput::default() };
    let run = runs::start(&tx, id, &input, values, &by("Ada"), now()).await.unwrap();
    let again = runs::start(&tx, id, &input, BTreeMap::new(), &by("Bob"), now()).await;
    assert!(matches!(again, Err(Error::Conflict(message)) if message.contains("started by Ada")));
    tx.commit().await.unwrap();
    // A new version does not touch the run.
    take_in(&db, &[file("a.md", &text("Other", "### Do: y\n"))], later(1)).await.unwrap();

    let record = async |step: &str, outcome: &str, branch: &str, who: &str| {
        let tx = db.begin().await.unwrap();
        let input = RecordInput {
            step: step.to_owned(),
            outcome: outcome.to_owned(),
            branch: branch.to_owned(),
            note: "as expected".to_owned(),
            ..RecordInput::default()
        };
        let view = runs::record(&tx, id, run.id, &input, &by(who), later(2)).await?;
        tx.commit().await.map(|()| view)
    };
    let view = record("is-service-bad", "done", "", "Bob").await.unwrap();
    assert_eq!((view.steps.len(), view.progress.current, view.run.version), (3, Some(1), 1));
    assert!(
        matches!(record("is-service-bad", "failed", "", "Ada").await, Err(Error::Conflict(m)) if m == "Bob already marked this step as done")
    );
    assert!(matches!(record("go-back", "done", "", "Ada").await, Err(Error::Invalid(e)) if e.has("branch")));
    let view = record("go-back", "done", "no", "Ada").await.unwrap();
    assert_eq!(view.run.state, RunState::Completed);
    assert_eq!(
        view.progress.steps.iter().map(|s| s.state).collect::<Vec<_>>(),
        [StepState::Done, StepState::Done, StepState::NotTaken]
    );
    assert!(matches!(record("roll-back", "done", "", "Ada").await, Err(Error::Conflict(_))));
    // Reopening takes the run up again.
    let view = record("go-back", "reopened", "", "Ada").await.unwrap();
    assert_eq!((view.run.state, view.progress.current), (RunState::Running, Some(1)));
    assert_eq!(view.records.iter().filter(|r| r.outcome == Outcome::Reopened).count(), 1);

    let told = db
        .fetch_all::<(String,)>(
            "SELECT text FROM timeline_entries WHERE kind = 'recovery_step' AND layer = 'story' ORDER BY id",
            vec![],
        )
        .await
        .unwrap();
    let told: Vec<_> = told.iter().map(|row| row.0.as_str()).collect();
    assert_eq!(told, ["Other: is cart bad?: **done**. as expected", "Other: go back? → No: **done**. as expected"]);

    let tx = db.begin().await.unwrap();
    assert!(matches!(runs::stop(&tx, id, run.id, " ", &by("Ada"), later(3)).await, Err(Error::Invalid(_))));
    assert_eq!(super::service::lead::take_over(&tx, id, run.id, &by("Cy"), later(3)).await.unwrap().lead, "Cy");
    assert_eq!(
        runs::stop(&tx, id, run.id, "not needed", &by("Ada"), later(3)).await.unwrap().run.state,
        RunState::Stopped
    );
    tx.commit().await.unwrap();
    assert_eq!(runs::views_of_incident(&db, id).await.unwrap().len(), 1);
    assert!(matches!(runs::get_run(&db, IncidentId(id.0 + 1), run.id).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn lists_filter_and_suggestions_give_reasons() {
    let (_dir, db) = database().await;
    let mut files: Vec<_> = (0..30)
        .map(|i| {
            file(
                &format!("r{i}.md"),
                &format!(
                    "---\ntitle: Runbook {i:02}\nowner: team-{}\nservices: [svc-{i}]\nreview_by: 2026-01-0{}\n---\n",
                    i % 3,
                    i % 9 + 1
                ),
            )
        })
        .collect();
    files.push(file("roll.md", &text("Roll back", STEPS)));
    take_in(&db, &files, now()).await.unwrap();
    let page = async |filter: store::runbooks::Filter| {
        store::runbooks::page(&db, &filter, 50).await.unwrap().into_iter().map(|r| r.title).collect::<Vec<_>>()
    };
    assert_eq!(
        page(store::runbooks::Filter { service: "svc-7".to_owned(), ..Default::default() }).await,
        ["Runbook 07"]
    );
    assert_eq!(
        page(store::runbooks::Filter { text: "back ROLL".to_owned(), ..Default::default() }).await,
        ["Roll back"]
    );
    assert_eq!(page(store::runbooks::Filter { tag: "deploy".to_owned(), ..Default::default() }).await, ["Roll back"]);
    assert_eq!(page(store::runbooks::Filter { owner: "team-1".to_owned(), ..Default::default() }).await.len(), 10);
    assert_eq!(page(store::runbooks::Filter { review_before: Some(now()), ..Default::default() }).await.len(), 30);
    let first = store::runbooks::page(&db, &store::runbooks::Filter::default(), 3).await.unwrap();
    let after = first.last().map(|r| (r.title.clone(), r.id));
    assert_eq!(page(store::runbooks::Filter { after, ..Default::default() }).await.len(), 28);
    assert_eq!(store::runbooks::count(&db, &store::runbooks::Filter::default(), 20).await.unwrap(), 20);

    let facts = IncidentFacts {
        title: "After release 3".to_owned(),
        services: vec!["cart-api".to_owned()],
        ..IncidentFacts::default()
    };
    let found = suggest::suggest(&db, &facts, 5).await.unwrap();
    assert_eq!(
        found.iter().map(|s| (s.runbook.slug.as_str(), s.reasons.join("; "))).collect::<Vec<_>>(),
        [("roll", "the title mentions 'release'; it is written for this service".to_owned())]
    );
    let linked =
        IncidentFacts { runbook_links: vec![("Slow".to_owned(), "https://wiki/r3.md".to_owned()); 2], ..facts.clone() };
    let found = suggest::suggest(&db, &linked, 5).await.unwrap();
    assert_eq!(
        found.iter().map(|s| (s.runbook.slug.as_str(), s.reasons[0].as_str())).collect::<Vec<_>>(),
        [("r3", "the alert 'Slow' names it"), ("roll", "the title mentions 'release'")]
    );
    let other = IncidentFacts { services: vec!["payment".to_owned()], ..facts };
    assert!(suggest::suggest(&db, &other, 5).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_typed_text_with_faults_is_refused_with_each_of_them() {
    let (_dir, db) = database().await;
    let tx = db.begin().await.unwrap();
    let draft = |source: &str| edit::Draft { source: source.to_owned(), note: String::new(), origin: Origin::Browser };
    let Err(Error::Invalid(errors)) =
        edit::create(&tx, None, &draft("---\ntags: 3\n---\n### Wait: x\n"), &by("Ada"), now()).await
    else {
        panic!("accepted")
    };
    assert_eq!(errors.0.len(), 3, "{errors}");
    edit::create(&tx, None, &draft("---\ntitle: A b\n---\n"), &by("Ada"), now()).await.unwrap();
    let taken = edit::create(&tx, Some("a-b"), &draft("---\ntitle: C\n---\n"), &by("Ada"), now()).await;
    assert!(matches!(taken, Err(Error::Invalid(e)) if e.has("slug")));
    assert_eq!(edit::archive(&tx, "a-b", true, now()).await.unwrap().archived_at, Some(now()));
    tx.commit().await.unwrap();
    assert_eq!(store::runbooks::count(&db, &store::runbooks::Filter::default(), 20).await.unwrap(), 0);
}
