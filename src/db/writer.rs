//! SQLite's one writer: writers queue here instead of meeting SQLITE_BUSY.
//!
//! Not a pool of one, because a pool asks a connection that comes back whether it lives, which costs each
//! transaction another trip to SQLite's thread while the next one waits. A file in this process does not go away
//! as a server does.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection, SqlitePool};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::{Error, Result};

/// The writer, for whoever's turn it is.
pub(super) struct Writer {
    turn: Arc<Mutex<Held>>,
    patience: Duration,
}

pub(super) struct Held {
    options: SqliteConnectOptions,
    /// None once it was closed or broke.
    connection: Option<SqliteConnection>,
    /// A transaction was begun and not ended: also after whoever did that was cancelled at any moment.
    is_open: bool,
    is_closed: bool,
}

impl Held {
    /// The connection, outside any transaction; opened again when it broke.
    async fn ready(&mut self) -> Result<&mut SqliteConnection> {
        if self.is_closed {
            return Err(sqlx::Error::PoolClosed.into());
        }
        if self.is_open {
            self.undo().await;
        }
        if self.connection.is_none() {
            self.connection = Some(self.options.connect().await?);
        }
        self.current()
    }

    pub(super) fn current(&mut self) -> Result<&mut SqliteConnection> {
        self.connection.as_mut().ok_or_else(|| Error::Unavailable("the connection to the database broke".to_owned()))
    }

    /// Undoes what was begun. A transaction that cannot be undone goes with its connection.
    async fn undo(&mut self) {
        if let Some(connection) = self.connection.as_mut() {
            match sqlx::query("ROLLBACK").execute(connection).await {
                Ok(_) => {}
                // It never began, or SQLite undid it by itself.
                Err(sqlx::Error::Database(e)) if e.message().contains("no transaction is active") => {}
                Err(error) => {
                    tracing::warn!(%error, "a transaction could not be undone; its connection is given up");
                    self.connection = None;
                }
            }
        }
        self.is_open = false;
    }
}

impl Writer {
    pub(super) async fn connect(options: SqliteConnectOptions, patience: Duration) -> Result<Self> {
        let connection = Some(options.connect().await?);
        let held = Held { options, connection, is_open: false, is_closed: false };
        Ok(Self { turn: Arc::new(Mutex::new(held)), patience })
    }

    /// Waits for the turn. The connection is then [`Held::current`], and in no transaction.
    ///
    /// # Errors
    /// `Unavailable` when it does not come in time, or after [`Writer::close`].
    pub(super) async fn turn(&self) -> Result<OwnedMutexGuard<Held>> {
        let turn = tokio::time::timeout(self.patience, Arc::clone(&self.turn).lock_owned());
        let mut held = turn.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
        held.ready().await?;
        Ok(held)
    }

    /// A pool of one connection like the writer's, for sqlx's migrations, which ask for a pool.
    pub(super) async fn pool(&self) -> Result<SqlitePool> {
        let options = self.turn().await?.options.clone();
        Ok(SqlitePoolOptions::new().max_connections(1).connect_with(options).await?)
    }

    /// Takes the turn for a transaction, which its first statement begins.
    pub(super) async fn begin(&self) -> Result<Writing> {
        Ok(Writing { held: Some(self.turn().await?), stage: Stage::New })
    }

    /// Waits for the transaction that runs, and closes the connection for good.
    pub(super) async fn close(&self) {
        let mut held = self.turn.lock().await;
        held.is_closed = true;
        if let Some(connection) = held.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the database was not closed cleanly");
        }
    }
}

/// How far a transaction is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    New,
    /// Its first statement was sent with its beginning. Should that have failed, whether it began is unknown, and
    /// another statement might stand alone and be durable at once.
    Beginning,
    Begun,
}

/// A transaction of the writer's; undone when dropped.
pub(super) struct Writing {
    held: Option<OwnedMutexGuard<Held>>,
    stage: Stage,
}

/// What begins a transaction that may write at once.
const BEGIN: &str = "BEGIN IMMEDIATE";

impl Writing {
    fn held(&mut self) -> Result<&mut Held> {
        self.held.as_deref_mut().ok_or_else(|| Error::Internal("a transaction was used after its end".to_owned()))
    }

    fn connection(&mut self) -> Result<&mut SqliteConnection> {
        self.held()?.current()
    }

    fn beginning(&mut self) -> Result<()> {
        self.held()?.is_open = true;
        self.stage = Stage::Beginning;
        Ok(())
    }

    /// The statement as it is to be sent, and where to. The first one of a query goes along with the beginning: one
    /// trip to SQLite's thread instead of two. Once it succeeded, say [`Writing::begun`].
    ///
    /// # Errors
    /// `Internal` when the first statement failed and the transaction is used nevertheless.
    pub(super) fn query(&mut self, sql: Cow<'static, str>) -> Result<(Cow<'static, str>, &mut SqliteConnection)> {
        let sql = match self.stage {
            Stage::Begun => sql,
            Stage::New => {
                self.beginning()?;
                Cow::Owned(format!("{BEGIN}; {sql}"))
            }
            Stage::Beginning => return Err(Error::Internal("a transaction that did not begin was used".to_owned())),
        };
        Ok((sql, self.connection()?))
    }

