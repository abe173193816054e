//! Calling a team to an incident: first who is on call, then, each after the team's time-out, the next
//! in turn, at last all commanders. It ends when somebody acknowledges.

use chrono::TimeDelta;
use serde_json::json;

use crate::accounts::Actor;
use crate::audit;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::incidents::record::Incident;
use crate::incidents::{
    self, Append, By, EntryKind, IncidentId, MilestoneName, NewMilestone, Person, Source, Viewer, append_timeline,
};
use crate::notifications::{self, Event, EventKind};
use crate::oncall::store::pages::{self as store, Page};
use crate::oncall::store::teams::{Member, Team};

use super::teams;

const SYSTEM: Viewer = Viewer { all: true, user_id: 0 };
/// The name on the timeline of what nobody did by hand.
const BY: &str = "On call";

/// Begins a page and tells the first person at once.
async fn begin(tx: &Tx, incident: &Incident, team: &Team, page: i64, now: Timestamp) -> Result<()> {
    let page = store::find(tx, page).await?.ok_or_else(|| Error::not_found("That page"))?;
    go_on(tx, incident, team, &page, now).await.map(drop)
}

/// Pages begun by the rules of the teams, for incidents that call for it; at most `limit`.
pub async fn start_wanted(db: &Db, limit: i64, now: Timestamp) -> Result<usize> {
    let wanted = store::wanted(db, limit).await?;
    if wanted.is_empty() {
        return Ok(0);
    }
    let all = teams::all(db, now).await?;
    let mut begun = 0;
    for (incident, team) in wanted {
        let Some(team) = all.iter().find(|t| t.id == team) else { continue };
        let tx = db.begin().await?;
        let id = IncidentId(incident);
        let Some(page) = store::insert(&tx, id, team.id, BY, now).await? else { continue };
        let incident = incidents::get_visible(&tx, id, SYSTEM).await?;
        begin(&tx, &incident, team, page, now).await?;
        tx.commit().await?;
        begun += 1;
    }
    Ok(begun)
}

/// Goes on with every page whose time is up, and ends those that were answered.
pub async fn go_on_with_due(db: &Db, limit: i64, now: Timestamp) -> Result<usize> {
    let due = store::due(db, now, limit).await?;
    if due.is_empty() {
        return Ok(0);
    }
    let all = teams::all(db, now).await?;
    let mut moved = 0;
    for page in due {
        let tx = db.begin().await?;
        let incident = incidents::get_visible(&tx, IncidentId(page.incident_id), SYSTEM).await?;
        let changed = if let Some(outcome) = answered(&tx, &incident).await? {
            tx.announce(format!("incident:{}", page.incident_id));
            store::end(&tx, page.id, outcome, now).await? == 1
        } else if page.due_at.is_some_and(|due| due <= now)
            && let Some(team) = all.iter().find(|t| t.id == page.team_id)
        {
            go_on(&tx, &incident, team, &page, now).await?
        } else {
            false
        };
        tx.commit().await?;
        moved += usize::from(changed);
    }
    Ok(moved)
}

/// Why nobody needs to be told any more; `None` when somebody does.
async fn answered(db: &Db, incident: &Incident) -> Result<Option<&'static str>> {
    if incidents::times(db, incident.id).await?.get(MilestoneName::Acknowledged).is_some() {
        return Ok(Some("acknowledged"));
    }
    Ok((!incident.status.is_open()).then_some("over"))
}

/// Tells the next person. `false` when another node was faster.
async fn go_on(tx: &Tx, incident: &Incident, team: &Team, page: &Page, now: Timestamp) -> Result<bool> {
    let told: Vec<i64> = store::calls(tx, page.id).await?.into_iter().filter_map(|c| c.user_id).collect();
    let order = team.rotation.escalation_at(&team.overrides(), now);
    let next =
        order.into_iter().filter(|id| !told.contains(id)).filter_map(|id| team.people.get(&id)).find(|p| !p.disabled);
    let due = next.map(|_| now + TimeDelta::minutes(team.ack_minutes));
    if !store::advance(tx, page, due).await? {
        return Ok(false);
    }
    let level = page.level + 1;
    let name = next.map_or("All commanders", |p| p.name.as_str());
    store::add_call(tx, page.id, level, next.map(|p| p.user_id), name, now).await?;
    let text = match (level, next) {
        (1, Some(person)) => format!("Paged {} (on call for {})", person.name, team.name),
        (_, Some(person)) => {
            format!(
                "Nobody of {} acknowledged within {} min: paged {} (level {level})",
                team.name, team.ack_minutes, person.name
            )
        }
        (_, None) => format!("Nobody of {} acknowledged: told all commanders", team.name),
    };
    let entry = Append::activity(EntryKind::Notification, text.clone(), now).linked("/oncall");
    append_timeline(tx, incident.id, &entry, &By::system(BY), now).await?;
    tx.announce(format!("incident:{}", incident.id.0));
    notifications::queue(tx, event(tx, incident, team, (page, level), (next, text), now).await?).await?;
    Ok(true)
}

