//! The SQL of grouping: rules, groups, maintenance windows.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use crate::alerts::grouping::{Candidate, Group, GroupBy, Matcher, Rule, Target};
use crate::alerts::maintenance::Window;
use crate::alerts::model::AlertSeverity;
use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx, Value, Where};
use crate::error::{Error, Result};

#[derive(sqlx::FromRow)]
struct RuleRow {
    id: i64,
    name: String,
    enabled: bool,
    matchers: String,
    group_by: String,
    window_s: i64,
    hold_s: i64,
    min_count: i64,
    target: String,
    severity: Option<i64>,
    reopen_s: i64,
    runbooks: String,
    notify: String,
    updated_at: Timestamp,
    updated_by: String,
    version: i64,
}

/// A rule with what the settings page needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRule {
    pub rule: Rule,
    pub enabled: bool,
    pub updated_at: Timestamp,
    pub updated_by: String,
    pub version: i64,
}

fn words(text: &str) -> Vec<String> {
    text.split(',').filter(|w| !w.is_empty()).map(ToOwned::to_owned).collect()
}

impl RuleRow {
    fn into_rule(self) -> Result<StoredRule> {
        let bad = |what: &str| Error::Internal(format!("grouping rule {}: {what}", self.id));
        let target = match self.target.as_str() {
            "open" => Target::Open(self.severity.and_then(|n| u8::try_from(n).ok())),
            "attach" => Target::Attach,
            "list" => Target::ListOnly,
            _ => return Err(bad("target")),
        };
        let rule = Rule {
            id: self.id,
            matcher: Matcher::parse(&self.matchers).map_err(|why| bad(&why))?,
            group_by: GroupBy::parse(&self.group_by).ok_or_else(|| bad("group_by"))?,
            name: self.name,
            window: TimeDelta::seconds(self.window_s),
            hold: TimeDelta::seconds(self.hold_s),
            min_count: self.min_count,
            target,
            reopen_within: TimeDelta::seconds(self.reopen_s),
            runbooks: words(&self.runbooks),
            notify: words(&self.notify),
        };
        Ok(StoredRule {
            rule,
            enabled: self.enabled,
            updated_at: self.updated_at,
            updated_by: self.updated_by,
            version: self.version,
        })
    }
}

/// More rules than this nobody can follow; the page refuses another.
pub const MAX_RULES: i64 = 100;

/// All rules in their order.
pub async fn rules(db: &Db) -> Result<Vec<StoredRule>> {
    let rows: Vec<RuleRow> = db
        .fetch_all(
            "SELECT id, name, enabled, matchers, group_by, window_s, hold_s, min_count, target, severity, reopen_s, runbooks, \
             notify, updated_at, updated_by, version FROM alert_rules ORDER BY position, id LIMIT $1",
            args![MAX_RULES],
        )
        .await?;
    rows.into_iter().map(RuleRow::into_rule).collect()
}

fn rule_values(rule: &Rule) -> Vec<Value> {
    let severity = match rule.target {
        Target::Open(severity) => severity,
        Target::Attach | Target::ListOnly => None,
    };
    args![
        &rule.name,
        rule.matcher.to_string(),
        rule.group_by.as_text(),
        rule.window.num_seconds(),
        rule.hold.num_seconds(),
        rule.min_count,
        rule.target.as_str(),
        severity,
        rule.reopen_within.num_seconds(),
        rule.runbooks.join(","),
        rule.notify.join(",")
    ]
}

/// Adds a rule behind all others.
pub async fn insert_rule(tx: &Tx, rule: &Rule, by: &str, now: Timestamp) -> Result<i64> {
    let mut values = rule_values(rule);
    values.extend(args![now, by]);
    tx.insert(
        "INSERT INTO alert_rules (position, enabled, name, matchers, group_by, window_s, hold_s, min_count, target, severity, \
         reopen_s, runbooks, notify, created_at, updated_at, updated_by) SELECT COALESCE(MAX(position), 0) + 1, TRUE, \
         CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($6 AS BIGINT), \
         CAST($7 AS TEXT), CAST($8 AS BIGINT), CAST($9 AS BIGINT), CAST($10 AS TEXT), CAST($11 AS TEXT), CAST($12 AS BIGINT), \
         CAST($12 AS BIGINT), CAST($13 AS TEXT) FROM alert_rules RETURNING id",
        values,
    )
    .await
}

