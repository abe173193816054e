//! The actions against real databases.

use super::input::DeploymentInput;
use super::*;
use crate::clock::Timestamp;
use crate::db::{Db, DbUrl};

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

async fn databases() -> Vec<(Db, Option<tempfile::TempDir>)> {
    let dir = tempfile::tempdir().expect("a directory");
    let lite = Db::connect(&DbUrl::sqlite_file(&dir.path().join("t.db"))).await.expect("sqlite");
    let mut all = vec![(lite, Some(dir))];
    if let Ok(url) = std::env::var("CHG_PG") {
        all.push((Db::connect(&DbUrl::parse(&url).expect("a url")).await.expect("pg"), None));
    }
    all
}

fn event(id: &str, version: &str, status: ChangeStatus, minute: i64) -> ChangeEvent {
    ChangeEvent {
        source: ChangeSource::Github,
        external_id: id.into(),
        service: "Cart Service".into(),
        environment: "production".into(),
        kind: ChangeKind::Deployment,
        status,
        version: Some(version.into()),
        commit: None,
        author: Some("ada".into()),
        title: None,
        url: None,
        started_at: None,
        finished_at: None,
        reported_at: NOW + chrono::TimeDelta::minutes(minute),
    }
}

async fn tell(db: &Db, event: &ChangeEvent) -> Recorded {
    let tx = db.begin().await.expect("a transaction");
    let recorded = record(&tx, event, event.reported_at).await.expect("recorded");
    tx.commit().await.expect("committed");
    recorded
}

#[tokio::test]
async fn reports_in_any_order_are_one_change() {
    for (db, _dir) in databases().await {
        let done = tell(&db, &event("a", "1.0", ChangeStatus::Succeeded, 5)).await;
        assert!(done.is_new);
        for late in [event("a", "1.0", ChangeStatus::Pending, 0), event("a", "1.0", ChangeStatus::Started, 1)] {
            assert_eq!(tell(&db, &late).await, Recorded { id: done.id, is_new: false });
        }
        tell(&db, &event("a", "1.0", ChangeStatus::Started, 1)).await;
        let change = get(&db, done.id).await.expect("there");
        assert_eq!((change.status, change.service.as_str()), (ChangeStatus::Succeeded, "cart-service"));
        assert_eq!(change.started_at, Some(NOW + chrono::TimeDelta::minutes(1)));
        assert_eq!(change.at, NOW + chrono::TimeDelta::minutes(1));
        let told: Vec<_> = reports(&db, done.id).await.expect("read").into_iter().map(|r| r.status).collect();
        assert_eq!(told, ["pending", "started", "succeeded"]);
    }
}

#[tokio::test]
async fn a_version_that_returns_is_a_rollback() {
    for (db, _dir) in databases().await {
        for (id, version, minute) in [("r1", "1.0", 0), ("r2", "1.1", 10), ("r3", "1.0", 20), ("r4", "1.2", 30)] {
            tell(&db, &event(id, version, ChangeStatus::Succeeded, minute)).await;
        }
        let staging = ChangeEvent { environment: "staging".into(), ..event("r5", "1.1", ChangeStatus::Succeeded, 40) };
        tell(&db, &staging).await;
        let kinds: Vec<_> =
            page(&db, &Filter::default(), 10).await.expect("read").into_iter().map(|d| d.kind).collect();
        use ChangeKind::{Deployment as D, Rollback as R};
        assert_eq!(kinds, [D, D, R, D, D]);
    }
}

#[tokio::test]
async fn changes_without_an_id_are_told_apart_by_time() {
    for (db, _dir) in databases().await {
        let input = |minute: i64, status: &str| {
            let input = DeploymentInput {
                service: "cart".into(),
                version: "2.0".into(),
                status: status.into(),
                ..DeploymentInput::default()
            };
            input.normalize(NOW + chrono::TimeDelta::minutes(minute)).expect("fine")
        };
        let started = tell(&db, &input(0, "started")).await;
        let done = tell(&db, &input(4, "succeeded")).await;
        assert_eq!((done.id, done.is_new), (started.id, false));
        let again = tell(&db, &input(60 * 24, "succeeded")).await;
        assert!(again.is_new && again.id != started.id);
        let twice = tell(&db, &input(60 * 24, "succeeded")).await;
        assert_eq!((twice.id, twice.is_new), (again.id, false));
    }
}

#[tokio::test]
async fn a_seen_version_joins_the_reported_change() {
    for (db, _dir) in databases().await {
        let reported = tell(&db, &event("o", "3.0", ChangeStatus::Succeeded, 0)).await;
        let seen =
            ChangeEvent { source: ChangeSource::Observed, ..event("seen:3.0", "3.0", ChangeStatus::Succeeded, 7) };
        assert_eq!(tell(&db, &seen).await, Recorded { id: reported.id, is_new: false });
        assert!(get(&db, reported.id).await.expect("there").observed);
        let unreported =
            ChangeEvent { source: ChangeSource::Observed, ..event("seen:3.1", "3.1", ChangeStatus::Succeeded, 9) };
        let alone = tell(&db, &unreported).await;
        assert!(alone.is_new && get(&db, alone.id).await.expect("there").observed);
    }
}

#[tokio::test]
async fn lists_filter_count_and_page() {
    for (db, _dir) in databases().await {
        for n in 0..5 {
            let environment = if n % 2 == 0 { "production" } else { "staging" };
            let status = if n == 4 { ChangeStatus::Failed } else { ChangeStatus::Succeeded };
            let event = ChangeEvent {
                environment: environment.into(),
                ..event(&format!("p{n}"), &format!("4.{n}"), status, n)
            };
            tell(&db, &event).await;
        }
        let staging = Filter { environment: Some("staging".into()), ..Filter::default() };
        assert_eq!(count(&db, &staging, 100).await.expect("counted"), 2);
        assert_eq!(count(&db, &Filter::default(), 3).await.expect("counted"), 3);
        let failed = Filter { statuses: vec![ChangeStatus::Failed], ..Filter::default() };
        assert_eq!(page(&db, &failed, 10).await.expect("read").len(), 1);
        let first = page(&db, &Filter::default(), 2).await.expect("read");
        let beyond = first.last().map(|d| (d.at, d.id));
        let rest = page(&db, &Filter { beyond, ..Filter::default() }, 10).await.expect("read");
        assert_eq!(rest.len(), 3);
        assert!(rest.iter().all(|d| d.at < first[1].at));
        assert_eq!(environments(&db).await.expect("read"), ["production", "staging"]);
    }
}
