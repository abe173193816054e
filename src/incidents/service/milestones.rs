//! Setting, correcting and clearing milestones. Every value keeps where it came from, who set it and
//! why; earlier values stay in the history.

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

use super::super::model::input::NewMilestone;
use super::super::model::record::{self, Incident, Milestone, MilestoneChange};
use super::super::model::{EntryKind, IncidentId, MilestoneName, MilestoneTimes, Source};
use super::super::store;
use super::timeline::{Append, append_timeline};
use super::{By, announce, lock};

/// Standing and cleared milestones, in the order of their names.
pub async fn milestones(db: &Db, id: IncidentId) -> Result<Vec<Milestone>> {
    store::milestones::of(db, id).await
}

pub async fn times(db: &Db, id: IncidentId) -> Result<MilestoneTimes> {
    Ok(record::times_of(&milestones(db, id).await?))
}

/// Every value that the milestones ever had, by name, oldest first.
pub async fn history(db: &Db, id: IncidentId) -> Result<Vec<MilestoneChange>> {
    store::milestones::history(db, id).await
}

/// Sets or corrects a milestone.
///
/// # Errors
/// `Invalid` (field `at`) with the two times named when the order would be broken, or when the time
/// lies in the future.
pub async fn set_milestone(tx: &Tx, id: IncidentId, new: &NewMilestone, by: &By, now: Timestamp) -> Result<()> {
    let mut incident = lock(tx, id, now).await?;
    let standing = times(tx, id).await?;
    standing.check(new.name, new.at, now).map_err(|message| Error::invalid("at", message))?;
    write(tx, &mut incident, standing, new, by, now).await
}

/// Sets a milestone only when none stands and the order allows it; for machines, whose word does not
/// overrule a person's. Says whether it was set.
pub async fn offer_milestone(tx: &Tx, id: IncidentId, new: &NewMilestone, by: &By, now: Timestamp) -> Result<bool> {
    let mut incident = lock(tx, id, now).await?;
    let standing = times(tx, id).await?;
    if standing.get(new.name).is_some() || standing.check(new.name, new.at, now).is_err() {
        return Ok(false);
    }
    write(tx, &mut incident, standing, new, by, now).await?;
    Ok(true)
}

/// Takes a value away; the history keeps it.
///
/// # Errors
/// `Conflict` when there is none.
pub async fn clear_milestone(
    tx: &Tx,
    id: IncidentId,
    name: MilestoneName,
    reason: &str,
    by: &By,
    now: Timestamp,
) -> Result<()> {
    let mut incident = lock(tx, id, now).await?;
    let standing = times(tx, id).await?;
    if standing.get(name).is_none() {
        return Err(Error::Conflict(format!("{} has no value to clear", name.label())));
    }
    clear(tx, &mut incident, standing, name, reason, by, now).await?;
    let text = format!("{} was cleared: {reason}", name.label());
    append_timeline(tx, id, &Append::activity(EntryKind::Milestone, text, now), by, now).await?;
    announce(tx, id);
    Ok(())
}

async fn write(
    tx: &Tx,
    incident: &mut Incident,
    standing: MilestoneTimes,
    new: &NewMilestone,
    by: &By,
    now: Timestamp,
) -> Result<()> {
    put(tx, incident, standing, new, by, now).await?;
    let before = standing.get(new.name).map(|at| format!(", before {}", shown(at))).unwrap_or_default();
    let reason = if new.reason.is_empty() { String::new() } else { format!(": {}", new.reason) };
    let text = format!("{} set to {} (from {}{before}){reason}", new.name.label(), shown(new.at), new.source);
    append_timeline(tx, incident.id, &Append::activity(EntryKind::Milestone, text, now), by, now).await?;
    announce(tx, incident.id);
    Ok(())
}

/// Writes the value without telling the timeline, and keeps the head's times in step.
pub(super) async fn put(
    tx: &Tx,
    incident: &mut Incident,
    standing: MilestoneTimes,
    new: &NewMilestone,
    by: &By,
    now: Timestamp,
) -> Result<MilestoneTimes> {
    let change = MilestoneChange {
        name: new.name,
        at: Some(new.at),
        source: new.source,
        author: by.name.clone(),
        reason: new.reason.clone(),
        recorded_at: now,
    };
    store::milestones::put(tx, incident.id, &change, by.user_id).await?;
    let times = standing.with(new.name, Some(new.at));
    follow(tx, incident, times).await?;
    Ok(times)
}

/// Clears the value without telling the timeline, and keeps the head's times in step.
pub(super) async fn clear(
    tx: &Tx,
    incident: &mut Incident,
    standing: MilestoneTimes,
    name: MilestoneName,
    reason: &str,
    by: &By,
    now: Timestamp,
) -> Result<MilestoneTimes> {
    let change = MilestoneChange {
        name,
        at: None,
        source: Source::Person,
        author: by.name.clone(),
        reason: reason.to_owned(),
        recorded_at: now,
    };
    store::milestones::put(tx, incident.id, &change, by.user_id).await?;
    let times = standing.with(name, None);
    follow(tx, incident, times).await?;
    Ok(times)
}

/// `started_at` and `ended_at` of the head repeat the milestones, for sorting.
async fn follow(tx: &Tx, incident: &mut Incident, times: MilestoneTimes) -> Result<()> {
    let started_at = times.start().unwrap_or(incident.created_at);
    let ended_at = times.get(MilestoneName::Resolved);
    if (incident.started_at, incident.ended_at) != (started_at, ended_at) {
        incident.started_at = started_at;
        incident.ended_at = ended_at;
        store::head::save(tx, incident).await?;
    }
    Ok(())
}

fn shown(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC")
}
