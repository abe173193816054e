//! What people do with many alerts at once; each can be taken back.

use std::collections::BTreeSet;

use crate::alerts::store::{self, act, undo};
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::incidents::{Append, By, EntryKind, IncidentId, append_timeline};

/// More at once is a mistake, or wants a rule.
pub const MOST: i64 = 20_000;

fn count_words(n: usize) -> String {
    if n == 1 { "1 alert".to_owned() } else { format!("{n} alerts") }
}

/// Moves alerts to an incident, or out of any. The incidents that lose some say so on their timelines.
///
/// # Errors
/// `Invalid` when none was chosen.
pub async fn move_to(tx: &Tx, ids: &[i64], to: Option<IncidentId>, by: &By, now: Timestamp) -> Result<String> {
    if ids.is_empty() {
        return Err(Error::invalid("id", "choose at least one alert"));
    }
    let n = count_words(ids.len());
    let what = match to {
        // Without its number, which not everybody may know.
        Some(_) => format!("moved {n} to another incident"),
        None => format!("took {n} out of their incident"),
    };
    let alerts = store::find_many(tx, ids).await?;
    undo::remember(tx, ids, &what, &by.name, now).await?;
    let left: BTreeSet<i64> =
        alerts.iter().filter_map(|a| a.incident_id).filter(|id| Some(IncidentId(*id)) != to).collect();
    for incident in left.into_iter().map(IncidentId) {
        let lost = alerts.iter().filter(|a| a.incident_id == Some(incident.0)).count();
        let n = count_words(lost);
        let text = match to {
            Some(other) => format!("{n} moved to {other} by {}", by.name),
            None => format!("{n} split off by {}", by.name),
        };
        append_timeline(tx, incident, &Append::activity(EntryKind::Alert, text, now), by, now).await?;
        tx.announce(format!("incident:{}", incident.0));
    }
    let reason = format!("moved by {}", by.name);
    if let Some(incident) = to {
        super::attach(tx, ids, incident, &reason, by, now).await?;
    } else {
        act::tie(tx, ids, None, None, &format!("split off by {}", by.name)).await?;
        act::log(tx, ids, "split", &by.name, "", now).await?;
        tx.announce("alerts");
    }
    Ok(what)
}

/// Marks alerts as noise, or takes the mark away.
pub async fn mark_noise(tx: &Tx, ids: &[i64], is_noise: bool, by: &By, now: Timestamp) -> Result<String> {
    if ids.is_empty() {
        return Err(Error::invalid("id", "choose at least one alert"));
    }
    let n = count_words(ids.len());
    let what = if is_noise { format!("marked {n} as noise") } else { format!("marked {n} as no noise") };
    undo::remember(tx, ids, &what, &by.name, now).await?;
    act::set_noise(tx, ids, is_noise.then_some(now), if is_noise { &by.name } else { "" }).await?;
    act::log(tx, ids, if is_noise { "noise" } else { "not_noise" }, &by.name, "", now).await?;
    tx.announce("alerts");
    Ok(what)
}

/// Acknowledges or ends those of the alerts that fire; tells how many those were.
pub async fn each_firing(tx: &Tx, ids: &[i64], resolves: bool, by: &By, now: Timestamp) -> Result<String> {
    if ids.is_empty() {
        return Err(Error::invalid("id", "choose at least one alert"));
    }
    let firing: Vec<_> = store::find_many(tx, ids).await?.into_iter().filter(store::Alert::is_firing).collect();
    let chosen: Vec<i64> = firing.iter().filter(|a| resolves || a.acknowledged_at.is_none()).map(|a| a.id).collect();
    act::end_or_take(tx, &chosen, resolves, &by.name, now).await?;
    act::log(tx, &chosen, if resolves { "resolved" } else { "acknowledged" }, &by.name, "in bulk", now).await?;
    for incident in firing.iter().filter_map(|a| a.incident_id).collect::<BTreeSet<_>>() {
        if !resolves {
            super::offer_acknowledged(
                tx,
                IncidentId(incident),
                &format!("{} acknowledged", count_words(chosen.len())),
                by,
                now,
            )
            .await?;
        }
        tx.announce(format!("incident:{incident}"));
    }
    tx.announce("alerts");
    let verb = if resolves { "resolved" } else { "acknowledged" };
    Ok(format!("{verb} {}", count_words(chosen.len())))
}

/// Takes a bulk change back.
///
/// # Errors
/// `Conflict` when it was taken back before.
pub async fn take_back(tx: &Tx, id: i64, by: &By, now: Timestamp) -> Result<()> {
    let incidents = undo::incidents(tx, id).await?;
    if undo::restore(tx, id, now).await?.is_none() {
        return Err(Error::not_found("A change that can be taken back"));
    }
    for incident in incidents.into_iter().map(IncidentId) {
        let text = format!("A change of this incident's alerts was taken back by {}", by.name);
        append_timeline(tx, incident, &Append::activity(EntryKind::Alert, text, now), by, now).await?;
        tx.announce(format!("incident:{}", incident.0));
    }
    tx.announce("alerts");
    Ok(())
}
