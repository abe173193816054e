//! An incident and its parts as they stand in the record.

use serde::Serialize;

use crate::clock::{Timestamp, human_duration};

use super::{
    EntryKind, EvidenceKind, IncidentId, Kind, Layer, MilestoneName, MilestoneTimes, Role, Severity, Source, Status,
    TaskKind, TaskState,
};

/// The head of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    pub id: IncidentId,
    pub title: String,
    /// Markdown.
    pub summary: String,
    pub severity: Severity,
    pub status: Status,
    pub kind: Kind,
    pub private: bool,
    /// The best known beginning: impact, else the first sign.
    pub started_at: Timestamp,
    /// The time of resolution.
    pub ended_at: Option<Timestamp>,
    pub merged_into: Option<IncidentId>,
    pub parent: Option<IncidentId>,
    pub next_update_due_at: Option<Timestamp>,
    pub created_by: Option<i64>,
    pub created_by_name: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

impl Incident {
    /// How long it has lasted, or lasted in all.
    pub fn age(&self, now: Timestamp) -> chrono::TimeDelta {
        self.ended_at.unwrap_or(now) - self.started_at
    }

    /// [`age`](Self::age) in words; a dash for one that ended as a duplicate or as no incident, whose
    /// clock means nothing.
    pub fn age_words(&self, now: Timestamp) -> String {
        if self.ended_at.is_none() && matches!(self.status, Status::Merged | Status::Declined) {
            return "–".to_owned();
        }
        human_duration(self.age(now))
    }

    /// `/incidents/INC-12`
    pub fn path(&self) -> String {
        format!("/incidents/{}", self.id)
    }
}

/// A milestone that has or had a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Milestone {
    pub name: MilestoneName,
    /// `None` when it was cleared.
    pub at: Option<Timestamp>,
    /// The first value ever recorded; reports can be asked for it.
    pub raw_at: Timestamp,
    pub source: Source,
    pub author: String,
    pub reason: String,
    pub recorded_at: Timestamp,
}

/// The standing values among them.
pub fn times_of(milestones: &[Milestone]) -> MilestoneTimes {
    milestones.iter().filter_map(|m| m.at.map(|at| (m.name, at))).collect()
}

/// One value that a milestone had, or its clearing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MilestoneChange {
    pub name: MilestoneName,
    pub at: Option<Timestamp>,
    pub source: Source,
    pub author: String,
    pub reason: String,
    pub recorded_at: Timestamp,
}

/// One change of status; `from` is `None` for the declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusStep {
    pub from: Option<Status>,
    pub to: Status,
    pub at: Timestamp,
    pub recorded_at: Timestamp,
    pub author: String,
    pub reason: String,
}

/// A service of an incident, by the names that a page needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceRef {
    pub slug: String,
    pub name: String,
    pub owner_team: String,
    pub tier: i64,
}

/// Who holds a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoleHolder {
    pub role: Role,
    #[serde(skip)]
    pub user_id: i64,
    pub name: String,
    pub email: String,
    pub since: Timestamp,
}

/// One entry of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub id: i64,
    pub layer: Layer,
    pub kind: EntryKind,
    /// Markdown.
    pub text: String,
    /// A page of ours that tells more, as a path; empty for none.
    pub link: String,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
    pub author: String,
    pub edited_at: Option<Timestamp>,
    /// Struck: still shown, but not true any more.
    pub deleted_at: Option<Timestamp>,
    pub deleted_by: Option<String>,
    pub version: i64,
}

impl Entry {
    /// Written down noticeably later than it happened.
    pub fn is_late(&self) -> bool {
        self.recorded_at - self.occurred_at >= chrono::TimeDelta::minutes(2)
    }
}

/// What an entry said before an edit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryVersion {
    pub version: i64,
    pub layer: Layer,
    pub text: String,
    pub occurred_at: Timestamp,
    pub replaced_at: Timestamp,
    pub replaced_by: String,
}

/// A piece of evidence, without its snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    pub id: i64,
    pub kind: EvidenceKind,
    pub title: String,
    pub note: String,
    pub reference: String,
    pub url: String,
    /// The key under which the same thing comes again.
    pub topic: String,
    pub occurred_at: Option<Timestamp>,
    pub added_at: Timestamp,
    pub added_by: String,
    /// Size of what is kept, in bytes before compression; `None` when only the reference is.
    pub kept_bytes: Option<i64>,
}

/// What is kept of the thing itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub media_type: String,
    pub body: Vec<u8>,
    pub taken_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Task {
    pub id: i64,
    pub kind: TaskKind,
    pub state: TaskState,
    pub title: String,
    pub owner: Option<String>,
    pub owner_email: Option<String>,
    pub due_at: Option<Timestamp>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub done_at: Option<Timestamp>,
    pub version: i64,
}

impl Task {
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.state == TaskState::Open && self.due_at.is_some_and(|due| due < now)
    }
}
