//! Telling from spans that a service was deployed, although nobody reported it. Pure.
//!
//! A version that was never seen before is a deployment at its first call. A version that was seen before is
//! one again when it *returns*: it had fallen silent for so long, and so many calls were answered by other
//! versions meanwhile, that it cannot have been running all the time. That is what tells a rollback from a
//! canary, which also answers only now and then.

use chrono::TimeDelta;

use crate::clock::Timestamp;

/// A version that is silent for less is taken to be running: exporters send in bursts.
const SHORTEST_SILENCE: TimeDelta = TimeDelta::minutes(1);

/// A version returned when the calls that one would have expected of it, were it still running at its former
/// share, times the minutes of silence reach this. Twenty expected calls within a minute, or one within twenty
/// minutes: a canary with a hundredth of the calls passes it by chance about once in e^20 busy minutes.
const SURE: f64 = 20.0;

/// A version that appears among calls that are older than what is known by this is history that came late.
const LATE: TimeDelta = TimeDelta::hours(1);

/// A version that went live just then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WentLive {
    pub at: Timestamp,
    /// It was live before, and others were since.
    pub returned: bool,
}

/// What is remembered of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    pub version: String,
    pub last_at: Timestamp,
    pub calls: i64,
    /// Calls that others answered since.
    pub silent: i64,
}

/// Versions of one service in one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known(pub Vec<Running>);

/// Versions remembered of a service; those that were silent longest are forgotten first.
const REMEMBERED: usize = 50;

impl Known {
    /// Learns of calls that a version answered; says so when it went live with them.
    pub fn see(&mut self, version: &str, first_at: Timestamp, last_at: Timestamp, calls: i64) -> Option<WentLive> {
        let newest = self.0.iter().map(|r| r.last_at).max();
        let known = self.0.iter().find(|r| r.version == version);
        let returned = known.is_some_and(|known| self.returned(known, first_at));
        // Of the first version ever seen nobody knows when it went live.
        let is_new = known.is_none() && newest.is_some_and(|newest| first_at > newest - LATE);
        for other in self.0.iter_mut().filter(|r| r.version != version && r.last_at < last_at) {
            other.silent += calls;
        }
        match self.0.iter_mut().find(|r| r.version == version) {
            Some(known) => {
                known.calls += calls;
                known.silent = 0;
                known.last_at = known.last_at.max(last_at);
            }
            None => self.0.push(Running { version: version.to_owned(), last_at, calls, silent: 0 }),
        }
        if self.0.len() > REMEMBERED {
            self.0.sort_by_key(|r| std::cmp::Reverse(r.last_at));
            self.0.truncate(REMEMBERED);
        }
        (returned || is_new).then_some(WentLive { at: first_at, returned })
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
    fn returned(&self, known: &Running, at: Timestamp) -> bool {
        let silence = at - known.last_at;
        let others: i64 = self.0.iter().filter(|r| r.version != known.version).map(|r| r.calls).sum();
        if silence < SHORTEST_SILENCE || others == 0 {
            return false;
        }
        let expected = known.silent as f64 * known.calls as f64 / others as f64;
        let minutes = silence.num_seconds() as f64 / 60.0;
        expected * minutes >= SURE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + secs)
    }

    /// One call a second of a version, told by the minute.
    fn run(known: &mut Known, version: &str, from_min: i64, to_min: i64) -> Vec<i64> {
        (from_min..to_min)
            .filter_map(|m| known.see(version, at(m * 60), at(m * 60 + 59), 60))
            .map(|live| (live.at - at(0)).num_minutes())
            .collect()
    }

    #[test]
    fn a_new_version_is_a_deployment_and_its_return_another() {
        let mut known = Known::default();
        assert!(run(&mut known, "v1", 0, 10).is_empty(), "the first one was there already");
        assert_eq!(run(&mut known, "v2", 10, 13), [10]);
        assert_eq!(run(&mut known, "v1", 13, 20), [13], "rolled back after three minutes");
        assert_eq!(run(&mut known, "v3", 20, 21), [20]);
        assert_eq!(run(&mut known, "v2", 60, 61), [60]);
    }

    #[test]
    fn a_handful_of_calls_is_enough_when_the_silence_is_long() {
        let mut known = Known::default();
        assert_eq!(known.see("v1", at(0), at(0), 1), None);
        assert_eq!(known.see("v2", at(600), at(600), 1), Some(WentLive { at: at(600), returned: false }));
        assert_eq!(known.see("v1", at(1_000), at(1_000), 1), None, "might be a canary");
        assert_eq!(known.see("v2", at(9_000), at(9_000), 1), Some(WentLive { at: at(9_000), returned: true }));
    }

    #[test]
    fn a_rolling_deployment_is_one_and_late_history_is_none() {
        let mut known = Known::default();
        run(&mut known, "v1", 0, 10);
        let both: Vec<_> = (10..15)
            .flat_map(|m| [run(&mut known, "v2", m, m + 1), run(&mut known, "v1", m, m + 1)].concat())
            .collect();
        assert_eq!(both, [10]);
        assert_eq!(known.see("v0", at(-90_000), at(-90_000), 5), None);
    }

    proptest! {
        /// A canary that answers one call in a hundred is one deployment however long it runs.
        #[test]
        fn a_canary_is_one_deployment(share in 5i64..100, minutes in 10i64..200, seed in any::<u64>()) {
            let mut known = Known::default();
            run(&mut known, "v1", 0, 5);
            let (mut dice, mut live) = (seed | 1, 0);
            for m in 5..5 + minutes {
                known.see("v1", at(m * 60), at(m * 60 + 59), 600);
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // On average six hundred calls times its share, never none of them.
                let calls = 1 + (dice >> 33).cast_signed().rem_euclid(600 * 2 / share);
                live += i64::from(known.see("canary", at(m * 60 + 1), at(m * 60 + 58), calls).is_some());
            }
            prop_assert_eq!(live, 1);
        }
    }
}
