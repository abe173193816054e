//! Folding: what changed goes into its block, and is no longer read by itself.

use std::collections::BTreeMap;

use super::load::{self, Ids};
use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx, Where};
use crate::error::Result;
use crate::reports::model::codec;
use crate::reports::model::facts::{BLOCK, Block};

/// Marks taken at once; a block's worth of incidents has at most a few each.
const MARKS: i64 = 20_000;
/// With more changes than this in one block, the whole block is read.
const MOST_SINGLE: usize = 200;

/// Folds one batch of changes, block by block. Tells how many marks were worked off; 0 when nothing waits.
///
/// # Errors
/// What the database says; the marks then still stand.
pub async fn fold(db: &Db, now: Timestamp) -> Result<usize> {
    let waiting: Option<(i64,)> = db.fetch_optional("SELECT id FROM report_stale LIMIT 1", vec![]).await?;
    if waiting.is_none() {
        return Ok(0);
    }
    let tx = db.begin().await?;
    load::take_turn(&tx, now).await?;
    // Marks are read before the incidents: what changes in between is marked again and folded again.
    let marks: Vec<(i64, i64)> = tx
        .fetch_all("SELECT id, incident_id FROM report_stale ORDER BY incident_id, mark LIMIT $1", args![MARKS])
        .await?;
    let mut blocks: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (_, incident) in &marks {
        let changed = blocks.entry(incident.div_euclid(BLOCK)).or_default();
        if changed.last() != Some(incident) {
            changed.push(*incident);
        }
    }
    for (id, changed) in blocks {
        fold_block(&tx, id, &changed).await?;
    }
    for some in marks.chunks(1_000) {
        let mut w = Where::new();
        w.and_any("id", some.iter().map(|m| m.0));
        let (sql, args) = w.statement("DELETE FROM report_stale", "");
        tx.execute(sql, args).await?;
    }
    tx.commit().await?;
    Ok(marks.len())
}

async fn fold_block(tx: &Tx, id: i64, changed: &[i64]) -> Result<()> {
    let kept: Option<(i64, Vec<u8>)> =
        tx.fetch_optional("SELECT version, facts FROM report_blocks WHERE id = $1", args![id]).await?;
    let version = kept.as_ref().map_or(0, |(version, _)| *version);
    let known = kept.and_then(|(_, bytes)| codec::decode(&bytes));
    let block = match known {
        Some(block) if changed.len() <= MOST_SINGLE => {
            block.replaced(changed, load::load(tx, &Ids::List(changed.to_vec())).await?)
        }
        // A block that is new, much changed, or of another form is made anew.
        _ => whole(tx, id).await?,
    };
    tx.execute(
        "INSERT INTO report_blocks (id, version, facts) VALUES ($1, $2, $3) \
         ON CONFLICT (id) DO UPDATE SET version = excluded.version, facts = excluded.facts",
        args![id, version + 1, codec::encode(&block)],
    )
    .await
    .map(drop)
}

/// A block straight from the incidents.
pub async fn whole(db: &Db, id: i64) -> Result<Block> {
    Ok(Block::new(load::load(db, &Ids::Range(id * BLOCK, id * BLOCK + BLOCK - 1)).await?))
}
