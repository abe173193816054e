//! Components, notices and what they add up to. Pure.

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
    /// How far a public notice has come; the words that customers know from other status pages.
    pub enum NoticeState("notice state") {
        Investigating = "investigating",
        Identified = "identified",
        Monitoring = "monitoring",
        Resolved = "resolved",
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
        }
    }
}

/// One published text about one notice, as the public sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUpdate {
    pub id: i64,
    pub state: NoticeState,
    /// Plain text with line breaks.
    pub text: String,
    pub published_at: Timestamp,
}

/// One notice, as the public sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicNotice {
    pub id: i64,
    pub title: String,
    pub state: NoticeState,
    /// Names of the components it concerns.
    pub components: Vec<String>,
    pub started_at: Timestamp,
    pub resolved_at: Option<Timestamp>,
    /// Newest first.
    pub updates: Vec<PublicUpdate>,
}

/// The state of the whole page: that of the worst component.
pub fn overall(states: impl IntoIterator<Item = ComponentState>) -> ComponentState {
    states.into_iter().max().unwrap_or(ComponentState::Operational)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_component_speaks_for_the_page() {
        use ComponentState::{Degraded, Maintenance, MajorOutage, Operational};
        assert_eq!(overall([]), Operational);
        assert_eq!(overall([Operational, Degraded, Maintenance]), Degraded);
        assert_eq!(overall([Operational, MajorOutage, Degraded]), MajorOutage);
    }
}
