//! Which incidents a report is about and how it slices them: parsed from a URL, written back to one.

use std::fmt::Write as _;

use chrono::{Datelike, NaiveDate, TimeDelta};
use chrono_tz::Tz;
use serde::Deserialize;

use super::facts::Detection;
use super::measures::Hours;
pub use super::slices::{GroupBy, local_date, moment, start_of_day};
use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};

/// Without `from`, a report looks back this far.
const DEFAULT_DAYS: i64 = 90;
/// No list of one filter is longer; a longer one is a mistake or an attack.
const MOST_CHOICES: usize = 50;

/// The filters as they come in a query string. Lists are comma-separated.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ScopeQuery {
    pub from: String,
    pub to: String,
    pub service: String,
    pub team: String,
    pub severity: String,
    pub tier: String,
    pub cause: String,
    pub environment: String,
    /// Who noticed first: `alert`, `customer` and so on.
    pub detection: String,
    pub group_by: String,
    pub tz: String,
    pub raw: String,
    /// `business` for Monday to Friday, 09:00 to 17:00, or other hours like `mo-sa 08:00-18:00`.
    pub hours: String,
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
    /// 1 to 4; none means all.
    pub tiers: Vec<u8>,
    pub causes: Vec<String>,
    pub environments: Vec<String>,
    pub detections: Vec<Detection>,
    pub group_by: GroupBy,
    pub zone: Tz,
    pub hours: Hours,
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
        let severities = parse_levels("severity", "SEV", &query.severity, &mut errors);
        let tiers = parse_levels("tier", "TIER", &query.tier, &mut errors);
        let detections = parse_detections(&query.detection, &mut errors);
        let group_by = match query.group_by.trim() {
            "" => GroupBy::default(),
            key => GroupBy::parse(key).unwrap_or_else(|| {
                let known = GroupBy::ALL.map(GroupBy::key).join(", ");
                errors.add("group_by", format!("'{key}' is none of {known}"));
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
        let hours = match query.hours.trim() {
            "" => Hours::Clock,
            key => Hours::parse(key).unwrap_or_else(|wrong| {
                errors.add("hours", wrong);
                Hours::Clock
            }),
        };
        let include = parse_include(&query.include, &mut errors);
        let causes = choices("cause", &query.cause, &mut errors);
        let environments = choices("environment", &query.environment, &mut errors);
        let services = choices("service", &query.service, &mut errors);
        let teams = choices("team", &query.team, &mut errors);
        if errors.is_empty() {
            Ok(Self {
                from,
                to,
                services,
                teams,
                severities,
                tiers,
                causes,
                environments,
                detections,
                group_by,
                zone,
                hours,
                raw,
                include,
            })
        } else {
            Err(Error::Invalid(errors))
        }
    }

    /// The filters as a query string, without a leading `?`; parsing it again gives the same scope.
    pub fn to_query(&self) -> String {
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        out.append_pair("from", &self.from_text()).append_pair("to", &self.to_text());
        for (key, text) in [
            ("service", self.services.join(",")),
            ("team", self.teams.join(",")),
            ("severity", self.severity_text()),
            ("tier", self.tier_text()),
            ("cause", self.causes.join(",")),
            ("environment", self.environments.join(",")),
            ("detection", self.detection_text()),
        ] {
            if !text.is_empty() {
                out.append_pair(key, &text);
            }
        }
        out.append_pair("group_by", self.group_by.key());
        // Always: the zone that is used without one differs from reader to reader.
        out.append_pair("tz", self.zone.name());
        if self.hours != Hours::Clock {
            out.append_pair("hours", &self.hours.key());
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

    pub fn tier_text(&self) -> String {
        self.tiers.iter().map(u8::to_string).collect::<Vec<_>>().join(",")
    }

    pub fn detection_text(&self) -> String {
        self.detections.iter().map(|d| d.as_str()).collect::<Vec<_>>().join(",")
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
        for (what, list) in [
            ("services ", self.services.join(", ")),
            ("teams ", self.teams.join(", ")),
            ("", self.severity_text().replace(',', ", ")),
            ("tier ", self.tier_text().replace(',', ", ")),
            ("cause ", self.causes.join(", ")),
            ("environment ", self.environments.join(", ")),
            ("noticed by ", self.detection_text().replace(',', ", ")),
        ] {
            if !list.is_empty() {
                let _ = write!(text, "; {what}{list}");
            }
        }
        if self.hours != Hours::Clock {
            let _ = write!(text, "; {}", self.hours.words());
        }
        text.push_str(if self.raw { "; times as first recorded" } else { "; corrected times" });
        let include = self.include_text();
        if !include.is_empty() {
            let _ = write!(text, "; {} counted too", include.replace(',', " and "));
        }
        text
    }
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

/// Numbers 1 to 4, with or without the prefix.
fn parse_levels(field: &str, prefix: &str, text: &str, errors: &mut FieldErrors) -> Vec<u8> {
    let mut found = Vec::new();
    for name in choices(field, text, errors) {
        match name.to_ascii_uppercase().trim_start_matches(prefix).trim().parse() {
            Ok(level @ 1..=4) => found.push(level),
            _ => {
                let shown = if field == "severity" { "SEV1, SEV2, SEV3, SEV4" } else { "1, 2, 3, 4" };
                errors.add(field, format!("'{name}' is none of {shown}"));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn parse_detections(text: &str, errors: &mut FieldErrors) -> Vec<Detection> {
    let mut found = Vec::new();
    for name in choices("detection", text, errors) {
        match Detection::parse(&name) {
            Some(detection) => found.push(detection),
            None => errors.add("detection", Detection::unknown(&name)),
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
