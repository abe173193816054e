//! The database: one handle over SQLite or PostgreSQL, and the only room that knows there are two.
//!
//! A statement is written once, with `$1` placeholders, in the SQL that both engines share
//! (`RETURNING`, `ON CONFLICT`, CTEs, window functions). Columns are `BIGINT` (also for times, in
//! microseconds), `TEXT`, `BOOLEAN`, `DOUBLE PRECISION` and bytes. PostgreSQL is the stricter of the
//! two: cast sums (`CAST(SUM(x) AS BIGINT)`) and averages (`CAST(… AS DOUBLE PRECISION)`).
//!
//! Reading takes a [`Db`]; writing takes a [`Tx`], which also reads what it wrote (it derefs to `Db`).
//! So nothing is ever written outside a transaction. What does not belong here: any table's name.

mod bulk;
mod connect;
mod filter;
mod fresh;
pub mod fulltext;
mod gathering;
mod marks;
mod migrate;
mod notice;
mod value;
mod writer;

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use sqlx::postgres::{PgPool, PgRow};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, Postgres, Sqlite, Transaction};
use tokio::sync::{Mutex, broadcast};

pub use bulk::Rows;
pub use connect::DbUrl;
pub use filter::{Where, like_contains};
pub use fresh::Fresh;
pub use notice::{EVERYTHING, Mark, Missed, Notice, Watch};
pub use value::Value;

use crate::error::{Error, Result};

/// Builds the list of bound values of a statement: `args![id, name, now]`.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::db::Value::from($value)),*] };
}

