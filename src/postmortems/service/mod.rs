//! The actions on postmortems. Each runs inside the caller's transaction; the caller commits, and has
//! loaded the incident as one that the asker may see.

pub mod gather;

use crate::accounts::Role;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::model::record::Incident;
use crate::incidents::{Append, By, EntryKind, IncidentId, append_timeline};
use crate::markdown;
use crate::search::{self, Doc, DocKind};

use super::model::draft;
use super::model::lint::{self, Finding};
use super::model::{self, Postmortem, Section, SectionKey, SectionVersion, State, StoredSection};
use super::store::{self, Save};

/// Versions of one section that are shown.
const MAX_VERSIONS: i64 = 200;
/// So much of each section is indexed, in characters.
const MAX_INDEXED: usize = 20_000;

/// A postmortem with its sections.
#[derive(Clone, Debug)]
pub struct Document {
    pub head: Postmortem,
    pub sections: Vec<StoredSection>,
}

impl Document {
    pub fn section(&self, key: SectionKey) -> Option<&StoredSection> {
        self.sections.iter().find(|s| s.key == key)
    }

    pub fn plain_sections(&self) -> Vec<Section> {
        self.sections.iter().map(|s| Section { key: s.key, body: s.body.clone() }).collect()
    }
}

/// A section as somebody wants it, and the version that the edit started from.
#[derive(Clone, Debug)]
pub struct Edit {
    pub key: SectionKey,
    pub body: String,
    pub base: i64,
}

/// Why a section was not saved: both texts, so that nothing is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    pub key: SectionKey,
    pub yours: String,
    pub theirs: String,
    pub version: i64,
    pub by: String,
    pub at: Timestamp,
}

/// What became of an edit.
#[derive(Clone, Debug)]
pub enum Saved {
    Done(Document),
    Clash(Clash),
}

pub async fn find(db: &Db, incident: IncidentId) -> Result<Option<Document>> {
    let Some(head) = store::find(db, incident).await? else { return Ok(None) };
    let sections = store::sections(db, head.id).await?;
    Ok(Some(Document { head, sections }))
}

/// # Errors
/// `NotFound` when none was drafted.
pub async fn get(db: &Db, incident: IncidentId) -> Result<Document> {
    find(db, incident).await?.ok_or_else(|| Error::not_found(format!("A postmortem of {incident}")))
}

/// Drafts it from the record, in one go. When one is there already, it is left as it is.
pub async fn draft(tx: &Tx, incident: &Incident, by: &By, now: Timestamp) -> Result<Document> {
    let Some(id) = store::insert(tx, incident.id, &by.name, now).await? else {
        return get(tx, incident.id).await;
    };
    let record = gather::record(tx, incident).await?;
    for section in draft::draft(&record) {
        let save = Save {
            key: section.key,
            body: &section.body,
            untouched: true,
            author_id: by.user_id,
            author: &by.name,
            now,
        };
        store::save_section(tx, id, 0, &save).await?;
    }
    let text = "Drafted the postmortem from the record";
    tell(tx, incident.id, text, by, now).await?;
    indexed(tx, incident, now).await
}

/// Has the postmortem of an incident found as it stands, if there is one.
pub async fn reindex(tx: &Tx, incident: IncidentId) -> Result<()> {
    let Some(standing) = store::find(tx, incident).await? else { return Ok(()) };
    let viewer = crate::incidents::Viewer { all: true, user_id: 0 };
    let incident = crate::incidents::get_visible(tx, incident, viewer).await?;
    indexed(tx, &incident, standing.updated_at).await.map(drop)
}

/// The document, with the search knowing its present text.
async fn indexed(tx: &Tx, incident: &Incident, now: Timestamp) -> Result<Document> {
    let document = get(tx, incident.id).await?;
    let text: String = document.sections.iter().map(|s| markdown::plain_text(&s.body, MAX_INDEXED) + " ").collect();
    let doc = Doc {
        kind: DocKind::Postmortem,
        id: incident.id.to_string(),
        title: format!("{}: {}", incident.id, incident.title),
        text,
        url: document.head.path(),
        private_incident: incident.private.then_some(incident.id.0),
        at: now,
    };
    search::upsert(tx, doc).await?;
    Ok(document)
}

