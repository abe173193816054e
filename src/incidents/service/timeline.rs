//! Writing on the timeline: by people and by other rooms; editing with history, striking out.

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

use super::super::model::input::{EditEntryInput, NewEntry};
use super::super::model::record::{Entry, EntryVersion};
use super::super::model::{EntryKind, IncidentId, Layer};
use super::super::store::timeline as store;
use super::By;
use super::events::{self, EventKind};

/// What is written of longer ago completes the story; it is no update that others wait for.
const NEWS: chrono::TimeDelta = chrono::TimeDelta::minutes(15);

/// An entry to append.
#[derive(Clone, Debug)]
pub struct Append {
    pub layer: Layer,
    pub kind: EntryKind,
    /// Markdown.
    pub text: String,
    /// A page of ours that tells more, as a path; empty for none.
    pub link: String,
    pub occurred_at: Timestamp,
    /// Names the entry at its source; a second one with the same key is not written.
    pub import_key: Option<String>,
}

impl Append {
    /// What the system writes because something was done.
    pub fn activity(kind: EntryKind, text: impl Into<String>, occurred_at: Timestamp) -> Self {
        Self { layer: Layer::Activity, kind, text: text.into(), link: String::new(), occurred_at, import_key: None }
    }

    /// What a reader of the postmortem needs.
    pub fn story(kind: EntryKind, text: impl Into<String>, occurred_at: Timestamp) -> Self {
        Self { layer: Layer::Story, ..Self::activity(kind, text, occurred_at) }
    }

    #[must_use]
    pub fn linked(mut self, link: impl Into<String>) -> Self {
        self.link = link.into();
        self
    }

    #[must_use]
    pub fn keyed(mut self, key: impl Into<String>) -> Self {
        self.import_key = Some(key.into());
        self
    }
}

/// The new entry's id; `None` when one with the same key is there already.
pub async fn append_timeline(tx: &Tx, id: IncidentId, entry: &Append, by: &By, now: Timestamp) -> Result<Option<i64>> {
    let row = store::NewRow {
        layer: entry.layer,
        kind: entry.kind,
        text: &entry.text,
        link: &entry.link,
        occurred_at: entry.occurred_at,
        recorded_at: now,
        author_id: by.user_id,
        author_name: &by.name,
        import_key: entry.import_key.as_deref(),
    };
    let entry_id = store::insert(tx, id, &row).await?;
    if let Some(written) = entry_id {
        super::index::index_entry(tx, id, written, entry, entry.occurred_at).await?;
    }
    tx.announce(format!("incident:{}", id.0));
    Ok(entry_id)
}

/// What a person writes.
pub async fn post(tx: &Tx, id: IncidentId, new: &NewEntry, by: &By, now: Timestamp) -> Result<Entry> {
    let entry = Append {
        layer: new.layer,
        kind: EntryKind::Note,
        text: new.text.clone(),
        link: String::new(),
        occurred_at: new.occurred_at,
        import_key: None,
    };
    let entry_id = append_timeline(tx, id, &entry, by, now).await?;
    if new.layer == Layer::Story && now - new.occurred_at < NEWS {
        let detail = serde_json::json!({ "text": new.text, "by": by.name });
        events::record(tx, id, EventKind::UpdatePosted, &detail, now).await?;
    }
    get(tx, id, entry_id.unwrap_or_default()).await
}

/// # Errors
/// `NotFound` when the incident has no such entry.
pub async fn get(db: &Db, id: IncidentId, entry_id: i64) -> Result<Entry> {
    store::find(db, id, entry_id).await?.ok_or_else(|| Error::not_found(format!("timeline entry {entry_id} of {id}")))
}

pub async fn page(db: &Db, id: IncidentId, filter: &store::Filter, limit: i64) -> Result<Vec<Entry>> {
    store::page(db, id, filter, limit).await
}

pub async fn count(db: &Db, id: IncidentId, filter: &store::Filter) -> Result<i64> {
    store::count(db, id, filter).await
}

/// What the entry said before, newest first.
pub async fn versions(db: &Db, entry_id: i64) -> Result<Vec<EntryVersion>> {
    store::versions(db, entry_id).await
}

/// Changes text, time or layer; what stood before is kept.
///
/// # Errors
/// `Conflict` when the edit started from another version, or when the entry is struck.
pub async fn edit(
    tx: &Tx,
    id: IncidentId,
    entry_id: i64,
    input: &EditEntryInput,
    by: &By,
    now: Timestamp,
) -> Result<Entry> {
    let entry = get(tx, id, entry_id).await?;
    if entry.deleted_at.is_some() {
        return Err(Error::Conflict("a struck entry cannot be edited; restore it first".to_owned()));
    }
    if input.version.is_some_and(|read| read != entry.version) {
        return Err(stale());
    }
    let standing = NewEntry { occurred_at: entry.occurred_at, text: entry.text.clone(), layer: entry.layer };
    let wanted = input.normalize(standing.clone(), now).map_err(Error::Invalid)?;
    if wanted == standing {
        return Ok(entry);
    }
    let changed = Entry {
        layer: wanted.layer,
        text: wanted.text,
        occurred_at: wanted.occurred_at,
        edited_at: Some(now),
        ..entry.clone()
    };
    write(tx, id, &entry, changed, by, now).await
}

/// Strikes an entry out: it stays readable, marked as not true any more.
pub async fn strike(tx: &Tx, id: IncidentId, entry_id: i64, by: &By, now: Timestamp) -> Result<Entry> {
    let entry = get(tx, id, entry_id).await?;
    if entry.deleted_at.is_some() {
        return Ok(entry);
    }
    let struck = Entry { deleted_at: Some(now), deleted_by: Some(by.name.clone()), ..entry.clone() };
    write(tx, id, &entry, struck, by, now).await
}

/// Takes a strike back.
pub async fn restore(tx: &Tx, id: IncidentId, entry_id: i64, by: &By, now: Timestamp) -> Result<Entry> {
    let entry = get(tx, id, entry_id).await?;
    if entry.deleted_at.is_none() {
        return Ok(entry);
    }
    let restored = Entry { deleted_at: None, deleted_by: None, ..entry.clone() };
    write(tx, id, &entry, restored, by, now).await
}

async fn write(tx: &Tx, id: IncidentId, entry: &Entry, changed: Entry, by: &By, now: Timestamp) -> Result<Entry> {
    if !store::replace(tx, entry, &changed, &by.name, now).await? {
        return Err(stale());
    }
    tx.announce(format!("incident:{}", id.0));
    Ok(Entry { version: entry.version + 1, ..changed })
}

fn stale() -> Error {
    Error::Conflict("somebody else changed this entry meanwhile".to_owned())
}

/// The story in order of time, without struck entries: what a postmortem is drafted from.
pub async fn story(db: &Db, id: IncidentId, limit: i64) -> Result<Vec<Entry>> {
    let filter = store::Filter { layer: Some(Layer::Story), ..store::Filter::default() };
    let entries = store::page(db, id, &filter, limit).await?;
    Ok(entries.into_iter().filter(|e| e.deleted_at.is_none()).collect())
}
