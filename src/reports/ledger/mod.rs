//! The ledger: all incidents' facts, in memory, as new as the last commit.
//!
//! Four layers, each made from the one below and checked against it by tests: the incidents' tables; blocks
//! of facts in the database, folded from them by a job; the blocks in this process; and finished answers, of which those that
//! took long are kept in the database too, so that a process that starts need not compute them again. Triggers mark every
//! incident that changes, so a report reads the blocks and, by themselves, the few incidents whose marks
//! still stand. Nothing here decides what counts; that is `model`.

mod answers;
mod fold;
mod load;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, RwLock};

pub use answers::Source;
pub use fold::fold;
pub use load::named;

use self::answers::Answers;
use self::load::Ids;
use self::worker::Worker;
use super::model::codec;
use super::model::facts::{BLOCK, Block};
use super::model::select::{Service, Snapshot};
use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Where};
use crate::error::Result;

/// With more marked incidents than this, they are folded before a report is answered.
const MOST_UNFOLDED: i64 = 1_000;
/// Cheap to clone; all clones share the blocks.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

impl Default for Ledger {
    fn default() -> Self {
        Self::keeping_answers_of(answers::LONG)
    }
}

struct Inner {
    /// An answer that took longer is kept in the database.
    worth_keeping: Duration,
    blocks: RwLock<BTreeMap<i64, (i64, Arc<Block>)>>,
    /// One reader of blocks at a time: after a start they would all read the same.
    loading: Mutex<()>,
    /// One large computation at a time bounds the memory that answers take together.
    computing: Mutex<()>,
    answers: std::sync::Mutex<Answers>,
    worker: Worker,
}

impl Ledger {
    pub fn new() -> Self {
        Self::default()
    }

    /// A ledger that keeps answers in the database which took at least so long.
    pub fn keeping_answers_of(worth_keeping: Duration) -> Self {
        let (blocks, answers) = (RwLock::default(), std::sync::Mutex::default());
        let (loading, computing) = (Mutex::default(), Mutex::default());
        let worker = Worker::default();
        Self(Arc::new(Inner { worth_keeping, blocks, loading, computing, answers, worker }))
    }

    /// What the incidents are counted from: differs whenever any of them, or a service of theirs, changed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn version(&self, db: &Db, now: Timestamp) -> Result<u64> {
        Ok(State::read(db, now).await?.version())
    }

    /// All incidents as of now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn snapshot(&self, db: &Db, now: Timestamp) -> Result<Snapshot> {
        let state = State::read(db, now).await?;
        let version = state.version();
        let mut blocks = self.blocks(db, &state.versions).await?;
        apply(db, &mut blocks, &state.marked.iter().map(|m| m.0).collect::<Vec<_>>()).await?;
        Ok(Snapshot { blocks: blocks.into_values().collect(), services: Arc::new(state.services), version })
    }

    /// The folded blocks; those that changed since the last time are read again.
    async fn blocks(&self, db: &Db, versions: &BTreeMap<i64, i64>) -> Result<BTreeMap<i64, Arc<Block>>> {
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
            let fresh = read(db, &wanted, &self.0.worker).await?;
            let mut known = self.0.blocks.write().await;
            known.extend(fresh);
            known.retain(|id, _| versions.contains_key(id));
        }
        let known = self.0.blocks.read().await;
        Ok(known.iter().map(|(id, (_, block))| (*id, Arc::clone(block))).collect())
    }
}

/// What is known of the data without reading it.
struct State {
    /// Incidents whose marks stand, with their newest mark.
    marked: Vec<(i64, i64)>,
    services: HashMap<i64, Service>,
    /// Of the blocks.
    versions: BTreeMap<i64, i64>,
}

impl State {
    async fn read(db: &Db, now: Timestamp) -> Result<Self> {
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
        let versions = db.fetch_all::<(i64, i64)>("SELECT id, version FROM report_blocks ORDER BY id", vec![]).await?;
        Ok(Self { marked, services, versions: versions.into_iter().collect() })
    }

    fn version(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut sorted: Vec<_> = self.services.iter().collect();
        sorted.sort_unstable_by_key(|(id, _)| **id);
        for (id, service) in sorted {
            (id, &service.slug, &service.team, service.tier).hash(&mut hasher);
        }
        self.marked.hash(&mut hasher);
        self.versions.hash(&mut hasher);
        hasher.finish()
    }
}

/// Blocks by id with their versions; one that cannot be read is made from the incidents.
async fn read(db: &Db, ids: &[i64], worker: &Worker) -> Result<Vec<(i64, (i64, Arc<Block>))>> {
    let mut found = Vec::with_capacity(ids.len());
    // Some megabytes at a time.
    for some in ids.chunks(32) {
        let mut w = Where::new();
        w.and_any("id", some.iter().copied());
        let (sql, args) = w.statement("SELECT id, version, facts FROM report_blocks", "");
        let rows = db.fetch_all::<(i64, i64, Vec<u8>)>(sql, args).await?;
        let decoded = worker
            .run(move || {
                rows.into_iter().map(|(id, version, bytes)| (id, version, codec::decode(&bytes))).collect::<Vec<_>>()
            })
            .await?;
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
