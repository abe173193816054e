//! The SQL of what people chose: targets, definitions, and what they said about single incidents.

use std::collections::BTreeMap;

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::incidents::MilestoneName;
use crate::reports::model::measures::{Basis, Definition, Hours, Kinds};
use crate::reports::model::select::Targets;

/// All lines to stay under.
pub async fn targets(db: &Db) -> Result<Targets> {
    let rows: Vec<(String, String, i64)> = db
        .fetch_all("SELECT measure, severity, seconds FROM report_targets ORDER BY measure, severity", vec![])
        .await?;
    let mut targets = BTreeMap::new();
    for (measure, severity, seconds) in rows {
        if let Ok(level) = severity.trim_start_matches("SEV").parse::<u8>() {
            targets.insert((measure, level), seconds.saturating_mul(1_000_000));
        }
    }
    Ok(targets)
}

/// Replaces all targets. Durations are in microseconds.
pub async fn replace_targets(tx: &Tx, targets: &Targets, by: &str, now: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM report_targets", vec![]).await?;
    for ((measure, severity), micros) in targets {
        tx.execute(
            "INSERT INTO report_targets (measure, severity, seconds, updated_at, updated_by_name) \
             VALUES ($1, $2, $3, $4, $5)",
            args![measure, format!("SEV{severity}"), micros / 1_000_000, now, by],
        )
        .await?;
    }
    Ok(())
}

/// One version of a definition that a person made.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct DefinitionRow {
    pub id: i64,
    pub key: String,
    pub version: i64,
    pub name: String,
    pub text: String,
    pub from_milestone: String,
    pub to_milestone: String,
    pub clock: String,
    pub severities: String,
    pub kinds: String,
    pub created_at: Timestamp,
    pub created_by_name: String,
    pub retired_at: Option<Timestamp>,
}

impl DefinitionRow {
    pub fn into_definition(self) -> Result<Definition> {
        let end = |text: &str| {
            MilestoneName::parse(text)
                .ok_or_else(|| Error::Internal(format!("definition {} has the end '{text}'", self.id)))
        };
        let has = |kind: &str| self.kinds.is_empty() || self.kinds.split(',').any(|k| k == kind);
        Ok(Definition {
            basis: Basis::Span { from: end(&self.from_milestone)?, to: end(&self.to_milestone)? },
            hours: Hours::parse(&self.clock).unwrap_or_default(),
            severities: self.severities.split(',').filter_map(|s| s.parse().ok()).collect(),
            kinds: Kinds { real: has("real"), backfilled: has("backfilled"), drill: has("drill") },
            short: self.name.clone().into(),
            name: self.name.into(),
            key: self.key.into(),
            version: self.version,
            text: self.text.into(),
        })
    }
}

const COLUMNS: &str = "SELECT id, key, version, name, text, from_milestone, to_milestone, clock, severities, kinds, \
    created_at, created_by_name, retired_at FROM report_definitions";

/// Every version, the newest of a key first.
pub async fn definitions(db: &Db) -> Result<Vec<DefinitionRow>> {
    db.fetch_all(crate::db::Sql::built(format!("{COLUMNS} ORDER BY key, version DESC LIMIT 500")), vec![]).await
}

/// The newest version of each key that was not retired.
pub async fn standing_definitions(db: &Db) -> Result<Vec<Definition>> {
    let mut found: Vec<DefinitionRow> = definitions(db).await?;
    found.dedup_by(|later, kept| later.key == kept.key);
    found.into_iter().filter(|d| d.retired_at.is_none()).map(DefinitionRow::into_definition).collect()
}

/// Adds the next version of a key and gives its number.
pub async fn add_definition(tx: &Tx, definition: &Definition, by: &str, now: Timestamp) -> Result<i64> {
    let Basis::Span { from, to } = definition.basis else {
        return Err(Error::Internal("only a span of milestones can be kept".into()));
    };
    let before: i64 = tx
        .fetch_scalar(
            "SELECT COALESCE(MAX(version), 0) FROM report_definitions WHERE key = $1",
            args![&*definition.key],
        )
        .await?;
    let severities = definition.severities.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
    let kinds = if definition.kinds == Kinds::ALL { String::new() } else { definition.kinds.names().join(",") };
    tx.execute(
        "INSERT INTO report_definitions (key, version, name, text, from_milestone, to_milestone, clock, severities, \
         kinds, created_at, created_by_name) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        args![
            &*definition.key,
            before + 1,
            &*definition.name,
            &*definition.text,
            from.as_str(),
            to.as_str(),
            definition.hours.key(),
            severities,
            kinds,
            now,
            by
        ],
    )
    .await?;
    Ok(before + 1)
}

/// Takes a key out of new reports; tells whether there was one.
pub async fn retire_definition(tx: &Tx, key: &str, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute("UPDATE report_definitions SET retired_at = $1 WHERE key = $2 AND retired_at IS NULL", args![now, key])
        .await?;
    Ok(changed > 0)
}

/// What a person said about an incident for the reports; empty where the record itself tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Classes {
    pub detected_by: String,
    pub cause: String,
    pub environment: String,
}

pub async fn classes(db: &Db, incident: i64) -> Result<Option<Classes>> {
    db.fetch_optional(
        "SELECT detected_by, cause, environment FROM incident_classes WHERE incident_id = $1",
        args![incident],
    )
    .await
}

pub async fn put_classes(tx: &Tx, incident: i64, classes: &Classes, by: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO incident_classes (incident_id, detected_by, cause, environment, updated_at, updated_by_name) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (incident_id) DO UPDATE SET detected_by = excluded.detected_by, \
         cause = excluded.cause, environment = excluded.environment, updated_at = excluded.updated_at, \
         updated_by_name = excluded.updated_by_name",
        args![incident, &classes.detected_by, &classes.cause, &classes.environment, now, by],
    )
    .await
    .map(drop)
}

/// A choice of the organisation for all reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// A zone's name.
    TimeZone,
    /// As [`Hours::key`] writes them.
    BusinessHours,
}

impl Setting {
    const fn name(self) -> &'static str {
        match self {
            Self::TimeZone => "reports.time_zone",
            Self::BusinessHours => "reports.business_hours",
        }
    }
}

/// What was chosen; none when nobody did.
pub async fn setting(db: &Db, setting: Setting) -> Result<Option<String>> {
    let row: Option<(String,)> =
        db.fetch_optional("SELECT value FROM settings WHERE name = $1", args![setting.name()]).await?;
    Ok(row.map(|r| r.0))
}

pub async fn set(tx: &Tx, setting: Setting, value: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO settings (name, value, updated_at) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        args![setting.name(), value, now],
    )
    .await
    .map(drop)
}
