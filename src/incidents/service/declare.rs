//! Declaring an incident.

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, FieldErrors, Result};
use crate::services;

use super::super::model::input::Declare;
use super::super::model::record::{Incident, StatusStep};
use super::super::model::{EntryKind, IncidentId, Kind, MilestoneTimes};
use super::super::store;
use super::events::{self, EventKind};
use super::timeline::{Append, append_timeline};
use super::{By, announce, lock, milestones};

/// Opens an incident. Whoever declares a private one may see it.
///
/// # Errors
/// `Invalid` (field `services`) naming every service that the catalogue does not know.
pub async fn declare(tx: &Tx, new: &Declare, by: &By, now: Timestamp) -> Result<IncidentId> {
    let service_ids = known_services(tx, &new.services).await?;
    let times = new.times();
    let row = store::head::NewIncident {
        title: &new.title,
        summary: &new.summary,
        severity: new.severity,
        status: new.status,
        kind: new.kind,
        private: new.private,
        started_at: times.start().unwrap_or(now),
        ended_at: times.get(super::super::model::MilestoneName::Resolved),
        created_by: by.user_id,
        created_by_name: &by.name,
        now,
    };
    let id = store::head::insert(tx, &row).await?;
    for service_id in service_ids {
        store::head::add_service(tx, id, service_id).await?;
    }
    if let Some(user_id) = by.user_id {
        store::people::name(tx, id, user_id, now).await?;
    }
    record_start(tx, id, new, by, now).await?;
    super::index::index_new(tx, id).await?;
    let detail =
        serde_json::json!({ "title": new.title, "severity": new.severity, "status": new.status, "by": by.name });
    events::record(tx, id, EventKind::Declared, &detail, now).await?;
    announce(tx, id);
    Ok(id)
}

async fn record_start(tx: &Tx, id: IncidentId, new: &Declare, by: &By, now: Timestamp) -> Result<()> {
    let mut incident: Incident = lock(tx, id, now).await?;
    let mut standing = MilestoneTimes::default();
    for milestone in &new.milestones {
        standing = milestones::put(tx, &mut incident, standing, milestone, by, now).await?;
    }
    let at = new.status.milestone().and_then(|name| standing.get(name)).unwrap_or(now);
    let step =
        StatusStep { from: None, to: new.status, at, recorded_at: now, author: by.name.clone(), reason: String::new() };
    store::head::add_status_step(tx, id, &step, by.user_id).await?;
    let text = match new.kind {
        Kind::Real => format!("Declared as {} by {}", new.severity, by.name),
        Kind::Drill => format!("Declared as a {} drill by {}", new.severity, by.name),
        Kind::Backfilled => format!("Entered as a past {} incident by {}", new.severity, by.name),
    };
    let declared_at = standing.get(super::super::model::MilestoneName::Declared).unwrap_or(now);
    append_timeline(tx, id, &Append::activity(EntryKind::Declared, text, declared_at), by, now).await?;
    Ok(())
}

/// The catalogue's ids of these slugs.
pub(super) async fn known_services(db: &Db, slugs: &[String]) -> Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(slugs.len());
    let mut unknown = Vec::new();
    for slug in slugs {
        match services::find_id(db, slug).await? {
            Some(id) => ids.push(id),
            None => unknown.push(format!("'{slug}'")),
        }
    }
    if unknown.is_empty() {
        return Ok(ids);
    }
    let mut errors = FieldErrors::default();
    errors.add("services", format!("the catalogue does not know {}", unknown.join(", ")));
    Err(Error::Invalid(errors))
}
