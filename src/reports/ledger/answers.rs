//! Finished answers: in memory, and those that took long in the database.
//!
//! An answer belongs to a question and to a version of the data; any change makes another version, so an answer
//! is never old, only no longer asked for.

use std::any::Any;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Ledger;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::reports::model::select::Snapshot;
use crate::reports::store::answers as store;

/// Answers that are kept ready in memory.
const MOST: usize = 32;
/// What is computed more quickly than this is not worth a row.
pub(super) const LONG: Duration = Duration::from_millis(100);

/// Finished answers of one version of the data by key, the latest used last.
#[derive(Default)]
pub(super) struct Answers {
    version: u64,
    kept: Vec<(u64, Arc<dyn Any + Send + Sync>)>,
}

/// What answers are made from, and of which version of it.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub db: &'a Db,
    pub now: Timestamp,
    pub version: u64,
}

/// Another program may compute otherwise: its answers are not this one's.
static PROGRAM: LazyLock<u64> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    if let Ok(file) = std::env::current_exe().and_then(std::fs::metadata) {
        (file.len(), file.modified().ok()).hash(&mut hasher);
    }
    hasher.finish()
});

fn key_of<T: 'static>(question: &impl Hash, version: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (*PROGRAM, std::any::type_name::<T>(), question, version).hash(&mut hasher);
    hasher.finish()
}

impl Ledger {
    /// The finished answer to a question: computed once, off the threads that answer requests, and kept for who
    /// asks the same.
    ///
    /// # Errors
    /// When the computation stopped, and what the database says.
    pub async fn answer<T: Send + Sync + 'static>(
        &self,
        source: Source<'_>,
        question: impl Hash,
        compute: impl FnOnce(&Snapshot) -> T + Send + 'static,
    ) -> Result<Arc<T>> {
        let key = key_of::<T>(&question, source.version);
        if let Some(found) = self.kept(key) {
            return Ok(found);
        }
        let _turn = self.0.computing.lock().await;
        // Somebody may have asked the same while this one waited.
        if let Some(found) = self.kept(key) {
            return Ok(found);
        }
        Ok(self.compute(source, &question, compute).await?.1)
    }

    /// As [`Ledger::answer`], for answers that a process which has just started should have at once.
    ///
    /// # Errors
    /// As there.
    pub async fn lasting<T: Serialize + DeserializeOwned + Send + Sync + 'static>(
        &self,
        source: Source<'_>,
        question: impl Hash,
        compute: impl FnOnce(&Snapshot) -> T + Send + 'static,
    ) -> Result<Arc<T>> {
        let key = key_of::<T>(&question, source.version);
        if let Some(found) = self.kept(key) {
            return Ok(found);
        }
        if let Some(found) = store::find::<T>(source.db, key).await? {
            let found = Arc::new(found);
            self.keep(key, source.version, found.clone());
            return Ok(found);
        }
        let _turn = self.0.computing.lock().await;
        if let Some(found) = self.kept(key) {
            return Ok(found);
        }
        let began = Instant::now();
        let (key, answer) = self.compute(source, &question, compute).await?;
        if began.elapsed() >= self.0.worth_keeping {
            // Who asked has the answer; that it could not be kept costs only time.
            if let Err(error) = store::put(source.db, key, &*answer, source.now).await {
                tracing::warn!(%error, "a report's answer could not be kept");
            }
        }
        Ok(answer)
    }

    /// What a query told of incidents, kept for as long as none of them changes.
    ///
    /// # Errors
    /// What the query says.
    pub async fn told<T: Send + Sync + 'static>(
        &self,
        source: Source<'_>,
        question: impl Hash,
        query: impl Future<Output = Result<T>>,
    ) -> Result<Arc<T>> {
        let key = key_of::<T>(&question, source.version);
        if let Some(found) = self.kept(key) {
            return Ok(found);
        }
        let told = Arc::new(query.await?);
        // What changed meanwhile may be in it already: then it belongs to another version, and is not kept.
        if self.version(source.db, source.now).await? == source.version {
            self.keep(key, source.version, told.clone());
        }
        Ok(told)
    }

    /// The answer over the data as it is by now, which may be newer than the source, with its own key.
    async fn compute<T: Send + Sync + 'static>(
        &self,
        source: Source<'_>,
        question: &impl Hash,
        compute: impl FnOnce(&Snapshot) -> T + Send + 'static,
    ) -> Result<(u64, Arc<T>)> {
        let snapshot = self.snapshot(source.db, source.now).await?;
        let key = key_of::<T>(question, snapshot.version);
        let version = snapshot.version;
        let answer = Arc::new(self.0.worker.run(move || compute(&snapshot)).await?);
        self.keep(key, version, answer.clone());
        Ok((key, answer))
    }

    fn keep(&self, key: u64, version: u64, answer: Arc<dyn Any + Send + Sync>) {
        let mut answers = self.answers();
        // Nobody asks for those of another version again.
        if answers.version != version {
            answers.kept.clear();
            answers.version = version;
        }
        answers.kept.retain(|(known, _)| *known != key);
        answers.kept.push((key, answer));
        if answers.kept.len() > MOST {
            answers.kept.remove(0);
        }
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept<T: Send + Sync + 'static>(&self, key: u64) -> Option<Arc<T>> {
        let mut answers = self.answers();
        let place = answers.kept.iter().position(|(known, _)| *known == key)?;
        let found = answers.kept.remove(place);
        let answer = Arc::clone(&found.1).downcast().ok();
        answers.kept.push(found);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_earlier_data_are_forgotten() {
        let ledger = Ledger::new();
        ledger.keep(1, 7, Arc::new(10_u32));
        ledger.keep(2, 7, Arc::new(20_u32));
        assert_eq!((ledger.kept(1), ledger.kept(2)), (Some(Arc::new(10_u32)), Some(Arc::new(20_u32))));
        ledger.keep(3, 8, Arc::new(30_u32));
        assert_eq!((ledger.kept::<u32>(1), ledger.kept::<u32>(2)), (None, None));
        assert_eq!(ledger.kept(3), Some(Arc::new(30_u32)));
    }
}
