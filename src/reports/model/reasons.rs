//! Why an incident, or one of its durations, is not in the numbers.

use crate::incidents::model::MilestoneName;

/// Why an incident, or one of its durations, is not in the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Reason {
    Drill,
    Declined,
    Merged,
    /// It reached into the period, but began outside of it: the time that places an incident is the
    /// start of its impact, or the first sign of it when that is not known.
    OutsideWindow,
    /// None of the times that place an incident in a period is known.
    NoStart,
    /// Not yet resolved, so the end of the duration is still to come.
    Open,
    Missing(MilestoneName),
    Silent,
    /// The duration would be negative.
    OutOfOrder(MilestoneName, MilestoneName),
}

impl Reason {
    /// The stable word of the API.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Drill => "drill",
            Self::Declined => "declined",
            Self::Merged => "merged",
            Self::OutsideWindow => "outside_window",
            Self::NoStart => "no_start",
            Self::Open => "open",
            Self::Silent => "no_silence",
            Self::Missing(_) => "missing_milestone",
            Self::OutOfOrder(..) => "out_of_order",
        }
    }

    pub fn words(self) -> String {
        match self {
            Self::Drill => "a drill".into(),
            Self::Declined => "declined".into(),
            Self::Merged => "merged into another incident".into(),
            Self::OutsideWindow => "reached into the period, but began outside of it".into(),
            Self::NoStart => "no time says when it began".into(),
            Self::Open => "still open".into(),
            Self::Silent => "not declared and resolved both, so no silence can be measured".into(),
            Self::Missing(moment) => format!("no time for “{}”", moment.label().to_lowercase()),
            Self::OutOfOrder(from, to) => {
                format!("“{}” is before “{}”", to.label().to_lowercase(), from.label().to_lowercase())
            }
        }
    }
}

/// One incident that is missing from some or all measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Excluded {
    pub number: i64,
    pub reason: Reason,
    /// The measures it is missing from, as bits by their place in the question; 0 when it is not counted
    /// at all.
    pub missing: u32,
}

impl Excluded {
    /// Places of the measures that it is missing from.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        (0..u32::BITS as usize).filter(|place| self.missing >> place & 1 == 1)
    }
}
