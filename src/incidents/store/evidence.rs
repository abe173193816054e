//! Evidence and what is kept of it.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx};
use crate::error::Result;
use crate::incidents::model::record::{Evidence, Snapshot};
use crate::incidents::model::{EvidenceKind, IncidentId};

use super::word;

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    title: String,
    note: String,
    reference: String,
    url: String,
    topic: String,
    occurred_at: Option<Timestamp>,
    added_at: Timestamp,
    added_by_name: String,
    kept_bytes: Option<i64>,
}

const SELECT: &str = "SELECT e.id, e.kind, e.title, e.note, e.reference, e.url, e.topic, e.occurred_at, e.added_at, \
    e.added_by_name, s.size AS kept_bytes FROM evidence e LEFT JOIN evidence_snapshots s ON s.evidence_id = e.id";

impl Row {
    fn into_evidence(self) -> Result<Evidence> {
        Ok(Evidence {
            id: self.id,
            kind: word(EvidenceKind::parse, &self.kind, "kind of evidence")?,
            title: self.title,
            note: self.note,
            reference: self.reference,
            url: self.url,
            topic: self.topic,
            occurred_at: self.occurred_at,
            added_at: self.added_at,
            added_by: self.added_by_name,
            kept_bytes: self.kept_bytes,
        })
    }
}

pub struct NewRow<'a> {
    pub kind: EvidenceKind,
    pub title: &'a str,
    pub note: &'a str,
    pub reference: &'a str,
    pub url: &'a str,
    pub topic: &'a str,
    pub occurred_at: Option<Timestamp>,
    pub added_at: Timestamp,
    pub added_by: Option<i64>,
    pub added_by_name: &'a str,
}

/// The new piece's id, or `None` when the same thing is attached already. What was removed before
/// comes back.
pub async fn insert(tx: &Tx, id: IncidentId, new: &NewRow<'_>) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx.fetch_optional("INSERT INTO evidence (incident_id, kind, title, note, reference, url, topic, occurred_at, added_at, added_by, \
         added_by_name) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (incident_id, kind, reference) DO UPDATE SET removed_at = NULL, title = excluded.title, \
         note = excluded.note, added_at = excluded.added_at, added_by = excluded.added_by, \
         added_by_name = excluded.added_by_name WHERE evidence.removed_at IS NOT NULL RETURNING id", args![id.0, new.kind.as_str(), new.title, new.note, new.reference, new.url, new.topic, new.occurred_at, new.added_at, new.added_by, new.added_by_name]).await?;
    Ok(row.map(|r| r.0))
}

pub async fn find(db: &Db, id: IncidentId, evidence_id: i64) -> Result<Option<Evidence>> {
    let sql = format!("{SELECT} WHERE e.incident_id = $1 AND e.id = $2 AND e.removed_at IS NULL");
    let row = db.fetch_optional::<Row>(Sql::built(sql), args![id.0, evidence_id]).await?;
    row.map(Row::into_evidence).transpose()
}

pub async fn find_by_reference(
    db: &Db,
    id: IncidentId,
    kind: EvidenceKind,
    reference: &str,
) -> Result<Option<Evidence>> {
    let sql =
        format!("{SELECT} WHERE e.incident_id = $1 AND e.kind = $2 AND e.reference = $3 AND e.removed_at IS NULL");
    let row = db.fetch_optional::<Row>(Sql::built(sql), args![id.0, kind.as_str(), reference]).await?;
    row.map(Row::into_evidence).transpose()
}

/// Oldest first, after the piece with the id `after`.
pub async fn page(db: &Db, id: IncidentId, after: i64, limit: i64) -> Result<Vec<Evidence>> {
    let sql =
        format!("{SELECT} WHERE e.incident_id = $1 AND e.id > $2 AND e.removed_at IS NULL ORDER BY e.id LIMIT $3");
    let rows = db.fetch_all::<Row>(Sql::built(sql), args![id.0, after, limit]).await?;
    rows.into_iter().map(Row::into_evidence).collect()
}

pub async fn count(db: &Db, id: IncidentId) -> Result<i64> {
    let (n,): (i64,) = db
        .fetch_one("SELECT COUNT(*) FROM evidence WHERE incident_id = $1 AND removed_at IS NULL", args![id.0])
        .await?;
    Ok(n)
}

/// Hidden from the pages; its snapshot stays, so that a mistake can be mended.
pub async fn remove(tx: &Tx, id: IncidentId, evidence_id: i64, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE evidence SET removed_at = $1 WHERE incident_id = $2 AND id = $3 AND removed_at IS NULL",
            args![now, id.0, evidence_id],
        )
        .await?;
    Ok(changed == 1)
}

/// What a piece is called, once it is known.
pub async fn describe(tx: &Tx, evidence_id: i64, title: &str, topic: &str, at: Option<Timestamp>) -> Result<()> {
    let args = args![title, topic, at, evidence_id];
    tx.execute("UPDATE evidence SET title = $1, topic = $2, occurred_at = $3 WHERE id = $4", args).await.map(drop)
}

pub async fn set_url(tx: &Tx, evidence_id: i64, url: &str) -> Result<()> {
    tx.execute("UPDATE evidence SET url = $1 WHERE id = $2", args![url, evidence_id]).await.map(drop)
}

/// A snapshot as it is stored.
pub struct StoredSnapshot {
    pub media_type: String,
    pub encoding: &'static str,
    /// Bytes before compression.
    pub size: i64,
    pub body: Vec<u8>,
    pub taken_at: Timestamp,
}

pub async fn put_snapshot(tx: &Tx, evidence_id: i64, snapshot: &StoredSnapshot) -> Result<()> {
    tx.execute(
        "INSERT INTO evidence_snapshots (evidence_id, media_type, encoding, size, body, taken_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (evidence_id) DO UPDATE SET media_type = excluded.media_type, \
         encoding = excluded.encoding, size = excluded.size, body = excluded.body, taken_at = excluded.taken_at",
        args![
            evidence_id,
            &snapshot.media_type,
            snapshot.encoding,
            snapshot.size,
            snapshot.body.as_slice(),
            snapshot.taken_at
        ],
    )
    .await?;
    Ok(())
}

/// The stored bytes and their encoding; unpacking is the action's.
pub async fn snapshot(db: &Db, evidence_id: i64) -> Result<Option<(String, Snapshot)>> {
    #[derive(sqlx::FromRow)]
    struct Stored {
        media_type: String,
        encoding: String,
        body: Vec<u8>,
        taken_at: Timestamp,
    }
    let row = db
        .fetch_optional::<Stored>(
            "SELECT media_type, encoding, body, taken_at FROM evidence_snapshots WHERE evidence_id = $1",
            args![evidence_id],
        )
        .await?;
    Ok(row.map(|r| (r.encoding, Snapshot { media_type: r.media_type, body: r.body, taken_at: r.taken_at })))
}
