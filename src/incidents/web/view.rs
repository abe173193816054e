//! What templates show of an incident: the record with the words beside it.

use chrono::TimeDelta;

use crate::clock::{Timestamp, human_duration};
use crate::markdown::{self, SafeHtml};

use super::super::model::record::{Entry, Milestone, MilestoneChange, RoleHolder, times_of};
use super::super::model::{Layer, MilestoneName, Role};

/// An entry with its text rendered.
pub struct EntryView {
    pub entry: Entry,
    pub html: SafeHtml,
}

impl EntryView {
    /// Story texts are Markdown; what the system wrote is plain and escaped by the template.
    pub fn new(entry: Entry) -> Self {
        let html = if entry.layer == Layer::Story { markdown::render(&entry.text) } else { SafeHtml::default() };
        Self { entry, html }
    }

    pub fn is_story(&self) -> bool {
        self.entry.layer == Layer::Story
    }
}

/// A line of the milestone table.
pub struct MilestoneView {
    pub name: MilestoneName,
    pub milestone: Option<Milestone>,
    /// Values it had in all.
    pub changes: usize,
    /// Since the milestone before it, for reading the table downwards.
    pub after: Option<String>,
}

impl MilestoneView {
    pub fn at(&self) -> Option<Timestamp> {
        self.milestone.as_ref().and_then(|m| m.at)
    }

    /// The value was corrected since it was first recorded.
    pub fn is_corrected(&self) -> bool {
        self.milestone.as_ref().is_some_and(|m| m.at.is_some_and(|at| at != m.raw_at))
    }

    pub fn was_cleared(&self) -> bool {
        self.milestone.as_ref().is_some_and(|m| m.at.is_none())
    }
}

/// All milestones in the order of their names, set or not.
pub fn milestone_table(milestones: &[Milestone], history: &[MilestoneChange]) -> Vec<MilestoneView> {
    let times = times_of(milestones);
    let start = times.get(MilestoneName::ImpactStarted).or_else(|| times.start());
    MilestoneName::ALL
        .iter()
        .map(|name| MilestoneView {
            name: *name,
            milestone: milestones.iter().find(|m| m.name == *name).cloned(),
            changes: history.iter().filter(|c| c.name == *name).count(),
            after: times
                .get(*name)
                .zip(start)
                .map(|(at, start)| at - start)
                .filter(|d| *d > TimeDelta::zero())
                .map(|d| format!("+{}", human_duration(d))),
        })
        .collect()
}

/// A duration of the record, for the strip under the milestones.
pub struct DurationView {
    pub name: &'static str,
    /// From which milestone to which.
    pub meaning: &'static str,
    pub value: Option<String>,
}

pub fn durations(milestones: &[Milestone]) -> Vec<DurationView> {
    let d = times_of(milestones).durations();
    let view =
        |name, meaning, value: Option<TimeDelta>| DurationView { name, meaning, value: value.map(human_duration) };
    vec![
        view("To detect", "impact started → detected", d.to_detect),
        view("To acknowledge", "detected → acknowledged", d.to_acknowledge),
        view("To mitigate", "detected → mitigated", d.to_mitigate),
        view("To resolve", "impact started → resolved", d.to_resolve),
        view("Impact", "impact started → impact ended", d.impact),
    ]
}

/// A role with its holder, if there is one.
pub struct RoleView {
    pub role: Role,
    pub holder: Option<RoleHolder>,
}

pub fn role_table(holders: &[RoleHolder]) -> Vec<RoleView> {
    Role::ALL
        .iter()
        .map(|role| RoleView { role: *role, holder: holders.iter().find(|h| h.role == *role).cloned() })
        .collect()
}

/// `12.3 kB`, for what is kept of a piece of evidence.
#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
pub fn size(bytes: i64) -> String {
    match bytes {
        ..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