async fn event(
    tx: &Tx,
    incident: &Incident,
    team: &Team,
    (page, level): (&Page, i64),
    (next, text): (Option<&Member>, String),
    now: Timestamp,
) -> Result<Event> {
    let kind = if level == 1 { EventKind::OnCallPaged } else { EventKind::IncidentUnacknowledged };
    let role = if next.is_some() { "on-call" } else { "commander" };
    Ok(Event {
        severity: Some(incident.severity.as_str().to_owned()),
        status: Some(incident.status.as_str().to_owned()),
        services: incidents::services(tx, incident.id).await?.into_iter().map(|s| s.slug).collect(),
        roles: vec![role.to_owned(), format!("team:{}", team.name)],
        text: Some(text),
        private: incident.private,
        // A channel that mails who holds the role reaches the person.
        holders: next.map(|p| (role.to_owned(), p.email.clone())).into_iter().collect(),
        // Begun anew, a page tells its levels again.
        once_key: Some(format!("page {} {} level {level}", page.id, page.started_at.as_micros())),
        ..Event::new(kind, incident.id.to_string(), incident.title.clone(), now)
    })
}

/// A person pages a team, whatever the rules say; of a private incident the paged person gets to see it.
///
/// # Errors
/// `NotFound`; `Conflict` when the team is being paged, or somebody acknowledged or ended it.
pub async fn page_team(tx: &Tx, id: IncidentId, team: i64, actor: &Actor, now: Timestamp) -> Result<()> {
    let incident = incidents::get_visible(tx, id, actor.into()).await?;
    let team = teams::get(tx, team, now).await?;
    if !incident.status.is_open() {
        return Err(Error::Conflict(format!("{id} is over; nobody is paged for it")));
    }
    let page = match store::insert(tx, id, team.id, &actor.name, now).await? {
        Some(page) => Some(page),
        None => store::restart(tx, id, team.id, &actor.name, now).await?,
    };
    let page = page.ok_or_else(|| Error::Conflict(format!("{} is being paged already", team.name)))?;
    begin(tx, &incident, &team, page, now).await?;
    if answered(tx, &incident).await?.is_some() {
        // Somebody has it in hand already: this one is told, and nobody after.
        store::end(tx, page, "acknowledged", now).await?;
    }
    if incident.private {
        for call in store::calls(tx, page).await? {
            if let Some(user_id) = call.user_id {
                let person = Person { user_id, name: call.name };
                incidents::grant_access(tx, id, &person, &By::from(actor), now).await?;
            }
        }
    }
    let detail = json!({ "team": team.name });
    audit::record(tx, now, actor, "oncall.page", ("incident", &id.to_string()), &detail).await
}

/// Nobody else is told; who was told knows it.
///
/// # Errors
/// `NotFound` for a page that is over.
pub async fn stop(tx: &Tx, id: IncidentId, page: i64, actor: &Actor, now: Timestamp) -> Result<()> {
    incidents::get_visible(tx, id, actor.into()).await?;
    let found = store::find(tx, page).await?.filter(|p| p.incident_id == id.0);
    let found = found.ok_or_else(|| Error::not_found("That page"))?;
    if store::end(tx, page, "stopped", now).await? == 0 {
        return Err(Error::not_found("That page"));
    }
    let text = format!("Stopped paging {}", found.team);
    append_timeline(tx, id, &Append::activity(EntryKind::Notification, text, now), &By::from(actor), now).await?;
    tx.announce(format!("incident:{}", id.0));
    audit::record(tx, now, actor, "oncall.page.stop", ("incident", &id.to_string()), &json!({ "team": found.team }))
        .await
}

/// Sets the milestone; paging ends by it.
///
/// # Errors
/// `Conflict` when it is acknowledged, or its time would break the order.
pub async fn acknowledge(tx: &Tx, id: IncidentId, actor: &Actor, now: Timestamp) -> Result<()> {
    incidents::get_visible(tx, id, actor.into()).await?;
    let new = NewMilestone {
        name: MilestoneName::Acknowledged,
        at: now,
        source: Source::Person,
        reason: "Taken on".to_owned(),
    };
    if !incidents::offer_milestone(tx, id, &new, &By::from(actor), now).await? {
        return Err(Error::Conflict(format!("{id} is acknowledged already")));
    }
    end_answered(tx, id, now).await?;
    audit::record(tx, now, actor, "incident.acknowledge", ("incident", &id.to_string()), &json!({})).await
}

/// Ends the pages of an incident that was just acknowledged.
pub async fn end_answered(tx: &Tx, id: IncidentId, now: Timestamp) -> Result<()> {
    for page in store::of_incident(tx, id).await?.iter().filter(|p| p.ended_at.is_none()) {
        store::end(tx, page.id, "acknowledged", now).await?;
    }
    tx.announce(format!("incident:{}", id.0));
    Ok(())
}
