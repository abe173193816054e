//! Reviewing: who was asked, what they said, the questions that every review asks, and what stands in
//! the way of publishing.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::fields::text_enum;

text_enum! {
    /// Who may read a postmortem.
    pub enum Audience("audience") {
        /// Responders and above, of those who may see the incident.
        Private = "private",
        /// Everybody who is signed in and may see the incident.
        Company = "company",
        /// Everybody, without signing in, with names and marked words left out.
        Public = "public",
    }
}

impl Audience {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Private => "Responders only",
            Self::Company => "Everybody signed in",
            Self::Public => "Public, redacted",
        }
    }
}

text_enum! {
    /// What a reviewer says.
    pub enum ReviewVerdict("review verdict") {
        Waiting = "waiting",
        Approved = "approved",
        Changes = "changes",
    }
}

impl ReviewVerdict {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Waiting => "asked",
            Self::Approved => "approved",
            Self::Changes => "asks for changes",
        }
    }
}

text_enum! {
    /// The questions of every review.
    pub enum CheckItem("review question") {
        DataKept = "data_kept",
        ImpactComplete = "impact_complete",
        CauseDeep = "cause_deep",
        ActionsSound = "actions_sound",
        Shared = "shared",
    }
}

impl CheckItem {
    pub const fn question(self) -> &'static str {
        match self {
            Self::DataKept => "Are the traces, logs and graphs it rests on kept with the incident?",
            Self::ImpactComplete => "Is the impact complete: who, how many, how long, and what data?",
            Self::CauseDeep => "Does the cause go deep enough: what made the trigger possible?",
            Self::ActionsSound => "Are the actions sound, owned and dated, and would they have helped?",
            Self::Shared => "Is it shared with those who can learn from it?",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reviewer {
    #[serde(skip)]
    pub user_id: i64,
    pub name: String,
    pub verdict: ReviewVerdict,
    pub note: String,
    pub asked_by: String,
    pub asked_at: Timestamp,
    pub answered_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    pub item: CheckItem,
    pub by: String,
    pub at: Timestamp,
}

/// What stands in the way of publishing, in words. Where nobody was asked for a review, nothing does:
/// a small team publishes without one.
pub fn obstacles(reviewers: &[Reviewer], checks: &[Checked], open_comments: usize) -> Vec<String> {
    if reviewers.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for r in reviewers {
        match r.verdict {
            ReviewVerdict::Approved => {}
            ReviewVerdict::Waiting => found.push(format!("{} has not answered yet", r.name)),
            ReviewVerdict::Changes => found.push(format!("{} asks for changes", r.name)),
        }
    }
    for item in CheckItem::ALL.iter().filter(|item| checks.iter().all(|c| c.item != **item)) {
        found.push(format!("not ticked: {}", item.question()));
    }
    if open_comments > 0 {
        let noun = if open_comments == 1 { "comment is" } else { "comments are" };
        found.push(format!("{open_comments} {noun} open"));
    }
    found
}

text_enum! {
    /// What became of a comment.
    pub enum CommentOutcome("comment outcome") {
        Open = "open",
        Settled = "settled",
        /// Its suggestion was taken over.
        Taken = "taken",
        Declined = "declined",
    }
}

/// A remark about a section, perhaps with a text to take over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comment {
    pub id: i64,
    pub section: super::SectionKey,
    /// Markdown.
    pub body: String,
    /// The whole section as it should be.
    pub suggestion: Option<String>,
    /// The version that the suggestion changes.
    pub base: i64,
    pub author: String,
    pub created_at: Timestamp,
    pub outcome: CommentOutcome,
    pub settled_by: Option<String>,
    pub settled_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reviewer(name: &str, verdict: ReviewVerdict) -> Reviewer {
        Reviewer {
            user_id: 1,
            name: name.to_owned(),
            verdict,
            note: String::new(),
            asked_by: "Ada".to_owned(),
            asked_at: Timestamp::from_secs(0),
            answered_at: None,
        }
    }

    #[test]
    fn without_reviewers_nothing_stands_in_the_way() {
        assert_eq!(obstacles(&[], &[], 3), Vec::<String>::new());
    }

    #[test]
    fn every_answer_question_and_comment_counts() {
        let all: Vec<Checked> = CheckItem::ALL
            .iter()
            .map(|item| Checked { item: *item, by: "Ada".to_owned(), at: Timestamp::from_secs(0) })
            .collect();
        let asked = [reviewer("Bob", ReviewVerdict::Waiting), reviewer("Cy", ReviewVerdict::Changes)];
        assert_eq!(
            obstacles(&asked, &all[1..], 1),
            [
                "Bob has not answered yet",
                "Cy asks for changes",
                "not ticked: Are the traces, logs and graphs it rests on kept with the incident?",
                "1 comment is open",
            ]
        );
        assert_eq!(obstacles(&[reviewer("Bob", ReviewVerdict::Approved)], &all, 0), Vec::<String>::new());
    }
}
