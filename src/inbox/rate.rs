//! How much one sender may send: a bucket for each token, so that one that floods harms no other.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;

/// Deliveries a second, and how many may come at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub per_second: u32,
    pub burst: u32,
}

impl Default for Limit {
    fn default() -> Self {
        Self { per_second: 2_000, burst: 10_000 }
    }
}

/// Above this many senders, those whose bucket is full again are forgotten.
const MANY: usize = 10_000;

/// For each sender the moment at which its bucket will be full again, in microseconds.
#[derive(Debug, Default)]
pub struct Limiter {
    limit: Limit,
    full_at: Mutex<HashMap<String, i64>>,
}

impl Limiter {
    pub fn new(limit: Limit) -> Self {
        Self { limit, full_at: Mutex::default() }
    }

    /// Takes one delivery out of the sender's bucket; `Err` holds the seconds to wait.
    ///
    /// # Errors
    /// The bucket is empty.
    pub fn take(&self, sender: &str, now: Timestamp) -> Result<(), u64> {
        let step = 1_000_000 / i64::from(self.limit.per_second.max(1));
        let depth = step * i64::from(self.limit.burst.max(1));
        let now = now.as_micros();
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() > MANY {
            full_at.retain(|_, at| *at > now);
        }
        let at = full_at.entry(sender.to_owned()).or_insert(now);
        let next = (*at).max(now) + step;
        if next - now > depth {
            let wait = (next - now - depth).max(0).unsigned_abs();
            return Err(wait.div_ceil(1_000_000).max(1));
        }
        *at = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_flood_is_stopped_and_others_are_unharmed() {
        let limiter = Limiter::new(Limit { per_second: 2, burst: 3 });
        let now = Timestamp::from_secs(1_000);
        let sent = (0..10).filter(|_| limiter.take("flood", now).is_ok()).count();
        assert_eq!(sent, 3);
        assert_eq!(limiter.take("flood", now), Err(1));
        assert_eq!(limiter.take("calm", now), Ok(()));
        assert_eq!(limiter.take("flood", now + TimeDelta::milliseconds(500)), Ok(()));
        assert!(limiter.take("flood", now + TimeDelta::milliseconds(500)).is_err());
    }
}
