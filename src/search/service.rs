//! Putting things into the index and finding them again.

use std::collections::BTreeSet;

use super::gather;
use super::model::{Doc, DocKind, MAX_INDEXED_BYTES, clip};
use super::query::{Jump, Query, jump};
use super::rank::{Segment, highlight, score};
use super::store::{self, Narrow, NewDoc, Reader};
use crate::clock::Timestamp;
use crate::db::fulltext::Scope;
use crate::db::{Db, Tx};
use crate::error::Result;

/// Characters of a document's text that a result shows.
const SNIPPET_CHARS: usize = 240;

/// Candidates that are ranked: so many with the words in their title, and so many with them anywhere.
/// Older ones than these are found by a query that says more.
const TITLE_CANDIDATES: i64 = 200;
const TEXT_CANDIDATES: i64 = 400;

/// Makes a thing findable, or replaces what was known of it. Called by the room that owns the thing, in
/// the transaction that changes it. Long texts keep their first 64 kB.
pub async fn upsert(tx: &Tx, doc: Doc) -> Result<()> {
    upsert_of(tx, doc, &[]).await
}

/// Like [`upsert`], for a thing of these services; what belongs to an incident has those of the incident.
pub async fn upsert_of(tx: &Tx, doc: Doc, services: &[&str]) -> Result<()> {
    upsert_many(tx, vec![(doc, services.join(" "))]).await
}

/// Many at once, each with the slugs of its services (blanks between them); of one that comes twice the last one stands.
pub async fn upsert_many(tx: &Tx, docs: Vec<(Doc, String)>) -> Result<()> {
    let Some(docs) = gather::keep(docs) else { return Ok(()) };
    let mut seen = BTreeSet::new();
    let is_last = |(doc, _): &(Doc, String)| seen.insert((doc.kind, doc.id.clone()));
    let clipped = |(doc, services): (Doc, String)| {
        let (title, text) = (clip(&doc.title, 1000).to_owned(), clip(&doc.text, MAX_INDEXED_BYTES).to_owned());
        NewDoc { doc: Doc { title, text, ..doc }, services }
    };
    let mut docs: Vec<NewDoc> = docs.into_iter().rev().filter(is_last).map(clipped).collect();
    // In the order in which they were handed over: later rows count as newer ones.
    docs.reverse();
    store::upsert(tx, &docs).await
}

/// Forgets everything, before all rooms hand over what they have: the index is made anew.
pub async fn clear(tx: &Tx) -> Result<()> {
    store::clear(tx).await
}

/// Forgets a thing that was deleted. Nothing happens when it is not known.
pub async fn remove(tx: &Tx, kind: DocKind, id: &str) -> Result<()> {
    gather::forget(kind, id);
    store::remove(tx, kind, id).await
}

/// Hides everything that belongs to an incident from those who are not named on it, or shows it again.
pub async fn set_private(tx: &Tx, incident_id: i64, private: bool) -> Result<()> {
    gather::set_private(incident_id, private);
    store::set_private(tx, incident_id, private).await
}

/// One result, ready to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    pub doc: Doc,
    pub score: f64,
    pub title: Vec<Segment>,
    pub snippet: Vec<Segment>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// How many matched among the candidates.
    pub total: usize,
    /// There were more candidates than are ranked.
    pub is_cut: bool,
}

/// What a query finds, best first.
pub async fn search(
    db: &Db,
    query: &Query,
    reader: Reader,
    now: Timestamp,
    offset: usize,
    limit: usize,
) -> Result<Found> {
    search_in(db, query, &Narrow::default(), reader, now, offset, limit).await
}

/// Like [`search`], narrowed to a service and a time.
pub async fn search_in(
    db: &Db,
    query: &Query,
    narrow: &Narrow,
    reader: Reader,
    now: Timestamp,
    offset: usize,
    limit: usize,
) -> Result<Found> {
    if query.is_empty() {
        return Ok(Found::default());
    }
    let mut docs = store::candidates(db, query, Scope::Title, narrow, reader, TITLE_CANDIDATES).await?;
    let anywhere = store::candidates(db, query, Scope::Everything, narrow, reader, TEXT_CANDIDATES).await?;
    let is_cut = i64::try_from(anywhere.len()).is_ok_and(|n| n >= TEXT_CANDIDATES);
    let known: std::collections::HashSet<(DocKind, String)> = docs.iter().map(|d| (d.kind, d.id.clone())).collect();
    docs.extend(anywhere.into_iter().filter(|d| !known.contains(&(d.kind, d.id.clone()))));
    let mut ranked: Vec<(f64, Doc)> =
        docs.into_iter().filter_map(|doc| score(query, &doc, now).map(|score| (score, doc))).collect();
    // Equal scores: the newer first, then by name, so that pages never shuffle.
    ranked.sort_by(|(a, x), (b, y)| {
        b.total_cmp(a).then_with(|| y.at.cmp(&x.at)).then_with(|| (x.kind, &x.id).cmp(&(y.kind, &y.id)))
    });
    let total = ranked.len();
    let hits = ranked
        .into_iter()
        .skip(offset)
        .take(limit)
        .map(|(score, doc)| Hit {
            title: highlight(query, &doc.title, 300),
            snippet: highlight(query, &doc.text, SNIPPET_CHARS),
            score,
            doc,
        })
        .collect();
    Ok(Found { hits, total, is_cut })
}

/// The newest things of a kind with this word in their title, at most `limit`; nothing for what is no word.
pub async fn titled(db: &Db, kind: DocKind, word: &str, reader: Reader, limit: i64) -> Result<Vec<Doc>> {
    let query = Query { kinds: vec![kind], ..Query::parse(&format!("\"{word}\"")) };
    if query.is_empty() {
        return Ok(Vec::new());
    }
    store::candidates(db, &query, Scope::Title, &Narrow::default(), reader, limit).await
}

/// The page that the whole input names, if it names one that the reader may see: `INC-12`, a trace id, a
/// version. A trace is not checked: it may lie in a tracing backend.
pub async fn jump_target(db: &Db, input: &str, reader: Reader) -> Result<Option<String>> {
    Ok(match jump(input) {
        Some(Jump::Incident(number)) => {
            let id = format!("INC-{number}");
            store::find(db, DocKind::Incident, &id, reader).await?.map(|doc| doc.url)
        }
        Some(Jump::Trace(id)) => Some(format!("/traces/{id}")),
        Some(Jump::Version(version)) => {
            let query = Query::parse(&format!("\"{version}\" kind:deployment"));
            let known = store::candidates(db, &query, Scope::Title, &Narrow::default(), reader, 1).await?;
            let encoded: String = url::form_urlencoded::byte_serialize(version.as_bytes()).collect();
            (!known.is_empty()).then(|| format!("/deployments?version={encoded}"))
        }
        None => None,
    })
}
