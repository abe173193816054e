//! Ending alerts whose sender promised to repeat them and did not: Prometheus went away, or forgot
//! the rule. That is how Alertmanager itself treats them.

use crate::alerts::model::AlertStatus;
use crate::alerts::store::act;
use crate::alerts::store::write::{self, NewSignal};
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;

const BATCH: i64 = 500;

/// Ends what has expired; tells how many alerts that were.
pub async fn expire_due(db: &Db, now: Timestamp) -> Result<usize> {
    let mut total = 0;
    loop {
        let tx = db.begin().await?;
        let mut alerts = write::expired(&tx, now, BATCH).await?;
        if alerts.is_empty() {
            return Ok(total);
        }
        let mut signals = Vec::with_capacity(alerts.len());
        let mut ended = Vec::with_capacity(alerts.len());
        for alert in &mut alerts {
            let end = alert.expires_at.take().unwrap_or(now).max(alert.state.started_at);
            if !alert.is_firing() {
                continue;
            }
            alert.state.status = AlertStatus::Resolved;
            alert.state.ended_at = Some(end);
            ended.push(alert.id);
            signals.push(NewSignal {
                alert_id: alert.id,
                status: AlertStatus::Resolved,
                starts_at: alert.state.started_at,
                ends_at: Some(end),
                received_at: now,
                last_received_at: now,
                times: 1,
                first_delivery: 0,
                last_delivery: 0,
            });
            if let Some(incident) = alert.incident_id {
                tx.announce(format!("incident:{incident}"));
            }
        }
        write::update(&tx, &alerts.iter().collect::<Vec<_>>()).await?;
        write::signals(&tx, &signals).await?;
        act::log(&tx, &ended, "expired", "Faultline", "its source stopped repeating it", now).await?;
        tx.announce("alerts");
        tx.commit().await?;
        total += alerts.len();
    }
}
