//! The measures: each from which milestone to which, with a name and a version that reports print.
//!
//! A definition never changes silently: whoever changes what is counted raises its version, so
//! that a frozen report can say why the same filters now give another number.

use std::borrow::Cow;

use super::business::Week;
use super::facts::STATES;
use crate::incidents::model::MilestoneName;

/// How a measure takes its values from incidents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// One value per incident: the time from one milestone to another.
    Span { from: MilestoneName, to: MilestoneName },
    /// One value per pair of neighbours: from one incident's impact start to the next one's.
    BetweenStarts,
    /// The longest stretch between declaration and resolution in which no person wrote anything.
    Silence,
    /// All the time spent in one of [`STATES`].
    InState(usize),
}

/// Which hours count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hours {
    #[default]
    Clock,
    /// In the report's zone.
    Business(Week),
}

impl Hours {
    /// As it stands in addresses: `clock`, `business` for the usual week, else the week itself.
    pub fn key(self) -> String {
        match self {
            Self::Clock => "clock".into(),
            Self::Business(Week::USUAL) => "business".into(),
            Self::Business(week) => week.to_string(),
        }
    }

    /// # Errors
    /// What is wrong with the text.
    pub fn parse(key: &str) -> Result<Self, String> {
        match key.trim() {
            "clock" => Ok(Self::Clock),
            "business" => Ok(Self::Business(Week::USUAL)),
            other => Week::parse(other)
                .map(Self::Business)
                .map_err(|wrong| format!("'{other}' is neither clock nor business nor hours of a week: {wrong}")),
        }
    }

    pub fn words(self) -> String {
        match self {
            Self::Clock => "clock time".into(),
            Self::Business(week) => format!("business hours ({})", week.words()),
        }
    }
}

/// Kinds of incidents that a definition may be limited to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    pub real: bool,
    pub backfilled: bool,
    pub drill: bool,
}

impl Kinds {
    pub const ALL: Self = Self { real: true, backfilled: true, drill: true };

    pub fn names(self) -> Vec<&'static str> {
        [(self.real, "real"), (self.backfilled, "backfilled"), (self.drill, "drill")]
            .into_iter()
            .filter_map(|(on, name)| on.then_some(name))
            .collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    Mttd,
    Mtta,
    Mttm,
    Mttr,
    Repair,
    Recovery,
    Mtbf,
    Silence,
    InTriage,
    Investigating,
    Identified,
    Monitoring,
}

/// What a report prints about a measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub key: Cow<'static, str>,
    pub short: Cow<'static, str>,
    pub name: Cow<'static, str>,
    /// Raised with every change of what is counted.
    pub version: i64,
    pub basis: Basis,
    pub hours: Hours,
    /// 1 to 4; none means all.
    pub severities: Vec<u8>,
    pub kinds: Kinds,
    pub text: Cow<'static, str>,
}

impl Measure {
    pub const ALL: [Self; 12] = [
        Self::Mttd,
        Self::Mtta,
        Self::Mttm,
        Self::Mttr,
        Self::Repair,
        Self::Recovery,
        Self::Mtbf,
        Self::Silence,
        Self::InTriage,
        Self::Investigating,
        Self::Identified,
        Self::Monitoring,
    ];

    /// The four that every report shows.
    pub const MAIN: [Self; 4] = [Self::Mttd, Self::Mtta, Self::Mttm, Self::Mttr];

    /// Those of `GET /api/v1/reports/mttr` unless more are asked for. The variants of MTTR stay out: an
    /// incident without an end of impact would be listed as left out everywhere.
    pub const SHARED: [Self; 5] = [Self::Mttd, Self::Mtta, Self::Mttm, Self::Mttr, Self::Mtbf];

