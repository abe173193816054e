//! What people write for the status page, and what is wrong with it. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ComponentState, NoticeKind, NoticeState};
use crate::clock::Timestamp;
use crate::error::FieldErrors;
use crate::fields;

/// Longest text of an update, in characters.
pub const MAX_TEXT: usize = 5_000;
/// Maintenance longer than this is a mistyped date.
const LONGEST_MAINTENANCE: chrono::TimeDelta = chrono::TimeDelta::days(31);

/// A component as it is typed or sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ComponentInput {
    #[serde(deserialize_with = "fields::text")]
    pub name: String,
    #[serde(deserialize_with = "fields::text")]
    pub description: String,
    #[serde(deserialize_with = "fields::text")]
    pub group: String,
    /// Slug of the service in the catalogue; empty for none.
    #[serde(deserialize_with = "fields::text")]
    pub service: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewComponent {
    pub name: String,
    pub description: String,
    pub group: String,
    pub service: Option<String>,
}

impl ComponentInput {
    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self) -> Result<NewComponent, FieldErrors> {
        let mut errors = FieldErrors::default();
        let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let new = NewComponent {
            name: fields::required(&mut errors, "name", &line(&self.name), 80),
            description: fields::limited(&mut errors, "description", &line(&self.description), 200),
            group: fields::limited(&mut errors, "group", &line(&self.group), 80),
            service: Some(self.service.trim().to_owned()).filter(|s| !s.is_empty()),
        };
        if errors.is_empty() { Ok(new) } else { Err(errors) }
    }
}

/// The draft of an update as it is typed or sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DraftInput {
    #[serde(deserialize_with = "fields::text")]
    pub title: String,
    #[serde(deserialize_with = "fields::text")]
    pub state: String,
    #[serde(deserialize_with = "fields::text")]
    pub text: String,
    /// Component id → state; what is not named works.
    pub components: BTreeMap<String, String>,
    /// When it began; of maintenance the planned begin.
    #[serde(deserialize_with = "fields::text")]
    pub starts_at: String,
    /// Of maintenance the planned end; of an incident its end, when it is resolved.
    #[serde(deserialize_with = "fields::text")]
    pub ends_at: String,
    /// The version that was read; a draft that changed meanwhile is not overwritten.
    pub version: Option<i64>,
}

/// A checked [`DraftInput`]: fit to be kept, though perhaps not yet to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDraft {
    pub title: String,
    pub state: NoticeState,
    pub text: String,
    pub impacts: BTreeMap<i64, ComponentState>,
    pub starts_at: Option<Timestamp>,
    pub ends_at: Option<Timestamp>,
    pub version: Option<i64>,
}

impl DraftInput {
    /// From a form, where a component's state is the field `component-7`.
    pub fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        let mut input = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "title" => input.title = value,
                "state" => input.state = value,
                "text" => input.text = value,
                "starts_at" => input.starts_at = value,
                "ends_at" => input.ends_at = value,
                "version" => input.version = value.parse().ok(),
                other => {
                    if let Some(id) = other.strip_prefix("component-") {
                        input.components.insert(id.to_owned(), value);
                    }
                }
            }
        }
        input
    }

    /// `known` are the ids of the components of the page.
    ///
    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self, kind: NoticeKind, known: &[i64], now: Timestamp) -> Result<NewDraft, FieldErrors> {
        let mut errors = FieldErrors::default();
        let title = self.title.split_whitespace().collect::<Vec<_>>().join(" ");
        let first = NoticeState::of(kind)[0];
        let state = match self.state.trim() {
            "" => first,
            word => match NoticeState::parse(word).filter(|s| NoticeState::of(kind).contains(s)) {
                Some(state) => state,
                None => {
                    let words: Vec<_> = NoticeState::of(kind).iter().map(|s| s.as_str()).collect();
                    errors.add("state", format!("'{word}' is not a state of {kind}: use one of {}", words.join(", ")));
                    first
                }
            },
        };
        let mut impacts = BTreeMap::new();
        for (id, word) in &self.components {
            match (id.parse::<i64>().ok().filter(|id| known.contains(id)), ComponentState::parse(word)) {
                (None, _) => errors.add("components", format!("'{id}' is not a component of the page")),
                (_, None) if word.trim().is_empty() => {}
                (_, None) => errors.add("components", ComponentState::unknown(word)),
                (Some(_), Some(ComponentState::Operational)) => {}
                (Some(id), Some(state)) => drop(impacts.insert(id, state)),
            }
        }
        let (starts_at, ends_at) = match kind {
            NoticeKind::Incident => (
                fields::past_moment(&mut errors, "starts_at", &self.starts_at, now),
                fields::past_moment(&mut errors, "ends_at", &self.ends_at, now),
            ),
            NoticeKind::Maintenance => (
                fields::moment(&mut errors, "starts_at", &self.starts_at, now),
                fields::moment(&mut errors, "ends_at", &self.ends_at, now),
            ),
        };
        if let (Some(from), Some(until)) = (starts_at, ends_at) {
            if until <= from {
                errors.add("ends_at", "must lie after the begin");
            } else if kind == NoticeKind::Maintenance && until - from > LONGEST_MAINTENANCE {
                errors.add("ends_at", "lies more than 31 days after the begin");
            }
        }
        let draft = NewDraft {
            title: fields::limited(&mut errors, "title", &title, fields::MAX_TITLE),
            text: fields::limited(&mut errors, "text", &self.text.replace("\r\n", "\n"), MAX_TEXT),
            state,
            impacts,
            starts_at,
            ends_at,
            version: self.version,
        };
        if errors.is_empty() { Ok(draft) } else { Err(errors) }
    }
}

