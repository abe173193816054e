//! Teams with their rotation, overrides and calendar addresses.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime};

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::oncall::model::input::NewTeam;
use crate::oncall::model::{Override, Rotation};

/// Teams with a rotation, at most.
pub const MAX_TEAMS: i64 = 200;
const MAX_OVERRIDES: i64 = 2_000;

/// Somebody who takes turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub user_id: i64,
    pub name: String,
    pub email: String,
    pub disabled: bool,
}

/// An override with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    pub id: i64,
    pub span: Override,
    pub created_by: String,
}

/// A team as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    pub id: i64,
    pub name: String,
    pub rotation: Rotation,
    /// In the order of being written.
    pub swaps: Vec<Swap>,
    pub ack_minutes: i64,
    /// `SEV1` to `SEV4`, or empty.
    pub pages_from: String,
    pub version: i64,
    /// Everybody who is named in rotation or overrides.
    pub people: BTreeMap<i64, Member>,
}

impl Team {
    pub fn overrides(&self) -> Vec<Override> {
        self.swaps.iter().map(|s| s.span).collect()
    }
}

#[derive(sqlx::FromRow)]
struct TeamRow {
    id: i64,
    name: String,
    zone: String,
    first_day: String,
    handover: String,
    turn_days: i64,
    ack_minutes: i64,
    pages_from: String,
    version: i64,
}

impl TeamRow {
    fn into_team(self) -> Result<Team> {
        let broken = |what: &str| Error::Internal(format!("the rotation of '{}' holds a broken {what}", self.name));
        let rotation = Rotation {
            members: Vec::new(),
            zone: self.zone.parse().map_err(|_| broken("zone"))?,
            first_day: NaiveDate::parse_from_str(&self.first_day, "%Y-%m-%d").map_err(|_| broken("day"))?,
            handover: NaiveTime::parse_from_str(&self.handover, "%H:%M").map_err(|_| broken("time"))?,
            turn_days: u32::try_from(self.turn_days).map_err(|_| broken("length"))?,
        };
        Ok(Team {
            id: self.id,
            name: self.name,
            rotation,
            swaps: Vec::new(),
            ack_minutes: self.ack_minutes,
            pages_from: self.pages_from,
            version: self.version,
            people: BTreeMap::new(),
        })
    }
}

#[derive(sqlx::FromRow)]
struct MemberRow {
    team_id: i64,
    user_id: i64,
    name: String,
    email: String,
    disabled_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct SwapRow {
    id: i64,
    team_id: i64,
    user_id: i64,
    from_at: Timestamp,
    until_at: Timestamp,
    created_by: String,
    name: String,
    email: String,
    disabled_at: Option<Timestamp>,
}

/// Every team by name, with the overrides that end after `since`, in three queries.
pub async fn all(db: &Db, since: Timestamp) -> Result<Vec<Team>> {
    let rows: Vec<TeamRow> = db
        .fetch_all(
            "SELECT id, name, zone, first_day, handover, turn_days, ack_minutes, pages_from, version \
             FROM oncall_teams ORDER BY name LIMIT $1",
            args![MAX_TEAMS],
        )
        .await?;
    let mut teams = rows.into_iter().map(TeamRow::into_team).collect::<Result<Vec<_>>>()?;
    let members: Vec<MemberRow> = db
        .fetch_all(
            "SELECT m.team_id, m.user_id, u.name, u.email, u.disabled_at FROM oncall_members m \
             JOIN users u ON u.id = m.user_id ORDER BY m.team_id, m.position LIMIT 10000",
            args![],
        )
        .await?;
    for m in members {
        let Some(team) = teams.iter_mut().find(|t| t.id == m.team_id) else { continue };
        team.rotation.members.push(m.user_id);
        let disabled = m.disabled_at.is_some();
        team.people.insert(m.user_id, Member { user_id: m.user_id, name: m.name, email: m.email, disabled });
    }
    let swaps: Vec<SwapRow> = db
        .fetch_all(
            "SELECT o.id, o.team_id, o.user_id, o.from_at, o.until_at, o.created_by, u.name, u.email, u.disabled_at \
             FROM oncall_overrides o JOIN users u ON u.id = o.user_id WHERE o.until_at > $1 ORDER BY o.id LIMIT $2",
            args![since, MAX_OVERRIDES],
        )
        .await?;
    for s in swaps {
        let Some(team) = teams.iter_mut().find(|t| t.id == s.team_id) else { continue };
        let span = Override { user_id: s.user_id, from: s.from_at, until: s.until_at };
        team.swaps.push(Swap { id: s.id, span, created_by: s.created_by });
        let disabled = s.disabled_at.is_some();
        team.people.insert(s.user_id, Member { user_id: s.user_id, name: s.name, email: s.email, disabled });
    }
    Ok(teams)
}

/// `None` when the team has a rotation already.
pub async fn insert(tx: &Tx, new: &NewTeam, members: &[i64], now: Timestamp) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO oncall_teams (name, zone, first_day, handover, turn_days, ack_minutes, pages_from, version, \
             created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8) \
             ON CONFLICT (name) DO NOTHING RETURNING id",
            args![
                &new.name,
                new.zone.name(),
                new.first_day.to_string(),
                new.handover.format("%H:%M").to_string(),
                new.turn_days,
                new.ack_minutes,
                &new.pages_from,
                now
            ],
        )
        .await?;
    let Some((id,)) = row else { return Ok(None) };
    put_members(tx, id, members).await?;
    Ok(Some(id))
}

