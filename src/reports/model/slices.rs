//! Ways of slicing, and the calendar: which days, weeks, months and quarters a period holds in a zone.

use chrono::{Datelike, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use super::scope::Scope;
use crate::clock::Timestamp;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum GroupBy {
    #[default]
    Service,
    Team,
    Tier,
    Severity,
    Cause,
    Environment,
    Detection,
    Day,
    Week,
    Month,
    Quarter,
}

impl GroupBy {
    pub const ALL: [Self; 11] = [
        Self::Service,
        Self::Team,
        Self::Tier,
        Self::Severity,
        Self::Cause,
        Self::Environment,
        Self::Detection,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Quarter,
    ];

    pub const fn key(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Team => "team",
            Self::Tier => "tier",
            Self::Severity => "severity",
            Self::Cause => "cause",
            Self::Environment => "environment",
            Self::Detection => "detection",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
        }
    }

    /// For headings: `by detection source`.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Detection => "detection source",
            other => other.key(),
        }
    }

    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|g| g.key() == key)
    }

    /// Periods are drawn along a time axis and in order; the rest as rows.
    pub const fn is_period(self) -> bool {
        matches!(self, Self::Day | Self::Week | Self::Month | Self::Quarter)
    }

    /// Whether the groups have an order of their own; else the slowest comes first.
    pub const fn is_ordered(self) -> bool {
        self.is_period() || matches!(self, Self::Severity | Self::Tier)
    }

    /// The period that gives a readable number of columns over this many days.
    pub const fn readable(days: i64) -> Self {
        match days {
            i64::MIN..=21 => Self::Day,
            22..=180 => Self::Week,
            181..=1_900 => Self::Month,
            _ => Self::Quarter,
        }
    }
}

/// One period of a scope, cut at the scope's own ends only by who counts, not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// `2026-11-23`, `2026-W48` (ISO weeks, from Monday), `2026-11`, `2026-Q4`.
    pub key: String,
    /// Where the next one begins.
    pub until: Timestamp,
}

/// All periods that a scope touches, in order; nothing when it is not sliced by periods.
pub fn periods(scope: &Scope, group_by: GroupBy) -> Vec<Period> {
    /// More are not laid out; see the caller.
    const MOST: usize = 20_000;
    let mut found = Vec::new();
    let mut day = local_date(scope.from, scope.zone);
    let last = local_date(scope.to - TimeDelta::microseconds(1), scope.zone);
    while day <= last && found.len() < MOST {
        let Some((key, next)) = period_of(group_by, day) else { break };
        found.push(Period { key, until: start_of_day(next, scope.zone) });
        day = next;
    }
    found
}

/// The key of a period and the first day after it.
fn period_of(group_by: GroupBy, day: NaiveDate) -> Option<(String, NaiveDate)> {
    match group_by {
        GroupBy::Day => Some((day.to_string(), day.succ_opt()?)),
        GroupBy::Week => {
            let week = day.iso_week();
            let days_left = 7 - i64::from(day.weekday().num_days_from_monday());
            let next = day.checked_add_signed(TimeDelta::days(days_left))?;
            Some((format!("{:04}-W{:02}", week.year(), week.week()), next))
        }
        GroupBy::Month => {
            let next = day.with_day(1)?.checked_add_months(chrono::Months::new(1))?;
            Some((day.format("%Y-%m").to_string(), next))
        }
        GroupBy::Quarter => {
            let first = day.with_day(1)?.with_month(day.month0() / 3 * 3 + 1)?;
            Some((
                format!("{:04}-Q{}", day.year(), day.month0() / 3 + 1),
                first.checked_add_months(chrono::Months::new(3))?,
            ))
        }
        _ => None,
    }
}

/// The key of the period that holds a moment; for checking the cut periods against.
pub fn period_key(group_by: GroupBy, at: Timestamp, zone: Tz) -> Option<String> {
    period_of(group_by, local_date(at, zone)).map(|(key, _)| key)
}

/// The first and the last-but-one day of the period before the one that holds `at`, as a scope's
/// `from` and `to` texts want them.
pub fn period_before(group_by: GroupBy, at: Timestamp, zone: Tz) -> Option<(NaiveDate, NaiveDate)> {
    let first = first_day(group_by, local_date(at, zone))?;
    let last = first.pred_opt()?;
    Some((first_day(group_by, last)?, last))
}

/// When the period that holds `at` is over.
pub fn period_end(group_by: GroupBy, at: Timestamp, zone: Tz) -> Option<Timestamp> {
    period_of(group_by, local_date(at, zone)).map(|(_, next)| start_of_day(next, zone))
}

fn first_day(group_by: GroupBy, day: NaiveDate) -> Option<NaiveDate> {
    match group_by {
        GroupBy::Day => Some(day),
        GroupBy::Week => day.checked_sub_signed(TimeDelta::days(i64::from(day.weekday().num_days_from_monday()))),
        GroupBy::Month => day.with_day(1),
        GroupBy::Quarter => day.with_day(1)?.with_month(day.month0() / 3 * 3 + 1),
        _ => None,
    }
}

pub fn local_date(at: Timestamp, zone: Tz) -> NaiveDate {
    at.to_datetime().with_timezone(&zone).date_naive()
}

/// Midnight, or the first moment after it where the clocks jump over midnight.
pub fn start_of_day(date: NaiveDate, zone: Tz) -> Timestamp {
    moment(date.and_time(chrono::NaiveTime::MIN), zone)
}

/// A local time as a moment: the earlier of two where clocks go back, the first that exists after it
/// where they jump.
pub fn moment(local: NaiveDateTime, zone: Tz) -> Timestamp {
    (0..=12)
        .find_map(|quarters| match zone.from_local_datetime(&(local + TimeDelta::minutes(15 * quarters))) {
            LocalResult::Single(t) | LocalResult::Ambiguous(t, _) => Some(t.to_utc().into()),
            LocalResult::None => None,
        })
        // No zone has ever skipped three hours but those that skipped a whole day.
        .unwrap_or_else(|| local.and_utc().into())
}
