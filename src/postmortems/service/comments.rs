//! Comments and suggestions about sections.

use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::{Error, FieldErrors, Result};
use crate::fields;
use crate::incidents::By;
use crate::incidents::model::record::Incident;

use super::super::model::merge::merge;
use super::super::model::review::{Comment, CommentOutcome};
use super::super::model::{self, SectionKey, State};
use super::super::store::{self as sections, review as store};
use super::{Edit, Saved, clash, get, save};

/// Longest comment, in characters.
const MAX_COMMENT: usize = 5_000;

/// A remark, perhaps with the section as it should be.
#[derive(Clone, Debug)]
pub struct NewRemark {
    pub section: SectionKey,
    pub body: String,
    pub suggestion: Option<String>,
    /// The version that was read.
    pub base: i64,
}

/// # Errors
/// `Invalid` for an empty comment, or a suggestion that changes nothing.
pub async fn add(tx: &Tx, incident: &Incident, new: &NewRemark, by: &By, now: Timestamp) -> Result<i64> {
    let document = get(tx, incident.id).await?;
    let mut errors = FieldErrors::default();
    let body = fields::limited(&mut errors, "comment", &new.body, MAX_COMMENT);
    let suggestion = new.suggestion.as_ref().map(|text| model::normalize_body(&mut errors, "body", text));
    if body.is_empty() && suggestion.is_none() {
        errors.add("comment", "is needed");
    }
    if suggestion.is_some() && document.section(new.section).is_some_and(|s| Some(&s.body) == suggestion.as_ref()) {
        errors.add("body", "changes nothing: edit the text, then suggest it");
    }
    errors.into_result()?;
    let comment = store::NewComment {
        section: new.section,
        body: &body,
        suggestion: suggestion.as_deref(),
        base: new.base,
        author_id: by.user_id,
        author: &by.name,
        at: now,
    };
    let id = store::insert_comment(tx, document.head.id, &comment).await?;
    tx.announce(format!("incident:{}", incident.id.0));
    Ok(id)
}

async fn find(tx: &Tx, incident: &Incident, id: i64) -> Result<Comment> {
    let document = get(tx, incident.id).await?;
    let comments = store::comments(tx, document.head.id).await?;
    comments.into_iter().find(|c| c.id == id).ok_or_else(|| Error::not_found(format!("Comment {id}")))
}

/// Settles a comment, declines a suggestion, or opens either again.
pub async fn settle(
    tx: &Tx,
    incident: &Incident,
    id: i64,
    outcome: CommentOutcome,
    by: &By,
    now: Timestamp,
) -> Result<Comment> {
    let comment = find(tx, incident, id).await?;
    store::settle_comment(tx, id, outcome, &by.name, now).await?;
    tx.announce(format!("incident:{}", incident.id.0));
    Ok(comment)
}

/// Takes a suggestion over. Where the section changed meanwhile elsewhere, both changes come together;
/// where both changed the same lines, nothing is saved and both texts are shown.
///
/// # Errors
/// `Conflict` for a comment without a suggestion, one that is settled, or a published postmortem.
pub async fn take(tx: &Tx, incident: &Incident, id: i64, by: &By, now: Timestamp) -> Result<Saved> {
    let document = get(tx, incident.id).await?;
    if document.head.state == State::Published {
        return Err(Error::Conflict("a published postmortem is taken back to a draft before it is changed".to_owned()));
    }
    let comment = find(tx, incident, id).await?;
    let Some(suggestion) = comment.suggestion.filter(|_| comment.outcome == CommentOutcome::Open) else {
        return Err(Error::Conflict("there is nothing to take over in this comment".to_owned()));
    };
    let standing = document.section(comment.section);
    let (now_stands, version) = standing.map_or(("", 0), |s| (s.body.as_str(), s.version));
    let base = sections::section_version(tx, document.head.id, comment.section, comment.base).await?;
    let merged = merge(base.as_deref().unwrap_or_default(), &suggestion, now_stands);
    if merged.conflicts > 0 {
        return Ok(Saved::Clash(clash(&document, comment.section, suggestion)));
    }
    let edit = Edit { key: comment.section, body: merged.text, base: version };
    let saved = save(tx, incident, &edit, by, now).await?;
    if matches!(saved, Saved::Done(_)) {
        store::settle_comment(tx, id, CommentOutcome::Taken, &by.name, now).await?;
    }
    Ok(saved)
}
