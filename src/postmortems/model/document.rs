//! A postmortem as it stands in the record.

use serde::Serialize;

use super::review::Audience;
use super::rules::CauseKind;
use super::{SectionKey, State};
use crate::clock::Timestamp;
use crate::incidents::IncidentId;

/// The head of a postmortem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postmortem {
    pub id: i64,
    pub incident: IncidentId,
    pub state: State,
    pub created_by: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub published_at: Option<Timestamp>,
    pub published_by: Option<String>,
    pub version: i64,
    pub audience: Audience,
    /// Words that the public text leaves out.
    pub redactions: Vec<String>,
    /// Sections of the public text.
    pub public_sections: Vec<SectionKey>,
}

impl Postmortem {
    pub fn path(&self) -> String {
        format!("/incidents/{}/postmortem", self.incident)
    }
}

/// A section with its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredSection {
    pub key: SectionKey,
    /// Markdown.
    pub body: String,
    /// Nobody has changed what was drafted.
    pub untouched: bool,
    /// What the record gave when it was last drafted.
    #[serde(skip)]
    pub drafted: String,
    pub version: i64,
    pub updated_at: Timestamp,
    pub updated_by: String,
}

/// One text that a section had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SectionVersion {
    pub version: i64,
    #[serde(skip)]
    pub body: String,
    pub author: String,
    pub saved_at: Timestamp,
}

/// A row of the list of postmortems.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    pub incident: IncidentId,
    pub title: String,
    pub severity: String,
    pub state: State,
    pub created_by: String,
    pub updated_at: Timestamp,
    pub published_at: Option<Timestamp>,
    pub cause: Option<CauseKind>,
    pub tags: Vec<String>,
    #[serde(skip)]
    pub id: i64,
}
