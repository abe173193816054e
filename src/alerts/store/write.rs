//! Bulk writes of what deliveries told: many alerts and signals in few statements.

use super::Alert;
use crate::alerts::model::AlertStatus;
use crate::args;
use crate::clock::Timestamp;
use crate::db::{Sql, Tx, Value};
use crate::error::Result;
use crate::inbox::store::rows;

/// Rows in one statement: within the engines' limit of 32,766 bound values.
const ROWS: usize = 250;

/// Waits until no other node writes alerts; held to the end of the transaction.
pub async fn take_turn(tx: &Tx, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE alert_turn SET taken_at = $1 WHERE id = 1", args![now]).await.map(drop)
}

fn content(alert: &Alert) -> Result<Vec<Value>> {
    Ok(args![
        alert.state.status.as_str(),
        alert.severity.map(|s| s.as_str().to_owned()),
        &alert.title,
        &alert.description,
        &alert.rule,
        &alert.service,
        &alert.environment,
        serde_json::to_string(&alert.labels)?,
        serde_json::to_string(&alert.annotations)?,
        serde_json::to_string(&alert.links)?,
        &alert.runbook_url,
        &alert.trace_id,
        &alert.deployment,
        alert.state.started_at,
        alert.state.ended_at,
        alert.expires_at,
        alert.state.last_seen,
        alert.signal_count,
        alert.episode_count,
        alert.flapping_until,
        alert.acknowledged_at,
        &alert.acknowledged_by,
        alert.decide_at,
        alert.last_delivery_id
    ])
}

const CONTENT: &str = "status, severity, title, description, rule, service, environment, labels, annotations, links, runbook_url, \
     trace_id, deployment, started_at, ended_at, expires_at, last_seen_at, signal_count, episode_count, flapping_until, \
     acknowledged_at, acknowledged_by, decide_at, last_delivery_id";

/// Writes new alerts and fills in their ids.
pub async fn insert(tx: &Tx, alerts: &mut [&mut Alert]) -> Result<()> {
    let width = CONTENT.split(',').count() + 4;
    for chunk in alerts.chunks_mut(ROWS) {
        let mut values = Vec::with_capacity(chunk.len() * width);
        for alert in chunk.iter() {
            values.extend(content(alert)?);
            values.extend(args![&alert.source, &alert.dedup_key, &alert.origin, alert.state.first_seen]);
        }
        let sql = format!(
            "INSERT INTO alerts ({CONTENT}, source, dedup_key, origin, first_seen_at) VALUES {} RETURNING id, dedup_key",
            rows(chunk.len(), width)
        );
        let ids: std::collections::HashMap<String, i64> = tx
            .fetch_all::<(i64, String)>(Sql::built(sql), values)
            .await?
            .into_iter()
            .map(|(id, key)| (key, id))
            .collect();
        for alert in chunk.iter_mut() {
            alert.id = ids.get(&alert.dedup_key).copied().unwrap_or_default();
        }
    }
    Ok(())
}

/// Writes alerts of which more changed than that they were seen again.
pub async fn update(tx: &Tx, alerts: &[&Alert]) -> Result<()> {
    let columns: Vec<&str> = CONTENT.split(", ").collect();
    let set: Vec<String> = columns.iter().enumerate().map(|(i, c)| format!("{c} = v.column{}", i + 2)).collect();
    let width = columns.len() + 1;
    for chunk in alerts.chunks(ROWS) {
        let mut values = Vec::with_capacity(chunk.len() * width);
        for alert in chunk {
            values.extend(args![alert.id]);
            values.extend(content(alert)?);
        }
        let sql = format!(
            "UPDATE alerts SET {}, version = version + 1 FROM (VALUES {}) AS v WHERE alerts.id = v.column1",
            set.join(", "),
            rows(chunk.len(), width)
        );
        tx.execute(Sql::built(sql), values).await?;
    }
    Ok(())
}

