//! Rotations, overrides, who is on call, calendars.

use chrono::{Datelike, NaiveDate, TimeDelta};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::accounts::Actor;
use crate::audit;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::incidents;
use crate::oncall::ical::{self, NamedShift};
use crate::oncall::model::input::{NewTeam, OverrideInput, TeamInput};
use crate::oncall::model::{Override, Shift};
use crate::oncall::store::teams::{self as store, Feed, MAX_TEAMS, Member, Team};
use crate::random::Random;

/// Who answers for a team now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnCall {
    pub team_id: i64,
    pub team: String,
    pub person: Option<Member>,
    /// Until then, and who comes after.
    pub until: Option<Timestamp>,
    pub next: Option<Member>,
    pub is_override: bool,
}

/// How far the present shift and the next are looked for.
const HORIZON: TimeDelta = TimeDelta::days(60);

impl OnCall {
    pub fn of(team: &Team, now: Timestamp) -> Self {
        let shifts = team.rotation.shifts(&team.overrides(), now, now + HORIZON);
        let present = shifts.first().filter(|s| s.from <= now);
        let next = if present.is_some() { shifts.get(1) } else { shifts.first() };
        let person = |shift: Option<&Shift>| shift.and_then(|s| team.people.get(&s.user_id)).cloned();
        Self {
            team_id: team.id,
            team: team.name.clone(),
            person: person(present),
            until: present.map(|s| s.until).filter(|until| *until < now + HORIZON),
            next: person(next),
            is_override: present.is_some_and(|s| s.is_override),
        }
    }
}

pub async fn all(db: &Db, now: Timestamp) -> Result<Vec<Team>> {
    store::all(db, now).await
}

/// # Errors
/// `NotFound`.
pub async fn get(db: &Db, id: i64, since: Timestamp) -> Result<Team> {
    let teams = store::all(db, since).await?;
    teams.into_iter().find(|t| t.id == id).ok_or_else(|| Error::not_found("That team's rotation"))
}

/// Every team that has a rotation, by name.
pub async fn now_on_call(db: &Db, now: Timestamp) -> Result<Vec<OnCall>> {
    Ok(store::all(db, now).await?.iter().map(|t| OnCall::of(t, now)).collect())
}

async fn audited(tx: &Tx, actor: &Actor, action: &'static str, team: &Team, now: Timestamp) -> Result<()> {
    tx.announce("oncall");
    let detail = json!({ "team": team.name });
    audit::record(tx, now, actor, action, ("oncall_team", &team.id.to_string()), &detail).await
}

async fn people(db: &Db, new: &NewTeam) -> Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(new.members.len());
    for email in &new.members {
        ids.push(incidents::people::person(db, "members", email).await?.user_id);
    }
    Ok(ids)
}

/// # Errors
/// `Invalid` by field, also for a team that has a rotation already and for unknown people.
pub async fn create(tx: &Tx, input: &TeamInput, actor: &Actor, now: Timestamp) -> Result<Team> {
    let new = input.normalize(now).map_err(Error::Invalid)?;
    let members = people(tx, &new).await?;
    if i64::try_from(store::all(tx, now).await?.len()).unwrap_or(i64::MAX) >= MAX_TEAMS {
        return Err(Error::invalid("name", format!("there can be {MAX_TEAMS} rotations at most")));
    }
    let taken = || Error::invalid("name", "has a rotation already");
    let id = store::insert(tx, &new, &members, now).await?.ok_or_else(taken)?;
    let team = get(tx, id, now).await?;
    audited(tx, actor, "oncall.team.create", &team, now).await?;
    Ok(team)
}

/// # Errors
/// See [`create`]; `Conflict` when somebody else changed it meanwhile.
pub async fn edit(tx: &Tx, id: i64, input: &TeamInput, actor: &Actor, now: Timestamp) -> Result<Team> {
    let team = get(tx, id, now).await?;
    let input = TeamInput { name: team.name.clone(), ..input.clone() };
    let new = input.normalize(now).map_err(Error::Invalid)?;
    let members = people(tx, &new).await?;
    if !store::update(tx, &team, &new, &members, now).await? {
        return Err(Error::Conflict("Somebody else changed the rotation since you opened it".into()));
    }
    let team = get(tx, id, now).await?;
    audited(tx, actor, "oncall.team.edit", &team, now).await?;
    Ok(team)
}

pub async fn remove(tx: &Tx, id: i64, actor: &Actor, now: Timestamp) -> Result<()> {
    let team = get(tx, id, now).await?;
    store::delete(tx, id).await?;
    audited(tx, actor, "oncall.team.remove", &team, now).await
}

