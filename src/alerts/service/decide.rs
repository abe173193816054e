//! What the grouping rules do by themselves: alerts that have lasted join a group, groups that are
//! large enough become incidents, and each alert keeps the reason.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::opening;
use crate::alerts::grouping::{Candidate, Engine, Neighbours, Outcome, Rule, rule};
use crate::alerts::maintenance::Window;
use crate::alerts::store::act::Decision;
use crate::alerts::store::{Alert, act, grouping as stored, write};
use crate::clock::{Timestamp, human_duration};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::incidents::{self, Append, By, EntryKind, IncidentId, Status, append_timeline, change_status};
use crate::services;

/// Alerts decided in one transaction.
const BATCH: i64 = 2_000;
/// Groups older than this are neither joined nor followed.
const REACH: TimeDelta = TimeDelta::hours(25);

/// Decides about every alert that waits for it; tells how many those were.
pub async fn decide_due(db: &Db, now: Timestamp) -> Result<usize> {
    let mut total = 0;
    loop {
        let tx = db.begin().await?;
        write::take_turn(&tx, now).await?;
        let alerts = act::to_decide(&tx, now, BATCH).await?;
        if alerts.is_empty() {
            return Ok(total);
        }
        total += alerts.len();
        decide_batch(&tx, alerts, now).await?;
        tx.commit().await?;
    }
}

/// The written rules that are switched on, and the defaults behind them.
pub async fn rules_in_force(db: &Db) -> Result<Vec<Rule>> {
    let written = stored::rules(db).await?.into_iter().filter(|r| r.enabled).map(|r| r.rule);
    Ok(written.chain(rule::defaults()).collect())
}

/// Who calls whom, as the catalogue knows it.
pub async fn neighbours(db: &Db) -> Result<Neighbours> {
    let edges = services::all_edges(db).await?;
    Ok(Neighbours::of(edges.iter().map(|(a, b)| (a.as_str(), b.as_str()))))
}

/// What joined one group in this batch.
#[derive(Default)]
struct Joined {
    alerts: Vec<usize>,
    first_reason: String,
    reopens: bool,
}

async fn decide_batch(tx: &Tx, mut alerts: Vec<Alert>, now: Timestamp) -> Result<()> {
    alerts.sort_by_key(|a| (a.state.started_at, a.id));
    let rules = rules_in_force(tx).await?;
    let neighbours = neighbours(tx).await?;
    let oldest = alerts.first().map_or(now, |a| a.state.started_at);
    let groups = stored::groups(tx, oldest.min(now) - REACH).await?;
    let windows: Vec<Window> = stored::windows(tx, now, 200).await?.into_iter().map(|w| w.window).collect();
    let open = stored::open_incidents(tx, &alerts.iter().filter_map(|a| a.incident_id).collect()).await?;
    let mut engine = Engine::new(&rules, &neighbours, groups);
    let mut decisions = Vec::with_capacity(alerts.len());
    let mut joined: BTreeMap<usize, Joined> = BTreeMap::new();
    for (i, alert) in alerts.iter().enumerate() {
        let candidate = alert.candidate();
        if let Some(decision) = settled(alert, &candidate, &windows, &open, now) {
            decisions.push(decision);
            continue;
        }
        match engine.offer(&candidate, now) {
            Outcome::Held { until } => decisions.push(held(alert, until, now)),
            Outcome::Listed { reason } => decisions.push(alone(alert, reason, None)),
            Outcome::Joined { group, reason } => join(&mut joined, &mut decisions, group, i, alert, reason, false),
            Outcome::Reopened { group, reason } => join(&mut joined, &mut decisions, group, i, alert, reason, true),
        }
    }
    for (at, members) in &joined {
        carry_out(tx, &mut engine, &rules, *at, members, &alerts, &mut decisions, now).await?;
    }
    act::decide(tx, &decisions).await?;
    tx.announce("alerts");
    Ok(())
}

/// Alerts about which the rules need not be asked.
fn settled(
    alert: &Alert,
    candidate: &Candidate,
    windows: &[Window],
    open: &BTreeSet<i64>,
    now: Timestamp,
) -> Option<Decision> {
    if alert.incident_id.is_some_and(|standing| open.contains(&standing)) {
        return Some(Decision {
            alert_id: alert.id,
            incident_id: alert.incident_id,
            group_id: alert.group_id,
            reason: alert.reason.clone(),
            decide_at: None,
        });
    }
    if alert.noise_at.is_some() {
        return Some(alone(alert, format!("marked as noise by {}", alert.noise_by), None));
    }
    let window = windows.iter().find(|w| w.covers(candidate, now))?;
    let reason = format!("maintenance \"{}\" until {} UTC", window.title, window.ends_at.to_minute());
    // If it still fires when the window ends, it counts.
    Some(alone(alert, reason, alert.is_firing().then_some(window.ends_at)))
}

