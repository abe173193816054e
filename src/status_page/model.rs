//! Components, notices and what they add up to. Pure.

pub mod input;
pub mod strip;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::fields::text_enum;

text_enum! {
    /// How well a component works. The order of the variants is the order of badness.
    pub enum ComponentState("component state") {
        Operational = "operational",
        Maintenance = "maintenance",
        Degraded = "degraded",
        PartialOutage = "partial_outage",
        MajorOutage = "major_outage",
    }
}

impl ComponentState {
    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Operational => "Operational",
            Self::Maintenance => "Under maintenance",
            Self::Degraded => "Degraded performance",
            Self::PartialOutage => "Partial outage",
            Self::MajorOutage => "Major outage",
        }
    }

    /// Counts as not working; slower or announced work does not.
    pub const fn is_outage(self) -> bool {
        matches!(self, Self::PartialOutage | Self::MajorOutage)
    }

    /// The sentence at the top of the page when this is the worst state of any component.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Operational => "All systems operational",
            Self::Maintenance => "Some systems are under maintenance",
            Self::Degraded => "Some systems are slower than usual",
            Self::PartialOutage => "Some systems do not work for some users",
            Self::MajorOutage => "Some systems do not work",
        }
    }
}

text_enum! {
    /// What a notice is about.
    pub enum NoticeKind("kind of notice") {
        Incident = "incident",
        Maintenance = "maintenance",
    }
}

text_enum! {
    /// How far a public notice has come; the words that customers know from other status pages.
    pub enum NoticeState("notice state") {
        Investigating = "investigating",
        Identified = "identified",
        Monitoring = "monitoring",
        Resolved = "resolved",
        Scheduled = "scheduled",
        InProgress = "in_progress",
        Completed = "completed",
    }
}

impl NoticeState {
    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Investigating => "Investigating",
            Self::Identified => "Identified",
            Self::Monitoring => "Monitoring",
            Self::Resolved => "Resolved",
            Self::Scheduled => "Scheduled",
            Self::InProgress => "In progress",
            Self::Completed => "Completed",
        }
    }

    pub const fn is_over(self) -> bool {
        matches!(self, Self::Resolved | Self::Completed)
    }

    /// The states that a notice of this kind can have.
    pub const fn of(kind: NoticeKind) -> &'static [Self] {
        match kind {
            NoticeKind::Incident => &[Self::Investigating, Self::Identified, Self::Monitoring, Self::Resolved],
            NoticeKind::Maintenance => &[Self::Scheduled, Self::InProgress, Self::Completed],
        }
    }
}

/// One published text about one notice, as the public sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicUpdate {
    pub id: i64,
    pub state: NoticeState,
    /// Plain text with line breaks.
    pub text: String,
    pub published_at: Timestamp,
    /// When its wording was last corrected.
    pub corrected_at: Option<Timestamp>,
}

/// One notice, as the public sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicNotice {
    pub id: i64,
    pub kind: NoticeKind,
    pub title: String,
    pub state: NoticeState,
    /// Names of the components it concerns.
    pub components: Vec<String>,
    pub started_at: Timestamp,
    /// The planned end of maintenance.
    pub ends_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    /// Newest first.
    pub updates: Vec<PublicUpdate>,
}

impl PublicNotice {
    /// Maintenance goes through its states by the clock, so that nobody has to sit up and press a button.
    pub fn progress(&mut self, now: Timestamp) {
        if self.kind == NoticeKind::Maintenance && !self.state.is_over() {
            if let Some(end) = self.ends_at.filter(|end| *end <= now) {
                (self.state, self.resolved_at) = (NoticeState::Completed, Some(end));
            } else if self.started_at <= now {
                self.state = NoticeState::InProgress;
            }
        }
    }

    pub const fn is_upcoming(&self) -> bool {
        matches!(self.state, NoticeState::Scheduled)
    }
}

/// How a component fares because of one notice, from and until (open while it lasts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impact {
    pub component: i64,
    pub state: ComponentState,
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

impl Impact {
    pub fn holds_at(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// The worst state of each component at a moment; those that work are left out.
pub fn states_at(impacts: &[Impact], at: Timestamp) -> BTreeMap<i64, ComponentState> {
    let mut states = BTreeMap::new();
    for impact in impacts.iter().filter(|i| i.holds_at(at)) {
        let state = states.entry(impact.component).or_insert(impact.state);
        *state = (*state).max(impact.state);
    }
    states
}

/// The state of the whole page: that of the worst component.
pub fn overall(states: impl IntoIterator<Item = ComponentState>) -> ComponentState {
    states.into_iter().max().unwrap_or(ComponentState::Operational)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maintenance_goes_on_by_the_clock() {
        let at = Timestamp::from_secs;
        let notice = |state| PublicNotice {
            id: 1,
            kind: NoticeKind::Maintenance,
            title: String::new(),
            state,
            components: vec![],
            started_at: at(100),
            ends_at: Some(at(200)),
            resolved_at: None,
            updates: vec![],
        };
        for (now, state, end) in [
            (99, NoticeState::Scheduled, None),
            (100, NoticeState::InProgress, None),
            (200, NoticeState::Completed, Some(at(200))),
        ] {
            let mut seen = notice(NoticeState::Scheduled);
            seen.progress(at(now));
            assert_eq!((seen.state, seen.resolved_at), (state, end), "{now}");
        }
        let mut early = notice(NoticeState::Completed);
        early.progress(at(150));
        assert_eq!(early.state, NoticeState::Completed);
    }

    #[test]
    fn impacts_of_several_notices_show_the_worst() {
        let at = Timestamp::from_secs;
        let impact = |component, state, from, until: Option<i64>| Impact {
            component,
            state,
            from: at(from),
            until: until.map(at),
        };
        let impacts = [
            impact(1, ComponentState::Degraded, 10, None),
            impact(1, ComponentState::MajorOutage, 20, Some(30)),
            impact(2, ComponentState::Maintenance, 0, Some(20)),
        ];
        assert_eq!(states_at(&impacts, at(25)), BTreeMap::from([(1, ComponentState::MajorOutage)]));
        assert_eq!(states_at(&impacts, at(30)), BTreeMap::from([(1, ComponentState::Degraded)]));
        assert_eq!(states_at(&impacts, at(5)), BTreeMap::from([(2, ComponentState::Maintenance)]));
    }

    #[test]
    fn the_worst_component_speaks_for_the_page() {
        use ComponentState::{Degraded, Maintenance, MajorOutage, Operational};
        assert_eq!(overall([]), Operational);
        assert_eq!(overall([Operational, Degraded, Maintenance]), Degraded);
        assert_eq!(overall([Operational, MajorOutage, Degraded]), MajorOutage);
    }
}
