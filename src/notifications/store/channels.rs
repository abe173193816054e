//! Channels and rules.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx};
use crate::error::{Error, Result};

use super::super::model::channel::{Channel, NewChannel, StoredRule};
use super::super::model::{ChannelKind, Route, Rule};

/// More than an installation has; a bound all the same.
const MOST: i64 = 500;

const COLUMNS: &str = "id, name, kind, address, secret, may_see_private, digest, enabled, disabled_reason, \
     failures_in_row, failing_since, created_at, updated_at";

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    name: String,
    kind: String,
    address: String,
    secret: String,
    may_see_private: bool,
    digest: bool,
    enabled: bool,
    disabled_reason: String,
    failures_in_row: i64,
    failing_since: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Row {
    fn into_channel(self) -> Result<Channel> {
        let kind = ChannelKind::parse(&self.kind)
            .ok_or_else(|| Error::Internal(format!("channel {} of kind {}", self.id, self.kind)))?;
        Ok(Channel {
            id: self.id,
            name: self.name,
            kind,
            address: self.address,
            secrets: self.secret.split_whitespace().map(str::to_owned).collect(),
            may_see_private: self.may_see_private,
            digest: self.digest,
            enabled: self.enabled,
            disabled_reason: self.disabled_reason,
            failures_in_row: self.failures_in_row,
            failing_since: self.failing_since,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// By name.
pub async fn all(db: &Db) -> Result<Vec<Channel>> {
    let sql = format!("SELECT {COLUMNS} FROM notification_channels ORDER BY name LIMIT $1");
    db.fetch_all::<Row>(Sql::built(sql), args![MOST]).await?.into_iter().map(Row::into_channel).collect()
}

pub async fn find(db: &Db, id: i64) -> Result<Option<Channel>> {
    let sql = format!("SELECT {COLUMNS} FROM notification_channels WHERE id = $1");
    db.fetch_optional::<Row>(Sql::built(sql), args![id]).await?.map(Row::into_channel).transpose()
}

/// `None` when the name is taken.
pub async fn insert(tx: &Tx, new: &NewChannel, secret: &str, now: Timestamp) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO notification_channels (name, kind, address, secret, may_see_private, digest, enabled, \
             created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, TRUE, $7, $7) \
             ON CONFLICT (name) DO NOTHING RETURNING id",
            args![&new.name, new.kind.as_str(), &new.address, secret, new.may_see_private, new.digest, now],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

/// `false` when the name is taken by another one.
pub async fn update(tx: &Tx, id: i64, new: &NewChannel, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE notification_channels SET name = $1, address = $2, may_see_private = $3, digest = $4, \
             updated_at = $5 WHERE id = $6 \
             AND NOT EXISTS (SELECT 1 FROM notification_channels o WHERE o.name = $1 AND o.id <> $6)",
            args![&new.name, &new.address, new.may_see_private, new.digest, now, id],
        )
        .await?;
    Ok(changed > 0)
}

pub async fn set_secrets(tx: &Tx, id: i64, secrets: &[String], now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE notification_channels SET secret = $1, updated_at = $2 WHERE id = $3",
        args![secrets.join(" "), now, id],
    )
    .await
    .map(drop)
}

/// Switches on (forgetting failures) or off; `reason` is empty when a person does it. Whether it changed.
pub async fn set_enabled(tx: &Tx, id: i64, enabled: bool, reason: &str, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE notification_channels SET enabled = $1, disabled_reason = $2, updated_at = $3, \
             failures_in_row = CASE WHEN $1 THEN 0 ELSE failures_in_row END, \
             failing_since = CASE WHEN $1 THEN NULL ELSE failing_since END WHERE id = $4 AND enabled <> $1",
            args![enabled, reason, now, id],
        )
        .await?;
    Ok(changed > 0)
}

pub async fn delete(tx: &Tx, id: i64) -> Result<()> {
    tx.execute("DELETE FROM notification_channels WHERE id = $1", args![id]).await.map(drop)
}

/// Holds a channel for one node until `until`; `None` when another one holds it or it is off.
pub async fn lease(tx: &Tx, id: i64, token: &str, now: Timestamp, until: Timestamp) -> Result<Option<Channel>> {
    let sql = format!(
        "UPDATE notification_channels SET lease_until = $1, lease_token = $2 \
         WHERE id = $3 AND enabled AND (lease_until IS NULL OR lease_until <= $4 OR lease_token = $2) RETURNING {COLUMNS}"
    );
    tx.fetch_optional::<Row>(Sql::built(sql), args![until, token, id, now]).await?.map(Row::into_channel).transpose()
}

pub async fn release(tx: &Tx, id: i64, token: &str) -> Result<()> {
    tx.execute(
        "UPDATE notification_channels SET lease_until = NULL, lease_token = '' WHERE id = $1 AND lease_token = $2",
        args![id, token],
    )
    .await
    .map(drop)
}

pub async fn note_success(tx: &Tx, id: i64) -> Result<()> {
    tx.execute(
        "UPDATE notification_channels SET failures_in_row = 0, failing_since = NULL \
         WHERE id = $1 AND (failures_in_row > 0 OR failing_since IS NOT NULL)",
        args![id],
    )
    .await
    .map(drop)
}

/// Counts deliveries that were given up; tells how many in a row that makes, and since when it fails.
pub async fn note_failure(tx: &Tx, id: i64, given_up: i64, now: Timestamp) -> Result<(i64, Timestamp)> {
    tx.fetch_one(
        "UPDATE notification_channels SET failures_in_row = failures_in_row + $1, \
         failing_since = COALESCE(failing_since, $2) WHERE id = $3 RETURNING failures_in_row, failing_since",
        args![given_up, now, id],
    )
    .await
}

#[derive(sqlx::FromRow)]
struct RuleRow {
    id: i64,
    channel_id: i64,
    name: String,
    events: String,
    severities: String,
    services: String,
    roles: String,
    may_see_private: bool,
}

impl RuleRow {
    fn rule(&self) -> Result<Rule> {
        Ok(Rule {
            events: serde_json::from_str(&self.events)?,
            severities: serde_json::from_str(&self.severities)?,
            services: serde_json::from_str(&self.services)?,
            roles: serde_json::from_str(&self.roles)?,
        })
    }

    fn into_stored(self) -> Result<StoredRule> {
        Ok(StoredRule { rule: self.rule()?, id: self.id, channel_id: self.channel_id, name: self.name })
    }
}

const RULES: &str = "SELECT r.id, r.channel_id, r.name, r.events, r.severities, r.services, r.roles, c.may_see_private \
     FROM notification_rules r JOIN notification_channels c ON c.id = r.channel_id";

/// Every rule that leads to a channel which is on.
pub async fn routes(db: &Db) -> Result<Vec<Route>> {
    let sql = format!("{RULES} WHERE c.enabled ORDER BY r.id LIMIT $1");
    let rows = db.fetch_all::<RuleRow>(Sql::built(sql), args![MOST * 4]).await?;
    rows.into_iter()
        .map(|r| Ok(Route { channel_id: r.channel_id, may_see_private: r.may_see_private, rule: r.rule()? }))
        .collect()
}

pub async fn rules_of(db: &Db, channel_id: i64) -> Result<Vec<StoredRule>> {
    let sql = format!("{RULES} WHERE r.channel_id = $1 ORDER BY r.id LIMIT $2");
    db.fetch_all::<RuleRow>(Sql::built(sql), args![channel_id, MOST])
        .await?
        .into_iter()
        .map(RuleRow::into_stored)
        .collect()
}

pub async fn find_rule(db: &Db, channel_id: i64, id: i64) -> Result<Option<StoredRule>> {
    let sql = format!("{RULES} WHERE r.channel_id = $1 AND r.id = $2");
    db.fetch_optional::<RuleRow>(Sql::built(sql), args![channel_id, id]).await?.map(RuleRow::into_stored).transpose()
}

pub async fn insert_rule(tx: &Tx, channel_id: i64, name: &str, rule: &Rule, now: Timestamp) -> Result<i64> {
    tx.insert(
        "INSERT INTO notification_rules (channel_id, name, events, severities, services, roles, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
        args![
            channel_id,
            name,
            serde_json::to_string(&rule.events)?,
            serde_json::to_string(&rule.severities)?,
            serde_json::to_string(&rule.services)?,
            serde_json::to_string(&rule.roles)?,
            now
        ],
    )
    .await
}

pub async fn update_rule(tx: &Tx, id: i64, name: &str, rule: &Rule) -> Result<()> {
    tx.execute(
        "UPDATE notification_rules SET name = $1, events = $2, severities = $3, services = $4, roles = $5 WHERE id = $6",
        args![
            name,
            serde_json::to_string(&rule.events)?,
            serde_json::to_string(&rule.severities)?,
            serde_json::to_string(&rule.services)?,
            serde_json::to_string(&rule.roles)?,
            id
        ],
    )
    .await
    .map(drop)
}

pub async fn delete_rule(tx: &Tx, id: i64) -> Result<()> {
    tx.execute("DELETE FROM notification_rules WHERE id = $1", args![id]).await.map(drop)
}

/// How many rules lead to each channel.
pub async fn rule_counts(db: &Db) -> Result<std::collections::BTreeMap<i64, i64>> {
    let rows: Vec<(i64, i64)> = db
        .fetch_all(
            "SELECT channel_id, COUNT(*) FROM notification_rules GROUP BY channel_id ORDER BY channel_id LIMIT $1",
            args![MOST],
        )
        .await?;
    Ok(rows.into_iter().collect())
}
