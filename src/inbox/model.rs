//! What a delivery is. No axum, no sqlx.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::Timestamp;

/// What a delivery is about; decides who processes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Alerts,
    Checks,
    Changes,
    Traces,
    Logs,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Alerts, Self::Checks, Self::Changes, Self::Traces, Self::Logs];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Checks => "checks",
            Self::Changes => "changes",
            Self::Traces => "traces",
            Self::Logs => "logs",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }

    /// Spans and log records are kept by their own rooms, so their bodies are dropped from the
    /// inbox once they are processed; the others are small and are the evidence itself.
    pub const fn keeps_body(self) -> bool {
        !matches!(self, Self::Traces | Self::Logs)
    }

    /// The largest body that is read, in bytes, after decompression.
    pub const fn body_limit(self) -> usize {
        match self {
            Self::Traces | Self::Logs => 64 << 20,
            Self::Changes => 25 << 20,
            Self::Alerts | Self::Checks => 16 << 20,
        }
    }
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Committed and answered, not yet processed.
    Pending,
    Processed,
    /// Processing failed too often; waits for a replay.
    Failed,
    /// Refused at the door: the sender was told why.
    Rejected,
}

impl Status {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Processed, Self::Failed, Self::Rejected];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processed => "processed",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

/// A delivery on its way in, or taken out again for processing.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// 0 until it is committed.
    pub id: i64,
    pub kind: Kind,
    pub source: String,
    pub received_at: Timestamp,
    /// Name of the ingest token that was accepted; empty for none.
    pub token_name: String,
    /// Path and query as called, a token in it replaced.
    pub path: String,
    pub content_type: String,
    pub headers: BTreeMap<String, String>,
    /// Decompressed.
    pub body: Vec<u8>,
}

impl Delivery {
    /// A kept header, by its lower-case name; empty when it was not sent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The pairs of the query string.
    pub fn query(&self) -> Vec<(String, String)> {
        let query = self.path.split_once('?').map(|(_, q)| q).unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}

/// Headers that say what a delivery is. Everything else, and so every secret, is left out.
pub fn is_kept_header(name: &str) -> bool {
    matches!(
        name,
        "content-type"
            | "content-encoding"
            | "content-length"
            | "user-agent"
            | "request-id"
            | "x-request-id"
            | "x-github-event"
            | "x-github-delivery"
            | "x-gitlab-event"
            | "x-gitlab-event-uuid"
            | "sentry-hook-resource"
            | "sentry-hook-timestamp"
            | "x-grafana-alerting-timestamp"
            | "x-honeycomb-webhook-delivery-id"
            | "traceparent"
    ) || name.starts_with("ce-")
}

/// How long to wait before trial `attempt` + 1 of a delivery that could not be processed, in
/// seconds; `None` when it has been tried often enough.
pub const fn retry_after_s(attempt: i64) -> Option<i64> {
    match attempt {
        0 | 1 => Some(1),
        2 => Some(5),
        3 => Some(30),
        4 => Some(300),
        _ => None,
    }
}