/// Somebody else for a while; of two that overlap the later written one counts.
///
/// # Errors
/// `Invalid` by field.
pub async fn swap(tx: &Tx, id: i64, input: &OverrideInput, actor: &Actor, now: Timestamp) -> Result<i64> {
    let team = get(tx, id, now).await?;
    let (from, until) = input.span(now).map_err(Error::Invalid)?;
    let person = incidents::people::person(tx, "email", &input.email).await?;
    let made = store::insert_swap(tx, id, Override { user_id: person.user_id, from, until }, &actor.name, now).await?;
    audited(tx, actor, "oncall.override.add", &team, now).await?;
    Ok(made)
}

/// # Errors
/// `NotFound` for one that is over.
pub async fn end_swap(tx: &Tx, id: i64, swap: i64, actor: &Actor, now: Timestamp) -> Result<()> {
    let team = get(tx, id, now).await?;
    if store::end_swap(tx, id, swap, now).await? == 0 {
        return Err(Error::not_found("That override"));
    }
    audited(tx, actor, "oncall.override.end", &team, now).await
}

/// The shifts of a team in a window, with names.
pub fn shifts(team: &Team, from: Timestamp, until: Timestamp) -> Vec<NamedShift> {
    let shifts = team.rotation.shifts(&team.overrides(), from, until);
    let name = |s: &Shift| team.people.get(&s.user_id).map_or_else(String::new, |p| p.name.clone());
    shifts.into_iter().map(|shift| NamedShift { name: name(&shift), team: team.name.clone(), shift }).collect()
}

fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Makes a secret calendar address; the token is shown once and kept only hashed.
///
/// # Errors
/// `NotFound` for an unknown team; `Forbidden` for API tokens, which have no calendar.
pub async fn add_feed(
    tx: &Tx,
    team: Option<i64>,
    actor: &Actor,
    random: &Random,
    now: Timestamp,
) -> Result<(i64, String)> {
    let owner = actor.user_id.ok_or_else(|| Error::Forbidden("Only people have calendars.".into()))?;
    if let Some(team) = team {
        get(tx, team, now).await?;
    }
    let token = random.secret();
    let id = store::insert_feed(tx, &digest(&token), owner, team, now).await?;
    audit::record(tx, now, actor, "oncall.feed.add", ("oncall_feed", &id.to_string()), &json!({ "team": team }))
        .await?;
    Ok((id, token))
}

pub async fn feeds_of(db: &Db, actor: &Actor) -> Result<Vec<Feed>> {
    match actor.user_id {
        Some(owner) => store::feeds_of(db, owner).await,
        None => Ok(Vec::new()),
    }
}

/// # Errors
/// `NotFound` for one that is not the actor's.
pub async fn revoke_feed(tx: &Tx, feed: i64, actor: &Actor, now: Timestamp) -> Result<()> {
    if store::delete_feed(tx, actor.user_id.unwrap_or_default(), feed).await? == 0 {
        return Err(Error::not_found("That calendar address"));
    }
    audit::record(tx, now, actor, "oncall.feed.revoke", ("oncall_feed", &feed.to_string()), &json!({})).await
}

/// The calendar behind a token; `None` for an unknown one.
pub async fn calendar(db: &Db, token: &str, host: &str, now: Timestamp) -> Result<Option<String>> {
    let Some(feed) = store::find_feed(db, &digest(token)).await? else { return Ok(None) };
    let (from, until) = calendar_window(now);
    let teams = store::all(db, from).await?;
    let wanted = teams.iter().filter(|t| feed.team_id.is_none_or(|id| id == t.id));
    let mut all: Vec<NamedShift> = wanted.flat_map(|t| shifts(t, from, until)).collect();
    all.retain(|s| s.shift.until > now - TimeDelta::days(7));
    let title = match feed.team_id {
        Some(id) => teams.iter().find(|t| t.id == id).map_or_else(String::new, |t| t.name.clone()),
        None => {
            all.retain(|s| s.shift.user_id == feed.owner_id);
            "my shifts".to_owned()
        }
    };
    all.sort_by_key(|s| s.shift.from);
    Ok(Some(ical::calendar(&title, host, &all, now)))
}

/// Begins at a half year's first day, so that a long shift, which is clipped to the window, keeps its
/// begin (and its event its id) for months.
fn calendar_window(now: Timestamp) -> (Timestamp, Timestamp) {
    let day = (now - TimeDelta::days(35)).to_datetime().date_naive();
    let first = NaiveDate::from_ymd_opt(day.year(), if day.month() < 7 { 1 } else { 7 }, 1).unwrap_or(day);
    (first.and_time(chrono::NaiveTime::MIN).and_utc().into(), now + TimeDelta::days(180))
}
