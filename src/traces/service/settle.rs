//! Counting traces once they are complete: calls by minute, of services and of edges between them, and
//! the dependencies that the catalogue shows as seen.
//!
//! A trace is taken as complete when nothing of it came for a few seconds. Spans that come later are
//! counted then, each once: what was counted is marked on its part.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::Result;
use crate::services;
use crate::traces::batch::{self, read_keys};
use crate::traces::calls::{Call, bucket_of, calls_of};
use crate::traces::explain::tree::TraceTree;
use crate::traces::model::SpanKey;
use crate::traces::store::rollup::{self, EdgeCounts, ServiceCounts, SettlePart};
use crate::traces::store::sightings::{self, Sighting};
use crate::traces::store::write::Names;

use super::ingest::{SpanStore, minute_of};

/// Traces counted in one transaction.
const BATCH: i64 = 200;
/// Parts read of one trace: up to 100,000 spans. The calls of what lies beyond are not counted.
const MAX_PARTS: i64 = 50;

/// Counts what is due, one batch; tells how many traces that were.
pub async fn settle_due(store: &SpanStore) -> Result<usize> {
    let db = store.db();
    let due = rollup::due(db, store.clock().now(), BATCH).await?;
    let mut claimed = Vec::new();
    let mut calls = Vec::new();
    for (row, _) in &due {
        let parts = rollup::parts(db, *row, MAX_PARTS).await?;
        claimed.extend(parts.iter().filter(|p| !p.settled).map(|p| p.id));
        calls.extend(store.decode(move || new_calls(&parts)).await?);
    }
    if due.is_empty() {
        return Ok(0);
    }
    let tx = db.begin().await?;
    // Another node may have been faster; then nothing of this batch is counted here.
    if rollup::claim_parts(&tx, &claimed).await? {
        count_calls(&tx, &calls, store.clock().now()).await?;
        rollup::mark_settled(&tx, &due).await?;
        tx.commit().await?;
    }
    Ok(due.len())
}

/// Settles everything that is due now; for tests and for the demo, which do not wait.
pub async fn settle_all(store: &SpanStore) -> Result<usize> {
    let mut total = 0;
    loop {
        match settle_due(store).await? {
            0 => return Ok(total),
            n => total += n,
        }
    }
}

/// Calls of a whole trace whose callee's span is in a part not counted yet.
fn new_calls(parts: &[SettlePart]) -> Result<Vec<Call>> {
    let new: HashSet<SpanKey> = parts.iter().filter(|p| !p.settled).flat_map(|p| read_keys(&p.span_keys)).collect();
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let mut spans = Vec::new();
    for part in parts {
        spans.extend(batch::open(&part.body)?);
    }
    let mut calls = calls_of(&TraceTree::build(&spans));
    calls.retain(|c| new.contains(&c.key));
    Ok(calls)
}

async fn count_calls(tx: &Tx, calls: &[Call], now: Timestamp) -> Result<()> {
    let mut names = Names::default();
    let wanted: HashSet<&str> =
        calls.iter().flat_map(|c| std::iter::once(c.callee.as_str()).chain(c.caller.as_deref())).collect();
    rollup::service_ids(tx, &wanted, &mut names).await?;

    let mut services: ServiceCounts = ServiceCounts::new();
    let mut edges: EdgeCounts = EdgeCounts::new();
    let mut seen: HashMap<(&str, &str), Timestamp> = HashMap::new();
    for call in calls {
        let Some(callee) = names.services.get(&call.callee).copied() else { continue };
        let at = if call.at_us > 0 { Timestamp::from_micros(call.at_us) } else { now };
        let (minute, bucket) = (minute_of(at), bucket_of(call.duration_us));
        let version: String = call.version.chars().take(100).collect();
        let count = services.entry((callee, minute, version, bucket)).or_default();
        *count = (count.0 + 1, count.1 + i64::from(call.failed));
        let Some((caller_name, caller)) = call.caller.as_deref().and_then(|c| Some((c, *names.services.get(c)?)))
        else {
            continue;
        };
        let count = edges.entry((caller, callee, minute, bucket)).or_default();
        *count = (count.0 + 1, count.1 + i64::from(call.failed));
        let last = seen.entry((caller_name, &call.callee)).or_insert(at);
        *last = (*last).max(at);
    }
    sightings::add(tx, sightings_of(calls, now)).await?;
    rollup::add_service_counts(tx, services).await?;
    rollup::add_edge_counts(tx, edges).await?;
    let mut seen: Vec<_> = seen.into_iter().collect();
    seen.sort_unstable();
    for ((caller, callee), at) in seen {
        services::see_dependency(tx, caller, callee, at, now).await?;
    }
    Ok(())
}

/// Which versions answered calls, by service, environment and minute.
fn sightings_of(calls: &[Call], now: Timestamp) -> Vec<Sighting> {
    let mut found: BTreeMap<(&str, String, String, Timestamp), Sighting> = BTreeMap::new();
    for call in calls.iter().filter(|c| !c.version.is_empty() && c.at_us > 0) {
        let at = Timestamp::from_micros(call.at_us).min(now);
        let short = |text: &str| text.chars().take(100).collect::<String>();
        let key = (call.callee.as_str(), short(&call.environment), short(&call.version), minute_of(at));
        let seen = found.entry(key.clone()).or_insert_with(|| Sighting {
            service: call.callee.clone(),
            environment: key.1,
            version: key.2,
            first_at: at,
            last_at: at,
            calls: 0,
        });
        seen.first_at = seen.first_at.min(at);
        seen.last_at = seen.last_at.max(at);
        seen.calls += 1;
    }
    found.into_values().collect()
}
