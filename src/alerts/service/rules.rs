//! Writing grouping rules, and trying them on the past.

use chrono::TimeDelta;

use super::decide::neighbours;
use crate::accounts::{Actor, Role};
use crate::alerts::grouping::replay::{Replay, replay};
use crate::alerts::grouping::{Rule, RuleInput, rule};
use crate::alerts::store::grouping as stored;
use crate::audit;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::incidents::IncidentId;

/// How far back a rule is tried.
pub const REPLAYED: TimeDelta = TimeDelta::days(30);
/// More episodes than this are not replayed on a page; the newest are left out, and the page says so.
pub const MOST_EPISODES: i64 = 50_000;

/// What a list of rules would have made of the last thirty days, beside what the rules in force
/// would have made of them.
#[derive(Clone, Debug)]
pub struct Trial {
    pub with: Replay,
    pub without: Replay,
    /// Not all episodes were looked at.
    pub is_partial: bool,
}

/// Tries a rule: in the place of the stored one with its id, else behind all, where it would be saved. Nothing is changed.
pub async fn try_rule(db: &Db, candidate: &Rule, now: Timestamp) -> Result<Trial> {
    let in_force: Vec<Rule> = stored::rules(db).await?.into_iter().filter(|r| r.enabled).map(|r| r.rule).collect();
    let mut changed = in_force.clone();
    match changed.iter_mut().find(|r| r.id == candidate.id && r.id != 0) {
        Some(slot) => *slot = candidate.clone(),
        None => changed.push(candidate.clone()),
    }
    let with_defaults = |rules: Vec<Rule>| rules.into_iter().chain(rule::defaults()).collect::<Vec<_>>();
    let episodes = stored::episodes(db, now - REPLAYED, MOST_EPISODES).await?;
    let graph = neighbours(db).await?;
    let is_partial = i64::try_from(episodes.len()).is_ok_and(|n| n >= MOST_EPISODES);
    let (changed, in_force) = (with_defaults(changed), with_defaults(in_force));
    // Pure work over many rows: off the threads that answer requests.
    tokio::task::spawn_blocking(move || Trial {
        with: replay(&changed, &graph, &episodes, now),
        without: replay(&in_force, &graph, &episodes, now),
        is_partial,
    })
    .await
    .map_err(|e| Error::Internal(format!("trying a rule: {e}")))
}

/// What the rules attach that opened an incident: each rule's name with a runbook's slug.
pub async fn runbooks_of(db: &Db, incident: IncidentId) -> Result<Vec<(String, String)>> {
    let names = stored::rule_names(db, incident.0).await?;
    let rules = stored::rules(db).await?.into_iter().map(|r| r.rule).filter(|r| names.contains(&r.name));
    Ok(rules.flat_map(|r| r.runbooks.into_iter().map(move |slug| (r.name.clone(), slug))).collect())
}

/// Writes a rule: a new one for id 0.
///
/// # Errors
/// `Invalid` by field; `NotFound` for a rule that is gone.
pub async fn save(tx: &Tx, id: i64, input: &RuleInput, actor: &Actor, now: Timestamp) -> Result<i64> {
    actor.require(Role::Commander)?;
    let rule = input.normalize(id)?;
    let standing = stored::rules(tx).await?;
    if standing.iter().any(|r| r.rule.id != id && r.rule.name.eq_ignore_ascii_case(&rule.name)) {
        return Err(Error::invalid("name", "another rule has this name"));
    }
    if id == 0 && i64::try_from(standing.len()).unwrap_or(i64::MAX) >= stored::MAX_RULES {
        return Err(Error::invalid("name", format!("there are {} rules already; delete one first", stored::MAX_RULES)));
    }
    let id = if id == 0 {
        stored::insert_rule(tx, &rule, &actor.name, now).await?
    } else if stored::update_rule(tx, &rule, &actor.name, now).await? {
        id
    } else {
        return Err(Error::not_found("That rule"));
    };
    note(tx, id, "alert_rule.save", actor, now).await?;
    Ok(id)
}

async fn note(tx: &Tx, id: i64, action: &'static str, actor: &Actor, now: Timestamp) -> Result<()> {
    audit::record(tx, now, actor, action, ("alert_rule", &id.to_string()), &serde_json::json!({})).await
}

pub async fn set_enabled(tx: &Tx, id: i64, enabled: bool, actor: &Actor, now: Timestamp) -> Result<()> {
    actor.require(Role::Commander)?;
    if !stored::set_rule_enabled(tx, id, enabled, &actor.name, now).await? {
        return Err(Error::not_found("That rule"));
    }
    note(tx, id, if enabled { "alert_rule.enable" } else { "alert_rule.disable" }, actor, now).await
}

pub async fn delete(tx: &Tx, id: i64, actor: &Actor, now: Timestamp) -> Result<()> {
    actor.require(Role::Commander)?;
    if !stored::delete_rule(tx, id).await? {
        return Err(Error::not_found("That rule"));
    }
    note(tx, id, "alert_rule.delete", actor, now).await
}

/// Moves a rule one place up: the first that matches decides, so order matters.
pub async fn move_up(tx: &Tx, id: i64, actor: &Actor, now: Timestamp) -> Result<()> {
    actor.require(Role::Commander)?;
    let mut ids: Vec<i64> = stored::rules(tx).await?.into_iter().map(|r| r.rule.id).collect();
    let at = ids.iter().position(|other| *other == id).ok_or_else(|| Error::not_found("That rule"))?;
    if at > 0 {
        ids.swap(at - 1, at);
        stored::set_order(tx, &ids).await?;
        note(tx, id, "alert_rule.move", actor, now).await?;
    }
    Ok(())
}
