//! Business hours: Monday to Friday, 09:00 to 17:00 by the clocks of one zone.
//!
//! Public holidays are not known and count as working days; a report that uses these hours says so.

use chrono::{Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Weekday};
use chrono_tz::Tz;

use super::scope::moment;
use crate::clock::Timestamp;

const OPENS: u32 = 9;
const CLOSES: u32 = 17;

/// Microseconds of business hours from `start` to `end`; 0 when there are none.
pub fn between(start: i64, end: i64, zone: Tz) -> i64 {
    if end <= start {
        return 0;
    }
    let day = |at: i64| Timestamp::from_micros(at).to_datetime().with_timezone(&zone).date_naive();
    let (first, last) = (day(start), day(end));
    if first == last {
        return part(first, start, end, zone);
    }
    let Some(second) = first.checked_add_days(Days::new(1)) else { return 0 };
    part(first, start, i64::MAX, zone) + whole_days(second, last, zone) + part(last, i64::MIN, end, zone)
}

/// The part of a day's hours that lies between two moments.
fn part(day: NaiveDate, start: i64, end: i64, zone: Tz) -> i64 {
    let Some((opens, closes)) = hours(day, zone) else { return 0 };
    (closes.min(end) - opens.max(start)).max(0)
}

/// When a day opens and closes, in microseconds; nothing at the weekend.
fn hours(day: NaiveDate, zone: Tz) -> Option<(i64, i64)> {
    if matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
        return None;
    }
    let at = |hour| Some(moment(day.and_time(NaiveTime::from_hms_opt(hour, 0, 0)?), zone).as_micros());
    Some((at(OPENS)?, at(CLOSES)?))
}

/// All hours of the days from `first` to the one before `end`. Whole weeks are multiplied where no clock
/// was moved between nine and five, which is everywhere but in a handful of zones on one day of a year.
fn whole_days(first: NaiveDate, end: NaiveDate, zone: Tz) -> i64 {
    /// Longer incidents are rare; up to here each day is looked at by itself.
    const EXACT_DAYS: i64 = 400;
    let days = (end - first).num_days();
    if days <= 0 {
        return 0;
    }
    let (weeks, walked) =
        if days > EXACT_DAYS { ((days - EXACT_DAYS) / 7, days - (days - EXACT_DAYS) / 7 * 7) } else { (0, days) };
    let by_week = TimeDelta::hours(i64::from(CLOSES - OPENS) * 5).num_microseconds().unwrap_or(0);
    let single: i64 = first
        .iter_days()
        .take(usize::try_from(walked).unwrap_or(0))
        .filter_map(|day| hours(day, zone))
        .map(|(opens, closes)| closes - opens)
        .sum();
    single + weeks.saturating_mul(by_week)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> i64 {
        Timestamp::parse(text).expect("a time").as_micros()
    }

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn nights_and_weekends_do_not_count() {
        let zone = Tz::UTC;
        // Friday 16:00 to Monday 10:00.
        assert_eq!(between(at("2026-11-20T16:00:00Z"), at("2026-11-23T10:00:00Z"), zone), 2 * HOUR);
        assert_eq!(between(at("2026-11-21T10:00:00Z"), at("2026-11-22T10:00:00Z"), zone), 0);
        assert_eq!(between(at("2026-11-23T02:00:00Z"), at("2026-11-23T23:00:00Z"), zone), 8 * HOUR);
        assert_eq!(between(at("2026-11-23T10:00:00Z"), at("2026-11-23T10:00:00Z"), zone), 0);
        assert_eq!(between(at("2026-11-23T11:00:00Z"), at("2026-11-23T10:00:00Z"), zone), 0);
    }

    #[test]
    fn days_are_those_of_the_zone_also_when_clocks_move() {
        let vienna = chrono_tz::Europe::Vienna;
        // 2026-03-27 is a Friday at +01:00, the Monday after it at +02:00.
        assert_eq!(between(at("2026-03-27T08:00:00Z"), at("2026-03-30T07:00:00Z"), vienna), 8 * HOUR);
        assert_eq!(between(at("2026-03-27T15:00:00Z"), at("2026-03-30T08:00:00Z"), vienna), 2 * HOUR);
        assert_eq!(between(at("2028-02-28T08:00:00Z"), at("2028-03-01T08:00:00Z"), vienna), 16 * HOUR);
    }

    /// Walks minute by minute: slow and obvious.
    fn walked(start: i64, end: i64, zone: Tz) -> i64 {
        use chrono::Timelike;
        (start / 60_000_000..end / 60_000_000)
            .filter(|minute| {
                let local = Timestamp::from_micros(minute * 60_000_000).to_datetime().with_timezone(&zone);
                !matches!(local.weekday(), Weekday::Sat | Weekday::Sun) && (OPENS..CLOSES).contains(&local.hour())
            })
            .count() as i64
            * 60_000_000
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn equal_to_walking_minute_by_minute(
            start in 29_000_000_i64..30_000_000, minutes in 0_i64..15_000, zone in 0_usize..4,
        ) {
            let zone = [Tz::UTC, chrono_tz::Europe::Vienna, chrono_tz::America::St_Johns, chrono_tz::Asia::Kathmandu][zone];
            let (start, end) = (start * 60_000_000, (start + minutes) * 60_000_000);
            prop_assert_eq!(between(start, end, zone), walked(start, end, zone));
        }

        #[test]
        fn long_stretches_are_the_sum_of_their_parts(start in 29_000_000_i64..30_000_000, days in 0_i64..2_000) {
            let zone = chrono_tz::America::New_York;
            let start = start * 60_000_000;
            let (mid, end) = (start + days / 2 * 24 * HOUR, start + days * 24 * HOUR);
            prop_assert_eq!(between(start, end, zone), between(start, mid, zone) + between(mid, end, zone));
        }
    }
}
