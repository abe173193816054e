//! Whose turn it is. Pure.

pub mod connect;
pub mod input;

use chrono::{LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::clock::Timestamp;

/// People taking turns of whole days. Hand-over is at a wall-clock time of the team's own zone, so it
/// stays at nine in the morning when the clocks change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// In the order of their turns.
    pub members: Vec<i64>,
    pub zone: Tz,
    /// The day of the first turn, in the zone.
    pub first_day: NaiveDate,
    pub handover: NaiveTime,
    /// Length of one turn in days, 1 to 28.
    pub turn_days: u32,
}

/// Somebody else for a while. Of two that overlap the later written one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    pub user_id: i64,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// Somebody's uninterrupted time on call, from and until (the latter excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    pub user_id: i64,
    pub from: Timestamp,
    pub until: Timestamp,
    pub is_override: bool,
}

/// A window of shifts is at most this long: a calendar of more is not read by anybody.
pub const LONGEST_WINDOW: TimeDelta = TimeDelta::days(400);

impl Rotation {
    /// When the n-th turn begins. Turns before the first have negative numbers.
    fn turn_start(&self, n: i64) -> Option<Timestamp> {
        let days = n.checked_mul(i64::from(self.turn_days.clamp(1, 28)))?;
        let day = self.first_day.checked_add_signed(TimeDelta::try_days(days)?)?;
        Some(in_zone(self.zone, day.and_time(self.handover)))
    }

    /// The number of the turn that a moment falls into; `None` before the first.
    fn turn_at(&self, at: Timestamp) -> Option<i64> {
        let first = self.turn_start(0)?;
        if at < first {
            return None;
        }
        // Days are 23 to 25 hours long, so the guess is off by one at most; then it is put right.
        let mut n = (at - first).num_days() / i64::from(self.turn_days.clamp(1, 28));
        while n > 0 && self.turn_start(n)? > at {
            n -= 1;
        }
        while self.turn_start(n + 1)? <= at {
            n += 1;
        }
        Some(n)
    }

    fn member(&self, n: i64) -> Option<i64> {
        let count = i64::try_from(self.members.len()).ok().filter(|c| *c > 0)?;
        self.members.get(usize::try_from(n.rem_euclid(count)).ok()?).copied()
    }

    /// Who is on call by turn alone.
    fn planned_at(&self, at: Timestamp) -> Option<i64> {
        self.member(self.turn_at(at)?)
    }

    /// Who is on call, overrides counted.
    pub fn on_call_at(&self, overrides: &[Override], at: Timestamp) -> Option<i64> {
        let replaced = overrides.iter().rev().find(|o| o.from <= at && at < o.until);
        replaced.map(|o| o.user_id).or_else(|| self.planned_at(at))
    }

    /// Who is told after the one on call, in order, each once.
    pub fn escalation_at(&self, overrides: &[Override], at: Timestamp) -> Vec<i64> {
        let mut order: Vec<i64> = self.on_call_at(overrides, at).into_iter().collect();
        let turn = self.turn_at(at).unwrap_or(0);
        let count = i64::try_from(self.members.len()).unwrap_or(0);
        for next in (0..count).filter_map(|i| self.member(turn + i)) {
            if !order.contains(&next) {
                order.push(next);
            }
        }
        order
    }

    /// The shifts that touch a window, clipped to it, in order and without gaps where somebody is on
    /// call; neighbours of one person are one shift.
    pub fn shifts(&self, overrides: &[Override], from: Timestamp, until: Timestamp) -> Vec<Shift> {
        let until = until.min(from + LONGEST_WINDOW);
        let mut shifts: Vec<Shift> = Vec::new();
        let edges = self.edges(overrides, from, until);
        for pair in edges.windows(2) {
            let &[start, end] = pair else { continue };
            let Some(user_id) = self.on_call_at(overrides, start) else { continue };
            let is_override = self.planned_at(start) != Some(user_id);
            match shifts.last_mut() {
                Some(last) if last.user_id == user_id && last.until == start && last.is_override == is_override => {
                    last.until = end;
                }
                _ => shifts.push(Shift { user_id, from: start, until: end, is_override }),
            }
        }
        shifts
    }

    /// All moments of a window at which the one on call may change, in order, with both ends.
    fn edges(&self, overrides: &[Override], from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let mut edges = vec![from, until];
        edges.extend(overrides.iter().flat_map(|o| [o.from, o.until]));
        let first = self.turn_at(from).unwrap_or(0);
        edges.extend((first..).map_while(|n| self.turn_start(n)).take_while(|t| *t < until));
        edges.retain(|t| *t >= from && *t <= until);
        edges.sort_unstable();
        edges.dedup();
        edges
    }
}

