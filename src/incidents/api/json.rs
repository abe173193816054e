//! How an incident looks in JSON.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use crate::db::Db;
use crate::error::Result;

use super::super::model::record::{Incident, times_of};
use super::super::model::{MilestoneName, MilestoneTimes};
use super::super::service::{details, lists::Listed, milestones, people, status};

/// The head: what every list shows.
fn head(incident: &Incident, services: &[String], base: &str) -> Map<String, Value> {
    let value = json!({
        "id": incident.id,
        "title": incident.title,
        "summary": incident.summary,
        "severity": incident.severity,
        "status": incident.status,
        "kind": incident.kind,
        "private": incident.private,
        "services": services,
        "started_at": incident.started_at,
        "ended_at": incident.ended_at,
        "merged_into": incident.merged_into,
        "parent": incident.parent,
        "next_update_due_at": incident.next_update_due_at,
        "declared_by": incident.created_by_name,
        "created_at": incident.created_at,
        "updated_at": incident.updated_at,
        "version": incident.version,
        "url": format!("{}{}", base.trim_end_matches('/'), incident.path()),
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// `impact_started_at` and the others, by the names with which they are declared.
fn add_times(map: &mut Map<String, Value>, times: &MilestoneTimes) {
    for name in MilestoneName::ALL {
        map.insert(format!("{name}_at"), json!(times.get(*name)));
    }
    let seconds = |d: Option<TimeDelta>| d.and_then(|d| d.num_microseconds()).map(micros_to_seconds);
    let d = times.durations();
    map.insert(
        "durations".to_owned(),
        json!({
            "to_detect_s": seconds(d.to_detect),
            "to_acknowledge_s": seconds(d.to_acknowledge),
            "to_mitigate_s": seconds(d.to_mitigate),
            "to_resolve_s": seconds(d.to_resolve),
            "impact_s": seconds(d.impact),
        }),
    );
}

#[expect(clippy::cast_precision_loss, reason = "exact below 285 years")]
fn micros_to_seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

pub(super) fn listed(listed: &Listed, times: &MilestoneTimes, base: &str) -> Value {
    let mut map = head(&listed.incident, &listed.services, base);
    map.insert("commander".to_owned(), json!(listed.commander));
    add_times(&mut map, times);
    Value::Object(map)
}

/// An incident with its milestones (provenance and history), roles and status changes.
pub(super) async fn whole(db: &Db, incident: &Incident, base: &str) -> Result<Value> {
    let services: Vec<String> = details::services(db, incident.id).await?.into_iter().map(|s| s.slug).collect();
    let standing = milestones::milestones(db, incident.id).await?;
    let history = milestones::history(db, incident.id).await?;
    let mut map = head(incident, &services, base);
    add_times(&mut map, &times_of(&standing));
    let table: Map<String, Value> = standing
        .iter()
        .map(|m| {
            let mut value = json!(m);
            let own: Vec<_> = history.iter().filter(|c| c.name == m.name).collect();
            value["history"] = json!(own);
            (m.name.to_string(), value)
        })
        .collect();
    map.insert("milestones".to_owned(), Value::Object(table));
    map.insert("roles".to_owned(), json!(people::roles(db, incident.id).await?));
    map.insert("status_changes".to_owned(), json!(status::steps(db, incident.id).await?));
    Ok(Value::Object(map))
}
