//! Milestones: the lifecycle times of an incident, their order, and the durations between them.
//!
//! A time says where it came from ([`Source`]), who set it and why, and keeps its earlier values.
//! What is refused is an order that cannot have happened ([`MilestoneTimes::check`]).

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::fields::{FUTURE_TOLERANCE, text_enum};

text_enum! {
    /// The lifecycle times, in the order in which they usually come.
    pub enum MilestoneName("milestone") {
        ImpactStarted = "impact_started",
        Detected = "detected",
        Declared = "declared",
        Acknowledged = "acknowledged",
        Identified = "identified",
        Mitigated = "mitigated",
        ImpactEnded = "impact_ended",
        Resolved = "resolved",
    }
}

impl MilestoneName {
    pub const COUNT: usize = Self::ALL.len();

    pub const fn label(self) -> &'static str {
        match self {
            Self::ImpactStarted => "Impact started",
            Self::Detected => "Detected",
            Self::Declared => "Declared",
            Self::Acknowledged => "Acknowledged",
            Self::Identified => "Cause identified",
            Self::Mitigated => "Mitigated",
            Self::ImpactEnded => "Impact ended",
            Self::Resolved => "Resolved",
        }
    }

    /// What the time means, for the milestone table.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::ImpactStarted => "The first moment at which somebody was affected",
            Self::Detected => "The first signal that reached a person or Faultline",
            Self::Declared => "It was called an incident",
            Self::Acknowledged => "Somebody took it on",
            Self::Identified => "The cause was known",
            Self::Mitigated => "The worst was over, if only by a work-around",
            Self::ImpactEnded => "The last moment at which somebody was affected",
            Self::Resolved => "It was over",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

text_enum! {
    /// Where a milestone's value came from.
    pub enum Source("source") {
        Alert = "alert",
        Trace = "trace",
        Deployment = "deployment",
        Person = "person",
        Import = "import",
    }
}

/// Pairs that must not be turned round: the first is never later than the second.
///
/// Detection and acknowledgement may precede the declaration (an alert was taken on before anybody
/// called it an incident), a declaration may come when all is over, and an automatic fail-over may
/// mitigate before anybody acknowledges; so this is not one chain.
pub const ORDER: [(MilestoneName, MilestoneName); 14] = {
    use MilestoneName::*;
    [
        (ImpactStarted, Detected),
        (ImpactStarted, Identified),
        (ImpactStarted, Mitigated),
        (ImpactStarted, ImpactEnded),
        (ImpactStarted, Resolved),
        (Detected, Declared),
        (Detected, Acknowledged),
        (Detected, Identified),
        (Detected, Mitigated),
        (Detected, Resolved),
        (Acknowledged, Resolved),
        (Identified, Resolved),
        (Mitigated, Resolved),
        (ImpactEnded, Resolved),
    ]
};

/// Two milestones that cannot have happened so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    pub earlier: MilestoneName,
    pub earlier_at: Timestamp,
    pub later: MilestoneName,
    pub later_at: Timestamp,
}

impl std::fmt::Display for Violation {
    /// Names both times, so that a person sees which of them is wrong.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ({}) must not be later than {} ({})",
            self.earlier.label(),
            exact(self.earlier_at),
            self.later.label(),
            exact(self.later_at)
        )
    }
}

/// To the second, or finer when the seconds are equal to the eye only.
fn exact(at: Timestamp) -> String {
    let pattern =
        if at.as_micros().rem_euclid(1_000_000) == 0 { "%Y-%m-%d %H:%M:%S UTC" } else { "%Y-%m-%d %H:%M:%S%.f UTC" };
    at.format(pattern)
}

/// The standing value of each milestone of one incident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MilestoneTimes([Option<Timestamp>; MilestoneName::COUNT]);

impl MilestoneTimes {
    pub const fn get(&self, name: MilestoneName) -> Option<Timestamp> {
        self.0[name.index()]
    }

    pub const fn set(&mut self, name: MilestoneName, at: Option<Timestamp>) {
        self.0[name.index()] = at;
    }

