//! Timeline entries and their earlier versions.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx, Where, like_contains};
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
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub layer: Option<Layer>,
    pub kind: Option<EntryKind>,
    /// Words of the text; empty for any.
    pub text: String,
    /// Entries before (newest first) or after (oldest first) this place.
    pub beyond: Option<(Timestamp, i64)>,
    pub newest_first: bool,
}

fn conditions(id: IncidentId, filter: &Filter) -> Where {
    let mut w = Where::new();
    w.and("incident_id = ?", id.0);
    if let Some(layer) = filter.layer {
        w.and("layer = ?", layer.as_str());
    }
    if let Some(kind) = filter.kind {
        w.and("kind = ?", kind.as_str());
    }
    for word in filter.text.split_whitespace().take(8) {
        w.and("LOWER(text) LIKE ? ESCAPE '\\'", like_contains(&word.to_lowercase()));
    }
    w
}

/// At most `limit` entries in the asked order.
pub async fn page(db: &Db, id: IncidentId, filter: &Filter, limit: i64) -> Result<Vec<Entry>> {
    let mut w = conditions(id, filter);
    if let Some((at, entry_id)) = filter.beyond {
        let clause = if filter.newest_first { "(occurred_at, id) < (?, ?)" } else { "(occurred_at, id) > (?, ?)" };
        w.and_all(clause, args![at, entry_id]);
    }
    let direction = if filter.newest_first { "DESC" } else { "ASC" };
    let limit = w.bind(limit);
    let (sql, args) = w.statement(
        &format!("SELECT {COLUMNS} FROM timeline_entries"),
        &format!("ORDER BY occurred_at {direction}, id {direction} LIMIT {limit}"),
    );
    let rows = db.fetch_all::<Row>(sql, args).await?;
    rows.into_iter().map(Row::into_entry).collect()
}

pub async fn count(db: &Db, id: IncidentId, filter: &Filter) -> Result<i64> {
    let (sql, args) = conditions(id, filter).statement("SELECT COUNT(*) FROM timeline_entries", "");
    db.fetch_scalar(sql, args).await
}

/// The keys of what was imported before; at most 50,000.
pub async fn import_keys(db: &Db, id: IncidentId) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = db
        .fetch_all(
            "SELECT import_key FROM timeline_entries WHERE incident_id = $1 AND import_key IS NOT NULL LIMIT 50000",
            args![id.0],
        )
        .await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
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
