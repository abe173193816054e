//! Keeping incidents findable: what the search index is told when they change.

use super::super::model::record::Incident;
use super::super::model::{IncidentId, Layer};
use super::super::store;
use super::timeline::Append;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::Result;
use crate::search::{self, Doc, DocKind};

/// Writes the head back and has it found under its new words.
pub(super) async fn save(tx: &Tx, incident: &Incident) -> Result<()> {
    store::head::save(tx, incident).await?;
    index(tx, incident).await
}

/// An incident that was just declared.
pub(super) async fn index_new(tx: &Tx, id: IncidentId) -> Result<()> {
    match store::head::find(tx, id).await? {
        Some(incident) => index(tx, &incident).await,
        None => Ok(()),
    }
}

async fn index(tx: &Tx, incident: &Incident) -> Result<()> {
    let doc = Doc {
        kind: DocKind::Incident,
        id: incident.id.to_string(),
        title: format!("{} {}", incident.id, incident.title),
        text: format!("{} {} {}", incident.summary, incident.severity, incident.status),
        url: format!("/incidents/{}", incident.id),
        private_incident: incident.private.then_some(incident.id.0),
        at: incident.started_at,
    };
    search::upsert(tx, doc).await
}

/// A story entry is found by its text; activity is the system's own and would only repeat the rest.
pub(super) async fn index_entry(tx: &Tx, id: IncidentId, entry_id: i64, entry: &Append, at: Timestamp) -> Result<()> {
    if entry.layer != Layer::Story {
        return Ok(());
    }
    let Some(incident) = store::head::find(tx, id).await? else { return Ok(()) };
    let doc = Doc {
        kind: DocKind::Timeline,
        id: entry_id.to_string(),
        title: format!("{id} {}", incident.title),
        text: entry.text.clone(),
        url: format!("/incidents/{id}/timeline#entry-{entry_id}"),
        private_incident: incident.private.then_some(id.0),
        at,
    };
    search::upsert(tx, doc).await
}