/// A row type that both engines can fill; `#[derive(sqlx::FromRow)]` gives it.
pub trait DbRow: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}
impl<T> DbRow for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// The text of a statement. A literal converts by itself; text put together at run time must say so
/// with [`Sql::built`], and may contain nothing that came from outside (bind that instead).
pub struct Sql(Cow<'static, str>);

impl Sql {
    pub fn built(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

/// Which engine is behind the handle; for the few statements that differ, all inside `src/db`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

enum Inner {
    Sqlite {
        read: SqlitePool,
        write: writer::Writer,
    },
    Postgres(PgPool),
    SqliteTx(Mutex<writer::Writing>),
    PostgresTx(Mutex<Transaction<'static, Postgres>>),
    /// Of SQLite.
    Gathering(gathering::Gathering),
}

/// A handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
    notices: notice::Notices,
}

/// A transaction. Dropped without [`Tx::commit`], it leaves no trace.
pub struct Tx {
    db: Db,
    /// Topics to announce once the commit stands.
    topics: std::sync::Mutex<Vec<String>>,
}

impl Deref for Tx {
    type Target = Db;
    fn deref(&self) -> &Db {
        &self.db
    }
}

/// Rows as the driver gave them.
enum Fetched {
    Sqlite(Vec<SqliteRow>),
    Postgres(Vec<PgRow>),
}

impl From<Vec<SqliteRow>> for Fetched {
    fn from(rows: Vec<SqliteRow>) -> Self {
        Self::Sqlite(rows)
    }
}

impl From<Vec<PgRow>> for Fetched {
    fn from(rows: Vec<PgRow>) -> Self {
        Self::Postgres(rows)
    }
}

impl Fetched {
    fn read<T: DbRow>(self) -> Result<Vec<T>> {
        let read = match self {
            Self::Sqlite(rows) => rows.iter().map(T::from_row).collect::<sqlx::Result<_>>(),
            Self::Postgres(rows) => rows.iter().map(T::from_row).collect(),
        };
        Ok(read?)
    }
}

impl Fetched {
    fn first(mut self) -> Self {
        match &mut self {
            Self::Sqlite(rows) => rows.truncate(1),
            Self::Postgres(rows) => rows.truncate(1),
        }
        self
    }
}

fn one<R>(row: Option<R>) -> Vec<R> {
    row.into_iter().collect()
}

/// Runs one sqlx call for whichever engine is behind `$self`; `$exec` names the executor inside. A `query` may begin a
/// transaction along the way; `counted` says that changed rows are counted, and begins it before.
macro_rules! on_engine {
    ($self:expr, $begin:ident, $sql:expr, $args:expr, |$query:ident, $exec:ident| $run:expr) => {{
        let sql = $sql.0;
        match &*$self.inner {
            Inner::Sqlite { read, .. } => {
                let sql = AssertSqlSafe(marks::nameless(sql, $args.len()));
                let $query = sqlx::query_with::<Sqlite, _>(sql, value::sqlite_arguments($args)?);
                let $exec = read;
                $run
            }
            Inner::Postgres(pool) => {
                let $query = sqlx::query_with::<Postgres, _>(AssertSqlSafe(sql), value::postgres_arguments($args)?);
                let $exec = pool;
                $run
            }
            Inner::SqliteTx(tx) => {
                let mut guard = tx.lock().await;
                begins!(guard, $begin);
                let (sql, $exec) = guard.query(marks::nameless(sql, $args.len()))?;
                let $query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(sql), value::sqlite_arguments($args)?);
                let outcome = $run;
                guard.begun();
                outcome
            }
            // Its callers ask there before they come here, and it is no transaction that could execute.
            Inner::Gathering(_) => return Err(Error::Internal("what is gathered is only read".into())),
            Inner::PostgresTx(tx) => {
                let $query = sqlx::query_with::<Postgres, _>(AssertSqlSafe(sql), value::postgres_arguments($args)?);
                let mut guard = tx.lock().await;
                let $exec = &mut **guard;
                $run
            }
        }
    }};
}

macro_rules! begins {
    ($guard:expr, query) => {};
    ($guard:expr, counted) => {
        $guard.begin().await?
    };
}

impl Db {
    pub fn engine(&self) -> Engine {
        match &*self.inner {
            Inner::Sqlite { .. } | Inner::SqliteTx(_) | Inner::Gathering(_) => Engine::Sqlite,
            Inner::Postgres(_) | Inner::PostgresTx(_) => Engine::Postgres,
        }
    }

    /// All rows of a query. The caller bounds their number with LIMIT.
    pub async fn fetch_all<T: DbRow>(&self, sql: impl Into<Sql>, args: Vec<Value>) -> Result<Vec<T>> {
        self.rows(sql.into(), args).await?.read()
    }

    /// The first row, if there is one.
    pub async fn fetch_optional<T: DbRow>(&self, sql: impl Into<Sql>, args: Vec<Value>) -> Result<Option<T>> {
        Ok(self.first_row(sql.into(), args).await?.read()?.pop())
    }

    /// Everything that waits is outside the generic part: compiled once, not once for each type of row.
    async fn rows(&self, sql: Sql, args: Vec<Value>) -> Result<Fetched> {
        if let Inner::Gathering(gathering) = &*self.inner {
            return gathering.rows(sql, args).await;
        }
        Ok(on_engine!(self, query, sql, args, |query, exec| query.fetch_all(exec).await?.into()))
    }

    async fn first_row(&self, sql: Sql, args: Vec<Value>) -> Result<Fetched> {
        if let Inner::Gathering(gathering) = &*self.inner {
            return gathering.rows(sql, args).await.map(Fetched::first);
        }
        Ok(on_engine!(self, query, sql, args, |query, exec| one(query.fetch_optional(exec).await?).into()))
    }

    /// The one row that must be there (a count, an aggregate).
    pub async fn fetch_one<T: DbRow>(&self, sql: impl Into<Sql>, args: Vec<Value>) -> Result<T> {
        self.fetch_optional(sql, args)
            .await?
            .ok_or_else(|| Error::Internal("a query that always has a row had none".into()))
    }

    /// The first column of the one row that must be there.
    pub async fn fetch_scalar<T>(&self, sql: impl Into<Sql>, args: Vec<Value>) -> Result<T>
    where
        (T,): DbRow,
    {
        Ok(self.fetch_one::<(T,)>(sql, args).await?.0)
    }

    /// A handle for futures that are joined: on SQLite what they ask at one time goes in one trip. Elsewhere, and
    /// inside of a transaction, it is as this one.
    #[must_use]
    pub fn gathering(&self) -> Self {
        let Inner::Sqlite { read, .. } = &*self.inner else { return self.clone() };
        let gathering = gathering::Gathering::new(self.clone(), read.clone());
        Self { inner: Arc::new(Inner::Gathering(gathering)), notices: self.notices.clone() }
    }

    /// Starts a transaction; on SQLite it takes the only writer, waiting for its turn. After a statement that failed,
    /// only dropping it is left.
    ///
    /// # Errors
    /// `Unavailable` when no connection can be had in time.
    pub async fn begin(&self) -> Result<Tx> {
        let inner = match &*self.inner {
            Inner::Sqlite { write, .. } => Inner::SqliteTx(Mutex::new(write.begin().await?)),
            Inner::Postgres(pool) => Inner::PostgresTx(Mutex::new(pool.begin().await?)),
            Inner::Gathering(gathering) => return Box::pin(gathering.db.begin()).await,
            Inner::SqliteTx(_) | Inner::PostgresTx(_) => {
                return Err(Error::Internal("a transaction was begun inside a transaction".into()));
            }
        };
        let db = Self { inner: Arc::new(inner), notices: self.notices.clone() };
        Ok(Tx { db, topics: std::sync::Mutex::default() })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.fetch_scalar::<i64>("SELECT CAST(1 AS BIGINT)", vec![]).await.map(drop)
    }

    /// Notices of all commits from now on, of this node and (on PostgreSQL) of every other.
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// The same, and what was announced after the mark. Without a mark nothing was missed.
    pub fn subscribe_since(&self, since: Option<Mark>) -> (broadcast::Receiver<Notice>, Missed) {
        self.notices.subscribe_since(since)
    }

    /// The place of the newest notice: what a page is as old as.
    pub fn mark(&self) -> Mark {
        self.notices.mark()
    }

    /// Counts what may have changed: every commit of this process, before its caller goes on, and what
    /// other nodes announce. While it stands still, what was read is what would be read.
    pub fn changes(&self) -> u64 {
        self.notices.changes()
    }

    /// Counts the notices of some topics, for who keeps something in memory that they make old. On the node
    /// that commits, the count has grown before the commit's caller goes on.
    pub fn watch(&self, topics: &'static [&'static str]) -> Watch {
        self.notices.watch(topics)
    }

    /// Waits for running statements and closes all connections.
    pub async fn close(&self) {
        match &*self.inner {
            Inner::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Inner::Postgres(pool) => pool.close().await,
            Inner::SqliteTx(_) | Inner::PostgresTx(_) | Inner::Gathering(_) => {}
        }
    }
}

impl Tx {
    /// Runs a statement and tells how many rows it changed.
    pub async fn execute(&self, sql: impl Into<Sql>, args: Vec<Value>) -> Result<u64> {
        let sql = sql.into();
        Ok(on_engine!(self.db, counted, sql, args, |query, exec| query.execute(exec).await?.rows_affected()))
    }

    /// Runs `INSERT … RETURNING id` and gives the id.
    pub async fn insert(&self, sql: impl Into<Sql>, args: Vec<Value>) -> Result<i64> {
        self.fetch_scalar(sql, args).await
    }

    /// Tells live pages, after the commit, that something changed: `incident:12`, `alerts`.
    /// At most 7,000 bytes (PostgreSQL's bound on a notice is 8,000).
    pub fn announce(&self, topic: impl Into<String>) {
        let topic = topic.into();
        let mut topics = self.topics.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if topic.len() <= 7_000 && !topics.contains(&topic) {
            topics.push(topic);
        }
    }

    /// Makes all of it durable, then sends the notices.
    pub async fn commit(self) -> Result<()> {
        self.end(None).await
    }

    /// The same after more statements, whose changed rows nobody counts: SQLite takes all in one trip.
    pub async fn commit_after(self, statements: Vec<(Sql, Vec<Value>)>) -> Result<()> {
        let joined = match self.db.engine() {
            Engine::Sqlite => marks::joined(statements.iter().map(|(sql, args)| (&*sql.0, args.len()))),
            Engine::Postgres => None,
        };
        if let Some(joined) = joined {
            let args = joined.values(statements.into_iter().map(|(_, args)| args));
            return self.end(Some((joined.sql, args))).await;
        }
        for (sql, args) in statements {
            self.execute(sql, args).await?;
        }
        self.end(None).await
    }

    /// `last` is for SQLite.
    async fn end(self, last: Option<(String, Vec<Value>)>) -> Result<()> {
        let topics = std::mem::take(&mut *self.topics.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        if self.db.engine() == Engine::Postgres {
            for topic in &topics {
                self.execute("SELECT pg_notify('faultline', $1)", args![topic]).await?;
            }
        }
        let Self { db, .. } = self;
        let inner = Arc::try_unwrap(db.inner)
            .map_err(|_| Error::Internal("a transaction was committed while still in use".into()))?;
        match inner {
            Inner::SqliteTx(tx) => {
                let writing = tx.into_inner();
                match last {
                    None => writing.commit().await?,
                    Some((sql, args)) => writing.commit_after(&sql, value::sqlite_arguments(args)?).await?,
                }
                db.notices.changed();
                for topic in topics {
                    db.notices.publish(topic);
                }
            }
            Inner::PostgresTx(tx) => {
                tx.into_inner().commit().await?;
                db.notices.changed();
                for topic in &topics {
                    db.notices.grown(topic);
                }
            }
            Inner::Sqlite { .. } | Inner::Postgres(_) | Inner::Gathering(_) => {}
        }
        Ok(())
    }
}
