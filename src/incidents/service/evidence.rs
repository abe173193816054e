//! Attaching evidence, and keeping the thing itself with the incident.

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

use super::super::hooks::Resolved;
use super::super::model::record::{Evidence, Snapshot};
use super::super::model::{EntryKind, EvidenceKind, IncidentId};
use super::super::store::evidence as store;
use super::By;
use super::timeline::{Append, append_timeline};

/// The largest snapshot kept, before compression.
pub const MAX_SNAPSHOT: usize = 16 * 1024 * 1024;

/// Evidence to attach. Other rooms fill it from what they know of the thing.
#[derive(Clone, Debug)]
pub struct Attach {
    pub kind: EvidenceKind,
    pub title: String,
    /// Why it matters; Markdown.
    pub note: String,
    /// The normal form of the id or address: what is attached twice is one piece of evidence.
    pub reference: String,
    /// Where the thing can be seen, at its source or here; empty for nowhere.
    pub url: String,
    /// What the same thing is called every time it comes (an alert's key, a deployment's service).
    pub topic: String,
    pub occurred_at: Option<Timestamp>,
    /// The thing itself.
    pub snapshot: Option<NewSnapshot>,
}

#[derive(Clone, Debug)]
pub struct NewSnapshot {
    pub media_type: String,
    pub body: Vec<u8>,
}

impl NewSnapshot {
    /// What is kept of most things.
    pub fn json(value: &serde_json::Value) -> Self {
        Self { media_type: "application/json".to_owned(), body: value.to_string().into_bytes() }
    }
}

/// The piece's id, whether it is new or was attached already. A new snapshot of a piece that has none
/// is kept; one that has one keeps its first.
///
/// # Errors
/// `TooLarge` for a snapshot over [`MAX_SNAPSHOT`].
pub async fn add_evidence(tx: &Tx, id: IncidentId, attach: &Attach, by: &By, now: Timestamp) -> Result<i64> {
    let row = store::NewRow {
        kind: attach.kind,
        title: &attach.title,
        note: &attach.note,
        reference: &attach.reference,
        url: &attach.url,
        topic: &attach.topic,
        occurred_at: attach.occurred_at,
        added_at: now,
        added_by: by.user_id,
        added_by_name: &by.name,
    };
    let evidence_id = match store::insert(tx, id, &row).await? {
        Some(new_id) => {
            let text = format!("{} attached: {}", attach.kind.label(), attach.title);
            let entry = Append::activity(EntryKind::Evidence, text, attach.occurred_at.unwrap_or(now))
                .linked(format!("/incidents/{id}/evidence/{new_id}"));
            append_timeline(tx, id, &entry, by, now).await?;
            new_id
        }
        None => {
            let standing = store::find_by_reference(tx, id, attach.kind, &attach.reference).await?;
            standing.ok_or_else(|| Error::Internal(format!("evidence of {id} vanished")))?.id
        }
    };
    if let Some(snapshot) = &attach.snapshot
        && store::snapshot(tx, evidence_id).await?.is_none()
    {
        store::put_snapshot(tx, evidence_id, &pack(snapshot, now)?).await?;
    }
    tx.announce(format!("incident:{}", id.0));
    Ok(evidence_id)
}

/// Keeps the thing itself for a piece that was attached before it could be had.
pub async fn keep_snapshot(tx: &Tx, evidence_id: i64, snapshot: &NewSnapshot, now: Timestamp) -> Result<()> {
    store::put_snapshot(tx, evidence_id, &pack(snapshot, now)?).await
}

