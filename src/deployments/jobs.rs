//! What happens to changes by themselves: versions seen in spans become deployments, and how services do
//! after each change is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinHandle;

use chrono::TimeDelta;

use super::health::{self, Side, compare};
use super::model::{ChangeEvent, ChangeKind, ChangeSource, ChangeStatus, Deployment};
use super::observe::{Known, WentLive};
use super::service;
use super::store::health as counted;
use super::store::observed;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::services::slug_of;
use crate::state::AppState;
use crate::traces::calls::Tally;
use crate::traces::service::view::{self, Sighting};

/// Sightings read in one transaction.
const SIGHTINGS: i64 = 1_000;
/// Changes counted in one round.
const COUNTED: i64 = 50;
/// A change is counted again this often while the time after it passes.
const AGAIN: TimeDelta = TimeDelta::minutes(1);
/// Traces are complete and in the rollups this long after they ended.
const SETTLED: TimeDelta = TimeDelta::minutes(2);

/// One round; tells how many changes were seen or counted.
///
/// # Errors
/// `Unavailable` when the database is away; the next round mends it.
pub async fn run_once(state: &AppState) -> Result<usize> {
    Ok(observe(state).await? + count_due(&state.db, state.now()).await?)
}

/// Rounds until the process ends.
pub fn spawn(state: AppState) -> JoinHandle<()> {
    const PAUSE: Duration = Duration::from_secs(3);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(PAUSE).await;
            if let Err(error) = run_once(&state).await {
                tracing::warn!(%error, "looking after deployments failed; trying again");
            }
        }
    })
}

/// Makes deployments of versions that spans name; tells how many.
async fn observe(state: &AppState) -> Result<usize> {
    let mut total = 0;
    loop {
        let tx = state.db.begin().await?;
        observed::take_turn(&tx, state.now()).await?;
        let sightings = view::take_sightings(&tx, SIGHTINGS).await?;
        if sightings.is_empty() {
            return Ok(total);
        }
        let mut known: BTreeMap<(String, String), Known> = BTreeMap::new();
        for sighting in &sightings {
            // A name that yields no slug is no service of the catalogue.
            if slug_of(&sighting.service).is_none() {
                continue;
            }
            let key = (sighting.service.clone(), sighting.environment.clone());
            if !known.contains_key(&key) {
                known.insert(key.clone(), observed::known(&tx, &key.0, &key.1).await?);
            }
            let Some(running) = known.get_mut(&key) else { continue };
            let live = running.see(&sighting.version, sighting.first_at, sighting.last_at, sighting.calls);
            if let Some(live) = live {
                tell(&tx, sighting, live, state.now()).await?;
                total += 1;
            }
        }
        for ((service, environment), running) in &known {
            observed::keep(&tx, service, environment, running).await?;
        }
        tx.commit().await?;
    }
}

async fn tell(tx: &Tx, sighting: &Sighting, live: WentLive, now: Timestamp) -> Result<()> {
    let at = live.at;
    let event = ChangeEvent {
        source: ChangeSource::Observed,
        external_id: format!("{}|{}|{}|{}", sighting.service, sighting.environment, sighting.version, at.to_rfc3339()),
        service: sighting.service.clone(),
        environment: sighting.environment.clone(),
        kind: if live.returned { ChangeKind::Rollback } else { ChangeKind::Deployment },
        status: ChangeStatus::Succeeded,
        version: Some(sighting.version.clone()),
        commit: None,
        author: None,
        title: None,
        url: None,
        started_at: Some(at),
        finished_at: Some(at),
        reported_at: at,
    };
    service::record(tx, &event, now).await.map(drop)
}

/// Counts what is due; tells how many changes that were.
async fn count_due(db: &Db, now: Timestamp) -> Result<usize> {
    let due = counted::due(db, now, COUNTED).await?;
    for (id, was_due) in &due {
        let Some(change) = service::find(db, *id).await? else { continue };
        let (before, after) = sides(db, &change, now).await?;
        let (_, (_, end)) = health::windows(change.at, change.finished_at, now);
        let is_over = now >= change.finished_at.unwrap_or(change.at) + health::WINDOW + SETTLED && end <= now;
        let next = if is_over { None } else { Some(now + AGAIN) };
        let tx = db.begin().await?;
        if counted::save(&tx, *id, *was_due, &compare(before, after), now, next).await? {
            tx.announce("deployments");
        }
        tx.commit().await?;
    }
    Ok(due.len())
}

/// Calls that the service answered before and after. Rollups are by the minute: the minute in which a change
/// begins counts for the old version's side, or by version where spans name it.
async fn sides(db: &Db, change: &Deployment, now: Timestamp) -> Result<(Side, Side)> {
    let ((from, start), (end, to)) = health::windows(change.at, change.finished_at, now);
    let minute = |t: Timestamp| Timestamp::from_micros(t.as_micros().div_euclid(60_000_000) * 60_000_000);
    let next = |t: Timestamp| minute(t) + TimeDelta::minutes(1);
    let names: Vec<String> = view::services(db)
        .await?
        .into_iter()
        .filter(|name| slug_of(name).is_some_and(|slug| slug == change.service))
        .collect();
    let (mut before, mut after) = (Tally::default(), Tally::default());
    for name in names {
        let old = view::version_tallies(db, &name, minute(from), next(start)).await?;
        let new = view::version_tallies(db, &name, minute(end), next(to)).await?;
        if new.contains_key(&change.version) && !change.version.is_empty() {
            for (_, tally) in old.iter().filter(|(v, _)| **v != change.version) {
                before.merge(tally);
            }
            if let Some(tally) = new.get(&change.version) {
                after.merge(tally);
            }
        } else {
            let old = view::version_tallies(db, &name, minute(from), minute(start)).await?;
            let new = view::version_tallies(db, &name, next(end), next(to)).await?;
            for tally in old.values() {
                before.merge(tally);
            }
            for tally in new.values() {
                after.merge(tally);
            }
        }
    }
    Ok((side(&before), side(&after)))
}

#[expect(clippy::cast_possible_truncation, reason = "microseconds of a request fit an i64")]
fn side(tally: &Tally) -> Side {
    let p95_us = tally.percentile_us(0.95).filter(|_| tally.calls > 0).map(|us| us.round() as i64);
    Side { requests: tally.calls, errors: tally.errors, p95_us }
}