    /// Begins by itself where nothing did yet, for a statement whose changed rows are counted: SQLite would count
    /// those of the statement before the beginning again.
    pub(super) async fn begin(&mut self) -> Result<()> {
        if self.stage == Stage::New {
            self.beginning()?;
            sqlx::query(BEGIN).execute(self.connection()?).await?;
            self.begun();
        }
        Ok(())
    }

    pub(super) const fn begun(&mut self) {
        self.stage = Stage::Begun;
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        if self.stage == Stage::New {
            return Ok(());
        }
        let (commit, connection) = self.query(Cow::Borrowed("COMMIT"))?;
        sqlx::query(AssertSqlSafe(commit)).execute(connection).await?;
        self.held()?.is_open = false;
        Ok(())
    }

    /// Commits after more statements, in one trip.
    pub(super) async fn commit_after(mut self, sql: &str, arguments: SqliteArguments) -> Result<()> {
        let (sql, connection) = self.query(Cow::Owned(format!("{sql}; COMMIT")))?;
        sqlx::query_with(AssertSqlSafe(sql), arguments).execute(connection).await?;
        self.held()?.is_open = false;
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let Some(mut held) = self.held.take().filter(|held| held.is_open) else { return };
        // Without a runtime the next turn undoes it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { held.undo().await });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    async fn writer(folder: &tempfile::TempDir) -> Writer {
        let url = format!("sqlite:{}", folder.path().join("w.db").display());
        let options = SqliteConnectOptions::from_str(&url).unwrap().create_if_missing(true);
        let writer = Writer::connect(options, Duration::from_secs(5)).await.unwrap();
        let mut turn = writer.turn().await.unwrap();
        sqlx::query("CREATE TABLE t (x BIGINT)").execute(turn.current().unwrap()).await.unwrap();
        drop(turn);
        writer
    }

    async fn put_for_good(writer: &Writer) {
        let mut writing = writer.begin().await.unwrap();
        put(&mut writing).await;
        writing.commit().await.unwrap();
    }

    async fn put(writing: &mut Writing) {
        let (sql, connection) = writing.query(Cow::Borrowed("INSERT INTO t VALUES (1) RETURNING x")).unwrap();
        sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap();
        writing.begun();
    }

    async fn count(writer: &Writer) -> i64 {
        let mut turn = writer.turn().await.unwrap();
        sqlx::query_scalar("SELECT COUNT(*) FROM t").fetch_one(turn.current().unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_not_committed_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        let mut writing = writer.begin().await.unwrap();
        put(&mut writing).await;
        drop(writing);
        assert_eq!(count(&writer).await, 0);
        put_for_good(&writer).await;
        assert_eq!(count(&writer).await, 1);
    }

    #[tokio::test]
    async fn a_beginning_that_was_cancelled_is_undone() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        for polls in 0..6 {
            let mut writing = writer.begin().await.unwrap();
            let mut begin = Box::pin(put(&mut writing));
            for _ in 0..polls {
                if futures::poll!(&mut begin).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(begin);
            drop(writing);
            put_for_good(&writer).await;
        }
        assert_eq!(count(&writer).await, 6);
    }

    #[tokio::test]
    async fn after_a_first_statement_that_failed_nothing_more_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        let mut writing = writer.begin().await.unwrap();
        let (sql, connection) = writing.query(Cow::Borrowed("INSERT INTO nowhere VALUES (1)")).unwrap();
        assert!(sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await.is_err());
        assert!(writing.query(Cow::Borrowed("INSERT INTO t VALUES (1)")).is_err());
        assert!(writing.commit().await.is_err());
        assert_eq!(count(&writer).await, 0);
    }

    #[tokio::test]
    async fn a_transaction_without_a_statement_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        writer.begin().await.unwrap().commit().await.unwrap();
        let mut writing = writer.begin().await.unwrap();
        writing.begin().await.unwrap();
        put(&mut writing).await;
        writing.commit().await.unwrap();
        assert_eq!(count(&writer).await, 1);
    }

    #[tokio::test]
    async fn the_last_statements_stand_with_the_commit_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        let (two, none) = ("INSERT INTO t VALUES (2); INSERT INTO t VALUES (2)", SqliteArguments::default);
        writer.begin().await.unwrap().commit_after(two, none()).await.unwrap();
        let mut writing = writer.begin().await.unwrap();
        put(&mut writing).await;
        writing.commit_after(two, none()).await.unwrap();
        assert_eq!(count(&writer).await, 5);
        let mut writing = writer.begin().await.unwrap();
        put(&mut writing).await;
        let nowhere = "INSERT INTO t VALUES (2); INSERT INTO nowhere VALUES (1)";
        assert!(writing.commit_after(nowhere, none()).await.is_err());
        assert_eq!(count(&writer).await, 5);
    }

    #[tokio::test]
    async fn a_connection_that_broke_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder).await;
        writer.turn().await.unwrap().connection = None;
        put_for_good(&writer).await;
        assert_eq!(count(&writer).await, 1);
        writer.close().await;
        assert!(matches!(writer.begin().await, Err(Error::Unavailable(_))));
    }
}
