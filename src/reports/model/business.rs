//! Business hours: the same hours of certain weekdays, by the clocks of one zone.
//!
//! Public holidays are not known and count as working days; a report that uses these hours says so.

use std::fmt::{self, Display, Formatter};

use chrono::{Datelike, Days, NaiveDate, NaiveTime, TimeDelta};
use chrono_tz::Tz;

use super::scope::moment;
use crate::clock::Timestamp;

/// As they are written in addresses and settings, Monday first.
const DAYS: [(&str, &str); 7] = [
    ("mo", "Monday"),
    ("tu", "Tuesday"),
    ("we", "Wednesday"),
    ("th", "Thursday"),
    ("fr", "Friday"),
    ("sa", "Saturday"),
    ("su", "Sunday"),
];
const MIDNIGHT: u16 = 24 * 60;

/// Which hours of which weekdays count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Week {
    /// Bit 0 is Monday; at least one is set.
    days: u8,
    /// Minutes after midnight; `closes` is later, at most 24:00.
    opens: u16,
    closes: u16,
}

impl Week {
    /// Monday to Friday, 09:00 to 17:00.
    pub const USUAL: Self = Self { days: 0b001_1111, opens: 9 * 60, closes: 17 * 60 };

    /// Reads `mo-fr 09:00-17:00` or `mo,we,sa-su 08:30-24:00`, as [`Display`] writes it.
    ///
    /// # Errors
    /// What is wrong, in words for the person who typed it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().to_lowercase();
        let (days, hours) = text.split_once(' ').ok_or("write days and hours, like mo-fr 09:00-17:00")?;
        let mut set = 0;
        for part in days.split(',') {
            set |= days_of(part.trim())?;
        }
        let (opens, closes) = hours.split_once('-').ok_or("write the hours like 09:00-17:00")?;
        let (opens, closes) = (minutes(opens)?, minutes(closes)?);
        if closes <= opens {
            return Err("the hours must end after they begin, by midnight (24:00) at the latest".into());
        }
        Ok(Self { days: set, opens, closes })
    }

    /// `Monday to Friday, 09:00 to 17:00`.
    pub fn words(self) -> String {
        let days: Vec<String> = self
            .runs()
            .into_iter()
            .map(|(first, last)| {
                let (from, to) = (DAYS[first].1, DAYS[last].1);
                if first == last { from.to_owned() } else { format!("{from} to {to}") }
            })
            .collect();
        format!("{}, {} to {}", days.join(" and "), clock(self.opens), clock(self.closes))
    }

    /// Neighbouring days as first and last; both are places in [`DAYS`].
    fn runs(self) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for day in (0..DAYS.len()).filter(|day| self.days >> day & 1 == 1) {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == day => *last = day,
                _ => runs.push((day, day)),
            }
        }
        runs
    }

    /// Microseconds of these hours from `start` to `end`; 0 when there are none.
    pub fn between(self, start: i64, end: i64, zone: Tz) -> i64 {
        if end <= start {
            return 0;
        }
        let day = |at: i64| Timestamp::from_micros(at).to_datetime().with_timezone(&zone).date_naive();
        let (first, last) = (day(start), day(end));
        if first == last {
            return self.part(first, start, end, zone);
        }
        let Some(second) = first.checked_add_days(Days::new(1)) else { return 0 };
        self.part(first, start, i64::MAX, zone)
            + self.whole_days(second, last, zone)
            + self.part(last, i64::MIN, end, zone)
    }

    /// The part of a day's hours that lies between two moments.
    fn part(self, day: NaiveDate, start: i64, end: i64, zone: Tz) -> i64 {
        let Some((opens, closes)) = self.hours(day, zone) else { return 0 };
        (closes.min(end) - opens.max(start)).max(0)
    }

    /// When a day opens and closes, in microseconds; nothing on a day that does not count.
    fn hours(self, day: NaiveDate, zone: Tz) -> Option<(i64, i64)> {
        if self.days >> day.weekday().num_days_from_monday() & 1 == 0 {
            return None;
        }
        let at = |minute: u16| {
            let day = day.checked_add_days(Days::new(u64::from(minute / MIDNIGHT)))?;
            let minute = u32::from(minute % MIDNIGHT);
            Some(moment(day.and_time(NaiveTime::from_hms_opt(minute / 60, minute % 60, 0)?), zone).as_micros())
        };
        Some((at(self.opens)?, at(self.closes)?))
    }

    /// All hours of the days from `first` to the one before `end`. Longer stretches than are looked at day by
    /// day are multiplied by the week, which is exact where no clock was moved within the hours.
    fn whole_days(self, first: NaiveDate, end: NaiveDate, zone: Tz) -> i64 {
        let days = (end - first).num_days();
        if days <= 0 {
            return 0;
        }
        // Clocks move at night; hours that reach into it are looked at for ten years.
        let exact = if self.opens >= 5 * 60 && self.closes <= 22 * 60 { 400 } else { 3_660 };
        let weeks = (days - exact).max(0) / 7;
        let by_week = TimeDelta::minutes(i64::from(self.closes - self.opens) * i64::from(self.days.count_ones()))
            .num_microseconds()
            .unwrap_or(0);
        let single: i64 = first
            .iter_days()
            .take(usize::try_from(days - weeks * 7).unwrap_or(0))
            .filter_map(|day| self.hours(day, zone))
            .map(|(opens, closes)| closes - opens)
            .sum();
        single + weeks.saturating_mul(by_week)
    }
}

