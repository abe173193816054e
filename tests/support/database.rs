//! A migrated database of a test's own, copied from a template, which is faster than migrating.

use std::path::Path;

use faultline::db::{Db, DbUrl};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

pub async fn fresh(backend: Backend, folder: &Path) -> Db {
    match backend {
        Backend::Sqlite => sqlite(folder).await,
        Backend::Postgres => postgres().await,
    }
}

/// Changes with every edit of a migration of this checkout.
fn schema_key() -> String {
    use sha2::Digest;
    let mut hasher = sha2::Sha256::new();
    for engine in ["sqlite", "postgres"] {
        let mut files: Vec<_> = std::fs::read_dir(format!("{}/migrations/{engine}", env!("CARGO_MANIFEST_DIR")))
            .expect("the migrations")
            .map(|f| f.expect("a file").path())
            .collect();
        files.sort();
        for file in files {
            hasher.update(file.file_name().unwrap_or_default().as_encoded_bytes());
            hasher.update(std::fs::read(&file).expect("a migration"));
        }
    }
    hex::encode(&hasher.finalize()[..8])
}

async fn sqlite(folder: &Path) -> Db {
    let template = std::env::temp_dir().join(format!("faultline-template-{}.db", schema_key()));
    if !template.exists() {
        let making = folder.join("template.db");
        Db::connect(&DbUrl::sqlite_file(&making)).await.expect("migrated").close().await;
        // Atomic, so that tests which start at once never see half a file.
        let _ = std::fs::copy(&making, template.with_extension(std::process::id().to_string()))
            .and_then(|_| std::fs::rename(template.with_extension(std::process::id().to_string()), &template));
    }
    let file = folder.join("faultline.db");
    std::fs::copy(&template, &file).expect("copied");
    Db::connect(&DbUrl::sqlite_file(&file)).await.expect("opened")
}

async fn postgres() -> Db {
    let admin_url = std::env::var("FAULTLINE_TEST_POSTGRES").expect(
        "these tests need PostgreSQL: run ./test, or export FAULTLINE_TEST_POSTGRES=$(tests/support/postgres.sh start)",
    );
    let mut admin = PgConnection::connect(&admin_url).await.expect("the test cluster answers");
    let template = format!("template_{}", schema_key());
    // One at a time: cloning fails while the template is being made or used.
    sqlx::query("SELECT pg_advisory_lock(4711)").execute(&mut admin).await.expect("locked");
    let known: Option<(i32,)> = sqlx::query_as("SELECT 1 FROM pg_database WHERE datname = $1")
        .bind(&template)
        .fetch_optional(&mut admin)
        .await
        .expect("asked");
    if known.is_none() {
        let making = format!("{template}_making");
        run(&mut admin, format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)")).await;
        run(&mut admin, format!("CREATE DATABASE {making}")).await;
        let db = Db::connect(&url_of(&admin_url, &making)).await.expect("migrated");
        db.close().await;
        run(&mut admin, format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{making}'"))
            .await;
        run(&mut admin, format!("ALTER DATABASE {making} RENAME TO {template}")).await;
    }
    let name = format!("t_{}", hex::encode(faultline::random::Random::System.bytes::<8>()));
    run(&mut admin, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
    drop_old(&mut admin).await;
    sqlx::query("SELECT pg_advisory_unlock(4711)").execute(&mut admin).await.expect("unlocked");
    let db = Db::connect_unmigrated(&url_of(&admin_url, &name), 5).await.expect("opened");
    admin.close().await.expect("closed");
    db
}

/// Databases of tests that have ended go away in passing.
async fn drop_old(admin: &mut PgConnection) {
    let idle: Vec<(String,)> = sqlx::query_as(
        "SELECT datname::text FROM pg_database d WHERE datname LIKE 't\\_%'
         AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datname = d.datname)
         AND (pg_stat_file('base/' || oid || '/PG_VERSION')).modification < now() - interval '2 minutes' LIMIT 3",
    )
    .fetch_all(&mut *admin)
    .await
    .unwrap_or_default();
    for (name,) in idle {
        // Another test may be faster; then there is nothing left to drop.
        let _ = sqlx::query(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}"))).execute(&mut *admin).await;
    }
}

async fn run(admin: &mut PgConnection, sql: String) {
    sqlx::query(AssertSqlSafe(sql.clone())).execute(admin).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
}

fn url_of(admin_url: &str, database: &str) -> DbUrl {
    let mut url = url::Url::parse(admin_url).expect("a URL");
    url.set_path(database);
    DbUrl::parse(url.as_str()).expect("a database URL")
}
