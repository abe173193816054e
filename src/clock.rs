//! Time: the one timestamp type and the one clock.
//!
//! All times are whole microseconds since the Unix epoch in UTC, so that ordering and arithmetic
//! mean the same in Rust and in both databases' SQL. Code never asks the system for the time
//! itself: it takes a [`Clock`], so that tests move time as they like.

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SecondsFormat, TimeDelta, TimeZone, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Timestamp(i64);

/// Earliest and latest moments that chrono can show; everything is clamped between them.
const MIN_MICROS: i64 = -62_135_596_800_000_000; // 0001-01-01T00:00:00Z
const MAX_MICROS: i64 = 253_402_300_799_999_999; // 9999-12-31T23:59:59.999999Z

impl Timestamp {
    /// Clamped to the years 1 to 9999, which every output format can carry.
    pub const fn from_micros(micros: i64) -> Self {
        if micros < MIN_MICROS {
            Self(MIN_MICROS)
        } else if micros > MAX_MICROS {
            Self(MAX_MICROS)
        } else {
            Self(micros)
        }
    }

    pub const fn from_secs(secs: i64) -> Self {
        Self::from_micros(secs.saturating_mul(1_000_000))
    }

    pub const fn from_millis(millis: i64) -> Self {
        Self::from_micros(millis.saturating_mul(1_000))
    }

    /// Nanoseconds as OpenTelemetry sends them; what is below a microsecond is cut off.
    #[expect(clippy::cast_possible_wrap, reason = "u64 / 1000 always fits an i64")]
    pub const fn from_unix_nanos(nanos: u64) -> Self {
        Self::from_micros((nanos / 1_000) as i64)
    }

    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339, and the shorter forms that a browser's `datetime-local` field sends
    /// (`2026-11-23T13:45`, taken as UTC). `None` when it is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(t) = DateTime::parse_from_rfc3339(text) {
            return Some(t.with_timezone(&Utc).into());
        }
        const LOCAL_FORMS: [&str; 4] =
            ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
        LOCAL_FORMS
            .iter()
            .find_map(|form| chrono::NaiveDateTime::parse_from_str(text, form).ok())
            .map(|naive| naive.and_utc().into())
    }

    pub fn to_datetime(self) -> DateTime<Utc> {
        // `from_micros` keeps the value within chrono's range, so a moment always exists.
        Utc.timestamp_micros(self.0).single().unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// RFC 3339 in UTC, with as many fraction digits as the value needs.
    pub fn to_rfc3339(self) -> String {
        self.to_datetime().to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }

    /// `2026-11-23 13:45`, for people.
    pub fn to_minute(self) -> String {
        self.to_datetime().format("%Y-%m-%d %H:%M").to_string()
    }

    /// `2026-11-23T13:45`, the value of a `datetime-local` field (UTC).
    pub fn to_input(self) -> String {
        self.to_datetime().format("%Y-%m-%dT%H:%M").to_string()
    }

    /// Any strftime pattern that chrono knows.
    pub fn format(self, pattern: &str) -> String {
        self.to_datetime().format(pattern).to_string()
    }

    pub fn saturating_sub(self, delta: TimeDelta) -> Self {
        Self::from_micros(self.0.saturating_sub(delta.num_microseconds().unwrap_or(i64::MAX)))
    }

    pub fn saturating_add(self, delta: TimeDelta) -> Self {
        Self::from_micros(self.0.saturating_add(delta.num_microseconds().unwrap_or(i64::MAX)))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(t: DateTime<Utc>) -> Self {
        Self::from_micros(t.timestamp_micros())
    }
}

impl Sub for Timestamp {
    type Output = TimeDelta;
    fn sub(self, other: Self) -> TimeDelta {
        TimeDelta::microseconds(self.0.saturating_sub(other.0))
    }
}

impl Add<TimeDelta> for Timestamp {
    type Output = Self;
    fn add(self, delta: TimeDelta) -> Self {
        self.saturating_add(delta)
    }
}

impl Sub<TimeDelta> for Timestamp {
    type Output = Self;
    fn sub(self, delta: TimeDelta) -> Self {
        self.saturating_sub(delta)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("'{text}' is not an RFC 3339 time")))
    }
}

/// Where the time comes from. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    /// Stands still until it is moved; for tests and for replaying a year in `faultline demo`.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    pub fn fixed(at: Timestamp) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(at.as_micros())))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Utc::now().into(),
            Self::Fixed(at) => Timestamp::from_micros(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a fixed clock; a system clock cannot be moved and stays as it is.
    pub fn set(&self, at: Timestamp) {
        if let Self::Fixed(cell) = self {
            cell.store(at.as_micros(), Ordering::SeqCst);
        }
    }

    pub fn advance(&self, by: TimeDelta) {
        self.set(self.now() + by);
    }
}

/// A duration for people: `45s`, `12m`, `3h 20m`, `2d 4h`.
pub fn human_duration(delta: TimeDelta) -> String {
    let total = delta.num_seconds();
    let (sign, s) = if total < 0 { ("-", total.unsigned_abs()) } else { ("", total.unsigned_abs()) };
    let text = match s {
        0..60 => format!("{s}s"),
        60..3600 => with_rest(s / 60, "m", s % 60, "s"),
        3600..86_400 => with_rest(s / 3600, "h", s % 3600 / 60, "m"),
        _ => with_rest(s / 86_400, "d", s % 86_400 / 3600, "h"),
    };
    format!("{sign}{text}")
}

fn with_rest(big: u64, big_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 { format!("{big}{big_unit}") } else { format!("{big}{big_unit} {small}{small_unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_people_and_machines_send() {
        let expected = Timestamp::from_secs(1_700_000_000);
        for text in ["2023-11-14T22:13:20Z", "2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20", "2023-11-14 22:13:20"]
        {
            assert_eq!(Timestamp::parse(text), Some(expected), "{text}");
        }
        assert_eq!(Timestamp::parse("2023-11-14T22:13").map(Timestamp::to_minute).as_deref(), Some("2023-11-14 22:13"));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn extremes_are_clamped_to_what_can_be_shown() {
        assert_eq!(Timestamp::from_micros(i64::MAX).to_rfc3339(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp::from_micros(i64::MIN).to_rfc3339(), "0001-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_unix_nanos(u64::MAX).to_datetime().format("%Y").to_string(), "2554");
    }

    #[test]
    fn durations_read_well() {
        let shown: Vec<_> =
            [45, 60, 754, 12_000, 187_200, -90].iter().map(|s| human_duration(TimeDelta::seconds(*s))).collect();
        assert_eq!(shown, ["45s", "1m", "12m 34s", "3h 20m", "2d 4h", "-1m 30s"]);
    }
}
