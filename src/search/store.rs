//! The index's SQL.

use super::model::{Doc, DocKind};
use super::query::Query;
use super::tokens::normalised;
use crate::args;
use crate::clock::Timestamp;
use crate::db::fulltext::{Scope, TextIndex};
use crate::db::{Db, Sql, Tx, Where};
use crate::error::Result;

const INDEX: TextIndex = TextIndex { table: "search_index" };

#[derive(sqlx::FromRow)]
struct DocRow {
    kind: String,
    r#ref: String,
    title: String,
    body: String,
    url: String,
    incident_id: Option<i64>,
    private: bool,
    at: Timestamp,
}

const COLUMNS: &str = "d.kind, d.ref, d.title, d.body, d.url, d.incident_id, d.private, d.at";

impl DocRow {
    /// `None` for a kind that another version of the program knows.
    fn into_doc(self) -> Option<Doc> {
        Some(Doc {
            kind: DocKind::parse(&self.kind)?,
            id: self.r#ref,
            title: self.title,
            text: self.body,
            url: self.url,
            private_incident: self.incident_id.filter(|_| self.private),
            at: self.at,
        })
    }
}

pub async fn upsert(tx: &Tx, doc: &Doc) -> Result<()> {
    let id = tx
        .insert(
            "INSERT INTO search_docs (kind, ref, title, body, url, incident_id, private, at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (kind, ref) DO UPDATE SET title = excluded.title, body = excluded.body, url = excluded.url,
                 incident_id = excluded.incident_id, private = excluded.private, at = excluded.at
             RETURNING id",
            args![
                doc.kind.as_str(),
                &doc.id,
                &doc.title,
                &doc.text,
                &doc.url,
                doc.incident_id(),
                doc.private_incident.is_some(),
                doc.at
            ],
        )
        .await?;
    INDEX.put(tx, id, &normalised(&doc.title), &normalised(&doc.text)).await
}

pub async fn remove(tx: &Tx, kind: DocKind, id: &str) -> Result<()> {
    let found: Option<(i64,)> = tx
        .fetch_optional("DELETE FROM search_docs WHERE kind = $1 AND ref = $2 RETURNING id", args![kind.as_str(), id])
        .await?;
    match found {
        Some((row,)) => INDEX.remove(tx, row).await,
        None => Ok(()),
    }
}

/// Makes everything that belongs to an incident private or public.
pub async fn set_private(tx: &Tx, incident_id: i64, private: bool) -> Result<()> {
    tx.execute("UPDATE search_docs SET private = $1 WHERE incident_id = $2", args![private, incident_id])
        .await
        .map(drop)
}

/// Who asks: decides which documents of private incidents are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Sees every private incident.
    pub all: bool,
    /// Sees the private incidents that name this account; 0 for none.
    pub user_id: i64,
}

/// Candidates for the ranking: the newest that hold the query in their title, or anywhere.
pub async fn candidates(db: &Db, query: &Query, scope: Scope, reader: Reader, limit: i64) -> Result<Vec<Doc>> {
    let mut filter = Where::new();
    let expression = INDEX.expression(db, scope, &query.wanted, &query.unwanted);
    let bound = filter.bind(expression);
    let condition = INDEX.condition(db, scope, &bound);
    if !query.kinds.is_empty() {
        filter.and_any("d.kind", query.kinds.iter().map(|k| k.as_str()));
    }
    restrict(&mut filter, reader);
    let limit = filter.bind(limit);
    let and = if filter.to_string().is_empty() { " WHERE " } else { " AND " };
    let sql = format!(
        "SELECT {COLUMNS} FROM search_index f JOIN search_docs d ON d.id = f.rowid{filter}{and}{condition}
         ORDER BY f.rowid DESC LIMIT {limit}"
    );
    let rows = db.fetch_all::<DocRow>(Sql::built(sql), filter.args()).await?;
    Ok(rows.into_iter().filter_map(DocRow::into_doc).collect())
}

/// Leaves out what belongs to private incidents that the reader is not named on.
fn restrict(filter: &mut Where, reader: Reader) {
    if !reader.all {
        // The list of named people belongs to incidents; the index reads it where it stands, because a
        // copy of it could be behind, and behind means leaking.
        filter.and(
            "(NOT d.private OR EXISTS (SELECT 1 FROM incident_people p
              WHERE p.incident_id = d.incident_id AND p.user_id = ?))",
            reader.user_id,
        );
    }
}

/// Whether a visible document of this kind and id exists.
pub async fn find(db: &Db, kind: DocKind, id: &str, reader: Reader) -> Result<Option<Doc>> {
    let mut filter = Where::new();
    filter.and("d.kind = ?", kind.as_str()).and("d.ref = ?", id);
    restrict(&mut filter, reader);
    let (sql, args) = filter.statement(&format!("SELECT {COLUMNS} FROM search_docs d"), "LIMIT 1");
    Ok(db.fetch_optional::<DocRow>(sql, args).await?.and_then(DocRow::into_doc))
}
