//! What an incident is, and the rules that hold for it: pure, without database, HTTP or HTML.
//!
//! Each part has its own file: [`status`] (the state machine), [`milestone`] (lifecycle times, their
//! order, and the durations that follow from them), [`timeline`], [`evidence`], [`task`], [`role`],
//! and [`input`] (what people and machines send, and what is wrong with it).

pub mod blast;
pub mod chat;
pub mod command;
pub mod evidence;
pub mod impact;
pub mod input;
pub mod link;
pub mod milestone;
pub mod record;
pub mod role;
pub mod status;
pub mod task;
pub mod template;
pub mod timeline;
pub mod upload;

use std::fmt;

use crate::fields::text_enum;

pub use evidence::EvidenceKind;
pub use milestone::{Durations, MilestoneName, MilestoneTimes, Source};
pub use role::Role;
pub use status::Status;
pub use task::{TaskKind, TaskState};
pub use timeline::{EntryKind, Layer};

text_enum! {
    /// How bad it is. The order is by badness: `Sev1` is the smallest and the worst.
    pub enum Severity("severity") {
        Sev1 = "SEV1",
        Sev2 = "SEV2",
        Sev3 = "SEV3",
        Sev4 = "SEV4",
    }
}

impl Severity {
    /// What the level means, for the declare form.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Sev1 => "Critical: customers cannot use the product, or data is at risk",
            Self::Sev2 => "Major: an important function is broken or slow for many customers",
            Self::Sev3 => "Minor: some customers notice, or there is a way around it",
            Self::Sev4 => "Low: nobody outside notices yet",
        }
    }

    /// Accepts `SEV1`, `sev-1`, `Sev 1` and `1`.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let digits = text.strip_prefix("sev").map_or(text.as_str(), |rest| rest.trim_start_matches(['-', ' ', '_']));
        Self::parse(&format!("SEV{digits}"))
    }
}

text_enum! {
    /// Whether it happened, was rehearsed, or was written down long after.
    pub enum Kind("kind") {
        /// Happened, and is run in Faultline.
        Real = "real",
        /// An exercise. Stays out of reports unless asked for.
        Drill = "drill",
        /// Happened earlier and is entered from memory or from another tool.
        Backfilled = "backfilled",
    }
}

/// The number in `INC-12`: what people call the incident, and its key in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(pub i64);

impl IncidentId {
    /// Reads `INC-12`, in any case, and the bare number. Only positive numbers exist.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let number = match text.get(..4) {
            Some(prefix) if prefix.eq_ignore_ascii_case("inc-") => &text[4..],
            _ => text,
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        number.parse().ok().filter(|n| *n > 0).map(Self)
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "INC-{}", self.0)
    }
}

impl serde::Serialize for IncidentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_are_read_as_people_write_them() {
        for text in ["SEV2", "sev2", "Sev-2", "sev 2", "2", " SEV2 "] {
            assert_eq!(Severity::read(text), Some(Severity::Sev2), "{text}");
        }
        for text in ["", "SEV0", "SEV5", "P1", "sev", "high", "SEV22", "é2"] {
            assert_eq!(Severity::read(text), None, "{text}");
        }
        assert!(Severity::Sev1 < Severity::Sev4);
    }

    #[test]
    fn incident_ids_are_read_in_both_forms() {
        assert_eq!(IncidentId::parse("INC-12"), Some(IncidentId(12)));
        assert_eq!(IncidentId::parse("inc-12 "), Some(IncidentId(12)));
        assert_eq!(IncidentId::parse("7"), Some(IncidentId(7)));
        for text in ["", "INC-", "INC-0", "INC--1", "-1", "INC-1x", "INC-99999999999999999999", "日本語"] {
            assert_eq!(IncidentId::parse(text), None, "{text}");
        }
        assert_eq!(IncidentId(3).to_string(), "INC-3");
    }
}
