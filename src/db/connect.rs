//! Opening the database that a URL names.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::writer::Writer;
use super::{Db, Inner, notice};
use crate::error::{Error, Result};

/// Where the database is: `sqlite:faultline.db` or `postgres://user:password@host/name`.
/// `Debug` and `Display` never show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DbUrl(String);

impl DbUrl {
    /// # Errors
    /// `Invalid` (field `database_url`) when the scheme is neither of the two.
    pub fn parse(text: &str) -> Result<Self> {
        let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        if !known || text.contains(":memory:") {
            return Err(Error::invalid(
                "database_url",
                "must be sqlite:<file> or postgres://<user>:<password>@<host>/<database>",
            ));
        }
        Ok(Self(text.to_owned()))
    }

    pub fn sqlite_file(path: &std::path::Path) -> Self {
        Self(format!("sqlite:{}", path.display()))
    }

    pub fn is_sqlite(&self) -> bool {
        self.0.starts_with("sqlite:")
    }

    /// The file behind a SQLite URL.
    pub fn file(&self) -> Option<std::path::PathBuf> {
        let rest = self.0.strip_prefix("sqlite:")?;
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        Some(rest.split('?').next().unwrap_or(rest).into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for DbUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match url::Url::parse(&self.0) {
            Ok(mut url) if url.password().is_some() => {
                // Fails only for URLs that cannot have a password, and this one has.
                let _ = url.set_password(Some("***"));
                write!(f, "{url}")
            }
            _ => f.write_str(&self.0),
        }
    }
}

impl std::fmt::Debug for DbUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

const READERS: u32 = 8;
/// Rows that SQLite's thread may be ahead of who reads them: each time it must wait costs two switches of threads.
const ROWS_AHEAD: usize = 1_024;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

impl Db {
    /// Opens the database (creating a SQLite file that is missing) and brings its schema up to date.
    ///
    /// # Errors
    /// `Unavailable` or `Internal` with the engine's own message.
    pub async fn connect(url: &DbUrl) -> Result<Self> {
        let db = Self::connect_unmigrated(url, 10).await?;
        db.migrate().await?;
        Ok(db)
    }

    /// Like [`Db::connect`] for a SQLite file that may be lost with the power: writes do not wait for
    /// the disk. For the demo and for benches.
    ///
    /// # Errors
    /// As [`Db::connect`]; `Invalid` for another engine's URL.
    pub async fn connect_scratch(url: &DbUrl) -> Result<Self> {
        if !url.is_sqlite() {
            return Err(Error::invalid("database_url", "must be sqlite:<file> for a scratch database"));
        }
        let notices = notice::Notices::new();
        let inner = open_sqlite(url, SqliteSynchronous::Off).await?;
        let db = Self { inner: Arc::new(inner), notices };
        db.migrate().await?;
        Ok(db)
    }

    /// Opens the database as it is. `max_connections` bounds PostgreSQL's pool.
    pub async fn connect_unmigrated(url: &DbUrl, max_connections: u32) -> Result<Self> {
        let notices = notice::Notices::new();
        let inner = if url.is_sqlite() {
            open_sqlite(url, SqliteSynchronous::Full).await?
        } else {
            open_postgres(url, max_connections).await?
        };
        if let Inner::Postgres(pool) = &inner {
            notice::spawn_listener(pool.clone(), notices.clone());
        }
        Ok(Self { inner: Arc::new(inner), notices })
    }
}

impl Db {
    /// Writes a consistent copy of a SQLite database that may be in use.
    ///
    /// # Errors
    /// `Internal` on PostgreSQL, which has tools of its own for this.
    pub async fn vacuum_into(&self, file: &std::path::Path) -> Result<()> {
        let Inner::Sqlite { write, .. } = &*self.inner else {
            return Err(Error::Internal("only SQLite copies itself".into()));
        };
        let mut turn = write.turn().await?;
        sqlx::query("VACUUM INTO $1").bind(file.display().to_string()).execute(turn.current()?).await?;
        Ok(())
    }
}

async fn open_sqlite(url: &DbUrl, synchronous: SqliteSynchronous) -> Result<Inner> {
    let options = SqliteConnectOptions::from_str(url.expose())?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // Full unless told otherwise: what was acknowledged must survive a power cut.
        .synchronous(synchronous)
        .foreign_keys(true)
        .busy_timeout(ACQUIRE_TIMEOUT)
        .row_buffer_size(ROWS_AHEAD)
        .pragma("temp_store", "memory");
    let write = Writer::connect(options.clone(), ACQUIRE_TIMEOUT).await?;
    // A file in this process does not go away as a server does: no question before each use.
    let read = SqlitePoolOptions::new()
        .test_before_acquire(false)
        .max_connections(READERS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(None)
        .connect_with(options.pragma("query_only", "on"))
        .await?;
    Ok(Inner::Sqlite { read, write })
}

async fn open_postgres(url: &DbUrl, max_connections: u32) -> Result<Inner> {
    let options = PgConnectOptions::from_str(url.expose())?.application_name("faultline");
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await?;
    Ok(Inner::Postgres(pool))
}