    /// A copy with one value changed, for trying a correction before it is made.
    #[must_use]
    pub const fn with(mut self, name: MilestoneName, at: Option<Timestamp>) -> Self {
        self.set(name, at);
        self
    }

    pub fn iter(&self) -> impl Iterator<Item = (MilestoneName, Timestamp)> + '_ {
        MilestoneName::ALL.iter().filter_map(|name| self.get(*name).map(|at| (*name, at)))
    }

    /// Every broken rule of [`ORDER`]. Equal times are in order.
    pub fn violations(&self) -> Vec<Violation> {
        ORDER
            .iter()
            .filter_map(|(earlier, later)| {
                let (earlier_at, later_at) = (self.get(*earlier)?, self.get(*later)?);
                (earlier_at > later_at).then_some(Violation { earlier: *earlier, earlier_at, later: *later, later_at })
            })
            .collect()
    }

    /// Whether `name` may become `at`, given the other standing values. Violations that do not touch
    /// `name` are not its fault and do not stop its correction.
    ///
    /// # Errors
    /// A message that names the two times, or says that the time lies in the future.
    pub fn check(&self, name: MilestoneName, at: Timestamp, now: Timestamp) -> Result<(), String> {
        if at > now + FUTURE_TOLERANCE {
            return Err(format!("{} ({}) lies in the future: it is {} now", name.label(), exact(at), exact(now)));
        }
        let tried = self.with(name, Some(at));
        let broken: Vec<_> = tried
            .violations()
            .into_iter()
            .filter(|v| v.earlier == name || v.later == name)
            .map(|v| v.to_string())
            .collect();
        if broken.is_empty() { Ok(()) } else { Err(broken.join("; ")) }
    }

    /// When the incident began, as well as is known: for sorting, and for "since when".
    pub fn start(&self) -> Option<Timestamp> {
        use MilestoneName::*;
        self.get(ImpactStarted).or_else(|| [Detected, Acknowledged, Declared].iter().filter_map(|n| self.get(*n)).min())
    }

    /// The durations that the standing values give.
    pub fn durations(&self) -> Durations {
        use MilestoneName::*;
        Durations {
            to_detect: self.between(ImpactStarted, Detected),
            to_acknowledge: self.between(Detected, Acknowledged),
            to_mitigate: self.between(Detected, Mitigated),
            to_resolve: self.between(ImpactStarted, Resolved),
            impact: self.between(ImpactStarted, ImpactEnded),
        }
    }

    /// `None` when either end is missing.
    pub fn between(&self, from: MilestoneName, to: MilestoneName) -> Option<TimeDelta> {
        Some(self.get(to)? - self.get(from)?)
    }
}

impl FromIterator<(MilestoneName, Timestamp)> for MilestoneTimes {
    fn from_iter<I: IntoIterator<Item = (MilestoneName, Timestamp)>>(values: I) -> Self {
        let mut times = Self::default();
        for (name, at) in values {
            times.set(name, Some(at));
        }
        times
    }
}

