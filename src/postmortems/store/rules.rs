//! Rules, and what they said about resolved incidents.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx, Where};
use crate::error::Result;
use crate::incidents::{self, IncidentId, Viewer};
use crate::postmortems::model::rules::{MAX_RULES, Rule};

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    position: i64,
    name: String,
    severities: String,
    teams: String,
    required: bool,
    due_days: i64,
    gap_minutes: i64,
    guidance: String,
}

impl Row {
    fn into_rule(self) -> Result<Rule> {
        Ok(Rule {
            id: self.id,
            position: self.position,
            name: self.name,
            severities: serde_json::from_str(&self.severities)?,
            teams: serde_json::from_str(&self.teams)?,
            required: self.required,
            due_days: self.due_days,
            gap_minutes: self.gap_minutes,
            guidance: serde_json::from_str(&self.guidance)?,
        })
    }
}

const SELECT: &str =
    "SELECT id, position, name, severities, teams, required, due_days, gap_minutes, guidance FROM postmortem_rules";

/// In their order.
pub async fn all(db: &Db) -> Result<Vec<Rule>> {
    let sql = format!("{SELECT} ORDER BY position, id LIMIT {MAX_RULES}");
    db.fetch_all::<Row>(Sql::built(sql), args![]).await?.into_iter().map(Row::into_rule).collect()
}

pub async fn find(db: &Db, id: i64) -> Result<Option<Rule>> {
    let sql = format!("{SELECT} WHERE id = $1");
    db.fetch_optional::<Row>(Sql::built(sql), args![id]).await?.map(Row::into_rule).transpose()
}

/// A new rule for id 0.
pub async fn save(tx: &Tx, rule: &Rule, by: &str, now: Timestamp) -> Result<()> {
    let mut args = args![
        rule.position,
        &rule.name,
        serde_json::to_string(&rule.severities)?,
        serde_json::to_string(&rule.teams)?,
        rule.required,
        rule.due_days,
        rule.gap_minutes,
        serde_json::to_string(&rule.guidance)?,
        now,
        by
    ];
    if rule.id == 0 {
        tx.execute(
            "INSERT INTO postmortem_rules (position, name, severities, teams, required, due_days, gap_minutes, guidance, \
             updated_at, updated_by_name) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            args,
        )
        .await?;
    } else {
        args.push(rule.id.into());
        tx.execute(
            "UPDATE postmortem_rules SET position = $1, name = $2, severities = $3, teams = $4, required = $5, \
             due_days = $6, gap_minutes = $7, guidance = $8, updated_at = $9, updated_by_name = $10 WHERE id = $11",
            args,
        )
        .await?;
    }
    Ok(())
}

pub async fn remove(tx: &Tx, id: i64) -> Result<()> {
    tx.execute("DELETE FROM postmortem_rules WHERE id = $1", args![id]).await.map(drop)
}

/// Real incidents that ended since a moment, about which no rule was asked yet.
pub async fn undecided(db: &Db, since: Timestamp, limit: i64) -> Result<Vec<IncidentId>> {
    let rows: Vec<(i64,)> = db
        .fetch_all(
            "SELECT i.id FROM incidents i LEFT JOIN postmortem_duties d ON d.incident_id = i.id \
             WHERE d.incident_id IS NULL AND i.status IN ('resolved', 'closed') AND i.kind = 'real' AND i.ended_at >= $1 \
             ORDER BY i.id LIMIT $2",
            args![since, limit],
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| IncidentId(id)).collect())
}

pub async fn decide(
    tx: &Tx,
    incident: IncidentId,
    rule: &str,
    due_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "INSERT INTO postmortem_duties (incident_id, rule_name, due_at, decided_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (incident_id) DO NOTHING",
        args![incident.0, rule, due_at, now],
    )
    .await
    .map(drop)
}

/// Until when the postmortem of an incident has to be published, and by which rule.
pub async fn duty(db: &Db, incident: IncidentId) -> Result<Option<(Option<Timestamp>, String)>> {
    db.fetch_optional("SELECT due_at, rule_name FROM postmortem_duties WHERE incident_id = $1", args![incident.0]).await
}

/// A postmortem that is required and not published.
#[derive(Clone, Debug, sqlx::FromRow, serde::Serialize)]
pub struct Owed {
    #[serde(skip)]
    pub incident_id: i64,
    pub title: String,
    pub severity: String,
    pub due_at: Timestamp,
    pub rule_name: String,
    /// `draft` or `in_review`; `None` when nothing was drafted.
    pub state: Option<String>,
}

impl Owed {
    pub fn incident(&self) -> IncidentId {
        IncidentId(self.incident_id)
    }
}

const OWED: &str = "SELECT d.incident_id, i.title, i.severity, d.due_at, d.rule_name, p.state FROM postmortem_duties d \
    JOIN incidents i ON i.id = d.incident_id LEFT JOIN postmortems p ON p.incident_id = d.incident_id";

/// Soonest due first.
pub async fn owed(db: &Db, viewer: Viewer, limit: i64) -> Result<Vec<Owed>> {
    let mut w = Where::new();
    w.and_raw("d.due_at IS NOT NULL");
    w.and_raw("(p.state IS NULL OR p.state <> 'published')");
    incidents::visible(&mut w, viewer);
    let limit = w.bind(limit);
    let (sql, args) = w.statement(OWED, &format!("ORDER BY d.due_at, d.incident_id LIMIT {limit}"));
    db.fetch_all(sql, args).await
}

/// Overdue ones that nobody was reminded of.
pub async fn to_remind(db: &Db, now: Timestamp, limit: i64) -> Result<Vec<Owed>> {
    let sql = format!(
        "{OWED} WHERE d.due_at < $1 AND d.reminded_at IS NULL AND (p.state IS NULL OR p.state <> 'published') \
         ORDER BY d.due_at, d.incident_id LIMIT $2"
    );
    db.fetch_all(Sql::built(sql), args![now, limit]).await
}

pub async fn set_reminded(tx: &Tx, incident: IncidentId, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE postmortem_duties SET reminded_at = $1 WHERE incident_id = $2", args![now, incident.0])
        .await
        .map(drop)
}
