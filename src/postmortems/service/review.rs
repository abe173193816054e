//! Reviewing and publishing: who was asked, what they said, who may read it.

use crate::accounts::{Actor, Role};
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, FieldErrors, Result};
use crate::fields;
use crate::incidents::By;
use crate::incidents::model::record::Incident;

use super::super::model::redaction::{MAX_WORD, MAX_WORDS};
use super::super::model::review::{
    Audience, CheckItem, Checked, Comment, CommentOutcome, ReviewVerdict, Reviewer, obstacles,
};
use super::super::model::{Postmortem, SectionKey, State};
use super::super::store::review as store;
use super::{Document, get, indexed, tell};

/// Longest note of a reviewer, in characters.
const MAX_NOTE: usize = 2_000;

/// All that a review consists of.
#[derive(Clone, Debug, Default)]
pub struct Review {
    pub reviewers: Vec<Reviewer>,
    pub checks: Vec<Checked>,
    pub comments: Vec<Comment>,
}

impl Review {
    pub fn obstacles(&self) -> Vec<String> {
        let open = self.comments.iter().filter(|c| c.outcome == CommentOutcome::Open).count();
        obstacles(&self.reviewers, &self.checks, open)
    }

    pub fn is_reviewer(&self, user: Option<i64>) -> bool {
        user.is_some_and(|id| self.reviewers.iter().any(|r| r.user_id == id))
    }
}

pub async fn of(db: &Db, postmortem: i64) -> Result<Review> {
    Ok(Review {
        reviewers: store::reviewers(db, postmortem).await?,
        checks: store::checks(db, postmortem).await?,
        comments: store::comments(db, postmortem).await?,
    })
}

/// Whether somebody who may see the incident may read its postmortem, too.
pub fn may_read(head: &Postmortem, actor: &Actor) -> bool {
    head.audience != Audience::Private || actor.can(Role::Responder)
}

/// The postmortem, for somebody who may see the incident.
///
/// # Errors
/// `NotFound` when there is none, or when it is not for this reader.
pub async fn readable(db: &Db, incident: &Incident, actor: &Actor) -> Result<Document> {
    let document = get(db, incident.id).await?;
    if may_read(&document.head, actor) {
        Ok(document)
    } else {
        Err(Error::not_found(format!("A postmortem of {}", incident.id)))
    }
}

fn is_open(document: &Document) -> Result<()> {
    if document.head.state == State::Published {
        return Err(Error::Conflict("this postmortem is published already".to_owned()));
    }
    Ok(())
}

/// Asks somebody to review; a draft goes into review by it.
///
/// # Errors
/// `Conflict` when it is published.
pub async fn ask(tx: &Tx, incident: &Incident, whom: (i64, &str), by: &By, now: Timestamp) -> Result<()> {
    let document = get(tx, incident.id).await?;
    is_open(&document)?;
    store::ask(tx, document.head.id, whom, &by.name, now).await?;
    let text = format!("Asked {} to review the postmortem", whom.1);
    tell(tx, incident.id, &text, by, now).await?;
    if document.head.state == State::Draft {
        super::change_state(tx, incident, State::InReview, by, now).await?;
    }
    Ok(())
}

pub async fn unask(tx: &Tx, incident: &Incident, user: i64) -> Result<()> {
    let document = get(tx, incident.id).await?;
    is_open(&document)?;
    store::unask(tx, document.head.id, user).await
}

/// A reviewer's answer.
///
/// # Errors
/// `Invalid` when changes are asked for without saying which; `Forbidden` for who was not asked.
pub async fn answer(
    tx: &Tx,
    incident: &Incident,
    verdict: ReviewVerdict,
    note: &str,
    by: &By,
    now: Timestamp,
) -> Result<()> {
    let mut errors = FieldErrors::default();
    let note = fields::limited(&mut errors, "note", note, MAX_NOTE);
    if verdict == ReviewVerdict::Changes && note.is_empty() {
        errors.add("note", "is needed: what should change?");
    }
    errors.into_result()?;
    let document = get(tx, incident.id).await?;
    is_open(&document)?;
    let user = by.user_id.unwrap_or_default();
    if !store::answer(tx, document.head.id, user, verdict, &note, now).await? {
        return Err(Error::Forbidden("you were not asked to review this postmortem".to_owned()));
    }
    let text = match verdict {
        ReviewVerdict::Approved => "Approved the postmortem",
        ReviewVerdict::Changes => "Asked for changes of the postmortem",
        ReviewVerdict::Waiting => "Took the review of the postmortem back",
    };
    tell(tx, incident.id, text, by, now).await
}

/// Sets the ticks of the checklist to what was sent.
pub async fn tick(tx: &Tx, incident: &Incident, ticked: &[CheckItem], by: &By, now: Timestamp) -> Result<()> {
    let document = get(tx, incident.id).await?;
    is_open(&document)?;
    for item in CheckItem::ALL {
        if ticked.contains(item) {
            store::tick(tx, document.head.id, *item, &by.name, now).await?;
        } else {
            store::untick(tx, document.head.id, *item).await?;
        }
    }
    Ok(())
}

/// Who may read it, and what the public does not.
#[derive(Clone, Debug, Default)]
pub struct AudienceInput {
    pub audience: String,
    pub sections: Vec<String>,
    /// One a line.
    pub words: String,
}

/// # Errors
/// `Invalid` by field; a private incident has no public postmortem.
pub async fn set_audience(tx: &Tx, incident: &Incident, input: &AudienceInput, by: &By, now: Timestamp) -> Result<()> {
    let mut errors = FieldErrors::default();
    let audience = Audience::parse(&input.audience);
    match audience {
        None => errors.add("audience", Audience::unknown(&input.audience)),
        Some(Audience::Public) if incident.private => {
            errors.add("audience", "the incident is private; its postmortem cannot be public");
        }
        Some(_) => {}
    }
    let sections: Vec<SectionKey> = input.sections.iter().filter_map(|s| SectionKey::parse(s)).collect();
    if audience == Some(Audience::Public) && sections.is_empty() {
        errors.add("sections", "choose at least one section for the public");
    }
    let words: Vec<String> =
        input.words.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).take(MAX_WORDS + 1).collect();
    if words.len() > MAX_WORDS || words.iter().any(|w| w.chars().count() > MAX_WORD) {
        errors.add("words", format!("at most {MAX_WORDS} words of {MAX_WORD} characters"));
    }
    errors.into_result()?;
    let document = get(tx, incident.id).await?;
    let audience = audience.unwrap_or(document.head.audience);
    store::set_audience(tx, document.head.id, audience, &sections, &words).await?;
    if audience != document.head.audience {
        let text = format!("The postmortem is for: {}", audience.label().to_lowercase());
        tell(tx, incident.id, &text, by, now).await?;
    }
    indexed(tx, incident, now).await.map(drop)
}
