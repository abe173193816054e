//! What an alert is, whatever system sent it: the event that every source is read into, its
//! deduplication key, and the rule by which events fold into one alert's state.
//!
//! Nothing here knows a wire format (`sources/`), SQL (`store.rs`) or a page (`web.rs`).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use chrono::TimeDelta;
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;

/// How far ahead of the receiver's clock a sender's time may be before it is taken for a mistake.
pub const FUTURE_TOLERANCE: TimeDelta = TimeDelta::minutes(5);
/// An alert that began this many times within [`FLAP_WINDOW`] is shown as flapping.
pub const FLAP_EPISODES: i64 = 3;
pub const FLAP_WINDOW: TimeDelta = TimeDelta::hours(1);

/// Whether the problem stands, as its source says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    Firing,
    Resolved,
}

impl AlertStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "firing" => Some(Self::Firing),
            "resolved" => Some(Self::Resolved),
            _ => None,
        }
    }
}

/// How bad the source says it is. Four steps, so that each has its incident severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertSeverity {
    Critical,
    Error,
    Warning,
    Info,
}

impl AlertSeverity {
    pub const ALL: [Self; 4] = [Self::Critical, Self::Error, Self::Warning, Self::Info];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// Reads the words of many systems: `critical`, `page`, `P2`, `SEV-3`, `warn`, `HIGH`, `fatal`.
    pub fn from_words(text: &str) -> Option<Self> {
        let word: String = text.trim().to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        match word.as_str() {
            "critical" | "crit" | "page" | "emergency" | "fatal" | "disaster" | "alert" | "p0" | "p1" | "sev0"
            | "sev1" | "s1" | "1" => Some(Self::Critical),
            "error" | "err" | "high" | "major" | "urgent" | "p2" | "sev2" | "s2" | "2" => Some(Self::Error),
            "warning" | "warn" | "medium" | "minor" | "average" | "moderate" | "p3" | "sev3" | "s3" | "3" => {
                Some(Self::Warning)
            }
            "info" | "information" | "informational" | "low" | "none" | "notice" | "debug" | "ticket" | "p4" | "p5"
            | "sev4" | "sev5" | "s4" | "4" | "5" => Some(Self::Info),
            _ => None,
        }
    }

    /// The number of the incident severity that matches: critical is SEV1, info is SEV4.
    pub const fn sev_number(self) -> u8 {
        match self {
            Self::Critical => 1,
            Self::Error => 2,
            Self::Warning => 3,
            Self::Info => 4,
        }
    }
}

/// What makes two events the same alert: a version, a scope (the source, and the kind of its id),
/// and the source's own identifier. Never made from a summary, because different problems share
/// summaries. The version is part of the text, so that a changed rule cannot merge with old rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DedupKey(String);

impl DedupKey {
    const VERSION: &'static str = "v1";
    /// Longer identifiers are replaced by their SHA-256, so that an index can hold them.
    const MAX_ID: usize = 160;

    pub fn new(scope: &str, id: &str) -> Self {
        let id = id.trim();
        let printable = id.len() <= Self::MAX_ID && !id.chars().any(char::is_control);
        let id = if printable { id.to_owned() } else { format!("sha256-{}", sha256_hex(id.as_bytes())) };
        Self(format!("{}:{scope}:{id}", Self::VERSION))
    }

    /// Takes back what [`DedupKey::as_str`] gave, from a database row.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Link {
    pub title: String,
    /// Only `http` and `https`: anything else is dropped when it is read.
    pub url: String,
}

/// Who noticed: a monitoring rule, or a check that played a user (CI, synthetic transaction).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    #[default]
    Monitor,
    Check,
}

impl Origin {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Check => "check",
        }
    }
}

