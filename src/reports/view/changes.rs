//! What changed against the period before, in sentences; and when to say that nothing did.

use super::duration;
use crate::reports::model::compare::{Comparison, Verdict};
use crate::reports::service::{MAIN, Overview};

/// One sentence, and how it is to be taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub text: String,
    /// `report-better`, `report-worse` or `report-even`.
    pub class: &'static str,
}

/// Of one measure, for its card.
pub fn of_measure(comparison: &Comparison) -> Change {
    let before =
        comparison.earlier.as_ref().map_or_else(String::new, |s| format!(" (mean {} before)", duration(s.mean)));
    let (text, class) = match comparison.verdict {
        Verdict::TooFew => ("too few values to compare with the period before".to_owned(), "report-even"),
        Verdict::NoDetectableChange => (format!("no detectable change{before}"), "report-even"),
        Verdict::Shorter(low, high) => {
            (format!("▼ shorter by {} to {}{before}", duration(-high), duration(-low)), "report-better")
        }
        Verdict::Longer(low, high) => {
            (format!("▲ longer by {} to {}{before}", duration(low), duration(high)), "report-worse")
        }
    };
    Change { text, class }
}

/// Whether a count differs by more than chance: two Poisson counts over periods of equal length, their
/// square roots compared at 1.96 standard errors.
pub fn of_count(earlier: usize, later: usize) -> Change {
    let (a, b) = (earlier as f64, later as f64);
    let shift = 2.0 * (b.sqrt() - a.sqrt()) / std::f64::consts::SQRT_2;
    if shift.abs() <= 1.96 {
        return Change { text: format!("no detectable change ({earlier} before)"), class: "report-even" };
    }
    let (sign, class) =
        if later > earlier { ("▲ more than", "report-worse") } else { ("▼ fewer than", "report-better") };
    Change { text: format!("{sign} the {earlier} before"), class }
}

/// Whether the count differs by more than chance.
pub fn count_differs(earlier: usize, later: usize) -> bool {
    of_count(earlier, later).class != "report-even"
}

/// What a director should hear: every detectable change, the groups with more incidents than before; or
/// that nothing changed.
pub fn sentences(overview: &Overview) -> Vec<Change> {
    let (earlier, total) = (&overview.earlier, &overview.total);
    let mut found = Vec::new();
    if count_differs(earlier.n, total.n) {
        let count = of_count(earlier.n, total.n);
        found.push(Change { text: format!("{} incidents: {}.", total.n, count.text), class: count.class });
    }
    for place in MAIN {
        let (Some(definition), Some(comparison)) =
            (overview.question.definitions.get(place), overview.comparisons.get(place))
        else {
            continue;
        };
        let (low, high, word, class) = match comparison.verdict {
            Verdict::Shorter(low, high) => (-high, -low, "shorter", "report-better"),
            Verdict::Longer(low, high) => (low, high, "longer", "report-worse"),
            Verdict::TooFew | Verdict::NoDetectableChange => continue,
        };
        let text =
            format!("{} is {} to {} {word} on average than before.", definition.name, duration(low), duration(high));
        found.push(Change { text, class });
    }
    if found.is_empty() {
        let text = if earlier.n == 0 {
            "The period before had no incidents to compare with.".to_owned()
        } else {
            "No detectable change: the differences to the period before are within chance.".to_owned()
        };
        found.push(Change { text, class: "report-even" });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_change_only_beyond_chance() {
        assert_eq!(of_count(10, 12).class, "report-even");
        assert_eq!(of_count(0, 0).class, "report-even");
        assert_eq!(of_count(10, 30), Change { text: "▲ more than the 10 before".into(), class: "report-worse" });
        assert_eq!(of_count(100, 60).class, "report-better");
    }
}