/// Completes a piece that was attached before the thing could be had: its copy is kept, its own name and
/// time replace the placeholder's, and the timeline says from where it came. A piece that was removed
/// meanwhile, or has its copy already, stays as it is.
pub async fn complete_evidence(
    tx: &Tx,
    id: IncidentId,
    evidence_id: i64,
    found: &Resolved,
    by: &By,
    now: Timestamp,
) -> Result<()> {
    let Some(piece) = store::find(tx, id, evidence_id).await? else { return Ok(()) };
    let Some(snapshot) = found.snapshot.as_ref().filter(|_| piece.kept_bytes.is_none()) else { return Ok(()) };
    keep_snapshot(tx, evidence_id, snapshot, now).await?;
    let names_itself = piece.title != format!("{} {}", piece.kind.label(), piece.reference);
    let title = if names_itself { &piece.title } else { &found.title };
    store::describe(tx, evidence_id, title, &found.topic, piece.occurred_at.or(found.occurred_at)).await?;
    let text = format!("{} fetched and kept: {title}", piece.kind.label());
    let entry =
        Append::activity(EntryKind::Evidence, text, now).linked(format!("/incidents/{id}/evidence/{evidence_id}"));
    append_timeline(tx, id, &entry, by, now).await?;
    Ok(())
}

/// Says where a piece can be seen that had no address.
pub async fn link_evidence(tx: &Tx, id: IncidentId, evidence_id: i64, url: &str) -> Result<()> {
    match store::find(tx, id, evidence_id).await? {
        Some(piece) if piece.url.is_empty() => store::set_url(tx, evidence_id, url).await,
        _ => Ok(()),
    }
}

/// # Errors
/// `NotFound` when the incident has no such piece.
pub async fn get(db: &Db, id: IncidentId, evidence_id: i64) -> Result<Evidence> {
    store::find(db, id, evidence_id).await?.ok_or_else(|| Error::not_found(format!("evidence {evidence_id} of {id}")))
}

/// What is kept of a piece, unpacked; `None` when only its reference is.
pub async fn snapshot(db: &Db, evidence_id: i64) -> Result<Option<Snapshot>> {
    let Some((encoding, mut snapshot)) = store::snapshot(db, evidence_id).await? else { return Ok(None) };
    if encoding == "zstd" {
        let fault = |e: std::io::Error| Error::Internal(format!("unpacking evidence {evidence_id}: {e}"));
        snapshot.body = zstd::bulk::decompress(&snapshot.body, MAX_SNAPSHOT).map_err(fault)?;
    }
    Ok(Some(snapshot))
}

/// Hides a piece that does not belong here. Its snapshot stays in the database.
pub async fn remove(tx: &Tx, id: IncidentId, evidence_id: i64, by: &By, now: Timestamp) -> Result<()> {
    let piece = get(tx, id, evidence_id).await?;
    store::remove(tx, id, evidence_id, now).await?;
    let text = format!("{} removed: {}", piece.kind.label(), piece.title);
    append_timeline(tx, id, &Append::activity(EntryKind::Evidence, text, now), by, now).await?;
    Ok(())
}

/// Oldest first, after the piece `after`; at most `limit`.
pub async fn page(db: &Db, id: IncidentId, after: i64, limit: i64) -> Result<Vec<Evidence>> {
    store::page(db, id, after, limit).await
}

pub async fn count(db: &Db, id: IncidentId) -> Result<i64> {
    store::count(db, id).await
}

fn pack(snapshot: &NewSnapshot, now: Timestamp) -> Result<store::StoredSnapshot> {
    if snapshot.body.len() > MAX_SNAPSHOT {
        return Err(Error::TooLarge { limit: MAX_SNAPSHOT });
    }
    let size = i64::try_from(snapshot.body.len()).unwrap_or(i64::MAX);
    // Images are compressed already.
    let is_image = snapshot.media_type.starts_with("image/");
    let (encoding, body) = if is_image {
        ("identity", snapshot.body.clone())
    } else {
        let packed = zstd::bulk::compress(&snapshot.body, 3).map_err(|e| Error::Internal(format!("packing: {e}")))?;
        ("zstd", packed)
    };
    Ok(store::StoredSnapshot { media_type: snapshot.media_type.clone(), encoding, size, body, taken_at: now })
}