/// One thing that a source said about one alert. All text is bounded and free of NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertEvent {
    pub key: DedupKey,
    pub status: AlertStatus,
    /// The sender says that a person has taken it (PagerDuty `acknowledge`).
    pub acknowledged: bool,
    pub title: String,
    pub description: String,
    /// `None` when the source does not say.
    pub severity: Option<AlertSeverity>,
    /// The rule or check that made it, for "noisiest rules".
    pub rule: String,
    /// Guessed from the labels; as the source wrote it, not yet a catalogue entry.
    pub service: Option<String>,
    pub environment: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    /// When the episode began; `None` when the source does not say.
    pub starts_at: Option<Timestamp>,
    /// When it ended; `None` while it fires (Prometheus writes the year 1).
    pub ends_at: Option<Timestamp>,
    /// The sender promises to repeat a firing alert before this moment; past it, it is over.
    pub expires_at: Option<Timestamp>,
    pub links: Vec<Link>,
    pub runbook_url: Option<String>,
    /// 32 lower-case hex digits.
    pub trace_id: Option<String>,
    /// The deployment that a check ran against, as the sender names it.
    pub deployment: Option<String>,
    pub origin: Origin,
}

impl AlertEvent {
    /// A firing event with this key and title and nothing else known.
    /// A sender that gives no words still gets a line that can be read and clicked.
    pub fn new(key: DedupKey, title: String) -> Self {
        let title = if title.trim().is_empty() { "Alert without a title".to_owned() } else { title };
        Self {
            key,
            status: AlertStatus::Firing,
            acknowledged: false,
            rule: title.clone(),
            title,
            description: String::new(),
            severity: None,
            service: None,
            environment: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            starts_at: None,
            ends_at: None,
            expires_at: None,
            links: Vec::new(),
            runbook_url: None,
            trace_id: None,
            deployment: None,
            origin: Origin::Monitor,
        }
    }
}

/// The part of an alert that its events decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertState {
    pub status: AlertStatus,
    /// Start of the newest episode.
    pub started_at: Timestamp,
    /// End of the newest episode; `None` while it fires.
    pub ended_at: Option<Timestamp>,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
}

/// What an event did to its alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new episode began (or the alert is new).
    Began,
    /// The newest episode ended.
    Ended,
    /// The same thing said again, or news of an older episode.
    Repeated,
}

/// The moment when the event's episode began, as far as can be known: the sender's time unless it
/// lies in the future, else the running episode's, else the time of receipt.
pub fn episode_start(event: &AlertEvent, current: Option<&AlertState>, received_at: Timestamp) -> Timestamp {
    match event.starts_at {
        Some(at) if at <= received_at + FUTURE_TOLERANCE => at,
        Some(_) => received_at,
        None => match (current, event.status) {
            (Some(state), AlertStatus::Resolved) => state.started_at,
            (Some(state), AlertStatus::Firing) if state.status == AlertStatus::Firing => state.started_at,
            _ => event.ends_at.map_or(received_at, |end| end.min(received_at)),
        },
    }
}

/// Folds one event into an alert. The newest episode decides the state, and an episode that was
/// ever said to be over stays over, so that the order in which deliveries arrive does not matter
/// when the source names the start of each episode.
pub fn fold(current: Option<AlertState>, event: &AlertEvent, received_at: Timestamp) -> (AlertState, Change) {
    let start = episode_start(event, current.as_ref(), received_at);
    let end = (event.status == AlertStatus::Resolved)
        .then(|| event.ends_at.unwrap_or(received_at).min(received_at + FUTURE_TOLERANCE).max(start));
    let Some(old) = current else {
        let state = AlertState {
            status: event.status,
            started_at: start,
            ended_at: end,
            first_seen: received_at,
            last_seen: received_at,
        };
        return (state, if end.is_some() { Change::Ended } else { Change::Began });
    };
    let mut state = old;
    state.first_seen = old.first_seen.min(received_at);
    state.last_seen = old.last_seen.max(received_at);
    let change = match start.cmp(&old.started_at) {
        Ordering::Greater => {
            state.started_at = start;
            state.ended_at = end;
            Change::Began
        }
        Ordering::Less => Change::Repeated,
        Ordering::Equal => {
            state.ended_at = earlier(old.ended_at, end);
            if old.ended_at.is_none() && state.ended_at.is_some() { Change::Ended } else { Change::Repeated }
        }
    };
    state.status = if state.ended_at.is_some() { AlertStatus::Resolved } else { AlertStatus::Firing };
    (state, change)
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests;
