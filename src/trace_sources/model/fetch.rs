//! A fetch: which trace is wanted, what the sources said, and when it is tried again.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::fields::text_enum;
use crate::telemetry::TraceId;
use crate::telemetry::lookup::{Pasted, TraceKey};

text_enum! {
    pub enum FetchState("state of a fetch") {
        Waiting = "waiting",
        Running = "running",
        Done = "done",
        /// The source gives no spans by an API; the address of its page is kept.
        Linked = "linked",
        Failed = "failed",
    }
}

/// An id as fetches carry it: 32 hex digits, or 16 when only the low half is known.
pub fn key_text(key: TraceKey) -> String {
    match key {
        TraceKey::Full(id) => id.to_string(),
        TraceKey::Low64(low) => format!("{low:016x}"),
    }
}

/// The id as one of the systems is asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub key: TraceKey,
}

impl Wanted {
    pub fn parse(text: &str) -> Option<Self> {
        Pasted::parse(text).and_then(|p| p.keys.first().copied()).map(|key| Self { key })
    }

    /// 32 or 16 hex digits.
    pub fn hex(&self) -> String {
        key_text(self.key)
    }

    pub const fn low(&self) -> u64 {
        match self.key {
            TraceKey::Full(id) => id.low64(),
            TraceKey::Low64(low) => low,
        }
    }

    /// The id for spans of a system that answers without repeating it.
    pub const fn trace_id(&self) -> Option<TraceId> {
        match self.key {
            TraceKey::Full(id) => Some(id),
            TraceKey::Low64(low) => TraceId::from_halves(0, low),
        }
    }

    pub fn matches(&self, id: TraceId) -> bool {
        match self.key {
            TraceKey::Full(wanted) => wanted == id || (id.high64() == 0 && wanted.low64() == id.low64()),
            TraceKey::Low64(low) => low == id.low64(),
        }
    }
}

/// What one source said at one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub source: String,
    pub said: String,
}

/// One trace to be fetched, or that was.
#[derive(Clone, Debug, Serialize)]
pub struct Fetch {
    pub id: i64,
    pub trace_key: String,
    #[serde(skip)]
    pub pasted: String,
    pub source_id: Option<i64>,
    pub incident_id: Option<i64>,
    pub evidence_id: Option<i64>,
    pub state: FetchState,
    pub attempts: i64,
    pub next_at: Timestamp,
    pub outcome: Vec<Said>,
    /// Empty until the trace was had.
    pub trace_id: String,
    pub asked_by: String,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

impl Fetch {
    pub const fn is_open(&self) -> bool {
        matches!(self.state, FetchState::Waiting | FetchState::Running)
    }

    /// One line for the page of whoever waits.
    pub fn line(&self) -> String {
        let said: Vec<String> = self.outcome.iter().map(|s| format!("{}: {}", s.source, s.said)).collect();
        let said = said.join("; ");
        match self.state {
            FetchState::Waiting if self.attempts == 0 => "Waiting to be fetched.".to_owned(),
            FetchState::Waiting => {
                format!(
                    "Try {} did not give it; the next is at {} UTC. {said}",
                    self.attempts,
                    self.next_at.format("%H:%M:%S")
                )
            }
            FetchState::Running => format!("Being fetched now, try {}.", self.attempts.max(1)),
            FetchState::Done => format!("Fetched. {said}"),
            FetchState::Linked => format!("Only linked. {said}"),
            FetchState::Failed => format!("Given up after {} tries. {said}", self.attempts),
        }
    }
}

/// Pauses after the 1st, 2nd, … attempt. Spans may be on their way to the source for a minute.
const PAUSES_S: [i64; 5] = [5, 20, 60, 300, 900];
/// A trace that no source knows is looked for this often: it may not have arrived there yet.
const TRIES_WHEN_UNKNOWN: usize = 3;
/// The longest pause that a source may ask for.
const LONGEST_WISH_S: u64 = 3_600;

/// The pause after `attempts` attempts; `None` to give up.
pub fn next_pause(attempts: i64, all_unknown: bool, retry_after_s: Option<u64>) -> Option<TimeDelta> {
    let done = usize::try_from(attempts).unwrap_or(usize::MAX);
    if done == 0 || (all_unknown && done >= TRIES_WHEN_UNKNOWN) {
        return None;
    }
    let planned = *PAUSES_S.get(done - 1)?;
    let wished = i64::try_from(retry_after_s.unwrap_or(0).min(LONGEST_WISH_S)).unwrap_or(0);
    Some(TimeDelta::seconds(planned.max(wished)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5b8efff798038103d269b633813fc60c";

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<_> = (1..7).map(|n| next_pause(n, false, None).map(|p| p.num_seconds())).collect();
        assert_eq!(pauses, [Some(5), Some(20), Some(60), Some(300), Some(900), None]);
        assert_eq!(next_pause(3, true, None), None);
        assert_eq!(next_pause(1, false, Some(u64::MAX)), Some(TimeDelta::hours(1)));
    }

    #[test]
    fn wanted_ids_match_their_64_bit_forms() {
        let full = Wanted::parse(ID).expect("an id");
        let low = Wanted::parse("15161849952847513100").expect("an id");
        let id = TraceId::parse_strict(ID).expect("an id");
        let short = TraceId::from_halves(0, id.low64()).expect("not zero");
        assert!(full.matches(id) && full.matches(short) && low.matches(id) && low.matches(short));
        assert!(!full.matches(TraceId::from_halves(1, id.low64()).expect("not zero")));
        assert_eq!(low.hex(), "d269b633813fc60c");
    }
}
