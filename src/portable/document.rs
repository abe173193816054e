//! An incident as a file: everything that belongs to it, in one JSON document that another installation reads back.
//!
//! `format` and `version` say what it is; `exported` says when and where from and is no part of the incident; the rest
//! is equal after a round trip. Names of people stand beside what they did; addresses stand only where an account is
//! needed again (roles, owners, access to a private incident).

use serde::{Deserialize, Serialize};

use super::record::record;
use crate::clock::Timestamp;

pub const FORMAT: &str = "faultline-incident";
/// Grows when an older program could not read the file.
pub const VERSION: i64 = 1;

/// The whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    pub format: String,
    pub version: i64,
    pub exported: Exported,
    pub incident: Whole,
}

/// Of this export, not of the incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    pub at: Timestamp,
    pub by: String,
    /// The number that the incident has in the installation that it was exported from.
    pub id: String,
    /// The address of that installation.
    pub from: String,
}

/// An incident with all its parts, each in the order in which it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Whole {
    /// Names the incident wherever it goes: the address that it was born at, or the key it was imported under.
    pub external_id: String,
    pub head: Head,
    /// External ids of other incidents.
    #[serde(default)]
    pub merged_into: Option<String>,
    #[serde(default)]
    pub parent: Option<String>,
    /// Slugs in the catalogue.
    #[serde(default)]
    pub services: Vec<String>,
    #[serde(default)]
    pub milestones: Vec<Milestone>,
    #[serde(default)]
    pub milestone_history: Vec<MilestoneChange>,
    #[serde(default)]
    pub status_changes: Vec<StatusChange>,
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Who may see it while it is private.
    #[serde(default)]
    pub access: Vec<Access>,
    #[serde(default)]
    pub timeline: Vec<TimelineEntry>,
    #[serde(default)]
    pub evidence: Vec<Piece>,
    #[serde(default)]
    pub tasks: Vec<OwnedTask>,
    #[serde(default)]
    pub runs: Vec<RunOfBook>,
    #[serde(default)]
    pub suspects: Option<Ranking>,
    #[serde(default)]
    pub verdicts: Vec<Verdict>,
    #[serde(default)]
    pub postmortem: Option<Report>,
    /// When customers were affected.
    #[serde(default)]
    pub impacts: Vec<Impact>,
    /// What a person said for the reports; at most one.
    #[serde(default)]
    pub classes: Vec<Classes>,
    /// Whether a postmortem is due; at most one.
    #[serde(default)]
    pub duties: Vec<Duty>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Head {
    pub title: String,
    pub summary: String,
    pub severity: String,
    pub status: String,
    pub kind: String,
    pub private: bool,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub status_before_merge: Option<String>,
    pub next_update_due_at: Option<Timestamp>,
    pub created_by_name: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

record! {
    Milestone = "incident_milestones" by "incident_id" order "name" {
        name: String, at: Option<Timestamp>, raw_at: Timestamp, source: String, author_name: String, reason: String,
        recorded_at: Timestamp,
    }
}

record! {
    MilestoneChange = "incident_milestone_history" by "incident_id" order "id" {
        name: String, at: Option<Timestamp>, source: String, author_name: String, reason: String,
        recorded_at: Timestamp,
    }
}

record! {
    StatusChange = "incident_status_changes" by "incident_id" order "id" {
        from_status: Option<String>, to_status: String, at: Timestamp, recorded_at: Timestamp, author_name: String,
        reason: String,
    }
}

/// An account, by its address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Person {
    pub email: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Role {
    pub role: String,
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub person: Person,
    pub assigned_at: Timestamp,
    pub released_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Access {
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub person: Person,
    pub added_at: Timestamp,
}

/// An entry with what it said before each edit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    #[serde(flatten)]
    pub entry: Entry,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<EntryVersion>,
}

record! {
    Entry = "timeline_entries" by "incident_id" order "id" {
        layer: String, kind: String, text: String, link: String, occurred_at: Timestamp, recorded_at: Timestamp,
        author_name: String, edited_at: Option<Timestamp>, deleted_at: Option<Timestamp>, deleted_by: Option<String>,
        import_key: Option<String>, version: i64,
    }
}

record! {
    EntryVersion = "timeline_entry_versions" by "entry_id" order "version" {
        version: i64, layer: String, text: String, occurred_at: Timestamp, replaced_at: Timestamp, replaced_by: String,
    }
}

/// A piece of evidence with what is kept of the thing itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Piece {
    #[serde(flatten)]
    pub evidence: Evidence,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

record! {
    Evidence = "evidence" by "incident_id" order "id" {
        kind: String, title: String, note: String, reference: String, url: String, topic: String,
        occurred_at: Option<Timestamp>, added_at: Timestamp, added_by_name: String, removed_at: Option<Timestamp>,
    }
}

/// The kept thing: as text where it is text, else in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub media_type: String,
    pub taken_at: Timestamp,
    #[serde(flatten)]
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    Text(String),
    Base64(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnedTask {
    #[serde(flatten)]
    pub task: Task,
    #[serde(default)]
    pub owner: Option<Person>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
}

/// What an action item has beyond a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Action {
    #[serde(rename = "type")]
    #[sqlx(rename = "type")]
    pub kind: String,
    pub priority: String,
    pub link: String,
    pub link_key: String,
    pub reopened_because: String,
}

record! {
    Task = "incident_tasks" by "incident_id" order "id" {
        kind: String, state: String, title: String, due_at: Option<Timestamp>, created_by_name: String,
        created_at: Timestamp, updated_at: Timestamp, done_at: Option<Timestamp>, version: i64,
    }
}

/// A run with the text that it pins and what was done with each step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunOfBook {
    #[serde(flatten)]
    pub run: Run,
    pub runbook: Runbook,
    #[serde(default)]
    pub records: Vec<StepRecord>,
    /// Calls that steps made and that have ended.
    #[serde(default)]
    pub calls: Vec<Call>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Runbook {
    pub slug: String,
    /// Markdown, as it was when the run began.
    pub source: String,
}

record! {
    Run = "runbook_runs" by "incident_id" order "id" {
        state: String, filled: String, reason: String, started_by_name: String, started_at: Timestamp,
        lead_name: String, ended_at: Option<Timestamp>, ended_by_name: Option<String>, end_note: String,
    }
}

record! {
    StepRecord = "runbook_run_records" by "run_id" order "number" {
        number: i64, step_id: String, outcome: String, branch: Option<i64>, author_name: String, at: Timestamp,
        note: String, output: String,
    }
}

record! {
    Call = "runbook_calls" by "run_id" order "id" {
        step_id: String, request: String, state: String, asked_by_name: String, asked_at: Timestamp,
        http_status: Option<i64>, answer: String, ended_at: Option<Timestamp>,
    }
}

/// The last ranking of suspects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    pub impact_at: Timestamp,
    pub span_count: i64,
    pub log_count: i64,
    pub computed_at: Timestamp,
    pub ranking: serde_json::Value,
    pub changed: serde_json::Value,
    pub changed_at: Timestamp,
}