async fn put_members(tx: &Tx, team: i64, members: &[i64]) -> Result<()> {
    tx.execute("DELETE FROM oncall_members WHERE team_id = $1", args![team]).await?;
    for (position, user) in (1_i64..).zip(members) {
        tx.execute(
            "INSERT INTO oncall_members (team_id, position, user_id) VALUES ($1, $2, $3)",
            args![team, position, *user],
        )
        .await?;
    }
    Ok(())
}

/// `false` when another version stands.
pub async fn update(tx: &Tx, team: &Team, new: &NewTeam, members: &[i64], now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE oncall_teams SET zone = $1, first_day = $2, handover = $3, turn_days = $4, ack_minutes = $5, \
             pages_from = $6, version = version + 1, updated_at = $7 WHERE id = $8 AND version = $9",
            args![
                new.zone.name(),
                new.first_day.to_string(),
                new.handover.format("%H:%M").to_string(),
                new.turn_days,
                new.ack_minutes,
                &new.pages_from,
                now,
                team.id,
                new.version.unwrap_or(team.version)
            ],
        )
        .await?;
    if changed == 0 {
        return Ok(false);
    }
    put_members(tx, team.id, members).await?;
    Ok(true)
}

pub async fn delete(tx: &Tx, team: i64) -> Result<()> {
    tx.execute("DELETE FROM oncall_teams WHERE id = $1", args![team]).await.map(drop)
}

pub async fn insert_swap(tx: &Tx, team: i64, swap: Override, by: &str, now: Timestamp) -> Result<i64> {
    tx.insert(
        "INSERT INTO oncall_overrides (team_id, user_id, from_at, until_at, created_by, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
        args![team, swap.user_id, swap.from, swap.until, by, now],
    )
    .await
}

/// What has passed stays: only the rest of it goes.
pub async fn end_swap(tx: &Tx, team: i64, swap: i64, now: Timestamp) -> Result<u64> {
    let gone = tx
        .execute(
            "DELETE FROM oncall_overrides WHERE id = $1 AND team_id = $2 AND from_at >= $3",
            args![swap, team, now],
        )
        .await?;
    let cut = tx
        .execute(
            "UPDATE oncall_overrides SET until_at = $3 WHERE id = $1 AND team_id = $2 AND until_at > $3",
            args![swap, team, now],
        )
        .await?;
    Ok(gone + cut)
}

/// A calendar address.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Feed {
    pub id: i64,
    pub owner_id: i64,
    pub team_id: Option<i64>,
    pub created_at: Timestamp,
}

pub async fn insert_feed(tx: &Tx, hash: &str, owner: i64, team: Option<i64>, now: Timestamp) -> Result<i64> {
    tx.insert(
        "INSERT INTO oncall_feeds (token_hash, owner_id, team_id, created_at) VALUES ($1, $2, $3, $4) RETURNING id",
        args![hash, owner, team, now],
    )
    .await
}

/// Of an owner who still has access.
pub async fn find_feed(db: &Db, hash: &str) -> Result<Option<Feed>> {
    db.fetch_optional(
        "SELECT f.id, f.owner_id, f.team_id, f.created_at FROM oncall_feeds f JOIN users u ON u.id = f.owner_id \
         WHERE f.token_hash = $1 AND u.disabled_at IS NULL",
        args![hash],
    )
    .await
}

/// Newest first; at most 50.
pub async fn feeds_of(db: &Db, owner: i64) -> Result<Vec<Feed>> {
    db.fetch_all(
        "SELECT id, owner_id, team_id, created_at FROM oncall_feeds WHERE owner_id = $1 ORDER BY id DESC LIMIT 50",
        args![owner],
    )
    .await
}

pub async fn delete_feed(tx: &Tx, owner: i64, feed: i64) -> Result<u64> {
    tx.execute("DELETE FROM oncall_feeds WHERE id = $1 AND owner_id = $2", args![feed, owner]).await
}
