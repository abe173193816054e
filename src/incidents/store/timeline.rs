//! Timeline entries and their earlier versions.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx};
use crate::error::Result;
use crate::incidents::model::record::{Entry, EntryVersion};
use crate::incidents::model::{EntryKind, IncidentId, Layer};

use super::word;

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    layer: String,
    kind: String,
    text: String,
    link: String,
    occurred_at: Timestamp,
    recorded_at: Timestamp,
    author_name: String,
    edited_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    deleted_by: Option<String>,
    version: i64,
}

const COLUMNS: &str = "id, layer, kind, text, link, occurred_at, recorded_at, author_name, edited_at, deleted_at, \
    deleted_by, version";

impl Row {
    fn into_entry(self) -> Result<Entry> {
        Ok(Entry {
            id: self.id,
            layer: word(Layer::parse, &self.layer, "timeline layer")?,
            kind: word(EntryKind::parse, &self.kind, "kind of timeline entry")?,
            text: self.text,
            link: self.link,
            occurred_at: self.occurred_at,
            recorded_at: self.recorded_at,
            author: self.author_name,
            edited_at: self.edited_at,
            deleted_at: self.deleted_at,
            deleted_by: self.deleted_by,
            version: self.version,
        })
    }
}

pub struct NewRow<'a> {
    pub layer: Layer,
    pub kind: EntryKind,
    pub text: &'a str,
    pub link: &'a str,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
    pub author_id: Option<i64>,
    pub author_name: &'a str,
    pub import_key: Option<&'a str>,
}

/// `None` when an entry with this import key is there already.
pub async fn insert(tx: &Tx, id: IncidentId, new: &NewRow<'_>) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO timeline_entries (incident_id, layer, kind, text, link, occurred_at, recorded_at, author_id, \
         author_name, import_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (incident_id, import_key) DO NOTHING RETURNING id",
            args![
                id.0,
                new.layer.as_str(),
                new.kind.as_str(),
                new.text,
                new.link,
                new.occurred_at,
                new.recorded_at,
                new.author_id,
                new.author_name,
                new.import_key
            ],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

pub async fn find(db: &Db, id: IncidentId, entry_id: i64) -> Result<Option<Entry>> {
    let sql = format!("SELECT {COLUMNS} FROM timeline_entries WHERE incident_id = $1 AND id = $2");
    let row = db.fetch_optional::<Row>(Sql::built(sql), args![id.0, entry_id]).await?;
    row.map(Row::into_entry).transpose()
}

/// What to show of a timeline.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub layer: Option<Layer>,
    pub kind: Option<EntryKind>,
    /// Entries before (newest first) or after (oldest first) this place.
    pub beyond: Option<(Timestamp, i64)>,
    pub newest_first: bool,
}

/// At most `limit` entries in the asked order.
pub async fn page(db: &Db, id: IncidentId, filter: &Filter, limit: i64) -> Result<Vec<Entry>> {
    let mut sql = format!("SELECT {COLUMNS} FROM timeline_entries WHERE incident_id = $1");
    // $2 and $3 are always bound; a branch that is not wanted leaves them unused.
    sql.push_str(if filter.layer.is_some() { " AND layer = $2" } else { " AND $2 = ''" });
    sql.push_str(if filter.kind.is_some() { " AND kind = $3" } else { " AND $3 = ''" });
    let (compare, direction) = if filter.newest_first { ("<", "DESC") } else { (">", "ASC") };
    sql.push_str(&format!(
        " AND (occurred_at, id) {compare} ($4, $5) ORDER BY occurred_at {direction}, id {direction} LIMIT $6"
    ));
    let edge = if filter.newest_first { i64::MAX } else { i64::MIN };
    let (at, entry_id) = filter.beyond.map_or((edge, edge), |(at, id)| (at.as_micros(), id));
    let rows = db
        .fetch_all::<Row>(
            Sql::built(sql),
            args![
                id.0,
                filter.layer.map_or("", Layer::as_str),
                filter.kind.map_or("", EntryKind::as_str),
                at,
                entry_id,
                limit
            ],
        )
        .await?;
    rows.into_iter().map(Row::into_entry).collect()
}

pub async fn count(db: &Db, id: IncidentId, filter: &Filter) -> Result<i64> {
    let (n,): (i64,) = db.fetch_one("SELECT COUNT(*) FROM timeline_entries WHERE incident_id = $1 AND ($2 = '' OR layer = $2) AND ($3 = '' OR kind = $3)", args![id.0, filter.layer.map_or("", Layer::as_str), filter.kind.map_or("", EntryKind::as_str)]).await?;
    Ok(n)
}

/// Keeps what stands as an earlier version and writes the new one; `false` when another version
/// than `entry.version` stands.
pub async fn replace(tx: &Tx, entry: &Entry, new: &Entry, by: &str, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE timeline_entries SET layer = $1, text = $2, occurred_at = $3, edited_at = $4, deleted_at = $5, \
         deleted_by = $6, version = version + 1 WHERE id = $7 AND version = $8",
            args![
                new.layer.as_str(),
                &new.text,
                new.occurred_at,
                new.edited_at,
                new.deleted_at,
                &new.deleted_by,
                entry.id,
                entry.version
            ],
        )
        .await?;
    if changed != 1 {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO timeline_entry_versions (entry_id, version, layer, text, occurred_at, replaced_at, replaced_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![entry.id, entry.version, entry.layer.as_str(), &entry.text, entry.occurred_at, now, by],
    )
    .await?;
    Ok(true)
}

/// Newest first; at most 200.
pub async fn versions(db: &Db, entry_id: i64) -> Result<Vec<EntryVersion>> {
    #[derive(sqlx::FromRow)]
    struct Version {
        version: i64,
        layer: String,
        text: String,
        occurred_at: Timestamp,
        replaced_at: Timestamp,
        replaced_by: String,
    }
    let rows = db
        .fetch_all::<Version>(
            "SELECT version, layer, text, occurred_at, replaced_at, replaced_by FROM timeline_entry_versions \
         WHERE entry_id = $1 ORDER BY version DESC LIMIT 200",
            args![entry_id],
        )
        .await?;
    rows.into_iter()
        .map(|r| {
            Ok(EntryVersion {
                version: r.version,
                layer: word(Layer::parse, &r.layer, "timeline layer")?,
                text: r.text,
                occurred_at: r.occurred_at,
                replaced_at: r.replaced_at,
                replaced_by: r.replaced_by,
            })
        })
        .collect()
}
