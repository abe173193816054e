//! The actions on postmortems. Each runs inside the caller's transaction; the caller commits, and has
//! loaded the incident as one that the asker may see.

pub mod actions;
pub mod comments;
pub mod duties;
mod evidence;
pub mod gather;
pub mod review;

use chrono::TimeDelta;

use crate::accounts::Role;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::model::record::Incident;
use crate::incidents::{Append, By, EntryKind, IncidentId, Viewer, append_timeline, services};
use crate::markdown;
use crate::notifications;
use crate::search::{self, Doc, DocKind};

use super::model::draft;
use super::model::lint::{self, Finding};
use super::model::merge::{Merged, merge};
use super::model::review::Audience;
use super::model::rules::{self, CauseKind, DEFAULT_GAP, Rule};
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
    let record = gather::record(tx, incident, now).await?;
    let rule = duties::rule_for(tx, incident).await?;
    for mut section in draft::draft(&record) {
        guided(&mut section, rule.as_ref());
        let save = Save {
            key: section.key,
            body: &section.body,
            untouched: true,
            drafted: Some(&section.body),
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

/// What the rule asks for stands at a section's end.
fn guided(section: &mut Section, rule: Option<&Rule>) {
    let guidance = rule.map_or("", |r| r.guidance_of(&section.key));
    if !guidance.is_empty() {
        section.body = format!("{}\n\n{guidance}", section.body).trim().to_owned();
    }
}

/// The document, with the search knowing its present text.
async fn indexed(tx: &Tx, incident: &Incident, now: Timestamp) -> Result<Document> {
    let document = get(tx, incident.id).await?;
    if document.head.audience == Audience::Private {
        // The search asks who may see the incident, not who may read its postmortem.
        search::remove(tx, DocKind::Postmortem, &incident.id.to_string()).await?;
        return Ok(document);
    }
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
    save_drafted(tx, incident, edit, None, by, now).await
}

/// `drafted` is what the record gives now, when the text was made with it.
async fn save_drafted(
    tx: &Tx,
    incident: &Incident,
    edit: &Edit,
    drafted: Option<&str>,
    by: &By,
    now: Timestamp,
) -> Result<Saved> {
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
    let untouched = drafted == Some(body.as_str());
    let (author_id, author) = (by.user_id, by.name.as_str());
    let save = Save { key: edit.key, body: &body, untouched, drafted, author_id, author, now };
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
pub async fn redraft(db: &Db, incident: &Incident, key: SectionKey, now: Timestamp) -> Result<String> {
    let record = gather::record(db, incident, now).await?;
    let mut section = Section { key, body: draft::section(&record, key) };
    guided(&mut section, duties::rule_for(db, incident).await?.as_ref());
    Ok(section.body)
}

/// How a section is drafted anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redraft {
    /// What is new in the record comes in; what people wrote stays.
    Merge,
    /// The draft alone. What stood before stays in the history.
    Replace,
}

/// A section as drafting it anew would leave it, and in how many places handwriting stays where the
/// record says something else.
pub fn redrafted(section: Option<&StoredSection>, draft: &str, how: Redraft) -> Merged {
    match section {
        Some(section) if how == Redraft::Merge => merge(&section.drafted, &section.body, draft),
        _ => Merged { text: draft.to_owned(), conflicts: 0 },
    }
}

/// Drafts one section anew from the record. Gives the number of places where handwriting stayed.
pub async fn regenerate(
    tx: &Tx,
    incident: &Incident,
    (key, base): (SectionKey, i64),
    how: Redraft,
    by: &By,
    now: Timestamp,
) -> Result<(Saved, usize)> {
    let draft = redraft(tx, incident, key, now).await?;
    let document = get(tx, incident.id).await?;
    let merged = redrafted(document.section(key), &draft, how);
    let saved = save_drafted(tx, incident, &Edit { key, body: merged.text, base }, Some(&draft), by, now).await?;
    Ok((saved, merged.conflicts))
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
    if to == State::Published {
        tell_published(tx, incident, &document.head, by, now).await?;
    }
    get(tx, incident.id).await
}

/// Publishes although the review is not through; the record says what was missing.
///
/// # Errors
/// `Invalid` about `confirm`, naming each obstacle, unless it is confirmed.
pub async fn check_review(tx: &Tx, incident: &Incident, confirmed: bool, by: &By, now: Timestamp) -> Result<()> {
    let document = get(tx, incident.id).await?;
    let obstacles = review::of(tx, document.head.id).await?.obstacles();
    if obstacles.is_empty() {
        return Ok(());
    }
    if !confirmed {
        let mut errors = FieldErrors::default();
        for obstacle in obstacles {
            errors.add("confirm", obstacle);
        }
        return Err(Error::Invalid(errors));
    }
    let text = format!("Published before the review was through: {}", obstacles.join("; "));
    tell(tx, incident.id, &text, by, now).await
}

async fn tell_published(tx: &Tx, incident: &Incident, head: &Postmortem, by: &By, now: Timestamp) -> Result<()> {
    let title = format!("Postmortem: {}", incident.title);
    let services = services(tx, incident.id).await?.into_iter().map(|s| s.slug).collect();
    let event = notifications::Event {
        severity: Some(incident.severity.to_string()),
        services,
        actor: Some(by.name.clone()),
        path: head.path(),
        private: incident.private || head.audience == Audience::Private,
        ..notifications::Event::new(notifications::EventKind::PostmortemPublished, incident.id.to_string(), title, now)
    };
    notifications::queue(tx, event).await
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
pub async fn findings(
    db: &Db,
    incident: &Incident,
    document: &Document,
    people: &[String],
    now: Timestamp,
) -> Result<Vec<Finding>> {
    let record = gather::record(db, incident, now).await?;
    let gap = duties::rule_for(db, incident).await?.map_or(DEFAULT_GAP, |r| r.gap_minutes);
    let gap = TimeDelta::minutes(gap);
    Ok(lint::lint(&record, &document.plain_sections(), &record.follow_ups, people, gap))
}

/// Sets what the library sorts by: the kind of cause and the tags.
///
/// # Errors
/// `Invalid` by field.
pub async fn set_about(tx: &Tx, incident: &Incident, cause: &str, tags: &str, now: Timestamp) -> Result<()> {
    let document = get(tx, incident.id).await?;
    let mut errors = FieldErrors::default();
    let cause = cause.trim();
    if !cause.is_empty() && CauseKind::parse(cause).is_none() {
        errors.add("cause", CauseKind::unknown(cause));
    }
    let tags = rules::tags(&mut errors, tags);
    errors.into_result()?;
    let cause = CauseKind::parse(cause).map_or("", |c| c.as_str());
    store::library::set_about(tx, document.head.id, cause, &tags).await?;
    store::touch(tx, document.head.id, now).await
}

/// Incidents whose postmortem the full-text search finds for these words; at most 200.
pub async fn found(db: &Db, words: &str, viewer: Viewer, now: Timestamp) -> Result<Vec<i64>> {
    const MOST: usize = 200;
    let mut query = search::Query::parse(words);
    query.kinds = vec![DocKind::Postmortem];
    let reader = search::Reader { all: viewer.all, user_id: viewer.user_id };
    let hits = search::search(db, &query, reader, now, 0, MOST).await?.hits;
    Ok(hits.into_iter().filter_map(|h| IncidentId::parse(&h.doc.id).map(|id| id.0)).collect())
}

pub use store::library;

/// Texts that a section had, newest first.
pub async fn versions(db: &Db, document: &Document, key: SectionKey) -> Result<Vec<SectionVersion>> {
    store::section_versions(db, document.head.id, key, MAX_VERSIONS).await
}

pub use store::{Filter, count, page};
