//! Maintenance windows: for a while, alerts of some services or labels are recorded as ever but
//! open no incident and page nobody. A window always has an end, at most [`LONGEST`] away.

use chrono::TimeDelta;

use super::grouping::{Candidate, Matcher};
use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};

pub const LONGEST: TimeDelta = TimeDelta::days(30);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub id: i64,
    pub title: String,
    pub matcher: Matcher,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
}

impl Window {
    pub fn is_active(&self, at: Timestamp) -> bool {
        self.starts_at <= at && at < self.ends_at
    }

    /// Whether this window keeps the alert from paging at that moment.
    pub fn covers(&self, alert: &Candidate, at: Timestamp) -> bool {
        self.is_active(at) && self.matcher.matches(alert)
    }
}

/// What was typed into the form. Times are in UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct WindowInput {
    pub title: String,
    pub matchers: String,
    pub starts_at: String,
    pub ends_at: String,
}

impl WindowInput {
    /// The window that was meant; all complaints together.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a message beside each field.
    pub fn normalize(&self, now: Timestamp) -> Result<Window> {
        let mut errors = FieldErrors::default();
        let title = self.title.trim();
        if title.is_empty() || title.chars().count() > 200 {
            errors.add("title", "say what is being done, in at most 200 characters");
        }
        let matcher = Matcher::parse(&self.matchers).unwrap_or_else(|message| {
            errors.add("matchers", message);
            Matcher::default()
        });
        if matcher.is_empty() && !errors.has("matchers") {
            errors.add("matchers", "name a service or a label; a window over everything would hide real trouble");
        }
        let starts_at = match self.starts_at.trim() {
            "" => Some(now),
            text => Timestamp::parse(text),
        };
        let Some(starts_at) = starts_at else {
            errors.add("starts_at", "not a time");
            return Err(Error::Invalid(errors));
        };
        let Some(ends_at) = Timestamp::parse(&self.ends_at) else {
            errors.add("ends_at", "a window needs an end");
            return Err(Error::Invalid(errors));
        };
        if ends_at <= starts_at {
            errors.add("ends_at", "must be after the start");
        } else if ends_at <= now {
            errors.add("ends_at", "is already past");
        } else if ends_at - starts_at > LONGEST {
            errors.add("ends_at", format!("at most {} days after the start", LONGEST.num_days()));
        }
        errors.into_result()?;
        Ok(Window { id: 0, title: title.to_owned(), matcher, starts_at, ends_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(start: &str, end: &str) -> WindowInput {
        WindowInput {
            title: "Upgrade".to_owned(),
            matchers: "service = db".to_owned(),
            starts_at: start.to_owned(),
            ends_at: end.to_owned(),
        }
    }

    fn fault(input: &WindowInput, field: &str) -> String {
        match input.normalize(Timestamp::parse("2026-01-01T00:00:00Z").unwrap()) {
            Err(Error::Invalid(errors)) => errors.of(field).unwrap_or_default().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_window_always_ends_and_never_covers_everything() {
        assert_eq!(fault(&input("", ""), "ends_at"), "a window needs an end");
        assert_eq!(fault(&input("2026-01-02T00:00", "2026-01-01T00:00"), "ends_at"), "must be after the start");
        assert_eq!(fault(&input("", "2027-01-01T00:00"), "ends_at"), "at most 30 days after the start");
        assert_eq!(fault(&input("2025-01-01T00:00", "2025-01-02T00:00"), "ends_at"), "is already past");
        let everything = WindowInput { matchers: String::new(), ..input("", "2026-01-01T01:00") };
        assert!(fault(&everything, "matchers").contains("hide real trouble"));
        let window =
            input("", "2026-01-01T01:00").normalize(Timestamp::parse("2026-01-01T00:00:00Z").unwrap()).unwrap();
        assert!(window.is_active(window.starts_at) && !window.is_active(window.ends_at));
    }
}