    pub fn definition(self) -> Definition {
        use MilestoneName::{Acknowledged, Detected, ImpactEnded, ImpactStarted, Mitigated, Resolved};
        let (key, short, name, basis, text) = match self {
            Self::Mttd => (
                "mttd",
                "MTTD",
                "Time to detect",
                Basis::Span { from: ImpactStarted, to: Detected },
                "From the start of the impact until anything or anybody noticed it.",
            ),
            Self::Mtta => (
                "mtta",
                "MTTA",
                "Time to acknowledge",
                Basis::Span { from: Detected, to: Acknowledged },
                "From detection until a person took it on.",
            ),
            Self::Mttm => (
                "mttm",
                "MTTM",
                "Time to mitigate",
                Basis::Span { from: Detected, to: Mitigated },
                "From detection until users no longer felt it, even if the cause remained.",
            ),
            Self::Mttr => (
                "mttr",
                "MTTR",
                "Time to resolve",
                Basis::Span { from: ImpactStarted, to: Resolved },
                "From the start of the impact until the incident was resolved, the unnoticed time included.",
            ),
            Self::Repair => (
                "repair",
                "Repair",
                "Time to repair",
                Basis::Span { from: Detected, to: Resolved },
                "From detection until the incident was resolved: the part that responders could shorten.",
            ),
            Self::Recovery => (
                "recovery",
                "Recovery",
                "Time to recovery",
                Basis::Span { from: ImpactStarted, to: ImpactEnded },
                "From the start of the impact until its end: what users lived through.",
            ),
            Self::Mtbf => (
                "mtbf",
                "MTBF",
                "Time between failures",
                Basis::BetweenStarts,
                "From the start of one incident's impact to the start of the next one's in the same group.",
            ),
            Self::Silence => (
                "silence",
                "Silent",
                "Longest silence",
                Basis::Silence,
                "The longest stretch between declaration and resolution in which no person wrote on the timeline.",
            ),
            Self::InTriage => state(0, "triage", "In triage", "All the time spent in triage."),
            Self::Investigating => state(1, "investigating", "Investigating", "All the time spent investigating."),
            Self::Identified => {
                state(2, "identified", "Identified", "All the time in which the cause was known and stood.")
            }
            Self::Monitoring => {
                state(3, "monitoring", "Monitoring", "All the time spent watching whether the fix holds.")
            }
        };
        Definition {
            key: key.into(),
            short: short.into(),
            name: name.into(),
            version: 1,
            basis,
            hours: Hours::Clock,
            severities: Vec::new(),
            kinds: Kinds::ALL,
            text: text.into(),
        }
    }

    pub fn key(self) -> Cow<'static, str> {
        self.definition().key
    }

    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.key() == key)
    }

    pub fn definitions(measures: &[Self]) -> Vec<Definition> {
        measures.iter().map(|m| m.definition()).collect()
    }
}

const fn state(
    place: usize,
    key: &'static str,
    name: &'static str,
    text: &'static str,
) -> (&'static str, &'static str, &'static str, Basis, &'static str) {
    (key, name, name, Basis::InState(place), text)
}

impl Definition {
    /// `mttr v1: impact started → resolved, clock time`.
    pub fn printed(&self) -> String {
        let (from, to) = self.ends();
        let mut text = format!("{} v{}: {from} → {to}, {}", self.key, self.version, self.hours.words());
        if !self.severities.is_empty() {
            let names: Vec<_> = self.severities.iter().map(|s| format!("SEV{s}")).collect();
            text.push_str(&format!(", {} only", names.join(" and ")));
        }
        if self.kinds != Kinds::ALL {
            text.push_str(&format!(", {} incidents only", self.kinds.names().join(" and ")));
        }
        text
    }

    /// What the two ends are called.
    pub fn ends(&self) -> (String, String) {
        match self.basis {
            Basis::Span { from, to } => (from.label().to_lowercase(), to.label().to_lowercase()),
            Basis::BetweenStarts => ("impact started".into(), "next impact started".into()),
            Basis::Silence => ("a person’s word".into(), "the next one".into()),
            Basis::InState(place) => {
                let state = STATES.get(place).copied().unwrap_or_default();
                (format!("{state} begins"), format!("{state} ends"))
            }
        }
    }

    /// Spans can be measured in business hours; distances between incidents and states cannot. A definition
    /// that was made in business hours keeps its own.
    #[must_use]
    pub fn in_hours(mut self, hours: Hours) -> Self {
        if matches!(self.basis, Basis::Span { .. }) && self.hours == Hours::Clock {
            self.hours = hours;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measure_is_found_by_its_key() {
        for measure in Measure::ALL {
            assert_eq!(Measure::parse(&measure.key()), Some(measure));
        }
        assert_eq!(Measure::parse("mtt?"), None);
    }

    #[test]
    fn definitions_print_both_ends_and_a_version() {
        assert_eq!(Measure::Mttr.definition().printed(), "mttr v1: impact started → resolved, clock time");
        assert_eq!(Measure::Mttm.definition().printed(), "mttm v1: detected → mitigated, clock time");
        let narrow = Definition {
            severities: vec![1, 2],
            kinds: Kinds { real: true, backfilled: false, drill: false },
            ..Measure::Mttr.definition().in_hours(Hours::Business(Week::USUAL))
        };
        assert_eq!(
            narrow.printed(),
            "mttr v1: impact started → resolved, business hours (Monday to Friday, 09:00 to 17:00), \
             SEV1 and SEV2 only, real incidents only"
        );
        assert_eq!(Measure::Mtbf.definition().in_hours(Hours::Business(Week::USUAL)).hours, Hours::Clock);
    }
}