/// A wall-clock time in a zone. One that is skipped in spring is taken an hour later, as people do; of
/// one that comes twice in autumn the first counts.
fn in_zone(zone: Tz, local: NaiveDateTime) -> Timestamp {
    let resolved = match zone.from_local_datetime(&local) {
        LocalResult::Single(t) | LocalResult::Ambiguous(t, _) => Some(t),
        LocalResult::None => zone.from_local_datetime(&(local + TimeDelta::hours(1))).earliest(),
    };
    resolved.map_or_else(|| local.and_utc().into(), |t| t.with_timezone(&Utc).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn weekly(members: &[i64]) -> Rotation {
        Rotation {
            members: members.to_vec(),
            zone: chrono_tz::Europe::Berlin,
            first_day: NaiveDate::from_ymd_opt(2026, 3, 16).expect("a Monday"),
            handover: NaiveTime::from_hms_opt(9, 0, 0).expect("nine"),
            turn_days: 7,
        }
    }

    #[test]
    fn hand_over_stays_at_nine_when_the_clocks_change() {
        let rotation = weekly(&[1, 2, 3]);
        // Berlin is an hour ahead of UTC until 29 March, then two.
        assert_eq!(rotation.on_call_at(&[], at("2026-03-16T07:59:59Z")), None);
        assert_eq!(rotation.on_call_at(&[], at("2026-03-16T08:00:00Z")), Some(1));
        assert_eq!(rotation.on_call_at(&[], at("2026-03-30T06:59:59Z")), Some(2));
        assert_eq!(rotation.on_call_at(&[], at("2026-03-30T07:00:00Z")), Some(3));
        assert_eq!(rotation.on_call_at(&[], at("2026-04-06T07:00:00Z")), Some(1));
    }

    #[test]
    fn overrides_replace_and_the_later_written_counts() {
        let rotation = weekly(&[1, 2]);
        let overrides = [
            Override { user_id: 9, from: at("2026-03-17T00:00:00Z"), until: at("2026-03-19T00:00:00Z") },
            Override { user_id: 8, from: at("2026-03-18T00:00:00Z"), until: at("2026-03-18T12:00:00Z") },
        ];
        let shifts = rotation.shifts(&overrides, at("2026-03-16T08:00:00Z"), at("2026-03-24T00:00:00Z"));
        let who: Vec<_> = shifts.iter().map(|s| (s.user_id, s.is_override)).collect();
        assert_eq!(who, [(1, false), (9, true), (8, true), (9, true), (1, false), (2, false)]);
        assert_eq!(rotation.escalation_at(&overrides, at("2026-03-17T12:00:00Z")), [9, 1, 2]);
    }

    #[test]
    fn a_hand_over_that_the_clock_skips_comes_an_hour_later() {
        let rotation =
            Rotation { handover: NaiveTime::from_hms_opt(2, 30, 0).expect("night"), turn_days: 1, ..weekly(&[1, 2]) };
        let shifts = rotation.shifts(&[], at("2026-03-28T02:00:00Z"), at("2026-03-30T02:00:00Z"));
        assert!(shifts.iter().any(|s| s.from == at("2026-03-29T01:30:00Z")), "{shifts:?}");
    }

    #[test]
    fn nobody_is_on_call_in_an_empty_rotation() {
        assert_eq!(weekly(&[]).on_call_at(&[], at("2026-05-01T00:00:00Z")), None);
        assert!(weekly(&[]).shifts(&[], at("2026-05-01T00:00:00Z"), at("2026-06-01T00:00:00Z")).is_empty());
    }

    proptest! {
        /// The list of shifts says at every moment the same as the question for that moment.
        #[test]
        fn shifts_agree_with_whoever_is_on_call(
            members in prop::collection::vec(1i64..5, 1..4), turn_days in 1u32..9,
            spans in prop::collection::vec((0i64..2_000, 1i64..300, 5i64..8), 0..4), probe in 0i64..2_000,
        ) {
            let rotation = Rotation { turn_days, ..weekly(&members) };
            let start = at("2026-03-10T00:00:00Z");
            let overrides: Vec<_> = spans
                .into_iter()
                .map(|(from, hours, user_id)| Override {
                    user_id,
                    from: start + TimeDelta::hours(from),
                    until: start + TimeDelta::hours(from + hours),
                })
                .collect();
            let shifts = rotation.shifts(&overrides, start, start + TimeDelta::hours(2_001));
            let moment = start + TimeDelta::hours(probe);
            let listed = shifts.iter().find(|s| s.from <= moment && moment < s.until).map(|s| s.user_id);
            prop_assert_eq!(listed, rotation.on_call_at(&overrides, moment));
            prop_assert!(shifts.windows(2).all(|w| w[0].until <= w[1].from));
        }
    }
}
