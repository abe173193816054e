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

/// Entries read at once.
const BATCH: i64 = 500;

/// Has an incident and its story found as they stand: after an import, and when the index is made anew.
pub async fn reindex(tx: &Tx, id: IncidentId) -> Result<()> {
    let Some(incident) = store::head::find(tx, id).await? else { return Ok(()) };
    index(tx, &incident).await?;
    let mut filter = store::timeline::Filter { layer: Some(Layer::Story), ..store::timeline::Filter::default() };
    loop {
        let entries = store::timeline::page(tx, id, &filter, BATCH).await?;
        for entry in &entries {
            let text =
                Append { layer: entry.layer, ..Append::story(entry.kind, entry.text.clone(), entry.occurred_at) };
            index_entry(tx, id, entry.id, &text, entry.occurred_at).await?;
        }
        match entries.last() {
            Some(last) if i64::try_from(entries.len()).is_ok_and(|n| n == BATCH) => {
                filter.beyond = Some((last.occurred_at, last.id));
            }
            _ => return Ok(()),
        }
    }
}
