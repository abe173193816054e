//! Indexing at the end instead of with every change, for work that fills an empty database: the index takes
//! a thousand documents at once far sooner than one at a time, and only what they were last.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::model::{Doc, DocKind};
use super::service;
use crate::db::Db;
use crate::error::Result;

type Gathered = BTreeMap<(DocKind, String), (Doc, String)>;

tokio::task_local! {
    static GATHERED: RefCell<Gathered>;
}

/// Documents of one transaction.
const BATCH: usize = 2_000;

/// Does the work, whose own task hands over documents, and then indexes them all. What the work writes is not
/// found before that, and never when it fails: so it is not for a database that people use.
///
/// # Errors
/// Those of the work, and `Unavailable` when the database is away.
pub async fn gathering<T>(db: &Db, work: impl Future<Output = Result<T>>) -> Result<T> {
    let gather = async {
        let done = work.await?;
        Ok::<_, crate::error::Error>((done, GATHERED.with(RefCell::take)))
    };
    let (done, gathered) = GATHERED.scope(RefCell::default(), gather).await?;
    let mut docs: Vec<_> = gathered.into_values().collect();
    docs.sort_by_key(|(doc, _)| doc.at);
    let mut docs = docs.into_iter().peekable();
    while docs.peek().is_some() {
        let tx = db.begin().await?;
        service::upsert_many(&tx, docs.by_ref().take(BATCH).collect()).await?;
        tx.commit().await?;
    }
    Ok(done)
}

/// Gives the documents back when nothing is gathering.
pub(super) fn keep(docs: Vec<(Doc, String)>) -> Option<Vec<(Doc, String)>> {
    with(docs, |gathered, docs| gathered.extend(docs.into_iter().map(|d| ((d.0.kind, d.0.id.clone()), d))))
}

/// Forgets what was gathered of a thing; nothing happens when nothing is gathering.
pub(super) fn forget(kind: DocKind, id: &str) {
    with((), |gathered, ()| drop(gathered.remove(&(kind, id.to_owned()))));
}

/// What was gathered of an incident becomes private or public.
pub(super) fn set_private(incident_id: i64, private: bool) {
    with((), |gathered, ()| {
        for (doc, _) in gathered.values_mut().filter(|(d, _)| d.incident_id() == Some(incident_id)) {
            doc.private_incident = private.then_some(incident_id);
        }
    });
}

fn with<T>(given: T, act: impl FnOnce(&mut Gathered, T)) -> Option<T> {
    let mut given = Some(given);
    let _ = GATHERED.try_with(|gathered| {
        if let Some(given) = given.take() {
            act(&mut gathered.borrow_mut(), given);
        }
    });
    given
}
