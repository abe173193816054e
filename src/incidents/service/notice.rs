//! An incident as notifications tell it.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::notifications::{Event, EventKind};

use super::super::model::Kind;
use super::super::model::record::Incident;
use super::details::services;
use super::people::roles;

/// What everybody who is told of it needs: how bad, how it stands, which services, who leads. The caller
/// adds what happened. `None` for what was entered after the fact: nobody is to be rung up for the past.
pub async fn notice(db: &Db, incident: &Incident, kind: EventKind, at: Timestamp) -> Result<Option<Event>> {
    let title = match incident.kind {
        Kind::Real => incident.title.clone(),
        Kind::Drill => format!("[Drill] {}", incident.title),
        Kind::Backfilled => return Ok(None),
    };
    let holders: BTreeMap<String, String> =
        roles(db, incident.id).await?.into_iter().map(|h| (h.role.as_str().to_owned(), h.email)).collect();
    Ok(Some(Event {
        severity: Some(incident.severity.as_str().to_owned()),
        status: Some(incident.status.as_str().to_owned()),
        services: services(db, incident.id).await?.into_iter().map(|s| s.slug).collect(),
        private: incident.private,
        path: incident.path(),
        holders,
        ..Event::new(kind, incident.id.to_string(), title, at)
    }))
}
