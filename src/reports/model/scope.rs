//! Which incidents a report is about and how it slices them: parsed from a URL, written back to one.

use std::fmt::Write as _;

use chrono::{Datelike, LocalResult, NaiveDate, TimeDelta, TimeZone};
use chrono_tz::Tz;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};

/// Without `from`, a report looks back this far.
const DEFAULT_DAYS: i64 = 90;
/// No list of one filter is longer; a longer one is a mistake or an attack.
const MOST_CHOICES: usize = 50;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupBy {
    #[default]
    Service,
    Team,
    Severity,
    Week,
    Month,
}

impl GroupBy {
    pub const ALL: [Self; 5] = [Self::Service, Self::Team, Self::Severity, Self::Week, Self::Month];

    pub const fn key(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Team => "team",
            Self::Severity => "severity",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|g| g.key() == key)
    }

    /// Periods are drawn along a time axis and in order; the rest as rows.
    pub const fn is_period(self) -> bool {
        matches!(self, Self::Week | Self::Month)
    }
}

/// The filters as they come in a query string. Lists are comma-separated.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ScopeQuery {
    pub from: String,
    pub to: String,
    pub service: String,
    pub team: String,
    pub severity: String,
    pub group_by: String,
    pub tz: String,
    pub raw: String,
    /// Any of `drill`, `declined`, `merged`: counted too.
    pub include: String,
}

/// What to count of the incidents that normally stay out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Include {
    pub drills: bool,
    pub declined: bool,
    pub merged: bool,
}

/// A checked set of filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Inclusive.
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
    /// Slugs; none means all. An incident of several services passes when one of them is asked for.
    pub services: Vec<String>,
    pub teams: Vec<String>,
    /// 1 to 4; none means all.
    pub severities: Vec<u8>,
    pub group_by: GroupBy,
    pub zone: Tz,
    /// The values as first recorded instead of the corrected ones.
    pub raw: bool,
    pub include: Include,
}

impl Scope {
    /// All faults of the query at once. `now` bounds the default period; `zone` is used unless
    /// `tz` names another.
    pub fn parse(query: &ScopeQuery, now: Timestamp, zone: Tz) -> Result<Self> {
        let mut errors = FieldErrors::default();
        let zone = match query.tz.trim() {
            "" => zone,
            name => name.parse().unwrap_or_else(|_| {
                errors.add("tz", format!("'{name}' is not a time zone; use a name like Europe/Vienna"));
                zone
            }),
        };
        let to = match query.to.trim() {
            "" => next_minute(now),
            text => bound(text, zone, 1).unwrap_or_else(|| {
                errors.add("to", not_a_date(text));
                now
            }),
        };
        let from = match query.from.trim() {
            "" => start_of_day(local_date(to - TimeDelta::days(DEFAULT_DAYS), zone), zone),
            text => bound(text, zone, 0).unwrap_or_else(|| {
                errors.add("from", not_a_date(text));
                to - TimeDelta::days(DEFAULT_DAYS)
            }),
        };
        if from >= to && !errors.has("from") && !errors.has("to") {
            errors.add("to", "the period ends before it begins");
        }
        let severities = parse_severities(&query.severity, &mut errors);
        let group_by = match query.group_by.trim() {
            "" => GroupBy::default(),
            key => GroupBy::parse(key).unwrap_or_else(|| {
                errors.add("group_by", format!("'{key}' is none of service, team, severity, week, month"));
                GroupBy::default()
            }),
        };
        let raw = match query.raw.trim() {
            "" | "0" | "false" => false,
            "1" | "true" | "on" => true,
            other => {
                errors.add("raw", format!("'{other}' is neither true nor false"));
                false
            }
        };
        let include = parse_include(&query.include, &mut errors);
        let services = choices("service", &query.service, &mut errors);
        let teams = choices("team", &query.team, &mut errors);
        if errors.is_empty() {
            Ok(Self { from, to, services, teams, severities, group_by, zone, raw, include })
        } else {
            Err(Error::Invalid(errors))
        }
    }

    /// The filters as a query string, without a leading `?`; parsing it again gives the same scope.
    pub fn to_query(&self) -> String {
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        out.append_pair("from", &self.from_text()).append_pair("to", &self.to_text());
        for (key, list) in [("service", &self.services), ("team", &self.teams)] {
            if !list.is_empty() {
                out.append_pair(key, &list.join(","));
            }
        }
        if !self.severities.is_empty() {
            out.append_pair("severity", &self.severity_text());
        }
        out.append_pair("group_by", self.group_by.key());
        if self.zone != Tz::UTC {
            out.append_pair("tz", self.zone.name());
        }
        if self.raw {
            out.append_pair("raw", "true");
        }
        let include = self.include_text();
        if !include.is_empty() {
            out.append_pair("include", &include);
        }
        out.finish()
    }

    #[must_use]
    pub fn grouped(&self, group_by: GroupBy) -> Self {
        Self { group_by, ..self.clone() }
    }

    #[must_use]
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Self {
        Self { from, to, ..self.clone() }
    }

    /// The period of equal length just before this one.
    #[must_use]
    pub fn before(&self) -> Self {
        self.between(self.from - (self.to - self.from), self.from)
    }

    /// `SEV1,SEV2`, or nothing.
    pub fn severity_text(&self) -> String {
        self.severities.iter().map(|s| format!("SEV{s}")).collect::<Vec<_>>().join(",")
    }

    /// `drill,merged`, or nothing.
    pub fn include_text(&self) -> String {
        [(self.include.drills, "drill"), (self.include.declined, "declined"), (self.include.merged, "merged")]
            .into_iter()
            .filter_map(|(on, name)| on.then_some(name))
            .collect::<Vec<_>>()
            .join(",")
    }

