//! The two schemas agree: equal migrations, equal tables, equal columns.

use std::collections::{BTreeMap, BTreeSet};

use faultline::args;
use faultline::db::Db;
use faultline::error::Result;

use crate::support::{Backend, TestApp};

#[test]
fn migrations_have_equal_numbers_and_names() {
    let names = |engine: &str| -> BTreeSet<String> {
        let files = std::fs::read_dir(format!("{}/migrations/{engine}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        files.map(|f| f.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(names("sqlite"), names("postgres"));
    let (sqlite, postgres) = Db::migration_numbers();
    assert_eq!(sqlite, postgres);
}

/// Table → column → (kind, whether NULL is allowed).
type Schema = BTreeMap<String, BTreeMap<String, (String, bool)>>;

/// Columns and tables of the full-text search, which is the engines' own.
fn is_engine_specific(table: &str, column: &str) -> bool {
    table.contains("search_index") || column.starts_with("tsv") || table.contains("_fts")
}

fn collect(rows: Vec<(String, String, String, bool)>) -> Schema {
    let mut schema = Schema::new();
    for (table, column, kind, nullable) in rows {
        if !is_engine_specific(&table, &column) {
            schema.entry(table).or_default().insert(column, (kind, nullable));
        }
    }
    schema
}

async fn sqlite_schema(db: &Db) -> Schema {
    let rows: Vec<(String, String, String, bool)> = db
        .fetch_all(
            "SELECT m.name, c.name,
                    CASE upper(c.type) WHEN 'INTEGER' THEN 'BIGINT' WHEN 'BLOB' THEN 'BYTEA' ELSE upper(c.type) END,
                    c.\"notnull\" = 0 AND c.pk = 0
             FROM sqlite_master m JOIN pragma_table_info(m.name) c
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\'",
            args![],
        )
        .await
        .unwrap();
    collect(rows)
}

async fn postgres_schema(db: &Db) -> Schema {
    let rows: Vec<(String, String, String, bool)> = db
        .fetch_all(
            "SELECT c.table_name::text, c.column_name::text, upper(c.data_type::text), c.is_nullable = 'YES'
             FROM information_schema.columns c JOIN information_schema.tables t
               ON t.table_name = c.table_name AND t.table_schema = c.table_schema
             WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.table_name NOT LIKE '\\_sqlx%'",
            args![],
        )
        .await
        .unwrap();
    collect(rows)
}

#[tokio::test]
async fn both_engines_have_the_same_tables_and_columns() {
    let sqlite = sqlite_schema(&TestApp::start(Backend::Sqlite).await.state.db).await;
    let postgres = postgres_schema(&TestApp::start(Backend::Postgres).await.state.db).await;
    assert!(sqlite.len() >= 5, "only {} tables", sqlite.len());
    for table in sqlite.keys().chain(postgres.keys()) {
        assert_eq!(sqlite.get(table), postgres.get(table), "table {table}");
    }
}

type Rows = Vec<(i64, String)>;

async fn pairs(db: &Db) -> Result<Rows> {
    let sql =
        "SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT) UNION ALL SELECT CAST($3 AS BIGINT), CAST($4 AS TEXT) ORDER BY 1";
    db.fetch_all(sql, args![1_i64, "a", 2_i64, "b"]).await
}

async fn nobody(db: &Db) -> Result<Rows> {
    db.fetch_all("SELECT id, name FROM users WHERE email = $1", args!["nobody"]).await
}

async fn sum(db: &Db, n: i64) -> Result<i64> {
    // One value used twice.
    db.fetch_scalar("SELECT CAST($1 AS BIGINT) + CAST($1 AS BIGINT)", args![n]).await
}

async fn nowhere(db: &Db) -> Result<Rows> {
    db.fetch_all("SELECT id, name FROM nowhere", args![]).await
}

on_both! {
    async fn what_joined_futures_ask_is_answered_to_each(app: TestApp) {
        let db = &app.state.db.gathering();
        let two = vec![(1, "a".to_owned()), (2, "b".to_owned())];
        let chain = async {
            // Of several rows the first, and then another round.
            let (n,): (i64,) = db.fetch_one("SELECT CAST(7 AS BIGINT) UNION ALL SELECT CAST(7 AS BIGINT)", args![]).await?;
            sum(db, n).await
        };
        let all = tokio::try_join!(pairs(db), nobody(db), chain, sum(db, 21), pairs(db)).unwrap();
        assert_eq!(all, (two.clone(), vec![], 14, 42, two.clone()));
        let (bad, good) = tokio::join!(nowhere(db), pairs(db));
        assert!(bad.is_err(), "the one that is wrong");
        assert_eq!(good.unwrap(), two, "and not the other");
        // Inside of a transaction nothing is gathered, and a gathering handle begins one as any other.
        let tx = db.begin().await.unwrap();
        let inside = &tx.gathering();
        assert_eq!(tokio::try_join!(pairs(inside), sum(inside, 3)).unwrap(), (two, 6));
    }
}
