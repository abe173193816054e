//! The measures: each from which milestone to which, with a name and a version that reports print.
//!
//! A definition never changes silently: whoever changes what is counted raises its version, so
//! that a frozen report can say why the same filters now give another number.

use crate::clock::Timestamp;

/// The lifecycle times that a duration can begin or end at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    ImpactStarted,
    Detected,
    Declared,
    Acknowledged,
    Mitigated,
    Resolved,
    ImpactEnded,
}

impl Moment {
    pub const ALL: [Self; 7] = [
        Self::ImpactStarted,
        Self::Detected,
        Self::Declared,
        Self::Acknowledged,
        Self::Mitigated,
        Self::Resolved,
        Self::ImpactEnded,
    ];

    /// The name in tables and in the API.
    pub const fn key(self) -> &'static str {
        match self {
            Self::ImpactStarted => "impact_started",
            Self::Detected => "detected",
            Self::Declared => "declared",
            Self::Acknowledged => "acknowledged",
            Self::Mitigated => "mitigated",
            Self::Resolved => "resolved",
            Self::ImpactEnded => "impact_ended",
        }
    }

    pub const fn words(self) -> &'static str {
        match self {
            Self::ImpactStarted => "impact started",
            Self::Detected => "detected",
            Self::Declared => "declared",
            Self::Acknowledged => "acknowledged",
            Self::Mitigated => "mitigated",
            Self::Resolved => "resolved",
            Self::ImpactEnded => "impact ended",
        }
    }

    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.key() == key)
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// The times of one incident, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times([Option<Timestamp>; 7]);

impl Times {
    pub fn get(&self, moment: Moment) -> Option<Timestamp> {
        // A moment's index is its place in an enum of seven.
        self.0.get(moment.index()).copied().flatten()
    }

    pub fn set(&mut self, moment: Moment, at: Timestamp) {
        if let Some(slot) = self.0.get_mut(moment.index()) {
            *slot = Some(at);
        }
    }

    #[must_use]
    pub fn with(mut self, moment: Moment, at: Timestamp) -> Self {
        self.set(moment, at);
        self
    }

    /// The time that decides the period an incident belongs to: when its impact started; when that
    /// is not known, when it was detected; else when it was declared.
    pub fn anchor(&self) -> Option<Timestamp> {
        [Moment::ImpactStarted, Moment::Detected, Moment::Declared].into_iter().find_map(|m| self.get(m))
    }
}

/// How a measure takes its values from incidents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// One value per incident: the clock time from one milestone to another.
    Span { from: Moment, to: Moment },
    /// One value per pair of neighbours: from one incident's impact start to the next one's.
    BetweenStarts,
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
}

/// What a report prints about a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    pub key: &'static str,
    pub short: &'static str,
    pub name: &'static str,
    /// Raised with every change of what is counted.
    pub version: u32,
    pub basis: Basis,
    pub text: &'static str,
}

impl Measure {
    pub const ALL: [Self; 7] =
        [Self::Mttd, Self::Mtta, Self::Mttm, Self::Mttr, Self::Repair, Self::Recovery, Self::Mtbf];

    /// The four that every report shows.
    pub const MAIN: [Self; 4] = [Self::Mttd, Self::Mtta, Self::Mttm, Self::Mttr];

    pub const fn definition(self) -> Definition {
        const fn span(
            key: &'static str,
            short: &'static str,
            name: &'static str,
            from: Moment,
            to: Moment,
            text: &'static str,
        ) -> Definition {
            Definition { key, short, name, version: 1, basis: Basis::Span { from, to }, text }
        }
        match self {
            Self::Mttd => span(
                "mttd",
                "MTTD",
                "Time to detect",
                Moment::ImpactStarted,
                Moment::Detected,
                "From the start of the impact until anything or anybody noticed it.",
            ),
            Self::Mtta => span(
                "mtta",
                "MTTA",
                "Time to acknowledge",
                Moment::Detected,
                Moment::Acknowledged,
                "From detection until a person took it on.",
            ),
            Self::Mttm => span(
                "mttm",
                "MTTM",
                "Time to mitigate",
                Moment::Detected,
                Moment::Mitigated,
                "From detection until users no longer felt it, even if the cause remained.",
            ),
            Self::Mttr => span(
                "mttr",
                "MTTR",
                "Time to resolve",
                Moment::ImpactStarted,
                Moment::Resolved,
                "From the start of the impact until the incident was resolved, the unnoticed time included.",
            ),
            Self::Repair => span(
                "repair",
                "Repair",
                "Time to repair",
                Moment::Detected,
                Moment::Resolved,
                "From detection until the incident was resolved: the part that responders could shorten.",
            ),
            Self::Recovery => span(
                "recovery",
                "Recovery",
                "Time to recovery",
                Moment::ImpactStarted,
                Moment::ImpactEnded,
                "From the start of the impact until its end: what users lived through.",
            ),
            Self::Mtbf => Definition {
                key: "mtbf",
                short: "MTBF",
                name: "Time between failures",
                version: 1,
                basis: Basis::BetweenStarts,
                text: "From the start of one incident's impact to the start of the next one's in the same group.",
            },
        }
    }

    pub const fn key(self) -> &'static str {
        self.definition().key
    }

    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.key() == key)
    }
}

impl Definition {
    /// `mttr v1: impact started → resolved, clock time`.
    pub fn printed(&self) -> String {
        match self.basis {
            Basis::Span { from, to } => {
                format!("{} v{}: {} → {}, clock time", self.key, self.version, from.words(), to.words())
            }
            Basis::BetweenStarts => {
                format!("{} v{}: impact started → next impact started, clock time", self.key, self.version)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measure_and_moment_is_found_by_its_key() {
        for measure in Measure::ALL {
            assert_eq!(Measure::parse(measure.key()), Some(measure));
        }
        for moment in Moment::ALL {
            assert_eq!(Moment::parse(moment.key()), Some(moment));
        }
        assert_eq!(Measure::parse("mtt?"), None);
    }

    #[test]
    fn definitions_print_both_ends_and_a_version() {
        assert_eq!(Measure::Mttr.definition().printed(), "mttr v1: impact started → resolved, clock time");
        assert_eq!(Measure::Mttm.definition().printed(), "mttm v1: detected → mitigated, clock time");
    }

    #[test]
    fn an_incident_is_anchored_at_the_earliest_stage_known() {
        let at = Timestamp::from_secs;
        let times = Times::default().with(Moment::Declared, at(30)).with(Moment::Detected, at(20));
        assert_eq!(times.anchor(), Some(at(20)));
        assert_eq!(times.with(Moment::ImpactStarted, at(10)).anchor(), Some(at(10)));
        assert_eq!(Times::default().with(Moment::Resolved, at(1)).anchor(), None);
    }
}