/// Saves one section.
///
/// # Errors
/// `Invalid` when the text is too long; `Conflict` when the postmortem is published.
pub async fn save(tx: &Tx, incident: &Incident, edit: &Edit, by: &By, now: Timestamp) -> Result<Saved> {
    let document = get(tx, incident.id).await?;
    if document.head.state == State::Published {
        return Err(Error::Conflict("a published postmortem is taken back to a draft before it is changed".to_owned()));
    }
    let mut errors = FieldErrors::default();
    let body = model::normalize_body(&mut errors, "body", &edit.body);
    errors.into_result()?;
    let standing = document.section(edit.key);
    if standing.is_some_and(|s| s.body == body) {
        return Ok(Saved::Done(document));
    }
    let standing_version = standing.map_or(0, |s| s.version);
    let save = Save { key: edit.key, body: &body, untouched: false, author_id: by.user_id, author: &by.name, now };
    if standing_version != edit.base || !store::save_section(tx, document.head.id, edit.base, &save).await? {
        let now_stands = get(tx, incident.id).await?;
        return Ok(Saved::Clash(clash(&now_stands, edit.key, body)));
    }
    store::touch(tx, document.head.id, now).await?;
    tx.announce(format!("incident:{}", incident.id.0));
    Ok(Saved::Done(indexed(tx, incident, now).await?))
}

fn clash(document: &Document, key: SectionKey, yours: String) -> Clash {
    let section = document.section(key);
    Clash {
        key,
        yours,
        theirs: section.map(|s| s.body.clone()).unwrap_or_default(),
        version: section.map_or(0, |s| s.version),
        by: section.map(|s| s.updated_by.clone()).unwrap_or_default(),
        at: section.map(|s| s.updated_at).unwrap_or_default(),
    }
}

/// What a section would say if it were drafted now.
pub async fn redraft(db: &Db, incident: &Incident, key: SectionKey) -> Result<String> {
    Ok(draft::section(&gather::record(db, incident).await?, key))
}

/// Drafts one section anew from the record. What stood before stays in its history.
pub async fn regenerate(
    tx: &Tx,
    incident: &Incident,
    key: SectionKey,
    base: i64,
    by: &By,
    now: Timestamp,
) -> Result<Saved> {
    let body = redraft(tx, incident, key).await?;
    let saved = save(tx, incident, &Edit { key, body, base }, by, now).await?;
    Ok(saved)
}

/// Leads it from draft to published, or back.
///
/// # Errors
/// `Conflict` when the state does not lead there; `Invalid` naming each required section that is empty.
pub async fn change_state(tx: &Tx, incident: &Incident, to: State, by: &By, now: Timestamp) -> Result<Document> {
    let document = get(tx, incident.id).await?;
    let from = document.head.state;
    if !from.may_become(to) {
        return Err(Error::Conflict(format!(
            "a postmortem that is {} cannot become {}",
            from.label().to_lowercase(),
            to.label().to_lowercase()
        )));
    }
    if to == State::Published {
        check_required(&document)?;
    }
    if !store::set_state(tx, &document.head, to, &by.name, now).await? {
        return Err(Error::Conflict("somebody else changed this postmortem meanwhile".to_owned()));
    }
    let text = match to {
        State::Draft => "Took the postmortem back to a draft",
        State::InReview => "Asked for a review of the postmortem",
        State::Published => "Published the postmortem",
    };
    tell(tx, incident.id, text, by, now).await?;
    get(tx, incident.id).await
}

/// Publishing, and taking back what is published, is a commander's.
pub const fn role_for(from: State, to: State) -> Role {
    match (from, to) {
        (State::Published, _) | (_, State::Published) => Role::Commander,
        _ => Role::Responder,
    }
}

fn check_required(document: &Document) -> Result<()> {
    let mut errors = FieldErrors::default();
    for key in SectionKey::ALL.iter().filter(|key| key.is_required()) {
        if document.section(*key).is_none_or(|s| s.body.trim().is_empty()) {
            errors.add(key.as_str(), format!("“{}” is empty", key.title()));
        }
    }
    errors.into_result()
}

async fn tell(tx: &Tx, incident: IncidentId, text: &str, by: &By, now: Timestamp) -> Result<()> {
    let link = format!("/incidents/{incident}/postmortem");
    append_timeline(tx, incident, &Append::activity(EntryKind::Postmortem, text, now).linked(link), by, now).await?;
    Ok(())
}

/// What a reviewer would remark. `people` are names of users.
pub async fn findings(db: &Db, incident: &Incident, document: &Document, people: &[String]) -> Result<Vec<Finding>> {
    let record = gather::record(db, incident).await?;
    Ok(lint::lint(&record, &document.plain_sections(), &record.follow_ups, people))
}

/// Texts that a section had, newest first.
pub async fn versions(db: &Db, document: &Document, key: SectionKey) -> Result<Vec<SectionVersion>> {
    store::section_versions(db, document.head.id, key, MAX_VERSIONS).await
}

pub use store::{Filter, count, page};
