//! The Alertmanager API (`POST /api/v2/alerts`): a bare list of alerts, as Prometheus and Loki
//! send it. There is no status: an alert is over when its `endsAt` has passed. For a firing alert
//! the sender writes an `endsAt` in the future, past which it counts as over unless repeated; one
//! without `endsAt` gets [`RESOLVE_TIMEOUT`], as in Alertmanager.

use chrono::TimeDelta;
use serde_json::Value;

use super::alertmanager::from_labels;
use super::{Parsed, Problem, labels, read};
use crate::alerts::model::{AlertStatus, DedupKey};
use crate::clock::Timestamp;

/// Alertmanager's own default.
pub const RESOLVE_TIMEOUT: TimeDelta = TimeDelta::minutes(5);

pub fn parse(body: &Value, received_at: Timestamp) -> Result<Parsed, Problem> {
    let members = body
        .as_array()
        .ok_or_else(|| Problem::body(format!("expected a list of alerts, found {}", read::kind(body))))?;
    Ok(Parsed::each("", members, |member| {
        read::object(member)?;
        let mut labels = read::text_map(member, "labels")?;
        // Alertmanager drops empty labels before it computes the fingerprint.
        labels.retain(|_, v| !v.is_empty());
        if labels.is_empty() {
            return Err(Problem::at("labels", "at least one label is needed"));
        }
        let key = DedupKey::new("prometheus", &labels::fingerprint(&labels));
        let mut event = from_labels(key, labels, read::text_map(member, "annotations")?);
        event.starts_at = read::time(member, "startsAt");
        match read::time(member, "endsAt") {
            Some(end) if end <= received_at => {
                event.status = AlertStatus::Resolved;
                event.ends_at = Some(end);
            }
            end => event.expires_at = Some(end.unwrap_or(received_at + RESOLVE_TIMEOUT)),
        }
        event.links.extend(read::link("Source", read::text(member, "generatorURL")?));
        Ok(event)
    }))
}
