//! When a delivery that failed is tried again, and when a receiver is given up. Pure.

use chrono::TimeDelta;

/// Pauses after the 1st, 2nd, … failed attempt. Quick at first, because most failures are short and an
/// incident does not wait; then patient enough to outlast a receiver's outage of a day.
const PAUSES_S: [i64; 9] = [5, 30, 120, 600, 1800, 3600, 3 * 3600, 8 * 3600, 12 * 3600];

/// After so many attempts a delivery is given up: about 26 hours.
pub const MAX_ATTEMPTS: u32 = 10;

/// A channel is switched off after so many deliveries in a row were given up or refused for good.
pub const DISABLE_AFTER: u32 = 5;

/// …or after it failed for so long without one success.
pub const DISABLE_AFTER_FAILING: TimeDelta = TimeDelta::hours(24);

/// The longest pause that a receiver may ask for by `Retry-After`.
const LONGEST_WISH_S: u64 = 3600;

/// The pause after `attempts` failed attempts, or `None` when it is time to give up. A receiver's
/// `Retry-After` lengthens the pause. `jitter` in 0..=1 spreads up to a fifth of it, so that many
/// deliveries that failed together do not all return together.
pub fn next_pause(attempts: u32, retry_after_s: Option<u64>, jitter: f64) -> Option<TimeDelta> {
    if attempts == 0 || attempts >= MAX_ATTEMPTS {
        return None;
    }
    let index = usize::try_from(attempts - 1).unwrap_or(usize::MAX).min(PAUSES_S.len() - 1);
    let planned = PAUSES_S.get(index).copied().unwrap_or(PAUSES_S[0]);
    let wished = i64::try_from(retry_after_s.unwrap_or(0).min(LONGEST_WISH_S)).unwrap_or(0);
    let base_ms = planned.max(wished) * 1000;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "at most 12 hours in milliseconds"
    )]
    let spread_ms = (base_ms as f64 / 5.0 * jitter.clamp(0.0, 1.0)) as i64;
    Some(TimeDelta::milliseconds(base_ms + spread_ms))
}

/// What an HTTP status means for a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    /// Try again later.
    Later,
    /// Trying again would give the same answer: the address is gone, or the message is refused.
    Never,
}

/// 2xx is delivered. Time-outs, conflicts, too many requests and server faults come back later. Other
/// client faults and redirects (never followed) are final.
pub const fn verdict(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,
        408 | 409 | 425 | 429 | 500..=599 => Verdict::Later,
        _ => Verdict::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pauses_grow_and_end(jitter in 0.0f64..=1.0, wish in prop::option::of(0u64..1_000_000)) {
            let mut last = TimeDelta::zero();
            for attempts in 1..MAX_ATTEMPTS {
                let plain = next_pause(attempts, None, 0.0).expect("not yet given up");
                prop_assert!(plain >= last);
                last = plain;
                let pause = next_pause(attempts, wish, jitter).expect("not yet given up");
                prop_assert!(pause >= plain && pause <= TimeDelta::hours(15));
            }
            prop_assert_eq!(next_pause(MAX_ATTEMPTS, wish, jitter), None);
        }
    }

    #[test]
    fn a_receiver_may_ask_for_more_patience() {
        assert_eq!(next_pause(1, Some(90), 0.0), Some(TimeDelta::seconds(90)));
        assert_eq!(next_pause(1, Some(u64::MAX), 0.0), Some(TimeDelta::hours(1)));
        assert_eq!(next_pause(1, None, f64::NAN), Some(TimeDelta::seconds(5)));
    }

    #[test]
    fn all_attempts_span_more_than_a_day() {
        let total: TimeDelta = (1..MAX_ATTEMPTS).filter_map(|n| next_pause(n, None, 0.0)).sum();
        assert!(total > TimeDelta::hours(24) && total < TimeDelta::hours(30), "{total}");
    }

    #[test]
    fn statuses_are_judged() {
        assert_eq!(verdict(204), Verdict::Delivered);
        for status in [408, 429, 500, 503] {
            assert_eq!(verdict(status), Verdict::Later, "{status}");
        }
        for status in [301, 400, 401, 404, 410] {
            assert_eq!(verdict(status), Verdict::Never, "{status}");
        }
    }
}
