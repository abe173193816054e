//! A handle that gathers what is asked at one time into one trip.
//!
//! SQLite answers in a thread of its own: each trip there and back costs two changes of thread, which for a
//! short query is more than the query. A page asks dozens of short questions, most of which do not need each
//! other's answers. Asked by futures that are joined (`try_join!`, `join_all`), they meet here: the first to ask
//! lets the others be polled once, then all go along together. The next round gathers again, so a page takes as
//! many trips as its longest chain has.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, Either, Executor, Sqlite, SqlitePool};
use tokio::sync::oneshot;

use super::{Db, Fetched, Sql, Value, marks, value};
use crate::error::{Error, Result};

/// A question that waits for the next trip.
struct Asked {
    sql: Sql,
    args: Vec<Value>,
    answer: oneshot::Sender<Result<Fetched>>,
}

/// What waits, and where it will be asked.
pub(super) struct Gathering {
    /// The handle that this one was made of.
    pub(super) db: Db,
    pool: SqlitePool,
    waiting: Mutex<Vec<Asked>>,
}

impl Gathering {
    pub(super) fn new(db: Db, pool: SqlitePool) -> Self {
        Self { db, pool, waiting: Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a question, and tells whether it is the first of its trip.
    fn push(&self, asked: Asked) -> bool {
        let mut waiting = self.waiting();
        waiting.push(asked);
        waiting.len() == 1
    }

    pub(super) async fn rows(&self, sql: Sql, args: Vec<Value>) -> Result<Fetched> {
        let (answer, mine) = oneshot::channel();
        if self.push(Asked { sql, args, answer }) {
            let turn = Turn(self);
            tokio::task::yield_now().await;
            let asked = std::mem::take(&mut *self.waiting());
            drop(turn);
            self.trip(asked).await;
        }
        mine.await.unwrap_or_else(|_| Err(Error::Unavailable("what was asked together was given up".to_owned())))
    }

    async fn trip(&self, asked: Vec<Asked>) {
        let joined = marks::joined(asked.iter().map(|a| (&*a.sql.0, a.args.len()))).filter(|_| asked.len() > 1);
        if let Some(joined) = joined {
            let args = joined.values(asked.iter().map(|a| a.args.clone()));
            if let Ok(answers) = in_one_trip(&self.pool, joined.sql, args).await
                && answers.len() == asked.len()
            {
                for (asked, rows) in asked.into_iter().zip(answers) {
                    // Who asked may have gone.
                    let _ = asked.answer.send(Ok(rows));
                }
                return;
            }
        }
        // One that fails must not take the others with it.
        for Asked { sql, args, answer } in asked {
            let _ = answer.send(Box::pin(self.db.rows(sql, args)).await);
        }
    }
}

/// Of who asked first: when it is dropped before the trip, nobody else would begin it.
struct Turn<'a>(&'a Gathering);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.waiting().clear();
    }
}

/// The rows of each statement of a text.
async fn in_one_trip(pool: &SqlitePool, sql: String, args: Vec<Value>) -> Result<Vec<Fetched>> {
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

#[cfg(test)]
mod tests {
    use super::super::DbUrl;
    use super::*;
    use crate::args;

    async fn number(db: &Db, n: i64) -> Result<i64> {
        db.fetch_scalar("SELECT CAST($1 AS BIGINT)", args![n]).await
    }

    async fn gathering(folder: &tempfile::TempDir) -> Db {
        Db::connect_scratch(&DbUrl::sqlite_file(&folder.path().join("g.db"))).await.unwrap().gathering()
    }

    fn waiting(db: &Db) -> usize {
        let super::super::Inner::Gathering(gathering) = &*db.inner else { panic!("not gathering") };
        gathering.waiting().len()
    }

    #[tokio::test]
    async fn what_is_asked_at_one_time_waits_for_one_trip() {
        let folder = tempfile::tempdir().unwrap();
        let db = gathering(&folder).await;
        let (mut one, mut two) = (Box::pin(number(&db, 1)), Box::pin(number(&db, 2)));
        assert!(futures::poll!(&mut one).is_pending() && futures::poll!(&mut two).is_pending());
        assert_eq!(waiting(&db), 2);
        assert!(futures::poll!(&mut one).is_pending());
        assert_eq!(waiting(&db), 0, "both are on their way");
        assert_eq!((one.await.unwrap(), two.await.unwrap()), (1, 2));
    }

    #[tokio::test]
    async fn who_leaves_before_the_trip_leaves_nobody_waiting_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let db = gathering(&folder).await;
        let (mut one, mut two) = (Box::pin(number(&db, 1)), Box::pin(number(&db, 2)));
        assert!(futures::poll!(&mut one).is_pending() && futures::poll!(&mut two).is_pending());
        drop(one);
        assert!(matches!(two.await, Err(Error::Unavailable(_))));
        assert_eq!(number(&db, 3).await.unwrap(), 3, "the next one begins a trip");
    }
}