fn alone(alert: &Alert, reason: String, decide_at: Option<Timestamp>) -> Decision {
    Decision { alert_id: alert.id, incident_id: None, group_id: None, reason, decide_at }
}

fn held(alert: &Alert, until: Timestamp, now: Timestamp) -> Decision {
    match alert.state.ended_at {
        Some(end) => {
            let lasted = human_duration(end - alert.state.started_at);
            alone(alert, format!("over after {lasted}, before it counted"), None)
        }
        None => alone(
            alert,
            format!("waits until it has lasted {}", human_duration(until - alert.state.started_at)),
            Some(until.max(now)),
        ),
    }
}

fn join(
    joined: &mut BTreeMap<usize, Joined>,
    decisions: &mut Vec<Decision>,
    group: usize,
    index: usize,
    alert: &Alert,
    reason: String,
    reopens: bool,
) {
    let entry = joined.entry(group).or_default();
    if entry.alerts.is_empty() {
        entry.first_reason.clone_from(&reason);
    }
    entry.alerts.push(index);
    entry.reopens |= reopens;
    // Group and incident are filled in once they are known.
    decisions.push(alone(alert, reason, None));
}

/// Writes a group that got new members; opens, reopens or extends its incident.
#[expect(clippy::too_many_arguments, reason = "one step of decide_batch, apart only to keep both readable")]
async fn carry_out(
    tx: &Tx,
    engine: &mut Engine<'_>,
    rules: &[Rule],
    at: usize,
    members: &Joined,
    alerts: &[Alert],
    decisions: &mut [Decision],
    now: Timestamp,
) -> Result<()> {
    let Some(mut group) = engine.groups.get(at).cloned() else { return Ok(()) };
    let rule = rules.iter().find(|r| r.name == group.rule_name);
    let new: Vec<&Alert> = members.alerts.iter().filter_map(|i| alerts.get(*i)).collect();
    let by = By::system(format!("rule '{}'", group.rule_name));
    let mut opened = false;
    match (group.incident.map(IncidentId), rule) {
        (Some(incident), _) => extend(tx, incident, members, &new, &by, now).await?,
        (None, Some(rule)) if Engine::is_ripe(&group, rule) => {
            let earlier = engine.follows(&group).map(IncidentId);
            group.incident = Some(opening::open(tx, &group, rule, &new, earlier, &by, now).await?.0);
            opened = true;
        }
        (None, _) => {}
    }
    let id = stored::save_group(tx, &group, now).await?;
    group.id = Some(id);
    if let (true, Some(incident)) = (opened, group.incident) {
        stored::tie_group(tx, id, incident).await?;
    }
    let ids: BTreeSet<i64> = new.iter().map(|a| a.id).collect();
    for decision in decisions.iter_mut().filter(|d| ids.contains(&d.alert_id)) {
        decision.group_id = Some(id);
        decision.incident_id = group.incident;
        if let (None, Some(rule)) = (group.incident, rule) {
            decision.reason =
                format!("{}; {} of {} alerts that make an incident", decision.reason, group.members, rule.min_count);
        }
    }
    if let Some(slot) = engine.groups.get_mut(at) {
        *slot = group;
    }
    Ok(())
}

/// Tells a standing incident of its new alerts, in one entry however many they are.
async fn extend(
    tx: &Tx,
    incident: IncidentId,
    members: &Joined,
    new: &[&Alert],
    by: &By,
    now: Timestamp,
) -> Result<()> {
    if members.reopens {
        let reason = format!("new alerts after the resolution: {}", members.first_reason);
        let change = crate::incidents::model::input::StatusChange {
            to: Status::Investigating,
            reason,
            at: now,
            confirmed: true,
        };
        change_status(tx, incident, &change, by, now).await?;
    }
    let known: BTreeSet<String> = incidents::services(tx, incident).await?.into_iter().map(|s| s.slug).collect();
    let fresh: BTreeSet<&str> =
        new.iter().map(|a| a.service.as_str()).filter(|s| !s.is_empty() && !known.contains(*s)).take(20).collect();
    for slug in fresh {
        incidents::add_service(tx, incident, slug, by, now).await?;
    }
    let text = match new {
        [one] => format!("Alert joined: {} ({})", one.title, members.first_reason),
        many => format!(
            "{} alerts joined, the first: {} ({})",
            many.len(),
            many.first().map_or("", |a| &a.title),
            members.first_reason
        ),
    };
    let entry = Append::activity(EntryKind::Alert, text, now).linked(format!("/alerts?incident={incident}"));
    append_timeline(tx, incident, &entry, by, now).await?;
    tx.announce(format!("incident:{}", incident.0));
    Ok(())
}
