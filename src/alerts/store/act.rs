//! What people and rules change on alerts.

use super::Alert;
use crate::args;
use crate::clock::Timestamp;
use crate::db::{Sql, Tx, Value, Where};
use crate::error::Result;
use crate::inbox::store::rows;

/// `false` when somebody else changed the alert meanwhile.
pub async fn acknowledge(tx: &Tx, alert: &Alert, by: &str, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE alerts SET acknowledged_at = $1, acknowledged_by = $2, version = version + 1 WHERE id = $3 AND version = $4",
            args![now, by, alert.id, alert.version],
        )
        .await?;
    Ok(changed == 1)
}

/// Ends the running episode by a person's word. `false` when somebody else changed it meanwhile.
pub async fn resolve(tx: &Tx, alert: &Alert, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE alerts SET status = 'resolved', ended_at = $1, expires_at = NULL, decide_at = NULL, version = version + 1 \
             WHERE id = $2 AND version = $3",
            args![now, alert.id, alert.version],
        )
        .await?;
    Ok(changed == 1)
}

/// Ends alerts, or notes who took them; the caller chose those that fire.
pub async fn end_or_take(tx: &Tx, ids: &[i64], resolves: bool, by: &str, now: Timestamp) -> Result<()> {
    for chunk in ids.chunks(500) {
        let mut w = Where::new();
        let at = w.bind(now);
        let head = if resolves {
            format!(
                "UPDATE alerts SET status = 'resolved', ended_at = {at}, expires_at = NULL, decide_at = NULL, version = version + 1"
            )
        } else {
            let by = w.bind(by);
            format!("UPDATE alerts SET acknowledged_at = {at}, acknowledged_by = {by}, version = version + 1")
        };
        w.and_any("id", chunk.iter().copied());
        let (sql, args) = w.statement(&head, "");
        tx.execute(sql, args).await?;
    }
    Ok(())
}

/// Ties alerts to an incident (or to none), with the reason that the pages show.
pub async fn tie(tx: &Tx, ids: &[i64], incident: Option<i64>, group: Option<i64>, reason: &str) -> Result<u64> {
    let mut changed = 0;
    for chunk in ids.chunks(500) {
        let mut w = Where::new();
        let (i, g, r) = (w.bind(incident), w.bind(group), w.bind(reason));
        w.and_any("id", chunk.iter().copied());
        let head = format!(
            "UPDATE alerts SET incident_id = {i}, group_id = {g}, reason = {r}, decide_at = NULL, version = version + 1"
        );
        let (sql, args) = w.statement(&head, "");
        changed += tx.execute(sql, args).await?;
    }
    Ok(changed)
}

/// What grouping decided about one alert.
#[derive(Clone, Debug)]
pub struct Decision {
    pub alert_id: i64,
    pub incident_id: Option<i64>,
    pub group_id: Option<i64>,
    pub reason: String,
    /// When to look again; `None` when it is settled.
    pub decide_at: Option<Timestamp>,
}

pub async fn decide(tx: &Tx, decisions: &[Decision]) -> Result<()> {
    for chunk in decisions.chunks(500) {
        let values: Vec<Value> =
            chunk.iter().flat_map(|d| args![d.alert_id, d.incident_id, d.group_id, &d.reason, d.decide_at]).collect();
        let sql = format!(
            "UPDATE alerts SET incident_id = v.column2, group_id = v.column3, reason = v.column4, decide_at = v.column5, \
             version = version + 1 FROM (VALUES {}) AS v WHERE alerts.id = v.column1",
            rows(chunk.len(), 5)
        );
        tx.execute(Sql::built(sql), values).await?;
    }
    Ok(())
}

/// Alerts that wait for a decision of grouping.
pub async fn to_decide(tx: &Tx, now: Timestamp, limit: i64) -> Result<Vec<Alert>> {
    let mut w = Where::new();
    w.and("decide_at <= ?", now);
    let limit = w.bind(limit);
    super::read(tx, &w, &format!("ORDER BY decide_at, started_at, id LIMIT {limit}")).await
}

pub async fn set_noise(tx: &Tx, ids: &[i64], at: Option<Timestamp>, by: &str) -> Result<u64> {
    let mut changed = 0;
    for chunk in ids.chunks(500) {
        let mut w = Where::new();
        let (a, b) = (w.bind(at), w.bind(by));
        w.and_any("id", chunk.iter().copied());
        let (sql, args) =
            w.statement(&format!("UPDATE alerts SET noise_at = {a}, noise_by = {b}, version = version + 1"), "");
        changed += tx.execute(sql, args).await?;
    }
    Ok(changed)
}

/// Notes the same event in the log of several alerts.
pub async fn log(tx: &Tx, ids: &[i64], kind: &str, actor: &str, text: &str, now: Timestamp) -> Result<()> {
    for chunk in ids.chunks(500) {
        let values: Vec<Value> = chunk.iter().flat_map(|id| args![*id, now, kind, actor, text]).collect();
        let sql = format!("INSERT INTO alert_events (alert_id, at, kind, actor, text) VALUES {}", rows(chunk.len(), 5));
        tx.execute(Sql::built(sql), values).await?;
    }
    Ok(())
}
