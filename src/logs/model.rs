//! A log record as OpenTelemetry defines it.

use std::sync::Arc;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::telemetry::lookup::TraceKey;
use crate::telemetry::{Attributes, Resource, SpanId, TraceId};

/// OpenTelemetry's severity ranges; the number within a range is kept beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    #[default]
    Unknown,
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// Unix nanoseconds: when it happened, else when it was observed, else 0 for the store to fill.
    pub at_nanos: i64,
    /// 1 to 24; 0 when unknown.
    pub severity: u8,
    /// The severity in the sender's own word.
    pub severity_text: String,
    pub body: String,
    pub trace_id: Option<TraceId>,
    pub span_id: Option<SpanId>,
    pub attributes: Attributes,
    pub resource: Arc<Resource>,
    /// The logger or instrumentation library.
    pub scope: Option<String>,
}

/// A stored record, as pages and the API show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogLine {
    pub id: i64,
    pub at: Timestamp,
    pub service: String,
    pub severity: u8,
    pub trace_id: Option<TraceId>,
    pub span_id: Option<SpanId>,
    pub body: String,
    /// `severity_text`, `logger`, `attributes`, `resource`.
    pub detail: serde_json::Value,
}

impl LogLine {
    pub const fn level(&self) -> Level {
        Level::of(self.severity)
    }
}

/// What a search of logs asks for; empty and absent parts do not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    pub service: String,
    /// Whole, or only its low half: what 64-bit systems and Datadog call it.
    pub trace: Option<TraceKey>,
    /// OpenTelemetry's number; records of unknown severity have 0.
    pub min_severity: u8,
    /// Part of the body, whatever the case.
    pub text: String,
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub to: Option<Timestamp>,
}

impl Level {
    pub const ALL: [Self; 6] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    pub const fn of(severity: u8) -> Self {
        match severity {
            1..=4 => Self::Trace,
            5..=8 => Self::Debug,
            9..=12 => Self::Info,
            13..=16 => Self::Warn,
            17..=20 => Self::Error,
            21..=24 => Self::Fatal,
            _ => Self::Unknown,
        }
    }

    /// The lowest severity number of the level, for "at least" searches.
    pub const fn floor(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Trace => 1,
            Self::Debug => 5,
            Self::Info => 9,
            Self::Warn => 13,
            Self::Error => 17,
            Self::Fatal => 21,
        }
    }

    /// From the words that loggers use.
    pub fn from_word(word: &str) -> Self {
        match word.trim().to_ascii_lowercase().as_str() {
            "trace" | "verbose" | "finest" | "finer" => Self::Trace,
            "debug" | "fine" => Self::Debug,
            "info" | "information" | "informational" | "notice" | "log" => Self::Info,
            "warn" | "warning" => Self::Warn,
            "error" | "err" | "severe" => Self::Error,
            "fatal" | "critical" | "crit" | "alert" | "emerg" | "emergency" | "panic" => Self::Fatal,
            _ => Self::Unknown,
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

impl LogRecord {
    pub const fn level(&self) -> Level {
        Level::of(self.severity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_agree_with_their_numbers_and_words() {
        for level in Level::ALL {
            assert_eq!(Level::of(level.floor()), level);
            assert_eq!(Level::from_word(level.word()), level);
        }
        assert_eq!(Level::from_word(" WARNING "), Level::Warn);
        assert_eq!(
            (Level::of(0), Level::of(99), Level::from_word("custom log level")),
            (Level::Unknown, Level::Unknown, Level::Unknown)
        );
    }
}
