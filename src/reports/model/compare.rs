//! Whether a measure changed between two sets of incidents, and when not to say so.

use super::compute::Group;
use super::select::Selection;
use super::stats::{Summary, difference};

/// What may be said about a change. A mean that moved is not yet a change.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Verdict {
    /// Fewer than three values on one side.
    TooFew,
    /// The 95 % interval of the difference contains zero.
    NoDetectableChange,
    /// The later mean is smaller, by this interval of seconds (both negative).
    Shorter(f64, f64),
    /// The later mean is larger, by this interval of seconds (both positive).
    Longer(f64, f64),
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Comparison {
    pub earlier: Option<Summary>,
    pub later: Option<Summary>,
    pub verdict: Verdict,
}

/// Compares two totals by one of the question's definitions, given the ordered values of both.
pub fn compare(place: usize, (earlier, before): (&Group, &[i64]), (later, after): (&Group, &[i64])) -> Comparison {
    Comparison {
        earlier: earlier.summary(place).cloned(),
        later: later.summary(place).cloned(),
        verdict: verdict(before, after),
    }
}

/// All definitions of two selections.
pub fn compare_all(earlier: (&Group, &Selection<'_>), later: (&Group, &Selection<'_>)) -> Vec<Comparison> {
    (0..later.1.question.definitions.len())
        .map(|place| compare(place, (earlier.0, &earlier.1.sorted(place)), (later.0, &later.1.sorted(place))))
        .collect()
}

/// What may be said of two sets of ordered values.
pub fn verdict(earlier: &[i64], later: &[i64]) -> Verdict {
    match difference(earlier, later) {
        None => Verdict::TooFew,
        Some((low, high)) if high < 0.0 => Verdict::Shorter(low, high),
        Some((low, high)) if low > 0.0 => Verdict::Longer(low, high),
        Some(_) => Verdict::NoDetectableChange,
    }
}

impl Verdict {
    /// The 95 % interval of the difference (later − earlier) in seconds, where it tells of a change.
    pub const fn interval(self) -> Option<[f64; 2]> {
        match self {
            Self::Shorter(low, high) | Self::Longer(low, high) => Some([low, high]),
            Self::TooFew | Self::NoDetectableChange => None,
        }
    }

    /// For machines.
    pub const fn key(self) -> &'static str {
        match self {
            Self::TooFew => "too_few",
            Self::NoDetectableChange => "no_detectable_change",
            Self::Shorter(..) => "shorter",
            Self::Longer(..) => "longer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_difference_is_called_one() {
        let minutes = |values: &[i64]| {
            let mut micros: Vec<i64> = values.iter().map(|m| m * 60_000_000).collect();
            micros.sort_unstable();
            micros
        };
        let slow = minutes(&[60, 62, 58, 61, 59, 63, 57, 60]);
        let quick = minutes(&[30, 31, 29, 32, 28, 30, 31, 29]);
        let mixed = minutes(&[10, 120, 55, 63, 59, 80, 40, 52]);
        assert!(matches!(verdict(&slow, &quick), Verdict::Shorter(low, high) if low < high && high < -1_500.0));
        assert!(matches!(verdict(&quick, &slow), Verdict::Longer(..)));
        assert_eq!(verdict(&slow, &mixed), Verdict::NoDetectableChange);
        assert_eq!(verdict(&slow, &minutes(&[1, 2])), Verdict::TooFew);
        assert_eq!(verdict(&slow, &slow), Verdict::NoDetectableChange);
    }
}
