//! Several queries in one trip to the database.
//!
//! SQLite answers in a thread of its own: each trip there and back costs two changes of thread, which for a
//! short query is more than the query. Queries that do not need each other's answers go along together.

use std::marker::PhantomData;

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, Either, Executor, Sqlite, SqlitePool};

use super::{Db, DbRow, Fetched, Inner, Sql, Value, marks, value};
use crate::error::{Error, Result};

/// A query that is asked together with others; `T` is what its rows are read as.
pub struct Query<T> {
    sql: Sql,
    args: Vec<Value>,
    rows: PhantomData<fn() -> T>,
}

impl<T: DbRow> Query<T> {
    pub fn new(sql: impl Into<Sql>, args: Vec<Value>) -> Self {
        Self { sql: sql.into(), args, rows: PhantomData }
    }

    /// What [`Where::statement`](super::Where::statement) put together.
    pub fn of((sql, args): (Sql, Vec<Value>)) -> Self {
        Self::new(sql, args)
    }

    fn parts(self) -> (Sql, Vec<Value>) {
        (self.sql, self.args)
    }
}

impl Db {
    /// The rows of one query.
    pub async fn fetch<T: DbRow>(&self, query: Query<T>) -> Result<Vec<T>> {
        self.fetch_all(query.sql, query.args).await
    }

    /// The rows of two queries, in one trip on SQLite. As of one moment they are only inside of a transaction.
    pub async fn fetch_two<A: DbRow, B: DbRow>(&self, a: Query<A>, b: Query<B>) -> Result<(Vec<A>, Vec<B>)> {
        let [a, b] = self.together([a.parts(), b.parts()]).await?;
        Ok((a.read()?, b.read()?))
    }

    /// The rows of three queries, as [`Db::fetch_two`].
    pub async fn fetch_three<A: DbRow, B: DbRow, C: DbRow>(
        &self,
        a: Query<A>,
        b: Query<B>,
        c: Query<C>,
    ) -> Result<(Vec<A>, Vec<B>, Vec<C>)> {
        let [a, b, c] = self.together([a.parts(), b.parts(), c.parts()]).await?;
        Ok((a.read()?, b.read()?, c.read()?))
    }

    async fn together<const N: usize>(&self, queries: [(Sql, Vec<Value>); N]) -> Result<[Fetched; N]> {
        let joined = match &*self.inner {
            Inner::Sqlite { read, .. } => {
                marks::joined(queries.iter().map(|(sql, args)| (&*sql.0, args.len()))).map(|joined| (read, joined))
            }
            _ => None,
        };
        let answers = match (joined, &*self.inner) {
            (Some((pool, joined)), _) => {
                let args = joined.values(queries.into_iter().map(|(_, args)| args));
                in_one_trip(pool, joined.sql, args).await?
            }
            (None, Inner::Gathering(gathering)) => gathering.all(queries).await?,
            (None, _) => {
                let mut answers = Vec::with_capacity(N);
                for (sql, args) in queries {
                    answers.push(self.rows(sql, args).await?);
                }
                answers
            }
        };
        answers.try_into().map_err(|_| Error::Internal("queries asked together had too few or many answers".to_owned()))
    }
}

/// The rows of each statement of a text.
pub(super) async fn in_one_trip(pool: &SqlitePool, sql: String, args: Vec<Value>) -> Result<Vec<Fetched>> {
    let query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(sql), value::sqlite_arguments(args)?);
    let mut answers = Vec::new();
    let mut rows = Vec::new();
    let mut stream = pool.fetch_many(query);
    while let Some(step) = stream.try_next().await? {
        match step {
            Either::Right(row) => rows.push(row),
            Either::Left(_) => answers.push(std::mem::take(&mut rows).into()),
        }
    }
    Ok(answers)
}
