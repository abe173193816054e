//! The measures: each from which milestone to which, with a name and a version that reports print.
//!
//! A definition never changes silently: whoever changes what is counted raises its version, so
//! that a frozen report can say why the same filters now give another number.

use crate::incidents::model::MilestoneName;

/// How a measure takes its values from incidents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// One value per incident: the clock time from one milestone to another.
    Span { from: MilestoneName, to: MilestoneName },
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

    /// Those of the API and the exports. The variants of MTTR stay out: an incident without an end of
    /// impact would be listed as left out everywhere.
    pub const SHARED: [Self; 5] = [Self::Mttd, Self::Mtta, Self::Mttm, Self::Mttr, Self::Mtbf];

    pub const fn definition(self) -> Definition {
        const fn span(
            key: &'static str,
            short: &'static str,
            name: &'static str,
            from: MilestoneName,
            to: MilestoneName,
            text: &'static str,
        ) -> Definition {
            Definition { key, short, name, version: 1, basis: Basis::Span { from, to }, text }
        }
        match self {
            Self::Mttd => span(
                "mttd",
                "MTTD",
                "Time to detect",
                MilestoneName::ImpactStarted,
                MilestoneName::Detected,
                "From the start of the impact until anything or anybody noticed it.",
            ),
            Self::Mtta => span(
                "mtta",
                "MTTA",
                "Time to acknowledge",
                MilestoneName::Detected,
                MilestoneName::Acknowledged,
                "From detection until a person took it on.",
            ),
            Self::Mttm => span(
                "mttm",
                "MTTM",
                "Time to mitigate",
                MilestoneName::Detected,
                MilestoneName::Mitigated,
                "From detection until users no longer felt it, even if the cause remained.",
            ),
            Self::Mttr => span(
                "mttr",
                "MTTR",
                "Time to resolve",
                MilestoneName::ImpactStarted,
                MilestoneName::Resolved,
                "From the start of the impact until the incident was resolved, the unnoticed time included.",
            ),
            Self::Repair => span(
                "repair",
                "Repair",
                "Time to repair",
                MilestoneName::Detected,
                MilestoneName::Resolved,
                "From detection until the incident was resolved: the part that responders could shorten.",
            ),
            Self::Recovery => span(
                "recovery",
                "Recovery",
                "Time to recovery",
                MilestoneName::ImpactStarted,
                MilestoneName::ImpactEnded,
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
                let (from, to) = (from.label().to_lowercase(), to.label().to_lowercase());
                format!("{} v{}: {from} → {to}, clock time", self.key, self.version)
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
    fn every_measure_is_found_by_its_key() {
        for measure in Measure::ALL {
            assert_eq!(Measure::parse(measure.key()), Some(measure));
        }
        assert_eq!(Measure::parse("mtt?"), None);
    }

    #[test]
    fn definitions_print_both_ends_and_a_version() {
        assert_eq!(Measure::Mttr.definition().printed(), "mttr v1: impact started → resolved, clock time");
        assert_eq!(Measure::Mttm.definition().printed(), "mttm v1: detected → mitigated, clock time");
    }
}