    /// A date when the period begins at midnight, else the exact time.
    pub fn from_text(&self) -> String {
        let date = local_date(self.from, self.zone);
        if start_of_day(date, self.zone) == self.from { date.to_string() } else { self.from.to_rfc3339() }
    }

    /// The last day that is counted when the period ends at midnight, else the exact time.
    pub fn to_text(&self) -> String {
        let date = local_date(self.to, self.zone);
        match date.pred_opt() {
            Some(last) if start_of_day(date, self.zone) == self.to => last.to_string(),
            _ => self.to.to_rfc3339(),
        }
    }

    /// One sentence with every filter, printed above the numbers.
    pub fn in_words(&self) -> String {
        let shown =
            |text: String| text.strip_suffix(":00Z").map_or(text.clone(), |t| format!("{} UTC", t.replace('T', " ")));
        let (from, to) = (shown(self.from_text()), shown(self.to_text()));
        let mut text = format!("{from} to {to}, days in {}", self.zone.name());
        for (what, list) in [("services", &self.services), ("teams", &self.teams)] {
            if !list.is_empty() {
                let _ = write!(text, "; {what} {}", list.join(", "));
            }
        }
        if !self.severities.is_empty() {
            let _ = write!(text, "; {}", self.severity_text().replace(',', ", "));
        }
        text.push_str(if self.raw { "; times as first recorded" } else { "; corrected times" });
        let include = self.include_text();
        if !include.is_empty() {
            let _ = write!(text, "; {} counted too", include.replace(',', " and "));
        }
        text
    }

    /// The group key of a moment: `2026-W07` (ISO weeks, from Monday) or `2026-02`, in the scope's
    /// zone; `None` when the scope groups by something else.
    pub fn period_key(&self, at: Timestamp) -> Option<String> {
        period_key(self.group_by, at, self.zone)
    }

    /// The keys of all periods that the scope touches, empty ones included, up to `limit`.
    pub fn period_keys(&self, limit: usize) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        let mut day = local_date(self.from, self.zone);
        let last = local_date(self.to - TimeDelta::microseconds(1), self.zone);
        while day <= last && keys.len() <= limit {
            let Some((key, next)) = period_of(self.group_by, day) else { break };
            keys.push(key);
            day = next;
        }
        keys
    }
}

/// The key of a period and the first day after it.
fn period_of(group_by: GroupBy, day: NaiveDate) -> Option<(String, NaiveDate)> {
    match group_by {
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
        _ => None,
    }
}

pub fn period_key(group_by: GroupBy, at: Timestamp, zone: Tz) -> Option<String> {
    period_of(group_by, local_date(at, zone)).map(|(key, _)| key)
}

fn local_date(at: Timestamp, zone: Tz) -> NaiveDate {
    at.to_datetime().with_timezone(&zone).date_naive()
}

/// Midnight, or the first moment after it where the clocks jump over midnight.
pub fn start_of_day(date: NaiveDate, zone: Tz) -> Timestamp {
    let midnight = date.and_time(chrono::NaiveTime::MIN);
    (0..=12)
        .find_map(|quarters| match zone.from_local_datetime(&(midnight + TimeDelta::minutes(15 * quarters))) {
            LocalResult::Single(t) | LocalResult::Ambiguous(t, _) => Some(t.to_utc().into()),
            LocalResult::None => None,
        })
        // No zone has ever skipped three hours from midnight but those that skipped a whole day.
        .unwrap_or_else(|| midnight.and_utc().into())
}

/// A date (plus `days`, for a last day that is included) or an exact time.
fn bound(text: &str, zone: Tz, days: i64) -> Option<Timestamp> {
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        // Years with four digits: others overflow when the end of the period is computed.
        Ok(date) if (1970..=9000).contains(&date.year()) => {
            Some(start_of_day(date.checked_add_signed(TimeDelta::days(days))?, zone))
        }
        Ok(_) => None,
        Err(_) => Timestamp::parse(text),
    }
}

/// Just after now, but not to the microsecond: the period stands in addresses.
fn next_minute(now: Timestamp) -> Timestamp {
    Timestamp::from_secs(now.as_micros().div_euclid(60_000_000).saturating_add(1).saturating_mul(60))
}

fn not_a_date(text: &str) -> String {
    format!("'{text}' is not a date; use 2026-11-23 or 2026-11-23T13:45:00Z")
}

fn choices(field: &str, text: &str, errors: &mut FieldErrors) -> Vec<String> {
    let mut list: Vec<String> = text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect();
    list.sort();
    list.dedup();
    if list.len() > MOST_CHOICES {
        errors.add(field, format!("at most {MOST_CHOICES} at once"));
        list.truncate(MOST_CHOICES);
    }
    list
}

fn parse_severities(text: &str, errors: &mut FieldErrors) -> Vec<u8> {
    let mut found = Vec::new();
    for name in choices("severity", text, errors) {
        match name.to_ascii_uppercase().trim_start_matches("SEV").parse() {
            Ok(level @ 1..=4) => found.push(level),
            _ => errors.add("severity", format!("'{name}' is none of SEV1, SEV2, SEV3, SEV4")),
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn parse_include(text: &str, errors: &mut FieldErrors) -> Include {
    let mut include = Include::default();
    for name in choices("include", text, errors) {
        match name.as_str() {
            "drill" => include.drills = true,
            "declined" => include.declined = true,
            "merged" => include.merged = true,
            other => errors.add("include", format!("'{other}' is none of drill, declined, merged")),
        }
    }
    include
}

#[cfg(test)]
#[path = "scope_tests.rs"]
mod tests;
