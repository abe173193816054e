//! Runbooks, versions and runs as they stand in the record.

use chrono::{DateTime, NaiveDate};
use serde::Serialize;

use super::{Condition, ParsedRunbook, Problem};
use crate::clock::Timestamp;
use crate::fields::text_enum;
use crate::incidents::model::IncidentId;

text_enum! {
    /// Where a version came from.
    pub enum Origin("origin") {
        File = "file",
        Browser = "browser",
        Api = "api",
    }
}

text_enum! {
    /// Whether a run goes on.
    pub enum RunState("run state") {
        Running = "running",
        /// Every step on the way has an outcome.
        Completed = "completed",
        /// Given up, with a reason.
        Stopped = "stopped",
    }
}

/// A runbook's head: what its current version says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Runbook {
    #[serde(skip)]
    pub id: i64,
    pub slug: String,
    pub title: String,
    pub summary: String,
    pub owner: String,
    /// Midnight UTC of the day.
    pub review_by: Option<Timestamp>,
    pub services: Vec<String>,
    pub tags: Vec<String>,
    pub step_count: i64,
    /// Sum of the steps' expected times, in seconds.
    pub expected_s: i64,
    pub attach_when: Vec<Condition>,
    /// Number of the current version.
    pub version: i64,
    /// Name in the folder.
    pub file: Option<String>,
    #[serde(skip)]
    pub file_hash: Option<String>,
    pub file_missing_since: Option<Timestamp>,
    /// A version from the folder that waits for a decision.
    pub pending_version: Option<i64>,
    pub archived_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Runbook {
    pub fn path(&self) -> String {
        format!("/runbooks/{}", self.slug)
    }

    /// Nobody has read it again since the day on which somebody should have.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.review_by.is_some_and(|day| now >= day + chrono::TimeDelta::days(1))
    }

    pub fn review_day(&self) -> Option<NaiveDate> {
        self.review_by.map(|day| day.to_datetime().date_naive())
    }
}

/// A day as the moment it begins, in UTC.
pub fn day_start(day: NaiveDate) -> Timestamp {
    day.and_hms_opt(0, 0, 0)
        .map_or_else(Timestamp::default, |naive| DateTime::from_naive_utc_and_offset(naive, chrono::Utc).into())
}

/// One text of a runbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    pub number: i64,
    pub hash: String,
    #[serde(skip)]
    pub source: String,
    pub origin: Origin,
    pub author: String,
    pub note: String,
    pub created_at: Timestamp,
}

/// What the head repeats of a parsed text.
pub struct Head<'a> {
    pub title: &'a str,
    pub summary: &'a str,
    pub owner: &'a str,
    pub review_by: Option<Timestamp>,
    pub step_count: i64,
    pub expected_s: i64,
    pub attach_when: String,
    pub words: String,
    pub services: &'a [String],
    pub tags: &'a [String],
}

impl<'a> Head<'a> {
    pub fn of(parsed: &'a ParsedRunbook) -> Self {
        let front = &parsed.front;
        let summary = front.summary.as_deref().unwrap_or_default();
        let owner = front.owner.as_deref().unwrap_or_default();
        let words = [front.title.as_str(), summary, owner]
            .into_iter()
            .chain(front.tags.iter().map(String::as_str))
            .chain(front.services.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase();
        Self {
            title: &front.title,
            summary,
            owner,
            review_by: front.review_by.map(day_start),
            step_count: i64::try_from(parsed.steps.len()).unwrap_or(i64::MAX),
            expected_s: parsed.steps.iter().filter_map(|s| s.expected_s).map(i64::from).sum(),
            // A list of plain structs always serialises.
            attach_when: serde_json::to_string(&front.attach_when).unwrap_or_else(|_| "[]".to_owned()),
            words,
            services: &front.services,
            tags: &front.tags,
        }
    }
}

/// A file of the folder with remarks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileProblems {
    pub file: String,
    pub problems: Vec<Problem>,
    pub has_errors: bool,
    pub seen_at: Timestamp,
}

/// A run's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub id: i64,
    pub incident: IncidentId,
    pub runbook_id: i64,
    pub runbook_slug: String,
    pub runbook_title: String,
    /// The version that it pins.
    pub version: i64,
    pub state: RunState,
    /// Values of the variables, as JSON text.
    pub filled: String,
    pub reason: String,
    pub started_by: String,
    pub started_at: Timestamp,
    pub lead_id: Option<i64>,
    pub lead: String,
    pub ended_at: Option<Timestamp>,
    pub ended_by: Option<String>,
    pub end_note: String,
}

impl Run {
    pub fn path(&self) -> String {
        format!("/incidents/{}/runs/{}", self.incident, self.id)
    }
}