record! {
    Verdict = "suspect_verdicts" by "incident_id" order "id" {
        kind: String, service: String, operation: String, version: String, verdict: String, service_rank: Option<i64>,
        score: f64, by_name: String, given_at: Timestamp,
    }
}

/// The postmortem with every text of its sections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    #[serde(flatten)]
    pub head: Postmortem,
    #[serde(default)]
    pub sections: Vec<Section>,
    #[serde(default)]
    pub versions: Vec<SectionVersion>,
    #[serde(default)]
    pub tags: Vec<Tag>,
    #[serde(default)]
    pub checks: Vec<ReviewCheck>,
    #[serde(default)]
    pub comments: Vec<Comment>,
    #[serde(default)]
    pub reviewers: Vec<Reviewer>,
}

/// Who was asked to review it, and what they said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Reviewer {
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub person: Person,
    pub verdict: String,
    pub note: String,
    pub asked_by_name: String,
    pub asked_at: Timestamp,
    pub answered_at: Option<Timestamp>,
}

record! {
    Tag = "postmortem_tags" by "postmortem_id" order "tag" { tag: String }
}

record! {
    ReviewCheck = "postmortem_checks" by "postmortem_id" order "item" {
        item: String, checked_by_name: String, checked_at: Timestamp,
    }
}

record! {
    Comment = "postmortem_comments" by "postmortem_id" order "id" {
        section: String, body: String, suggestion: Option<String>, base: i64, author_name: String, created_at: Timestamp,
        outcome: String, settled_by_name: Option<String>, settled_at: Option<Timestamp>,
    }
}

record! {
    Impact = "incident_impacts" by "incident_id" order "id" {
        started_at: Timestamp, ended_at: Option<Timestamp>, what: String, affected: String, created_by_name: String,
        created_at: Timestamp, updated_by_name: String, updated_at: Timestamp, removed_at: Option<Timestamp>, version: i64,
    }
}

record! {
    Classes = "incident_classes" by "incident_id" order "incident_id" {
        detected_by: String, cause: String, environment: String, updated_at: Timestamp, updated_by_name: String,
    }
}

record! {
    Duty = "postmortem_duties" by "incident_id" order "incident_id" {
        rule_name: String, due_at: Option<Timestamp>, decided_at: Timestamp, reminded_at: Option<Timestamp>,
    }
}

record! {
    Postmortem = "postmortems" by "incident_id" order "id" {
        state: String, created_by_name: String, created_at: Timestamp, updated_at: Timestamp,
        published_at: Option<Timestamp>, published_by_name: Option<String>, version: i64, audience: String,
        redactions: String, public_sections: String, cause: String,
    }
}

record! {
    Section = "postmortem_sections" by "postmortem_id" order "section" {
        section: String, body: String, untouched: bool, version: i64, updated_at: Timestamp, updated_by_name: String,
        drafted: String,
    }
}

record! {
    SectionVersion = "postmortem_section_versions" by "postmortem_id" order "section, version" {
        section: String, version: i64, body: String, author_name: String, saved_at: Timestamp,
    }
}
