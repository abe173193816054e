//! Writing runbooks: new ones, new versions, and what to do when page and file both changed.

use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::By;
use crate::markdown::{self, slugify};
use crate::search::{self, Doc, DocKind};

use super::super::model::record::{Head, Origin, Runbook};
use super::super::model::{self, ParsedRunbook};
use super::super::store::runbooks as store;
use super::{get, get_version, parse_stored};

/// So much of a runbook's text is indexed, in characters.
const MAX_INDEXED: usize = 50_000;

/// Names that are addresses of other pages.
const RESERVED: [&str; 2] = ["new", "efficacy"];

/// A text to save.
#[derive(Clone, Debug)]
pub struct Draft {
    pub source: String,
    /// What was changed and why; may be empty.
    pub note: String,
    pub origin: Origin,
}

/// Makes a new runbook. The slug follows from the title unless one is given.
///
/// # Errors
/// `Invalid` with every problem of the text (field `source`, or `slug` when it is taken).
pub async fn create(tx: &Tx, slug: Option<&str>, draft: &Draft, by: &By, now: Timestamp) -> Result<Runbook> {
    let parsed = check(&draft.source)?;
    let slug = slugify(slug.filter(|s| !s.trim().is_empty()).unwrap_or(&parsed.front.title));
    if RESERVED.contains(&slug.as_str()) {
        return Err(Error::invalid("slug", format!("'{slug}' is the address of another page; choose another name")));
    }
    let head = Head::of(&parsed);
    let id = store::insert(tx, &slug, &head, now)
        .await?
        .ok_or_else(|| Error::invalid("slug", format!("'{slug}' is taken by another runbook")))?;
    write_version(tx, &Which { id, slug: &slug, base: 0 }, &parsed, draft, by, now).await?;
    get(tx, &slug).await
}

/// Saves a new version on top of `base`. The same text again changes nothing.
///
/// # Errors
/// `Invalid` with the problems of the text; `Conflict` when another version stands than `base`.
pub async fn save(tx: &Tx, runbook: &Runbook, base: i64, draft: &Draft, by: &By, now: Timestamp) -> Result<Runbook> {
    let parsed = check(&draft.source)?;
    if runbook.version != base {
        return Err(stale(runbook));
    }
    let current = get_version(tx, runbook, runbook.version).await?;
    if current.hash == model::content_hash(&draft.source) && runbook.archived_at.is_none() {
        return Ok(runbook.clone());
    }
    write_version(tx, &Which { id: runbook.id, slug: &runbook.slug, base }, &parsed, draft, by, now).await?;
    get(tx, &runbook.slug).await
}

pub fn stale(runbook: &Runbook) -> Error {
    Error::Conflict(format!("'{}' is at version {} meanwhile", runbook.title, runbook.version))
}

/// Ends the wait of a version from the folder: it becomes current, or the page stays as it is.
///
/// # Errors
/// `Conflict` when no version waits.
pub async fn decide_pending(tx: &Tx, slug: &str, take_file: bool, now: Timestamp) -> Result<Runbook> {
    let runbook = get(tx, slug).await?;
    let Some(pending) = runbook.pending_version else {
        return Err(Error::Conflict(format!("no version of '{}' waits for a decision", runbook.title)));
    };
    if take_file {
        let version = get_version(tx, &runbook, pending).await?;
        let parsed = parse_stored(&version.source)?;
        if !store::set_current(tx, runbook.id, runbook.version, pending, &Head::of(&parsed), now).await? {
            return Err(stale(&runbook));
        }
        index(tx, slug, &parsed, now).await?;
    }
    store::set_pending(tx, runbook.id, None).await?;
    tx.announce("runbooks");
    get(tx, slug).await
}

/// Makes an earlier text current again, as a new version.
pub async fn restore(tx: &Tx, slug: &str, number: i64, by: &By, now: Timestamp) -> Result<Runbook> {
    let runbook = get(tx, slug).await?;
    let old = get_version(tx, &runbook, number).await?;
    let draft = Draft { source: old.source, note: format!("Restored version {number}"), origin: Origin::Browser };
    save(tx, &runbook, runbook.version, &draft, by, now).await
}

