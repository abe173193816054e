use super::*;
use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, DbUrl, Tx};
use crate::search::query::Query;

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
const ALL: Reader = Reader { all: true, user_id: 0 };
const NOBODY: Reader = Reader { all: false, user_id: 0 };

fn doc(kind: DocKind, id: &str, title: &str, text: &str, url: &str) -> Doc {
    Doc {
        kind,
        id: id.into(),
        title: title.into(),
        text: text.into(),
        url: url.into(),
        private_incident: None,
        at: NOW,
    }
}

async fn titles(db: &Db, query: &str, reader: Reader) -> Vec<String> {
    let found = search(db, &Query::parse(query), reader, NOW, 0, 20).await.expect("a search");
    found.hits.into_iter().map(|h| h.doc.title).collect()
}

async fn put(db: &Db, docs: Vec<Doc>) {
    let tx = db.begin().await.expect("a transaction");
    for doc in docs {
        upsert(&tx, doc).await.expect("indexed");
    }
    tx.commit().await.expect("committed");
}

async fn databases() -> Vec<(Db, Option<tempfile::TempDir>)> {
    let dir = tempfile::tempdir().expect("a directory");
    let lite = Db::connect(&DbUrl::sqlite_file(&dir.path().join("t.db"))).await.expect("sqlite");
    let mut all = vec![(lite, Some(dir))];
    if let Ok(url) = std::env::var("CHG_PG") {
        all.push((Db::connect(&DbUrl::parse(&url).expect("a url")).await.expect("pg"), None));
    }
    all
}

#[tokio::test]
async fn what_was_handed_over_is_found_best_first_and_replaced() {
    for (db, _dir) in databases().await {
        put(
            &db,
            vec![
                doc(DocKind::Incident, "INC-1", "Cart is down", "connection reset by peer", "/incidents/INC-1"),
                doc(
                    DocKind::Timeline,
                    "1",
                    "Entry",
                    "the cart's connection pool was reset",
                    "/incidents/INC-1#entry-1",
                ),
                doc(DocKind::Runbook, "db", "Database connections", "", "/runbooks/db"),
            ],
        )
        .await;
        assert_eq!(titles(&db, "cart", ALL).await, ["Cart is down", "Entry"]);
        assert_eq!(titles(&db, "\"connection reset\"", ALL).await, ["Cart is down"]);
        assert_eq!(titles(&db, "connections -cart", ALL).await, ["Database connections"]);
        assert_eq!(titles(&db, "kind:runbook conn", ALL).await, ["Database connections"]);
        assert_eq!(titles(&db, "'; DROP TABLE search_docs; -- \" OR * NEAR(", ALL).await, Vec::<String>::new());
        put(&db, vec![doc(DocKind::Incident, "INC-1", "Basket is slow", "", "/incidents/INC-1")]).await;
        assert_eq!(titles(&db, "cart", ALL).await, ["Entry"]);
        assert_eq!(titles(&db, "basket", ALL).await, ["Basket is slow"]);
        let tx = db.begin().await.expect("a transaction");
        remove(&tx, DocKind::Incident, "INC-1").await.expect("removed");
        remove(&tx, DocKind::Incident, "INC-404").await.expect("nothing to do");
        tx.commit().await.expect("committed");
        assert!(titles(&db, "basket", ALL).await.is_empty());
    }
}

#[tokio::test]
async fn private_incidents_are_found_only_by_those_they_name() {
    for (db, _dir) in databases().await {
        let tx = db.begin().await.expect("a transaction");
        let ada = insert_user(&tx, "ada@example.org").await;
        let bob = insert_user(&tx, "bob@example.org").await;
        let incident = tx
            .insert(
                "INSERT INTO incidents (title, severity, status, kind, private, started_at, created_by_name, created_at, updated_at)
                 VALUES ('x', 'SEV1', 'triage', 'real', $1, 0, 'x', 0, 0) RETURNING id",
                args![true],
            )
            .await
            .expect("an incident");
        tx.execute(
            "INSERT INTO incident_people (incident_id, user_id, added_at) VALUES ($1, $2, 0)",
            args![incident, ada],
        )
        .await
        .expect("named");
        tx.commit().await.expect("committed");
        let url = format!("/incidents/INC-{incident}");
        let mut secret = doc(DocKind::Incident, &format!("INC-{incident}"), "Leaked credentials", "", &url);
        secret.private_incident = Some(incident);
        put(&db, vec![secret, doc(DocKind::Runbook, "r", "Rotate credentials", "", "/runbooks/r")]).await;
        let reader = |user_id| Reader { all: false, user_id };
        assert_eq!(titles(&db, "credentials", reader(ada)).await.len(), 2);
        for stranger in [reader(bob), NOBODY] {
            assert_eq!(titles(&db, "credentials", stranger).await, ["Rotate credentials"]);
            let id = format!("INC-{incident}");
            assert_eq!(jump_target(&db, &id, stranger).await.expect("a look"), None);
        }
        let tx = db.begin().await.expect("a transaction");
        set_private(&tx, incident, false).await.expect("public");
        tx.commit().await.expect("committed");
        assert_eq!(titles(&db, "credentials", NOBODY).await.len(), 2);
    }
}

async fn insert_user(tx: &Tx, email: &str) -> i64 {
    tx.insert(
        "INSERT INTO users (email, name, password_hash, role, created_at) VALUES ($1, $1, '', 'viewer', 0) RETURNING id",
        args![email],
    )
    .await
    .expect("a user")
}

#[tokio::test]
async fn whole_inputs_jump() {
    for (db, _dir) in databases().await {
        put(
            &db,
            vec![
                doc(DocKind::Incident, "INC-9000", "Cart is down", "", "/incidents/INC-9000"),
                doc(DocKind::Deployment, "1", "cart v1.3.2 in production", "", "/deployments/1"),
            ],
        )
        .await;
        let jump = async |input: &str| jump_target(&db, input, NOBODY).await.expect("a look");
        assert_eq!(jump("inc-9000").await.as_deref(), Some("/incidents/INC-9000"));
        assert_eq!(jump("INC-9999").await, None);
        assert_eq!(jump("v1.3.2").await.as_deref(), Some("/deployments?version=v1.3.2"));
        assert_eq!(jump("v9.9.9").await, None);
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(jump(trace).await, Some(format!("/traces/{trace}")));
        assert_eq!(jump("cart is down").await, None);
    }
}
