//! The ledger: all incidents' facts, in memory, as new as the last commit.
//!
//! Three layers, each made from the one below and checked against it by tests: the incidents' tables; blocks
//! of facts in the database, folded from them by a job; and the blocks in this process. Triggers mark every
//! incident that changes, so a report reads the blocks and, by themselves, the few incidents whose marks
//! still stand. Nothing here decides what counts; that is `model`.

mod fold;
mod load;

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use tokio::sync::{Mutex, RwLock};

pub use fold::fold;
pub use load::named;

use self::load::Ids;
use super::model::codec;
use super::model::facts::{BLOCK, Block};
use super::model::select::Snapshot;
use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Where};
use crate::error::{Error, Result};

/// With more marked incidents than this, they are folded before a report is answered.
const MOST_UNFOLDED: i64 = 1_000;
/// Answers that are kept ready.
const MOST_ANSWERS: usize = 32;

/// Cheap to clone; all clones share the blocks.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Inner>);

#[derive(Default)]
struct Inner {
    blocks: RwLock<BTreeMap<i64, (i64, Arc<Block>)>>,
    /// One reader of blocks at a time: after a start they would all read the same.
    loading: Mutex<()>,
    /// One large computation at a time bounds the memory that answers take together.
    computing: Mutex<()>,
    answers: std::sync::Mutex<Answers>,
}

/// Finished answers by question and version of the data, the latest used last.
#[derive(Default)]
struct Answers {
    kept: Vec<(u64, Arc<dyn std::any::Any + Send + Sync>)>,
}

impl Ledger {
    pub fn new() -> Self {
        Self::default()
    }

