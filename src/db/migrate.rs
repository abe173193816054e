//! The schema, embedded in the binary: `migrations/sqlite` and `migrations/postgres`, equal numbers.

use sqlx::migrate::Migrator;

use super::{Db, Inner};
use crate::error::{Error, Result};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

impl Db {
    /// Applies what is missing; several nodes may call it at once.
    ///
    /// # Errors
    /// `Internal` with the migration's number when one fails or differs from what was applied.
    pub async fn migrate(&self) -> Result<()> {
        let outcome = match &*self.inner {
            Inner::Sqlite { write, .. } => {
                let pool = write.pool().await?;
                let outcome = SQLITE.run(&pool).await;
                pool.close().await;
                outcome
            }
            Inner::Postgres(pool) => POSTGRES.run(pool).await,
            Inner::SqliteTx(_) | Inner::PostgresTx(_) | Inner::Gathering(_) => {
                return Err(Error::Internal("migrating in a transaction".into()));
            }
        };
        outcome.map_err(|e| Error::Internal(format!("migrating the database: {e}")))
    }

    /// Numbers of the migrations in this binary, for SQLite and for PostgreSQL.
    pub fn migration_numbers() -> (Vec<i64>, Vec<i64>) {
        let numbers = |m: &Migrator| m.iter().map(|step| step.version).collect();
        (numbers(&SQLITE), numbers(&POSTGRES))
    }
}
