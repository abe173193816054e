//! Customer impact: the windows in which somebody was affected, and how long that was in all.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::FieldErrors;
use crate::fields::{self, past_moment};

/// Longest description, in characters.
const MAX_WHAT: usize = 1_000;
/// Longest "who", in characters.
const MAX_AFFECTED: usize = 300;
/// Windows of one incident.
pub const MAX_WINDOWS: usize = 50;

/// One window as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Impact {
    pub id: i64,
    pub started_at: Timestamp,
    /// `None` while it lasts.
    pub ended_at: Option<Timestamp>,
    /// What customers notice.
    pub what: String,
    /// Who and how many.
    pub affected: String,
    pub created_by: String,
    pub created_at: Timestamp,
    pub updated_by: String,
    pub updated_at: Timestamp,
    pub version: i64,
}

impl Impact {
    pub fn lasted(&self, now: Timestamp) -> TimeDelta {
        self.ended_at.unwrap_or(now) - self.started_at
    }
}

/// `POST …/impacts` and its edit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ImpactInput {
    #[serde(deserialize_with = "fields::text")]
    pub started_at: String,
    #[serde(deserialize_with = "fields::text")]
    pub ended_at: String,
    #[serde(deserialize_with = "fields::text")]
    pub what: String,
    #[serde(deserialize_with = "fields::text")]
    pub affected: String,
    /// The version that was read. When another one stands, nothing is overwritten.
    pub version: Option<i64>,
}

/// A checked window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewImpact {
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub what: String,
    pub affected: String,
}

impl ImpactInput {
    /// Nothing typed as its start means now.
    ///
    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self, now: Timestamp) -> Result<NewImpact, FieldErrors> {
        let mut errors = FieldErrors::default();
        let started_at = past_moment(&mut errors, "started_at", &self.started_at, now).unwrap_or(now);
        let ended_at = past_moment(&mut errors, "ended_at", &self.ended_at, now);
        if let Some(ended_at) = ended_at
            && ended_at < started_at
        {
            let (end, start) = (ended_at.to_minute(), started_at.to_minute());
            errors.add("ended_at", format!("{end} UTC must not be earlier than its start, {start} UTC"));
        }
        let what = fields::required(&mut errors, "what", &self.what, MAX_WHAT);
        let affected = fields::limited(&mut errors, "affected", &self.affected, MAX_AFFECTED);
        if errors.is_empty() { Ok(NewImpact { started_at, ended_at, what, affected }) } else { Err(errors) }
    }
}

impl ImpactInput {
    /// This edit over what stands: a form shows whole minutes, and sending them back unchanged must
    /// not cut off the seconds.
    #[must_use]
    pub fn over(&self, standing: &Impact) -> Self {
        let keep = |typed: &str, stands: Option<Timestamp>| match stands {
            Some(at) if typed.trim() == at.to_input() => at.to_rfc3339(),
            _ => typed.to_owned(),
        };
        let started_at =
            if self.started_at.trim().is_empty() { standing.started_at.to_input() } else { self.started_at.clone() };
        Self {
            started_at: keep(&started_at, Some(standing.started_at)),
            ended_at: keep(&self.ended_at, standing.ended_at),
            ..self.clone()
        }
    }
}

/// How long at least one window was open: overlaps count once, open windows until `now`.
pub fn total(windows: &[Impact], now: Timestamp) -> TimeDelta {
    let mut spans: Vec<_> =
        windows.iter().map(|w| (w.started_at, w.ended_at.unwrap_or(now).max(w.started_at))).collect();
    spans.sort_unstable();
    let mut sum = TimeDelta::zero();
    let mut reached: Option<Timestamp> = None;
    for (start, end) in spans {
        let from = reached.map_or(start, |r| r.max(start));
        if end > from {
            sum += end - from;
        }
        reached = Some(reached.map_or(end, |r| r.max(end)));
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_secs(1_764_000_000 + minute * 60)
    }

    fn window(from: i64, to: Option<i64>) -> Impact {
        Impact {
            id: 0,
            started_at: at(from),
            ended_at: to.map(at),
            what: String::new(),
            affected: String::new(),
            created_by: String::new(),
            created_at: at(0),
            updated_by: String::new(),
            updated_at: at(0),
            version: 1,
        }
    }

    #[test]
    fn overlaps_count_once_and_gaps_do_not_count() {
        let windows = [window(30, None), window(0, Some(10)), window(5, Some(15))];
        assert_eq!(total(&windows, at(40)), TimeDelta::minutes(25));
        assert_eq!(total(&[], at(40)), TimeDelta::zero());
    }

    #[test]
    fn a_window_that_ends_before_it_starts_is_refused_with_both_times() {
        let bad = ImpactInput {
            started_at: "2026-11-23 10:00".into(),
            ended_at: "2026-11-23 09:00".into(),
            ..ImpactInput::default()
        };
        let errors = bad.normalize(Timestamp::parse("2026-11-23T11:00:00Z").unwrap()).unwrap_err();
        let message = errors.of("ended_at").unwrap();
        assert!(message.contains("10:00") && message.contains("09:00"), "{message}");
        assert_eq!(errors.of("what"), Some("is needed"));
    }

    proptest! {
        /// The union, minute by minute.
        #[test]
        fn the_total_is_the_union(spans in proptest::collection::vec((0i64..60, 0i64..60), 0..8)) {
            let windows: Vec<_> = spans.iter().map(|(a, b)| window(*a.min(b), Some(*a.max(b)))).collect();
            let covered = (0..60).filter(|m| windows.iter().any(|w| w.started_at <= at(*m) && at(*m) < w.ended_at.unwrap())).count();
            prop_assert_eq!(total(&windows, at(100)), TimeDelta::minutes(i64::try_from(covered).unwrap()));
        }
    }
}