/// Writes alerts that were only seen again: the common case in a storm, and the cheapest.
pub async fn touch(tx: &Tx, alerts: &[&Alert]) -> Result<()> {
    for chunk in alerts.chunks(ROWS) {
        let values = chunk
            .iter()
            .flat_map(|a| args![a.id, a.state.last_seen, a.signal_count, a.expires_at, a.last_delivery_id])
            .collect();
        let sql = format!(
            "UPDATE alerts SET last_seen_at = v.column2, signal_count = v.column3, expires_at = v.column4, \
             last_delivery_id = v.column5 FROM (VALUES {}) AS v WHERE alerts.id = v.column1",
            rows(chunk.len(), 5)
        );
        tx.execute(Sql::built(sql), values).await?;
    }
    Ok(())
}

/// A start or an end, as often as one batch of deliveries said it.
#[derive(Clone, Debug)]
pub struct NewSignal {
    pub alert_id: i64,
    pub status: AlertStatus,
    pub starts_at: Timestamp,
    pub ends_at: Option<Timestamp>,
    pub received_at: Timestamp,
    pub last_received_at: Timestamp,
    pub times: i64,
    pub first_delivery: i64,
    pub last_delivery: i64,
}

/// Writes signals; one that is known is counted, unless by a delivery that was counted before.
pub async fn signals(tx: &Tx, signals: &[NewSignal]) -> Result<()> {
    for chunk in signals.chunks(ROWS) {
        let values = chunk
            .iter()
            .flat_map(|s| {
                args![
                    s.alert_id,
                    s.status.as_str(),
                    s.starts_at,
                    s.ends_at,
                    s.received_at,
                    s.last_received_at,
                    s.times,
                    s.first_delivery,
                    s.last_delivery
                ]
            })
            .collect();
        let sql = format!(
            "INSERT INTO signals (alert_id, status, starts_at, ends_at, received_at, last_received_at, times, delivery_id, \
             last_delivery_id) VALUES {} ON CONFLICT (alert_id, starts_at, status) DO UPDATE SET \
             times = signals.times + excluded.times, last_received_at = excluded.last_received_at, \
             last_delivery_id = excluded.last_delivery_id WHERE signals.last_delivery_id < excluded.last_delivery_id",
            rows(chunk.len(), 9)
        );
        tx.execute(Sql::built(sql), values).await?;
    }
    Ok(())
}

/// Length of a bar of the storm's drawing, in microseconds: five minutes.
pub const SLOT: i64 = 300_000_000;

/// Counts episodes that began, by the five minutes, so that the storm is drawn from few rows.
pub async fn starts(tx: &Tx, starts: impl Iterator<Item = Timestamp>) -> Result<()> {
    let mut counts = std::collections::BTreeMap::<i64, i64>::new();
    for at in starts {
        *counts.entry(at.as_micros().div_euclid(SLOT) * SLOT).or_default() += 1;
    }
    for (slot, count) in counts {
        tx.execute(
            "INSERT INTO alert_starts (slot_at, episodes) VALUES ($1, $2) \
             ON CONFLICT (slot_at) DO UPDATE SET episodes = alert_starts.episodes + excluded.episodes",
            args![slot, count],
        )
        .await?;
    }
    Ok(())
}

/// Starts of earlier episodes of an alert since a moment, for telling whether it flaps.
pub async fn episodes_since(tx: &Tx, alert: i64, since: Timestamp) -> Result<i64> {
    tx.fetch_scalar(
        "SELECT COUNT(DISTINCT starts_at) FROM signals WHERE alert_id = $1 AND starts_at >= $2",
        args![alert, since],
    )
    .await
}

/// Firing alerts whose sender promised to repeat them and did not.
pub async fn expired(tx: &Tx, now: Timestamp, limit: i64) -> Result<Vec<Alert>> {
    let mut w = crate::db::Where::new();
    w.and("expires_at <= ?", now);
    let limit = w.bind(limit);
    super::read(tx, &w, &format!("ORDER BY expires_at, id LIMIT {limit}")).await
}
