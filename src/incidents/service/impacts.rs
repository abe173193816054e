//! Customer impact: adding, changing and removing its windows; and who else may be hit.

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::services;

use super::super::model::blast::{Reached, Rings};
use super::super::model::impact::{Impact, MAX_WINDOWS, NewImpact};
use super::super::model::input::NewMilestone;
use super::super::model::record::ServiceRef;
use super::super::model::{EntryKind, IncidentId, MilestoneName, Source};
use super::super::store::impacts as store;
use super::timeline::{Append, append_timeline};
use super::{By, announce, lock, milestones};

/// Rings of callers around the services that are hit.
const RINGS: usize = 3;

/// In order of time.
pub async fn windows(db: &Db, id: IncidentId) -> Result<Vec<Impact>> {
    store::of(db, id).await
}

/// # Errors
/// `NotFound` when the incident has no such window.
pub async fn get(db: &Db, id: IncidentId, impact: i64) -> Result<Impact> {
    store::find(db, id, impact).await?.ok_or_else(|| Error::not_found(format!("impact window {impact} of {id}")))
}

/// Adds a window. The first one also gives the milestone *impact started*, when nobody set it; see
/// also [`settle`].
///
/// # Errors
/// `Conflict` when the incident has as many windows as it may.
pub async fn add(tx: &Tx, id: IncidentId, new: &NewImpact, by: &By, now: Timestamp) -> Result<Impact> {
    lock(tx, id, now).await?;
    if windows(tx, id).await?.len() >= MAX_WINDOWS {
        return Err(Error::Conflict(format!("{id} has {MAX_WINDOWS} impact windows; change one of them")));
    }
    let impact = store::insert(tx, id, new, &by.name, now).await?;
    let affected = if new.affected.is_empty() { String::new() } else { format!(" ({})", new.affected) };
    let text = match new.ended_at {
        None => format!("Customers affected since {}: {}{affected}", new.started_at.to_minute(), new.what),
        Some(end) => {
            let (from, to) = (new.started_at.to_minute(), end.to_minute());
            format!("Customers affected from {from} to {to} UTC: {}{affected}", new.what)
        }
    };
    tell(tx, id, text, new.started_at.min(now), by, now).await?;
    settle(tx, id, by, now).await?;
    get(tx, id, impact).await
}

/// # Errors
/// `Conflict` when somebody else changed the window after `version` was read.
pub async fn edit(
    tx: &Tx,
    id: IncidentId,
    standing: &Impact,
    new: &NewImpact,
    by: &By,
    now: Timestamp,
) -> Result<Impact> {
    lock(tx, id, now).await?;
    if !store::update(tx, standing, new, &by.name, now).await? {
        return Err(stale());
    }
    let text = match (standing.ended_at, new.ended_at) {
        (None, Some(end)) => format!("Customers no longer affected since {} UTC: {}", end.to_minute(), new.what),
        (Some(_), None) => format!("Customers affected again: {}", new.what),
        _ => format!("Customer impact changed: {}", new.what),
    };
    tell(tx, id, text, new.ended_at.unwrap_or(now).min(now), by, now).await?;
    settle(tx, id, by, now).await?;
    get(tx, id, standing.id).await
}

/// Takes a window away that was a mistake; the timeline keeps that it was there.
pub async fn remove(tx: &Tx, id: IncidentId, impact: i64, by: &By, now: Timestamp) -> Result<()> {
    let standing = get(tx, id, impact).await?;
    store::remove(tx, id, impact, now).await?;
    tell(tx, id, format!("Customer impact removed: {}", standing.what), now, by, now).await
}

/// Windows give the impact milestones that nobody set: the first start, and, when none is open any
/// more, the last end. What stands is not overruled.
async fn settle(tx: &Tx, id: IncidentId, by: &By, now: Timestamp) -> Result<()> {
    let all = windows(tx, id).await?;
    let offer = |name, at| NewMilestone {
        name,
        at,
        source: Source::Person,
        reason: "from the windows of customer impact".to_owned(),
    };
    if let Some(start) = all.iter().map(|w| w.started_at).min() {
        milestones::offer_milestone(tx, id, &offer(MilestoneName::ImpactStarted, start), by, now).await?;
    }
    let ends: Option<Vec<Timestamp>> = all.iter().map(|w| w.ended_at).collect();
    if let Some(end) = ends.and_then(|ends| ends.into_iter().max()) {
        milestones::offer_milestone(tx, id, &offer(MilestoneName::ImpactEnded, end), by, now).await?;
    }
    Ok(())
}

async fn tell(tx: &Tx, id: IncidentId, text: String, at: Timestamp, by: &By, now: Timestamp) -> Result<()> {
    append_timeline(tx, id, &Append::activity(EntryKind::Impact, text, at), by, now).await?;
    announce(tx, id);
    Ok(())
}

pub fn stale() -> Error {
    Error::Conflict("somebody else changed this window meanwhile".to_owned())
}

/// The services that need those of the incident, directly or through others; nearest first.
pub async fn blast_radius(db: &Db, hit: &[ServiceRef]) -> Result<Vec<Reached>> {
    let slugs: Vec<String> = hit.iter().map(|s| s.slug.clone()).collect();
    let mut rings = Rings::around(&slugs);
    for _ in 0..RINGS {
        let edge = rings.outermost();
        if edge.is_empty() {
            break;
        }
        rings.grow(&services::callers_of(db, &edge).await?);
    }
    Ok(rings.reached())
}