/// `false` when there is no such rule.
pub async fn update_rule(tx: &Tx, rule: &Rule, by: &str, now: Timestamp) -> Result<bool> {
    let mut values = rule_values(rule);
    values.extend(args![now, by, rule.id]);
    let changed = tx
        .execute(
            "UPDATE alert_rules SET name = $1, matchers = $2, group_by = $3, window_s = $4, hold_s = $5, min_count = $6, \
             target = $7, severity = $8, reopen_s = $9, runbooks = $10, notify = $11, updated_at = $12, updated_by = $13, \
             version = version + 1 WHERE id = $14",
            values,
        )
        .await?;
    Ok(changed == 1)
}

pub async fn set_rule_enabled(tx: &Tx, id: i64, enabled: bool, by: &str, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE alert_rules SET enabled = $1, updated_at = $2, updated_by = $3, version = version + 1 WHERE id = $4",
            args![enabled, now, by, id],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn delete_rule(tx: &Tx, id: i64) -> Result<bool> {
    Ok(tx.execute("DELETE FROM alert_rules WHERE id = $1", args![id]).await? == 1)
}

/// Writes the order of the rules anew.
pub async fn set_order(tx: &Tx, ids: &[i64]) -> Result<()> {
    for (position, id) in ids.iter().enumerate() {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        tx.execute("UPDATE alert_rules SET position = $1 WHERE id = $2", args![position, *id]).await?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct GroupRow {
    id: i64,
    rule_name: String,
    group_key: String,
    services: String,
    first_at: Timestamp,
    last_at: Timestamp,
    members: i64,
    worst: Option<String>,
    incident_id: Option<i64>,
    incident_status: Option<String>,
    ended_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

impl GroupRow {
    fn into_group(self) -> Result<Group> {
        let services: BTreeSet<String> = serde_json::from_str(&self.services)?;
        let over = matches!(self.incident_status.as_deref(), Some("resolved" | "closed" | "declined" | "merged"));
        Ok(Group {
            id: Some(self.id),
            rule_name: self.rule_name,
            key: self.group_key,
            services,
            first_at: self.first_at,
            last_at: self.last_at,
            members: self.members,
            worst: self.worst.as_deref().and_then(AlertSeverity::parse),
            incident: self.incident_id,
            resolved_at: if over { self.ended_at.or(self.updated_at) } else { None },
        })
    }
}

/// Groups that an alert may still join or follow: the newest, as far back as `since`.
pub async fn groups(db: &Db, since: Timestamp) -> Result<Vec<Group>> {
    let rows: Vec<GroupRow> = db
        .fetch_all(
            "SELECT g.id, g.rule_name, g.group_key, g.services, g.first_at, g.last_at, g.members, g.worst, g.incident_id, \
             i.status AS incident_status, i.ended_at, i.updated_at FROM alert_groups g \
             LEFT JOIN incidents i ON i.id = g.incident_id WHERE g.last_at >= $1 ORDER BY g.last_at DESC, g.id DESC LIMIT 1000",
            args![since],
        )
        .await?;
    rows.into_iter().rev().map(GroupRow::into_group).collect()
}

/// The rules whose groups became an incident.
pub async fn rule_names(db: &Db, incident: i64) -> Result<BTreeSet<String>> {
    let rows: Vec<(String,)> =
        db.fetch_all("SELECT DISTINCT rule_name FROM alert_groups WHERE incident_id = $1", args![incident]).await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// Which of these incidents are not over yet.
pub async fn open_incidents(db: &Db, ids: &BTreeSet<i64>) -> Result<BTreeSet<i64>> {
    let mut open = BTreeSet::new();
    for chunk in ids.iter().copied().collect::<Vec<_>>().chunks(500) {
        let mut w = Where::new();
        w.and_any("id", chunk.iter().copied());
        w.and_raw("status NOT IN ('resolved', 'closed', 'declined', 'merged')");
        let (sql, args) = w.statement("SELECT id FROM incidents", "");
        open.extend(db.fetch_all::<(i64,)>(sql, args).await?.into_iter().map(|r| r.0));
    }
    Ok(open)
}

/// Writes a group and gives its id.
pub async fn save_group(tx: &Tx, group: &Group, now: Timestamp) -> Result<i64> {
    let services = serde_json::to_string(&group.services)?;
    let worst = group.worst.map(|w| w.as_str().to_owned());
    match group.id {
        Some(id) => {
            tx.execute(
                "UPDATE alert_groups SET services = $1, first_at = $2, last_at = $3, members = $4, worst = $5, incident_id = $6 \
                 WHERE id = $7",
                args![services, group.first_at, group.last_at, group.members, worst, group.incident, id],
            )
            .await?;
            Ok(id)
        }
        None => {
            tx.insert(
                "INSERT INTO alert_groups (rule_name, group_key, services, first_at, last_at, members, worst, incident_id, \
                 created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
                args![
                    &group.rule_name,
                    &group.key,
                    services,
                    group.first_at,
                    group.last_at,
                    group.members,
                    worst,
                    group.incident,
                    now
                ],
            )
            .await
        }
    }
}

/// Alerts that waited in a group belong to its incident from now on.
pub async fn tie_group(tx: &Tx, group: i64, incident: i64) -> Result<u64> {
    tx.execute(
        "UPDATE alerts SET incident_id = $1, version = version + 1 WHERE group_id = $2 AND incident_id IS NULL",
        args![incident, group],
    )
    .await
}

/// A maintenance window with who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWindow {
    pub window: Window,
    pub created_by: String,
    pub ended_by: String,
}

#[derive(sqlx::FromRow)]
struct WindowRow {
    id: i64,
    title: String,
    matchers: String,
    starts_at: Timestamp,
    ends_at: Timestamp,
    created_by: String,
    ended_by: String,
}

/// Windows that end after a moment, the next to end first.
pub async fn windows(db: &Db, end_after: Timestamp, limit: i64) -> Result<Vec<StoredWindow>> {
    let rows: Vec<WindowRow> = db
        .fetch_all(
            "SELECT id, title, matchers, starts_at, ends_at, created_by, ended_by FROM maintenance_windows WHERE ends_at > $1 \
             ORDER BY ends_at, id LIMIT $2",
            args![end_after, limit],
        )
        .await?;
    rows.into_iter()
        .map(|r| {
            let matcher = Matcher::parse(&r.matchers)
                .map_err(|why| Error::Internal(format!("maintenance window {}: {why}", r.id)))?;
            let window = Window { id: r.id, title: r.title, matcher, starts_at: r.starts_at, ends_at: r.ends_at };
            Ok(StoredWindow { window, created_by: r.created_by, ended_by: r.ended_by })
        })
        .collect()
}

pub async fn insert_window(tx: &Tx, window: &Window, by: &str, now: Timestamp) -> Result<i64> {
    tx.insert(
        "INSERT INTO maintenance_windows (title, matchers, starts_at, ends_at, created_at, created_by) \
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
        args![&window.title, window.matcher.to_string(), window.starts_at, window.ends_at, now, by],
    )
    .await
}

/// Ends a window before its time. `false` when it is over or unknown.
pub async fn end_window(tx: &Tx, id: i64, by: &str, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE maintenance_windows SET ends_at = $1, ended_by = $2 WHERE id = $3 AND ends_at > $1",
            args![now, by, id],
        )
        .await?;
    Ok(changed == 1)
}

#[derive(sqlx::FromRow)]
struct EpisodeRow {
    id: i64,
    source: String,
    rule: String,
    title: String,
    severity: Option<String>,
    service: String,
    environment: String,
    labels: String,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
}

/// Episodes that began since a moment, oldest first, for trying rules on the past.
pub async fn episodes(db: &Db, since: Timestamp, limit: i64) -> Result<Vec<Candidate>> {
    let rows: Vec<EpisodeRow> = db
        .fetch_all(
            "SELECT e.alert_id AS id, a.source, a.rule, a.title, a.severity, a.service, a.environment, a.labels, \
             e.starts_at AS started_at, e.ended_at FROM (SELECT alert_id, starts_at, MIN(ends_at) AS ended_at FROM signals \
             WHERE starts_at >= $1 GROUP BY alert_id, starts_at) e JOIN alerts a ON a.id = e.alert_id \
             ORDER BY e.starts_at, e.alert_id LIMIT $2",
            args![since, limit],
        )
        .await?;
    let text = |t: String| (!t.is_empty()).then_some(t);
    rows.into_iter()
        .map(|r| {
            Ok(Candidate {
                id: r.id,
                source: r.source,
                rule: r.rule,
                title: r.title,
                severity: r.severity.as_deref().and_then(AlertSeverity::parse),
                service: text(r.service),
                environment: text(r.environment),
                labels: serde_json::from_str(&r.labels)?,
                started_at: r.started_at,
                ended_at: r.ended_at,
            })
        })
        .collect()
}
