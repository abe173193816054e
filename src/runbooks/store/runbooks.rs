//! Heads, versions, and the lists of them.

use std::collections::HashMap;

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx, Where, like_contains};
use crate::error::Result;
use crate::runbooks::model::record::{Head, Origin, Runbook, Version};

use super::word;

const COLUMNS: &str = "r.id, r.slug, r.title, r.summary, r.owner, r.review_by, r.step_count, r.expected_s, \
    r.attach_when, r.current_version, r.file, r.file_hash, r.file_missing_since, r.pending_version, r.archived_at, \
    r.created_at, r.updated_at";

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    slug: String,
    title: String,
    summary: String,
    owner: String,
    review_by: Option<Timestamp>,
    step_count: i64,
    expected_s: i64,
    attach_when: String,
    current_version: i64,
    file: Option<String>,
    file_hash: Option<String>,
    file_missing_since: Option<Timestamp>,
    pending_version: Option<i64>,
    archived_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Row {
    fn into_runbook(self, services: Vec<String>, tags: Vec<String>) -> Result<Runbook> {
        Ok(Runbook {
            id: self.id,
            slug: self.slug,
            title: self.title,
            summary: self.summary,
            owner: self.owner,
            review_by: self.review_by,
            services,
            tags,
            step_count: self.step_count,
            expected_s: self.expected_s,
            attach_when: serde_json::from_str(&self.attach_when)?,
            version: self.current_version,
            file: self.file,
            file_hash: self.file_hash,
            file_missing_since: self.file_missing_since,
            pending_version: self.pending_version,
            archived_at: self.archived_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// What to list. `None` and empty texts do not filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Words in title, summary, owner, tags or services.
    pub text: String,
    pub service: String,
    pub tag: String,
    pub owner: String,
    /// Review was due before this moment.
    pub review_before: Option<Timestamp>,
    /// No run since this moment.
    pub unused_since: Option<Timestamp>,
    pub archived: bool,
    /// After this title and id.
    pub after: Option<(String, i64)>,
}

fn conditions(filter: &Filter) -> Where {
    let mut w = Where::new();
    w.and_raw(if filter.archived { "r.archived_at IS NOT NULL" } else { "r.archived_at IS NULL" });
    for word in filter.text.split_whitespace().take(8) {
        w.and("r.words LIKE ? ESCAPE '\\'", like_contains(&word.to_lowercase()));
    }
    if !filter.service.is_empty() {
        w.and_all(
            "r.id IN (SELECT s.runbook_id FROM runbook_services s WHERE s.service IN (?, '*'))",
            args![&filter.service],
        );
    }
    if !filter.tag.is_empty() {
        w.and("r.id IN (SELECT t.runbook_id FROM runbook_tags t WHERE t.tag = ?)", &filter.tag);
    }
    if !filter.owner.is_empty() {
        w.and("r.owner = ?", &filter.owner);
    }
    if let Some(at) = filter.review_before {
        w.and("r.review_by < ?", at);
    }
    if let Some(at) = filter.unused_since {
        w.and("NOT EXISTS (SELECT 1 FROM runbook_runs u WHERE u.runbook_id = r.id AND u.started_at >= ?)", at);
    }
    w
}

/// By title; at most `limit`.
pub async fn page(db: &Db, filter: &Filter, limit: i64) -> Result<Vec<Runbook>> {
    let mut w = conditions(filter);
    if let Some((title, id)) = &filter.after {
        w.and_all("(r.title, r.id) > (?, ?)", args![title, *id]);
    }
    let limit = w.bind(limit);
    let (sql, args) =
        w.statement(&format!("SELECT {COLUMNS} FROM runbooks r"), &format!("ORDER BY r.title, r.id LIMIT {limit}"));
    with_lists(db, db.fetch_all::<Row>(sql, args).await?).await
}

/// Counted no further than `at_most`.
pub async fn count(db: &Db, filter: &Filter, at_most: i64) -> Result<i64> {
    let mut w = conditions(filter);
    let limit = w.bind(at_most);
    let (sql, args) =
        w.statement("SELECT COUNT(*) FROM (SELECT 1 AS one FROM runbooks r", &format!("LIMIT {limit}) AS found"));
    db.fetch_scalar(sql, args).await
}

/// Those with conditions, for suggesting; at most 2,000.
pub async fn with_conditions(db: &Db) -> Result<Vec<Runbook>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM runbooks r WHERE r.archived_at IS NULL AND r.attach_when <> '[]' ORDER BY r.title, r.id LIMIT 2000"
    );
    with_lists(db, db.fetch_all::<Row>(Sql::built(sql), args![]).await?).await
}

/// Services and tags of several runbooks, in two queries.
async fn with_lists(db: &Db, rows: Vec<Row>) -> Result<Vec<Runbook>> {
    let ids: Vec<i64> = rows.iter().map(|r| r.id).collect();
    let mut services =
        words_of(db, "SELECT s.runbook_id, s.service FROM runbook_services s", "s.runbook_id", &ids).await?;
    let mut tags = words_of(db, "SELECT t.runbook_id, t.tag FROM runbook_tags t", "t.runbook_id", &ids).await?;
    rows.into_iter()
        .map(|row| {
            let (services, tags) =
                (services.remove(&row.id).unwrap_or_default(), tags.remove(&row.id).unwrap_or_default());
            row.into_runbook(services, tags)
        })
        .collect()
}

async fn words_of(db: &Db, head: &'static str, column: &'static str, ids: &[i64]) -> Result<HashMap<i64, Vec<String>>> {
    let mut found: HashMap<i64, Vec<String>> = HashMap::new();
    // Below the number of values that an engine binds in one statement.
    for ids in ids.chunks(500) {
        let mut w = Where::new();
        w.and_any(column, ids.iter().copied());
        let (sql, args) = w.statement(head, "ORDER BY 2");
        for (id, word) in db.fetch_all::<(i64, String)>(sql, args).await? {
            found.entry(id).or_default().push(word);
        }
    }
    Ok(found)
}

pub async fn find(db: &Db, slug: &str) -> Result<Option<Runbook>> {
    let sql = format!("SELECT {COLUMNS} FROM runbooks r WHERE r.slug = $1");
    let rows = db.fetch_all::<Row>(Sql::built(sql), args![slug]).await?;
    Ok(with_lists(db, rows).await?.pop())
}

/// The title of a row, to go on after it.
pub async fn title_of(db: &Db, id: i64) -> Result<Option<String>> {
    let row: Option<(String,)> = db.fetch_optional("SELECT title FROM runbooks WHERE id = $1", args![id]).await?;
    Ok(row.map(|r| r.0))
}

/// What the folder holds, as last read: file, content and slug; at most 5,000.
pub async fn files(db: &Db) -> Result<Vec<(String, String, bool)>> {
    db.fetch_all(
        "SELECT file, file_hash, file_missing_since IS NOT NULL FROM runbooks \
         WHERE file IS NOT NULL AND file_hash IS NOT NULL ORDER BY file LIMIT 5000",
        args![],
    )
    .await
}

/// Owners and tags in use, for the filters; at most 200 each.
pub async fn owners(db: &Db) -> Result<Vec<String>> {
    let rows = db
        .fetch_all::<(String,)>(
            "SELECT DISTINCT owner FROM runbooks WHERE archived_at IS NULL AND owner <> '' ORDER BY owner LIMIT 200",
            args![],
        )
        .await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

pub async fn tags(db: &Db) -> Result<Vec<String>> {
    let rows =
        db.fetch_all::<(String,)>("SELECT DISTINCT tag FROM runbook_tags ORDER BY tag LIMIT 200", args![]).await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// The new head's id, or `None` when the slug is taken. It has no version yet.
pub async fn insert(tx: &Tx, slug: &str, head: &Head<'_>, now: Timestamp) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO runbooks (slug, title, summary, owner, review_by, step_count, expected_s, attach_when, words, \
             current_version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $10) \
             ON CONFLICT (slug) DO NOTHING RETURNING id",
            args![
                slug,
                head.title,
                head.summary,
                head.owner,
                head.review_by,
                head.step_count,
                head.expected_s,
                &head.attach_when,
                &head.words,
                now
            ],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

/// Makes `version` the current one. `false` when another than `expected` stands.
pub async fn set_current(
    tx: &Tx,
    id: i64,
    expected: i64,
    version: i64,
    head: &Head<'_>,
    now: Timestamp,
) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE runbooks SET title = $1, summary = $2, owner = $3, review_by = $4, step_count = $5, expected_s = $6, \
             attach_when = $7, words = $8, current_version = $9, updated_at = $10, archived_at = NULL \
             WHERE id = $11 AND current_version = $12",
            args![head.title, head.summary, head.owner, head.review_by, head.step_count, head.expected_s, &head.attach_when, &head.words, version, now, id, expected],
        )
        .await?;
    if changed == 0 {
        return Ok(false);
    }
    tx.execute("DELETE FROM runbook_services WHERE runbook_id = $1", args![id]).await?;
    for service in head.services {
        tx.execute(
            "INSERT INTO runbook_services (runbook_id, service) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            args![id, service],
        )
        .await?;
    }
    tx.execute("DELETE FROM runbook_tags WHERE runbook_id = $1", args![id]).await?;
    for tag in head.tags {
        tx.execute("INSERT INTO runbook_tags (runbook_id, tag) VALUES ($1, $2) ON CONFLICT DO NOTHING", args![id, tag])
            .await?;
    }
    Ok(true)
}

/// Notes which file a runbook comes from, and its content when it was read.
pub async fn set_file(tx: &Tx, id: i64, file: &str, hash: &str) -> Result<()> {
    tx.execute(
        "UPDATE runbooks SET file = $1, file_hash = $2, file_missing_since = NULL WHERE id = $3",
        args![file, hash, id],
    )
    .await?;
    Ok(())
}

pub async fn set_pending(tx: &Tx, id: i64, version: Option<i64>) -> Result<()> {
    tx.execute("UPDATE runbooks SET pending_version = $1 WHERE id = $2", args![version, id]).await?;
    Ok(())
}

pub async fn set_archived(tx: &Tx, id: i64, at: Option<Timestamp>) -> Result<()> {
    tx.execute("UPDATE runbooks SET archived_at = $1 WHERE id = $2", args![at, id]).await?;
    Ok(())
}

/// The file is gone from the folder, or is there again.
pub async fn set_missing(tx: &Tx, file: &str, since: Option<Timestamp>) -> Result<()> {
    tx.execute("UPDATE runbooks SET file_missing_since = $1 WHERE file = $2", args![since, file]).await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct VersionRow {
    number: i64,
    hash: String,
    source: String,
    origin: String,
    author_name: String,
    note: String,
    created_at: Timestamp,
}

impl VersionRow {
    fn into_version(self) -> Result<Version> {
        Ok(Version {
            number: self.number,
            hash: self.hash,
            source: self.source,
            origin: word(Origin::parse, &self.origin, "origin")?,
            author: self.author_name,
            note: self.note,
            created_at: self.created_at,
        })
    }
}

pub struct NewVersion<'a> {
    pub number: i64,
    pub hash: &'a str,
    pub source: &'a str,
    pub origin: Origin,
    pub author_id: Option<i64>,
    pub author: &'a str,
    pub note: &'a str,
}

/// `false` when somebody else took the number.
pub async fn insert_version(tx: &Tx, id: i64, new: &NewVersion<'_>, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "INSERT INTO runbook_versions (runbook_id, number, hash, source, origin, author_id, author_name, note, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (runbook_id, number) DO NOTHING",
            args![id, new.number, new.hash, new.source, new.origin.as_str(), new.author_id, new.author, new.note, now],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn version(db: &Db, id: i64, number: i64) -> Result<Option<Version>> {
    let row = db
        .fetch_optional::<VersionRow>(
            "SELECT number, hash, source, origin, author_name, note, created_at FROM runbook_versions \
             WHERE runbook_id = $1 AND number = $2",
            args![id, number],
        )
        .await?;
    row.map(VersionRow::into_version).transpose()
}

/// The newest version with this text, by its hash.
pub async fn number_of_hash(db: &Db, id: i64, hash: &str) -> Result<Option<i64>> {
    let (number,): (Option<i64>,) = db
        .fetch_one("SELECT MAX(number) FROM runbook_versions WHERE runbook_id = $1 AND hash = $2", args![id, hash])
        .await?;
    Ok(number)
}

pub async fn newest_number(db: &Db, id: i64) -> Result<i64> {
    db.fetch_scalar("SELECT COALESCE(MAX(number), 0) FROM runbook_versions WHERE runbook_id = $1", args![id]).await
}

/// Newest first, without their texts; at most `limit`.
pub async fn versions(db: &Db, id: i64, limit: i64) -> Result<Vec<Version>> {
    let rows = db
        .fetch_all::<VersionRow>(
            "SELECT number, hash, '' AS source, origin, author_name, note, created_at FROM runbook_versions \
             WHERE runbook_id = $1 ORDER BY number DESC LIMIT $2",
            args![id, limit],
        )
        .await?;
    rows.into_iter().map(VersionRow::into_version).collect()
}