impl Display for Week {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, (first, last)) in self.runs().into_iter().enumerate() {
            f.write_str(if i > 0 { "," } else { "" })?;
            f.write_str(DAYS[first].0)?;
            if first != last {
                write!(f, "-{}", DAYS[last].0)?;
            }
        }
        write!(f, " {}-{}", clock(self.opens), clock(self.closes))
    }
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// `mo` or `mo-fr`, as bits.
fn days_of(text: &str) -> Result<u8, String> {
    let day = |name: &str| {
        DAYS.iter()
            .position(|d| d.0 == name.trim())
            .ok_or_else(|| format!("'{name}' is none of mo, tu, we, th, fr, sa, su"))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (day(first)?, day(last)?);
    if last < first {
        return Err(format!("'{text}' ends before it begins; the week begins on Monday"));
    }
    Ok((first..=last).fold(0, |set, day| set | 1 << day))
}

fn minutes(text: &str) -> Result<u16, String> {
    let wrong = || format!("'{}' is not a time of day like 09:00", text.trim());
    let (hour, minute) = text.trim().split_once(':').ok_or_else(wrong)?;
    let (hour, minute): (u16, u16) = (hour.parse().map_err(|_| wrong())?, minute.parse().map_err(|_| wrong())?);
    if minute > 59 || hour > 24 || hour == 24 && minute > 0 {
        return Err(wrong());
    }
    Ok(hour * 60 + minute)
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
        assert_eq!(Week::USUAL.between(at("2026-11-20T16:00:00Z"), at("2026-11-23T10:00:00Z"), zone), 2 * HOUR);
        assert_eq!(Week::USUAL.between(at("2026-11-21T10:00:00Z"), at("2026-11-22T10:00:00Z"), zone), 0);
        assert_eq!(Week::USUAL.between(at("2026-11-23T02:00:00Z"), at("2026-11-23T23:00:00Z"), zone), 8 * HOUR);
        assert_eq!(Week::USUAL.between(at("2026-11-23T10:00:00Z"), at("2026-11-23T10:00:00Z"), zone), 0);
        assert_eq!(Week::USUAL.between(at("2026-11-23T11:00:00Z"), at("2026-11-23T10:00:00Z"), zone), 0);
    }

    #[test]
    fn days_are_those_of_the_zone_also_when_clocks_move() {
        let vienna = chrono_tz::Europe::Vienna;
        // 2026-03-27 is a Friday at +01:00, the Monday after it at +02:00.
        assert_eq!(Week::USUAL.between(at("2026-03-27T08:00:00Z"), at("2026-03-30T07:00:00Z"), vienna), 8 * HOUR);
        assert_eq!(Week::USUAL.between(at("2026-03-27T15:00:00Z"), at("2026-03-30T08:00:00Z"), vienna), 2 * HOUR);
        assert_eq!(Week::USUAL.between(at("2028-02-28T08:00:00Z"), at("2028-03-01T08:00:00Z"), vienna), 16 * HOUR);
    }

    #[test]
    fn hours_are_read_as_they_are_written() {
        let week = Week::parse("SA-su,mo,tu 08:30-24:00").expect("hours");
        assert_eq!(week.to_string(), "mo-tu,sa-su 08:30-24:00");
        assert_eq!(week.words(), "Monday to Tuesday and Saturday to Sunday, 08:30 to 24:00");
        assert_eq!(Week::parse("mo-fr 09:00-17:00"), Ok(Week::USUAL));
        for (wrong, about) in [
            ("9 to 5", "'9' is none of mo"),
            ("mo-fr", "write days and hours"),
            ("mo-fr 09:00", "write the hours"),
            ("fr-mo 09:00-17:00", "ends before it begins"),
            ("mo 17:00-09:00", "must end after"),
            ("mo 09:00-24:01", "'24:01' is not a time"),
            ("mo 09:60-17:00", "'09:60' is not a time"),
            (" 09:00-17:00", "write days and hours"),
            (",mo 09:00-17:00", "'' is none of"),
        ] {
            let told = Week::parse(wrong).expect_err(wrong);
            assert!(told.contains(about), "{wrong}: {told}");
        }
    }

    /// Walks minute by minute: slow and obvious.
    fn walked(week: Week, start: i64, end: i64, zone: Tz) -> i64 {
        use chrono::Timelike;
        (start / 60_000_000..end / 60_000_000)
            .filter(|minute| {
                let local = Timestamp::from_micros(minute * 60_000_000).to_datetime().with_timezone(&zone);
                let minute = u16::try_from(local.hour() * 60 + local.minute()).expect("below 1440");
                week.days >> local.weekday().num_days_from_monday() & 1 == 1
                    && (week.opens..week.closes).contains(&minute)
            })
            .count() as i64
            * 60_000_000
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn equal_to_walking_minute_by_minute(
            start in 29_000_000_i64..30_000_000, minutes in 0_i64..15_000, zone in 0_usize..4,
            days in 1_u8..128, opens in 0_u16..1_430, open in 1_u16..1_440,
        ) {
            let week = Week { days, opens, closes: (opens + open).min(MIDNIGHT) };
            let zone = [Tz::UTC, chrono_tz::Europe::Vienna, chrono_tz::America::St_Johns, chrono_tz::Asia::Kathmandu][zone];
            let (start, end) = (start * 60_000_000, (start + minutes) * 60_000_000);
            prop_assert_eq!(week.between(start, end, zone), walked(week, start, end, zone));
            prop_assert_eq!(Week::parse(&week.to_string()), Ok(week));
        }

        #[test]
        fn long_stretches_are_the_sum_of_their_parts(start in 29_000_000_i64..30_000_000, days in 0_i64..2_000) {
            let zone = chrono_tz::America::New_York;
            let start = start * 60_000_000;
            let (mid, end) = (start + days / 2 * 24 * HOUR, start + days * 24 * HOUR);
            prop_assert_eq!(Week::USUAL.between(start, end, zone), Week::USUAL.between(start, mid, zone) + Week::USUAL.between(mid, end, zone));
        }
    }
}
