//! The index's SQL.

use std::collections::HashMap;

use super::model::{Doc, DocKind};
use super::query::Query;
use super::tokens::normalised;
use crate::args;
use crate::clock::Timestamp;
use crate::db::fulltext::{Row, Scope, TextIndex};
use crate::db::{Db, Rows, Sql, Tx, Value, Where};
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

/// What a search is narrowed to, besides words and kinds. `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrow {
    /// Slug.
    pub service: Option<String>,
    pub from: Option<Timestamp>,
    /// Before this.
    pub to: Option<Timestamp>,
}

/// A document with the services that it is of, with blanks between them.
pub struct NewDoc {
    pub doc: Doc,
    pub services: String,
}

const WIDTH: usize = 9;
const INSERT: &str = "INSERT INTO search_docs (kind, ref, title, body, url, incident_id, private, at, services)";
const REPLACE: &str = "ON CONFLICT (kind, ref) DO UPDATE SET title = excluded.title, body = excluded.body, url = excluded.url, \
    incident_id = excluded.incident_id, private = excluded.private, at = excluded.at, services = excluded.services \
    RETURNING id, kind, ref";

/// Writes documents, each named once, replacing earlier ones.
pub async fn upsert(tx: &Tx, docs: &[NewDoc]) -> Result<()> {
    let mut rows = Rows::new(INSERT, WIDTH, REPLACE);
    for NewDoc { doc, services } in docs {
        let services = if services.is_empty() { String::new() } else { format!(" {services} ") };
        rows.push([
            Value::from(doc.kind.as_str()),
            Value::from(&doc.id),
            Value::from(&doc.title),
            Value::from(&doc.text),
            Value::from(&doc.url),
            Value::from(doc.incident_id()),
            Value::from(doc.private_incident.is_some()),
            Value::from(doc.at),
            Value::from(services),
        ]);
    }
    let written: Vec<(i64, String, String)> = tx.insert_rows_returning(rows).await?;
    let ids: HashMap<(&str, &str), i64> = written.iter().map(|(id, k, r)| ((k.as_str(), r.as_str()), *id)).collect();
    let words: Vec<(i64, &'static str, String, String)> = docs
        .iter()
        .filter_map(|NewDoc { doc, .. }| {
            let id = ids.get(&(doc.kind.as_str(), doc.id.as_str()))?;
            Some((*id, doc.kind.as_str(), normalised(&doc.title), normalised(&doc.text)))
        })
        .collect();
    let rows: Vec<Row<'_>> = words.iter().map(|(id, tag, title, body)| Row { id: *id, tag, title, body }).collect();
    INDEX.put(tx, &rows).await
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

/// Newest matches that a service or a time is looked for in: it bounds a search for what is rare among many matches.
const LOOKED_AT: i64 = 4_000;

/// Candidates for the ranking: the newest that hold the query in their title, or anywhere.
pub async fn candidates(
    db: &Db,
    query: &Query,
    scope: Scope,
    narrow: &Narrow,
    reader: Reader,
    limit: i64,
) -> Result<Vec<Doc>> {
    let mut filter = Where::new();
    let kinds: Vec<&str> = query.kinds.iter().map(|k| k.as_str()).collect();
    let bound = filter.bind(INDEX.expression(db, scope, &query.wanted, &query.unwanted, &kinds));
    restrict(&mut filter, reader);
    if let Some(service) = &narrow.service {
        filter.and(
            "(d.services LIKE '% ' || ? || ' %' OR d.incident_id IN (SELECT x.incident_id FROM incident_services x
              JOIN services s ON s.id = x.service_id WHERE s.slug = ?))",
            service,
        );
    }
    if let Some(from) = narrow.from {
        filter.and("d.at >= ?", from);
    }
    if let Some(to) = narrow.to {
        filter.and("d.at < ?", to);
    }
    let looked_at = match (*narrow == Narrow::default(), reader.all) {
        (false, _) => LOOKED_AT,
        (true, true) => limit,
        // Room for what belongs to private incidents, which is left out below.
        (true, false) => limit * 2,
    };
    let limit = filter.bind(limit);
    let newest = INDEX.newest(db, scope, &bound, looked_at);
    let sql = format!(
        "SELECT {COLUMNS} FROM ({newest}) f JOIN search_docs d ON d.id = f.rowid{filter}
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

/// Forgets everything, to make the index anew.
pub async fn clear(tx: &Tx) -> Result<()> {
    INDEX.clear(tx).await?;
    tx.execute("DELETE FROM search_docs", args![]).await.map(drop)
}
