//! The two schemas agree: equal migrations, equal tables, equal columns.

use std::collections::{BTreeMap, BTreeSet};

use faultline::args;
use faultline::db::{Db, Query};

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

on_both! {
    async fn queries_asked_together_keep_their_own_values_and_rows(app: TestApp) {
        type Row = (i64, String);
        const ROWS: &str = "SELECT CAST($1 AS BIGINT), CAST($2 AS TEXT) UNION ALL SELECT CAST($3 AS BIGINT), CAST($4 AS TEXT)";
        let db = &app.state.db;
        let rows = || Query::<Row>::new(ROWS, args![1_i64, "a", 2_i64, "b"]);
        let none = || Query::<(i64,)>::new("SELECT id FROM users WHERE email = $1", args!["nobody"]);
        // One value used twice.
        let twice = || Query::<(i64,)>::new("SELECT CAST($1 AS BIGINT) + CAST($1 AS BIGINT)", args![21_i64]);
        let two = vec![(1, "a".to_owned()), (2, "b".to_owned())];
        assert_eq!(db.fetch_two(none(), rows()).await.unwrap(), (vec![], two.clone()));
        assert_eq!(db.fetch_three(rows(), none(), rows()).await.unwrap(), (two.clone(), vec![], two.clone()));
        assert_eq!(db.fetch_three(rows(), twice(), none()).await.unwrap(), (two.clone(), vec![(42,)], vec![]));
        let tx = db.begin().await.unwrap();
        assert_eq!(tx.fetch_two(rows(), none()).await.unwrap(), (two.clone(), vec![]));
        drop(tx);
        let nowhere = Query::<(i64,)>::new("SELECT id FROM nowhere", args![]);
        assert!(db.fetch_two(rows(), nowhere).await.is_err());
        assert_eq!(db.fetch_two(rows(), none()).await.unwrap(), (two, vec![]), "the next one is not hurt");
    }

    async fn what_joined_futures_ask_is_answered_to_each(app: TestApp) {
        type Number = (i64,);
        let number = |n: i64| Query::<Number>::new("SELECT CAST($1 AS BIGINT)", args![n]);
        let nowhere = || Query::<Number>::new("SELECT id FROM nowhere", args![]);
        let twice = || Query::<Number>::new("SELECT CAST($1 AS BIGINT) + CAST($1 AS BIGINT)", args![21_i64]);
        let db = app.state.db.gathering();
        let chain = async {
            let (n,): Number = db.fetch_one("SELECT CAST(7 AS BIGINT) UNION ALL SELECT CAST(7 AS BIGINT)", args![]).await?;
            db.fetch(number(n + 1)).await
        };
        let (eight, one, pair) = tokio::join!(chain, db.fetch(number(1)), db.fetch_two(number(2), twice()));
        assert_eq!((eight.unwrap(), one.unwrap(), pair.unwrap()), (vec![(8,)], vec![(1,)], (vec![(2,)], vec![(42,)])));
        let (bad, good) = tokio::join!(db.fetch(nowhere()), db.fetch(number(5)));
        assert!(bad.is_err(), "the one that is wrong");
        assert_eq!(good.unwrap(), [(5,)], "and not the other");
        // It begins transactions as any other handle.
        db.begin().await.unwrap().commit().await.unwrap();
    }
}