/// What a draft lacks to be published.
pub fn lacking(kind: NoticeKind, draft: &NewDraft) -> FieldErrors {
    let mut errors = FieldErrors::default();
    for (field, text) in [("title", &draft.title), ("text", &draft.text)] {
        if text.is_empty() {
            errors.add(field, "is needed before the public reads it");
        }
    }
    if kind == NoticeKind::Maintenance {
        for (field, at) in [("starts_at", draft.starts_at), ("ends_at", draft.ends_at)] {
            if at.is_none() {
                errors.add(field, "is needed: maintenance has a begin and an end");
            }
        }
    }
    errors
}

/// How the page introduces itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PageInput {
    #[serde(deserialize_with = "fields::text")]
    pub title: String,
    #[serde(deserialize_with = "fields::text")]
    pub intro: String,
    #[serde(deserialize_with = "fields::flag")]
    pub is_public: bool,
}

impl PageInput {
    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let page = Self {
            title: fields::required(&mut errors, "title", &self.title, 80),
            intro: fields::limited(&mut errors, "intro", &self.intro.replace("\r\n", "\n"), 1_000),
            is_public: self.is_public,
        };
        if errors.is_empty() { Ok(page) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

    #[test]
    fn a_draft_is_kept_unfinished_but_not_published_so() {
        let draft = DraftInput::default().normalize(NoticeKind::Incident, &[], NOW).expect("an empty draft is one");
        assert_eq!(draft.state, NoticeState::Investigating);
        let lack = lacking(NoticeKind::Incident, &draft);
        assert!(lack.has("title") && lack.has("text") && !lack.has("starts_at"));
        let planned = DraftInput::default().normalize(NoticeKind::Maintenance, &[], NOW).expect("the same");
        assert!(lacking(NoticeKind::Maintenance, &planned).has("ends_at"));
    }

    #[test]
    fn complaints_name_their_field() {
        let pairs = [
            ("title", "x".repeat(201)),
            ("state", "completed".into()),
            ("text", "y".repeat(5_001)),
            ("component-1", "degraded".into()),
            ("component-2", "on fire".into()),
            ("component-9", "degraded".into()),
            ("starts_at", "2026-12-24 10:00".into()),
            ("ends_at", "soon".into()),
        ];
        let input = DraftInput::from_pairs(pairs.map(|(n, v)| (n.to_owned(), v)).to_vec());
        let errors = input.normalize(NoticeKind::Incident, &[1, 2], NOW).expect_err("refused");
        for field in ["title", "state", "text", "components", "starts_at", "ends_at"] {
            assert!(errors.has(field), "{field}: {errors}");
        }
        assert!(errors.to_string().contains("on fire") && errors.to_string().contains("'9'"), "{errors}");
    }

    #[test]
    fn maintenance_ends_after_it_begins_and_within_a_month() {
        let of = |from: &str, until: &str| {
            let input = DraftInput { starts_at: from.into(), ends_at: until.into(), ..DraftInput::default() };
            input.normalize(NoticeKind::Maintenance, &[], NOW)
        };
        assert!(of("2027-01-01 10:00", "2027-01-01 12:00").is_ok());
        assert!(of("2027-01-01 10:00", "2027-01-01 10:00").is_err());
        assert!(of("2027-01-01 10:00", "2028-01-01 10:00").is_err());
    }
}