/// How long each part took. The means over incidents are called MTTD, MTTA, MTTM and MTTR.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// Impact started → detected.
    pub to_detect: Option<TimeDelta>,
    /// Detected → acknowledged.
    pub to_acknowledge: Option<TimeDelta>,
    /// Detected → mitigated.
    pub to_mitigate: Option<TimeDelta>,
    /// Impact started → resolved.
    pub to_resolve: Option<TimeDelta>,
    /// Impact started → impact ended.
    pub impact: Option<TimeDelta>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use MilestoneName::*;
    use proptest::prelude::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_secs(1_764_000_000 + minute * 60)
    }

    fn times(values: &[(MilestoneName, i64)]) -> MilestoneTimes {
        values.iter().map(|(n, m)| (*n, at(*m))).collect()
    }

    #[test]
    fn a_violation_names_both_times() {
        let standing = times(&[(ImpactStarted, 10)]);
        let message = standing.check(Detected, at(5), at(100)).unwrap_err();
        assert_eq!(
            message,
            "Impact started (2025-11-24 16:10:00 UTC) must not be later than Detected (2025-11-24 16:05:00 UTC)"
        );
    }

    #[test]
    fn an_alert_may_be_acknowledged_before_the_declaration_but_not_before_detection() {
        let standing = times(&[(Detected, 0), (Declared, 9)]);
        assert!(standing.check(Acknowledged, at(3), at(100)).is_ok());
        assert!(standing.check(Acknowledged, at(-1), at(100)).is_err());
    }

    #[test]
    fn the_future_is_refused_but_clock_skew_is_not() {
        let none = MilestoneTimes::default();
        assert!(none.check(Resolved, at(1), at(0)).is_ok());
        let message = none.check(Resolved, at(10), at(0)).unwrap_err();
        assert!(message.contains("lies in the future"), "{message}");
    }

    #[test]
    fn an_old_fault_elsewhere_does_not_stop_a_correction() {
        let standing = times(&[(ImpactStarted, 0), (Mitigated, 9), (Resolved, 5), (Detected, 3)]);
        assert_eq!(standing.violations().len(), 1);
        assert!(standing.check(Detected, at(2), at(100)).is_ok());
        assert!(standing.check(Mitigated, at(4), at(100)).is_ok());
    }

    #[test]
    fn durations_follow_the_definitions() {
        let d =
            times(&[(ImpactStarted, 0), (Detected, 4), (Acknowledged, 6), (Mitigated, 34), (Resolved, 60)]).durations();
        assert_eq!(d.to_detect, Some(TimeDelta::minutes(4)));
        assert_eq!(d.to_acknowledge, Some(TimeDelta::minutes(2)));
        assert_eq!(d.to_mitigate, Some(TimeDelta::minutes(30)));
        assert_eq!(d.to_resolve, Some(TimeDelta::minutes(60)));
        assert_eq!(d.impact, None);
    }

    #[test]
    fn the_order_rules_agree_with_the_order_of_names_and_have_no_repeats() {
        for (i, (earlier, later)) in ORDER.iter().enumerate() {
            assert!(earlier < later);
            assert!(!ORDER[..i].contains(&(*earlier, *later)));
        }
    }

    fn any_times() -> impl Strategy<Value = MilestoneTimes> {
        proptest::collection::vec(proptest::option::of(0i64..50), MilestoneName::COUNT).prop_map(|minutes| {
            MilestoneName::ALL.iter().zip(minutes).filter_map(|(n, m)| m.map(|m| (*n, at(m)))).collect()
        })
    }

    proptest! {
        /// What passes the check one by one never adds up to a broken record.
        #[test]
        fn checked_changes_keep_the_record_in_order(
            steps in proptest::collection::vec((proptest::sample::select(MilestoneName::ALL), 0i64..50), 0..60)
        ) {
            let mut standing = MilestoneTimes::default();
            for (name, minute) in steps {
                if standing.check(name, at(minute), at(60)).is_ok() {
                    standing.set(name, Some(at(minute)));
                }
                prop_assert!(standing.violations().is_empty());
            }
        }

        /// In an orderly record no duration of a report is negative, and clearing never breaks order.
        #[test]
        fn orderly_records_have_no_negative_durations(times in any_times(), cleared in proptest::sample::select(MilestoneName::ALL)) {
            prop_assume!(times.violations().is_empty());
            let d = times.durations();
            for value in [d.to_detect, d.to_acknowledge, d.to_mitigate, d.to_resolve, d.impact].into_iter().flatten() {
                prop_assert!(value >= TimeDelta::zero());
            }
            prop_assert!(times.with(cleared, None).violations().is_empty());
        }

        /// The incident never starts later than any of its other times, once its impact is known.
        #[test]
        fn the_start_is_the_impact_when_known(times in any_times()) {
            if let Some(impact) = times.get(ImpactStarted) {
                prop_assert_eq!(times.start(), Some(impact));
            }
        }
    }
}
