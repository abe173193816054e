//! Reviewers, ticked questions and comments.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::postmortems::model::SectionKey;
use crate::postmortems::model::review::{
    Audience, CheckItem, Checked, Comment, CommentOutcome, ReviewVerdict, Reviewer,
};

use super::word;

#[derive(sqlx::FromRow)]
struct ReviewerRow {
    user_id: i64,
    name: String,
    verdict: String,
    note: String,
    asked_by_name: String,
    asked_at: Timestamp,
    answered_at: Option<Timestamp>,
}

/// In the order in which they were asked.
pub async fn reviewers(db: &Db, postmortem: i64) -> Result<Vec<Reviewer>> {
    let rows = db
        .fetch_all::<ReviewerRow>(
            "SELECT user_id, name, verdict, note, asked_by_name, asked_at, answered_at FROM postmortem_reviewers \
             WHERE postmortem_id = $1 ORDER BY asked_at, user_id LIMIT 50",
            args![postmortem],
        )
        .await?;
    rows.into_iter()
        .map(|r| {
            Ok(Reviewer {
                user_id: r.user_id,
                name: r.name,
                verdict: word(ReviewVerdict::parse, &r.verdict, "review verdict")?,
                note: r.note,
                asked_by: r.asked_by_name,
                asked_at: r.asked_at,
                answered_at: r.answered_at,
            })
        })
        .collect()
}

/// Asks somebody, or asks again who answered before.
pub async fn ask(tx: &Tx, postmortem: i64, (user, name): (i64, &str), by: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO postmortem_reviewers (postmortem_id, user_id, name, verdict, asked_by_name, asked_at) \
         VALUES ($1, $2, $3, 'waiting', $4, $5) ON CONFLICT (postmortem_id, user_id) DO UPDATE SET \
         verdict = 'waiting', note = '', answered_at = NULL, asked_by_name = excluded.asked_by_name, asked_at = excluded.asked_at",
        args![postmortem, user, name, by, now],
    )
    .await
    .map(drop)
}

pub async fn unask(tx: &Tx, postmortem: i64, user: i64) -> Result<()> {
    tx.execute("DELETE FROM postmortem_reviewers WHERE postmortem_id = $1 AND user_id = $2", args![postmortem, user])
        .await
        .map(drop)
}

/// `false` when this person was not asked.
pub async fn answer(
    tx: &Tx,
    postmortem: i64,
    user: i64,
    verdict: ReviewVerdict,
    note: &str,
    now: Timestamp,
) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE postmortem_reviewers SET verdict = $1, note = $2, answered_at = $3 \
             WHERE postmortem_id = $4 AND user_id = $5",
            args![verdict.as_str(), note, now, postmortem, user],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn checks(db: &Db, postmortem: i64) -> Result<Vec<Checked>> {
    let rows: Vec<(String, String, Timestamp)> = db
        .fetch_all(
            "SELECT item, checked_by_name, checked_at FROM postmortem_checks WHERE postmortem_id = $1 LIMIT 20",
            args![postmortem],
        )
        .await?;
    rows.into_iter()
        .map(|(item, by, at)| Ok(Checked { item: word(CheckItem::parse, &item, "review question")?, by, at }))
        .collect()
}

pub async fn tick(tx: &Tx, postmortem: i64, item: CheckItem, by: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO postmortem_checks (postmortem_id, item, checked_by_name, checked_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (postmortem_id, item) DO NOTHING",
        args![postmortem, item.as_str(), by, now],
    )
    .await
    .map(drop)
}

pub async fn untick(tx: &Tx, postmortem: i64, item: CheckItem) -> Result<()> {
    tx.execute("DELETE FROM postmortem_checks WHERE postmortem_id = $1 AND item = $2", args![postmortem, item.as_str()])
        .await
        .map(drop)
}

#[derive(sqlx::FromRow)]
struct CommentRow {
    id: i64,
    section: String,
    body: String,
    suggestion: Option<String>,
    base: i64,
    author_name: String,
    created_at: Timestamp,
    outcome: String,
    settled_by_name: Option<String>,
    settled_at: Option<Timestamp>,
}

impl CommentRow {
    fn into_comment(self) -> Result<Comment> {
        Ok(Comment {
            section: word(SectionKey::parse, &self.section, "section")?,
            outcome: word(CommentOutcome::parse, &self.outcome, "comment outcome")?,
            id: self.id,
            body: self.body,
            suggestion: self.suggestion,
            base: self.base,
            author: self.author_name,
            created_at: self.created_at,
            settled_by: self.settled_by_name,
            settled_at: self.settled_at,
        })
    }
}

/// Oldest first; at most 500.
pub async fn comments(db: &Db, postmortem: i64) -> Result<Vec<Comment>> {
    let rows = db
        .fetch_all::<CommentRow>(
            "SELECT id, section, body, suggestion, base, author_name, created_at, outcome, settled_by_name, settled_at \
             FROM postmortem_comments WHERE postmortem_id = $1 ORDER BY id LIMIT 500",
            args![postmortem],
        )
        .await?;
    rows.into_iter().map(CommentRow::into_comment).collect()
}

pub struct NewComment<'a> {
    pub section: SectionKey,
    pub body: &'a str,
    pub suggestion: Option<&'a str>,
    pub base: i64,
    pub author_id: Option<i64>,
    pub author: &'a str,
    pub at: Timestamp,
}

pub async fn insert_comment(tx: &Tx, postmortem: i64, new: &NewComment<'_>) -> Result<i64> {
    tx.insert(
        "INSERT INTO postmortem_comments (postmortem_id, section, body, suggestion, base, author_id, author_name, \
         created_at, outcome) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open') RETURNING id",
        args![
            postmortem,
            new.section.as_str(),
            new.body,
            new.suggestion.map(str::to_owned),
            new.base,
            new.author_id,
            new.author,
            new.at
        ],
    )
    .await
}

pub async fn settle_comment(tx: &Tx, id: i64, outcome: CommentOutcome, by: &str, now: Timestamp) -> Result<()> {
    let (name, at) = if outcome == CommentOutcome::Open { (None, None) } else { (Some(by.to_owned()), Some(now)) };
    tx.execute(
        "UPDATE postmortem_comments SET outcome = $1, settled_by_name = $2, settled_at = $3 WHERE id = $4",
        args![outcome.as_str(), name, at, id],
    )
    .await
    .map(drop)
}

/// Who may read it, the sections of the public text, and the words that it leaves out.
pub async fn set_audience(
    tx: &Tx,
    postmortem: i64,
    audience: Audience,
    sections: &[SectionKey],
    words: &[String],
) -> Result<()> {
    let sections = serde_json::to_string(sections)?;
    tx.execute(
        "UPDATE postmortems SET audience = $1, public_sections = $2, redactions = $3, version = version + 1 WHERE id = $4",
        args![audience.as_str(), sections, serde_json::to_string(words)?, postmortem],
    )
    .await
    .map(drop)
}
