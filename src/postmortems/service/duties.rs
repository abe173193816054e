//! Which incidents need a postmortem and by when: decided once, when an incident is resolved.

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::incidents::model::record::Incident;
use crate::incidents::{self, By, Viewer};
use crate::notifications;

use super::super::model::rules::{MAX_RULES, Rule, first_fit};
use super::super::store::rules as store;

pub use store::{Owed, duty, owed};

/// Incidents that ended longer ago are left in peace.
const WINDOW: TimeDelta = TimeDelta::days(90);
/// Incidents and reminders of one round.
const MAX_ROUND: i64 = 100;

pub async fn rules(db: &Db) -> Result<Vec<Rule>> {
    store::all(db).await
}

/// # Errors
/// `NotFound` for a rule that is gone.
pub async fn rule(db: &Db, id: i64) -> Result<Rule> {
    store::find(db, id).await?.ok_or_else(|| Error::not_found(format!("Rule {id}")))
}

/// # Errors
/// `Conflict` when there are too many rules already.
pub async fn save(tx: &Tx, rule: &Rule, by: &By, now: Timestamp) -> Result<()> {
    if rule.id == 0 && store::all(tx).await?.len() >= MAX_RULES {
        return Err(Error::Conflict(format!("at most {MAX_RULES} rules are kept")));
    }
    store::save(tx, rule, &by.name, now).await
}

pub async fn remove(tx: &Tx, id: i64) -> Result<()> {
    store::remove(tx, id).await
}

/// The rule for an incident as it stands now.
pub async fn rule_for(db: &Db, incident: &Incident) -> Result<Option<Rule>> {
    let rules = store::all(db).await?;
    if rules.is_empty() {
        return Ok(None);
    }
    let teams: Vec<String> = incidents::services(db, incident.id)
        .await?
        .into_iter()
        .map(|s| s.owner_team)
        .filter(|t| !t.is_empty())
        .collect();
    Ok(first_fit(&rules, incident.severity, &teams).cloned())
}

/// Asks the rules about incidents that were resolved since the last round. Gives how many.
pub async fn decide(db: &Db, now: Timestamp) -> Result<usize> {
    // Without rules nothing is decided: those that come later still find these incidents.
    if store::all(db).await?.is_empty() {
        return Ok(0);
    }
    let found = store::undecided(db, now - WINDOW, MAX_ROUND).await?;
    for id in &found {
        let tx = db.begin().await?;
        let incident = incidents::get_visible(&tx, *id, Viewer { all: true, user_id: 0 }).await?;
        let rule = rule_for(&tx, &incident).await?;
        let due_at = rule.as_ref().and_then(|r| r.due_at(incident.ended_at.unwrap_or(now)));
        let name = rule.map(|r| r.name).unwrap_or_default();
        store::decide(&tx, *id, &name, due_at, now).await?;
        tx.commit().await?;
    }
    Ok(found.len())
}

/// Reminds once of each required postmortem that is not published in time.
pub async fn remind(db: &Db, now: Timestamp) -> Result<usize> {
    let late = store::to_remind(db, now, MAX_ROUND).await?;
    for owed in &late {
        let tx = db.begin().await?;
        let incident = incidents::get_visible(&tx, owed.incident(), Viewer { all: true, user_id: 0 }).await?;
        let title = format!("Postmortem of {}: {}", incident.id, incident.title);
        let services = incidents::services(&tx, incident.id).await?.into_iter().map(|s| s.slug).collect();
        let event = notifications::Event {
            severity: Some(incident.severity.to_string()),
            services,
            text: Some(format!("was due on {} by the rule “{}”", owed.due_at.format("%Y-%m-%d"), owed.rule_name)),
            path: format!("{}/postmortem", incident.path()),
            private: incident.private,
            once_key: Some(format!("postmortem.overdue:{}", incident.id.0)),
            ..notifications::Event::new(notifications::EventKind::FollowUpOverdue, incident.id.to_string(), title, now)
        };
        notifications::queue(&tx, event).await?;
        store::set_reminded(&tx, incident.id, now).await?;
        tx.commit().await?;
    }
    Ok(late.len())
}