/// Takes a runbook out of lists and suggestions, or brings it back. Runs keep what they pinned.
pub async fn archive(tx: &Tx, slug: &str, archived: bool, now: Timestamp) -> Result<Runbook> {
    let runbook = get(tx, slug).await?;
    store::set_archived(tx, runbook.id, archived.then_some(now)).await?;
    if archived {
        search::remove(tx, DocKind::Runbook, slug).await?;
    } else {
        let current = get_version(tx, &runbook, runbook.version).await?;
        index(tx, slug, &parse_stored(&current.source)?, now).await?;
    }
    tx.announce("runbooks");
    get(tx, slug).await
}

/// Reads a text that somebody typed; each problem becomes a complaint about `source`.
pub fn check(source: &str) -> Result<ParsedRunbook> {
    model::parse(source).map_err(|problems| {
        let mut errors = FieldErrors::default();
        for problem in problems.iter().filter(|p| p.is_error) {
            errors.add("source", problem.to_string());
        }
        Error::Invalid(errors)
    })
}

/// The runbook that gets a new version, and the version that it must be at.
pub(super) struct Which<'a> {
    pub id: i64,
    pub slug: &'a str,
    pub base: i64,
}

/// Stores the text under the next free number and makes it current.
pub(super) async fn write_version(
    tx: &Tx,
    which: &Which<'_>,
    parsed: &ParsedRunbook,
    draft: &Draft,
    by: &By,
    now: Timestamp,
) -> Result<i64> {
    let number = add_version(tx, which.id, draft, by, now).await?;
    if !store::set_current(tx, which.id, which.base, number, &Head::of(parsed), now).await? {
        return Err(Error::Conflict("somebody else saved this runbook meanwhile".to_owned()));
    }
    index(tx, which.slug, parsed, now).await?;
    tx.announce("runbooks");
    Ok(number)
}

/// Has a runbook found as it stands, unless it is in the archive: when the index is made anew.
pub async fn reindex(tx: &Tx, slug: &str) -> Result<()> {
    let runbook = get(tx, slug).await?;
    if runbook.archived_at.is_some() {
        return Ok(());
    }
    let current = get_version(tx, &runbook, runbook.version).await?;
    index(tx, slug, &parse_stored(&current.source)?, runbook.updated_at).await
}

/// Lets the search find the current text.
async fn index(tx: &Tx, slug: &str, parsed: &ParsedRunbook, now: Timestamp) -> Result<()> {
    let front = &parsed.front;
    let text = format!(
        "{} {} {} {}",
        front.summary.as_deref().unwrap_or_default(),
        front.tags.join(" "),
        front.services.join(" "),
        markdown::plain_text(&parsed.body, MAX_INDEXED)
    );
    let doc = Doc {
        kind: DocKind::Runbook,
        id: slug.to_owned(),
        title: front.title.clone(),
        text,
        url: format!("/runbooks/{slug}"),
        private_incident: None,
        at: now,
    };
    let services: Vec<&str> = front.services.iter().map(String::as_str).collect();
    search::upsert_of(tx, doc, &services).await
}

/// Stores the text under the next free number, without making it current.
pub(super) async fn add_version(tx: &Tx, id: i64, draft: &Draft, by: &By, now: Timestamp) -> Result<i64> {
    let number = store::newest_number(tx, id).await? + 1;
    let source = model::normalize(&draft.source);
    let new = store::NewVersion {
        number,
        hash: &model::content_hash(&source),
        source: &source,
        origin: draft.origin,
        author_id: by.user_id,
        author: &by.name,
        note: &draft.note,
    };
    if store::insert_version(tx, id, &new, now).await? {
        Ok(number)
    } else {
        Err(Error::Conflict("somebody else saved this runbook meanwhile".to_owned()))
    }
}
