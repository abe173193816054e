//! How a service did before and after a change, from its spans. Pure.
//!
//! The error share is compared by a two-proportion z-test and the 95th percentile of latency by its
//! ratio. Too few requests on either side are said to be too few: that is not the same as healthy.

use chrono::TimeDelta;

use crate::clock::Timestamp;

/// So long before the start and after the end is looked at.
pub const WINDOW: TimeDelta = TimeDelta::minutes(30);

/// With fewer requests on a side nothing is said.
const FEWEST_REQUESTS: i64 = 20;

/// About one false alarm in a thousand comparisons of equal sides (two-sided).
const SIGNIFICANT_Z: f64 = 3.29;

/// A shift of latency that people notice.
const LATENCY_RATIO: f64 = 1.5;

/// What the spans of one side say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Side {
    pub requests: i64,
    pub errors: i64,
    /// 95th percentile in microseconds; `None` without requests.
    pub p95_us: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Fewer than 20 requests on a side.
    TooFew,
    Worse,
    Same,
    Better,
}

impl Verdict {
    /// The badge's colour.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Worse => "badge-bad",
            Self::Better => "badge-good",
            Self::TooFew | Self::Same => "",
        }
    }

    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::TooFew => "Too few requests to tell",
            Self::Worse => "Worse after",
            Self::Same => "No detectable change",
            Self::Better => "Better after",
        }
    }
}

/// Both sides of a change and what they add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Health {
    pub before: Side,
    pub after: Side,
    pub errors: Verdict,
    pub latency: Verdict,
}

impl Health {
    /// Whether there is anything to show.
    pub const fn has_requests(&self) -> bool {
        self.before.requests > 0 || self.after.requests > 0
    }

    /// The worse of both verdicts: what a list shows.
    pub fn verdict(&self) -> Verdict {
        match (self.errors, self.latency) {
            (Verdict::Worse, _) | (_, Verdict::Worse) => Verdict::Worse,
            (Verdict::TooFew, other) | (other, Verdict::TooFew) => other,
            (Verdict::Better, _) | (_, Verdict::Better) => Verdict::Better,
            (Verdict::Same, Verdict::Same) => Verdict::Same,
        }
    }
}

impl Side {
    /// Share of failed requests, 0 to 1; `None` without requests.
    #[expect(clippy::cast_precision_loss, reason = "counts of spans are far below 2^53")]
    pub fn error_share(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.errors as f64 / self.requests as f64)
    }

    /// `2.5 %`, or a dash.
    pub fn error_percent(&self) -> String {
        self.error_share().map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0))
    }

    /// `340 ms`, or a dash.
    pub fn p95_text(&self) -> String {
        self.p95_us.map_or_else(
            || "–".to_owned(),
            |us| match us {
                0..1_000 => format!("{us} µs"),
                1_000..10_000_000 => format!("{} ms", us / 1_000),
                _ => format!("{} s", us / 1_000_000),
            },
        )
    }
}

pub fn compare(before: Side, after: Side) -> Health {
    let is_enough = before.requests >= FEWEST_REQUESTS && after.requests >= FEWEST_REQUESTS;
    let (errors, latency) = if is_enough {
        (error_verdict(before, after), latency_verdict(before, after))
    } else {
        (Verdict::TooFew, Verdict::TooFew)
    };
    Health { before, after, errors, latency }
}

/// The two windows of a change: before its start, and after its end (or start, while it has no end), the
/// latter not beyond now.
pub fn windows(
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    now: Timestamp,
) -> ((Timestamp, Timestamp), (Timestamp, Timestamp)) {
    let after = finished_at.unwrap_or(started_at);
    ((started_at - WINDOW, started_at), (after, (after + WINDOW).min(now.max(after))))
}

#[expect(clippy::cast_precision_loss, reason = "counts of spans are far below 2^53")]
fn error_verdict(before: Side, after: Side) -> Verdict {
    let (Some(old), Some(new)) = (before.error_share(), after.error_share()) else { return Verdict::TooFew };
    let (n, m) = (before.requests as f64, after.requests as f64);
    let pooled = (before.errors + after.errors) as f64 / (n + m);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    if deviation == 0.0 {
        return Verdict::Same;
    }
    judge((new - old) / deviation, SIGNIFICANT_Z)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a request are far below 2^53")]
fn latency_verdict(before: Side, after: Side) -> Verdict {
    match (before.p95_us, after.p95_us) {
        (Some(old), Some(new)) if old > 0 && new > 0 => judge((new as f64 / old as f64).ln(), LATENCY_RATIO.ln()),
        _ => Verdict::TooFew,
    }
}

/// Positive is worse.
fn judge(shift: f64, limit: f64) -> Verdict {
    if shift >= limit {
        Verdict::Worse
    } else if shift <= -limit {
        Verdict::Better
    } else {
        Verdict::Same
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn side(requests: i64, errors: i64, p95_us: i64) -> Side {
        Side { requests, errors, p95_us: Some(p95_us) }
    }

    #[test]
    fn clear_changes_are_told_from_noise() {
        let worse = compare(side(1000, 5, 100_000), side(1000, 120, 400_000));
        assert_eq!((worse.errors, worse.latency), (Verdict::Worse, Verdict::Worse));
        let better = compare(side(1000, 120, 400_000), side(1000, 5, 100_000));
        assert_eq!((better.errors, better.latency), (Verdict::Better, Verdict::Better));
        let same = compare(side(1000, 5, 100_000), side(1000, 9, 120_000));
        assert_eq!((same.errors, same.latency), (Verdict::Same, Verdict::Same));
        assert_eq!(compare(side(19, 0, 1), side(1000, 900, 1)).errors, Verdict::TooFew);
        assert_eq!(compare(side(50, 0, 1), side(50, 0, 1)).errors, Verdict::Same);
    }

    #[test]
    fn windows_do_not_reach_into_the_future() {
        let at = Timestamp::from_secs;
        let (before, after) = windows(at(10_000), Some(at(10_060)), at(10_120));
        assert_eq!(before, (at(8_200), at(10_000)));
        assert_eq!(after, (at(10_060), at(10_120)));
        assert_eq!(windows(at(10_000), None, at(9_000)).1, (at(10_000), at(10_000)));
    }

    proptest! {
        #[test]
        fn turning_the_sides_around_turns_the_verdict_around(
            n in 20i64..5000, m in 20i64..5000, a in 0i64..20, b in 0i64..20, p in 1i64..1_000_000, q in 1i64..1_000_000,
        ) {
            let turn = |v| match v { Verdict::Worse => Verdict::Better, Verdict::Better => Verdict::Worse, other => other };
            let forth = compare(side(n, a, p), side(m, b, q));
            let back = compare(side(m, b, q), side(n, a, p));
            prop_assert_eq!(turn(forth.errors), back.errors);
            prop_assert_eq!(turn(forth.latency), back.latency);
        }
    }
}
