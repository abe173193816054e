//! What a postmortem is, and the rules for it: pure.
//!
//! - [`record`]: what is known of the incident, as plain data
//! - [`draft`]: the record as Markdown, section by section; the same record always gives the same text
//! - [`lint`]: what a reviewer would remark
//! - [`actions`]: action items, and how changes name them
//! - [`review`]: reviewers, the checklist, comments, and who may read it
//! - [`rules`]: which incidents need one, and the library's kinds of cause
//! - [`redaction`]: what a public text leaves out
//! - [`merge`]: two changes of one text brought together
//! - here: the sections, and the states

pub mod actions;
pub mod document;
pub mod draft;
pub mod lint;
pub mod merge;
pub mod record;
pub mod redaction;
pub mod review;
pub mod rules;

pub use document::{Listed, Postmortem, SectionVersion, StoredSection};
pub use record::Record;

use crate::error::FieldErrors;
use crate::fields::text_enum;

/// Longest section that is kept, in bytes.
pub const MAX_SECTION_BYTES: usize = 200_000;

text_enum! {
    /// The parts of a postmortem, in the order of reading.
    pub enum SectionKey("section") {
        Summary = "summary",
        Impact = "impact",
        Detection = "detection",
        RootCause = "root_cause",
        WhatHappened = "what_happened",
        Recovery = "recovery",
        WentWell = "went_well",
        WentBadly = "went_badly",
        FollowUps = "follow_ups",
    }
}

impl SectionKey {
    pub const fn title(self) -> &'static str {
        match self {
            Self::Summary => "Summary",
            Self::Impact => "Impact",
            Self::Detection => "Detection",
            Self::RootCause => "Root cause and trigger",
            Self::WhatHappened => "What happened",
            Self::Recovery => "Recovery",
            Self::WentWell => "What went well",
            Self::WentBadly => "What went badly",
            Self::FollowUps => "Follow-ups",
        }
    }

    /// Must say something before the postmortem is published.
    pub const fn is_required(self) -> bool {
        matches!(self, Self::Summary | Self::Impact | Self::RootCause)
    }

    fn by_title(title: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.title().eq_ignore_ascii_case(title.trim()))
    }
}

text_enum! {
    /// How far a postmortem is.
    pub enum State("postmortem state") {
        Draft = "draft",
        InReview = "in_review",
        Published = "published",
    }
}

impl State {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Draft => "Draft",
            Self::InReview => "In review",
            Self::Published => "Published",
        }
    }

    /// The words on the button that leads here.
    pub const fn action(self) -> &'static str {
        match self {
            Self::Draft => "Back to draft",
            Self::InReview => "Ask for review",
            Self::Published => "Publish",
        }
    }

    /// Small teams publish without a review; what is published can be taken back to be mended.
    pub const fn may_become(self, to: Self) -> bool {
        !matches!(
            (self, to),
            (Self::Draft, Self::Draft)
                | (Self::InReview, Self::InReview)
                | (Self::Published, Self::Published | Self::InReview)
        )
    }

    pub fn next(self) -> Vec<Self> {
        [Self::Published, Self::InReview, Self::Draft].into_iter().filter(|to| self.may_become(*to)).collect()
    }
}

/// One section's text.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Section {
    pub key: SectionKey,
    /// Markdown.
    pub body: String,
}

/// One document of all sections, as it is exported and sent by API.
pub fn to_markdown(title: &str, sections: &[Section]) -> String {
    let mut text = format!("# {title}\n");
    for section in sections {
        text.push_str(&format!("\n## {}\n\n{}\n", section.key.title(), section.body.trim()));
    }
    text
}

/// The way back: `## ` headings with the sections' titles part the document. Text above the first, and
/// headings that are no section's, stay with the section before them (the summary at first).
pub fn from_markdown(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            in_code = !in_code;
        }
        let key = line.strip_prefix("## ").filter(|_| !in_code).and_then(SectionKey::by_title);
        if let Some(key) = key.filter(|key| sections.iter().all(|s| s.key != *key)) {
            sections.push(Section { key, body: String::new() });
            continue;
        }
        if line.starts_with("# ") && sections.is_empty() && !in_code {
            continue;
        }
        if sections.is_empty() && !line.trim().is_empty() {
            sections.push(Section { key: SectionKey::Summary, body: String::new() });
        }
        if let Some(section) = sections.last_mut() {
            section.body.push_str(line);
            section.body.push('\n');
        }
    }
    for section in &mut sections {
        section.body = section.body.trim().to_owned();
    }
    sections
}

/// Line ends as `\n`, nothing after the last word; complaints about `field` when it is too long.
pub fn normalize_body(errors: &mut FieldErrors, field: &str, body: &str) -> String {
    crate::markdown::check_size(errors, field, body, MAX_SECTION_BYTES);
    if body.contains('\0') {
        errors.add(field, "must not contain a NUL character");
    }
    body.replace("\r\n", "\n").replace('\r', "\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn states_lead_to_publication_and_back() {
        use State::{Draft, InReview, Published};
        assert_eq!(Draft.next(), [Published, InReview]);
        assert_eq!(InReview.next(), [Published, Draft]);
        assert_eq!(Published.next(), [Draft]);
        for state in State::ALL {
            assert!(!state.may_become(*state));
        }
    }

    #[test]
    fn foreign_headings_and_code_stay_in_their_section() {
        let text = "# INC-1: x\n\nIntro.\n\n## Impact\n\na\n\n## Our own heading\n\nb\n\n```\n## Recovery\n```\n\n## recovery\n\nc\n";
        let shown: Vec<_> = from_markdown(text).into_iter().map(|s| (s.key, s.body)).collect();
        assert_eq!(
            shown,
            [
                (SectionKey::Summary, "Intro.".to_owned()),
                (SectionKey::Impact, "a\n\n## Our own heading\n\nb\n\n```\n## Recovery\n```".to_owned()),
                (SectionKey::Recovery, "c".to_owned()),
            ]
        );
    }

    #[test]
    fn a_body_that_is_too_long_is_refused_by_name() {
        let mut errors = FieldErrors::default();
        normalize_body(&mut errors, "impact", &"x".repeat(MAX_SECTION_BYTES + 1));
        assert_eq!(errors.of("impact"), Some("is 200 kB long; at most 200 kB are kept"));
    }

    proptest! {
        #[test]
        fn a_document_comes_back_as_its_sections(bodies in prop::collection::vec("[a-z ][a-z .,]{0,30}(\n[a-z][a-z .]{0,20}){0,3}", 9)) {
            let sections: Vec<_> = SectionKey::ALL.iter().zip(&bodies)
                .map(|(key, body)| Section { key: *key, body: body.trim().to_owned() })
                .collect();
            prop_assert_eq!(from_markdown(&to_markdown("INC-1: t", &sections)), sections);
        }
    }
}