    /// All incidents as of now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn snapshot(&self, db: &Db, now: Timestamp) -> Result<Snapshot> {
        let marked = loop {
            // Marks first, blocks after: what is folded in between is then read twice, never missed.
            let marked: Vec<(i64, i64)> = db
                .fetch_all(
                    "SELECT incident_id, MAX(id) FROM report_stale GROUP BY incident_id ORDER BY incident_id LIMIT $1",
                    args![MOST_UNFOLDED + 1],
                )
                .await?;
            if marked.len() as i64 <= MOST_UNFOLDED {
                break marked;
            }
            fold(db, now).await?;
        };
        let services = load::services(db).await?;
        let mut hasher = DefaultHasher::new();
        let mut sorted: Vec<_> = services.iter().collect();
        sorted.sort_unstable_by_key(|(id, _)| **id);
        for (id, service) in sorted {
            (id, &service.slug, &service.team, service.tier).hash(&mut hasher);
        }
        marked.hash(&mut hasher);
        let mut blocks = self.blocks(db, &mut hasher).await?;
        apply(db, &mut blocks, &marked.iter().map(|m| m.0).collect::<Vec<_>>()).await?;
        Ok(Snapshot { blocks: blocks.into_values().collect(), services: Arc::new(services), version: hasher.finish() })
    }

    /// The folded blocks; those that changed since the last time are read again.
    async fn blocks(&self, db: &Db, hasher: &mut DefaultHasher) -> Result<BTreeMap<i64, Arc<Block>>> {
        let versions: BTreeMap<i64, i64> = db
            .fetch_all::<(i64, i64)>("SELECT id, version FROM report_blocks ORDER BY id", vec![])
            .await?
            .into_iter()
            .collect();
        versions.hash(hasher);
        let missing = |known: &BTreeMap<i64, (i64, Arc<Block>)>| -> Vec<i64> {
            versions
                .iter()
                .filter(|(id, version)| known.get(id).is_none_or(|(have, _)| have != *version))
                .map(|(id, _)| *id)
                .collect()
        };
        if !missing(&*self.0.blocks.read().await).is_empty() {
            let _turn = self.0.loading.lock().await;
            let wanted = missing(&*self.0.blocks.read().await);
            let fresh = read(db, &wanted).await?;
            let mut known = self.0.blocks.write().await;
            known.extend(fresh);
            known.retain(|id, _| versions.contains_key(id));
        }
        let known = self.0.blocks.read().await;
        Ok(known.iter().map(|(id, (_, block))| (*id, Arc::clone(block))).collect())
    }

    /// The finished answer to a question over this version of the data: computed once, off the threads that
    /// answer requests, and kept for who asks the same.
    ///
    /// # Errors
    /// When the computation stopped.
    pub async fn answer<T: Send + Sync + 'static>(
        &self,
        question: impl Hash,
        compute: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Arc<T>> {
        let mut hasher = DefaultHasher::new();
        (std::any::type_name::<T>(), question).hash(&mut hasher);
        let key = hasher.finish();
        if let Some(found) = self.kept(key) {
            return Ok(found);
        }
        let _turn = self.0.computing.lock().await;
        // Somebody may have asked the same while this one waited.
        if let Some(found) = self.kept(key) {
            return Ok(found);
        }
        let answer = tokio::task::spawn_blocking(compute)
            .await
            .map_err(|e| Error::Internal(format!("computing a report: {e}")))?;
        let answer = Arc::new(answer);
        let mut answers = self.answers();
        answers.kept.push((key, answer.clone()));
        if answers.kept.len() > MOST_ANSWERS {
            answers.kept.remove(0);
        }
        Ok(answer)
    }

    fn answers(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.0.answers.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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

/// Blocks by id with their versions; one that cannot be read is made from the incidents.
async fn read(db: &Db, ids: &[i64]) -> Result<Vec<(i64, (i64, Arc<Block>))>> {
    let mut found = Vec::with_capacity(ids.len());
    // Some megabytes at a time.
    for some in ids.chunks(32) {
        let mut w = Where::new();
        w.and_any("id", some.iter().copied());
        let (sql, args) = w.statement("SELECT id, version, facts FROM report_blocks", "");
        let rows = db.fetch_all::<(i64, i64, Vec<u8>)>(sql, args).await?;
        let decoded = tokio::task::spawn_blocking(move || {
            rows.into_iter().map(|(id, version, bytes)| (id, version, codec::decode(&bytes))).collect::<Vec<_>>()
        })
        .await
        .map_err(|e| Error::Internal(format!("reading blocks of facts: {e}")))?;
        for (id, version, block) in decoded {
            let block = match block {
                Some(block) => block,
                None => fold::whole(db, id).await?,
            };
            found.push((id, (version, Arc::new(block))));
        }
    }
    Ok(found)
}

/// Puts the marked incidents, as they are now, in place of what their blocks say.
async fn apply(db: &Db, blocks: &mut BTreeMap<i64, Arc<Block>>, marked: &[i64]) -> Result<()> {
    let mut fresh = HashMap::<i64, Vec<_>>::new();
    for some in marked.chunks(500) {
        for loose in load::load(db, &Ids::List(some.to_vec())).await? {
            fresh.entry(loose.fact.number.div_euclid(BLOCK)).or_default().push(loose);
        }
    }
    let mut changed: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for number in marked {
        changed.entry(number.div_euclid(BLOCK)).or_default().push(*number);
    }
    for (id, numbers) in changed {
        let fresh = fresh.remove(&id).unwrap_or_default();
        let block = blocks.entry(id).or_default();
        *block = Arc::new(block.replaced(&numbers, fresh));
    }
    Ok(())
}

/// All incidents straight from their tables, without blocks and marks: what [`Ledger::snapshot`] must equal.
/// For tests and for checking an installation; reads everything.
///
/// # Errors
/// What the database says.
pub async fn full(db: &Db) -> Result<Snapshot> {
    let last: i64 = db.fetch_scalar("SELECT COALESCE(MAX(id), -1) FROM incidents", vec![]).await?;
    let mut blocks = Vec::new();
    for id in 0..=last.div_euclid(BLOCK) {
        blocks.push(Arc::new(fold::whole(db, id).await?));
    }
    Ok(Snapshot { blocks, services: Arc::new(load::services(db).await?), version: 0 })
}
