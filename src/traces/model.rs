//! A span as OpenTelemetry defines it, whatever format it came in.

use std::sync::Arc;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::telemetry::{AttrValue, Attributes, Resource, SpanId, TraceId};

/// What part of a call a span records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanKind {
    #[default]
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanStatus {
    #[default]
    Unset,
    Ok,
    Error,
}

/// Something that happened at one moment of a span: an exception, a log line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpanEvent {
    /// Unix nanoseconds; 0 when not recorded.
    pub at_nanos: i64,
    pub name: String,
    pub attributes: Attributes,
}

/// A reference to a span that is not the parent, perhaps of another trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpanLink {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub attributes: Attributes,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub parent: Option<SpanId>,
    pub kind: SpanKind,
    /// The operation.
    pub name: String,
    /// Unix nanoseconds; 0 when the sender recorded none.
    pub start_nanos: i64,
    /// Unix nanoseconds. May lie before the start: clocks are set back. See [`Span::duration_nanos`].
    pub end_nanos: i64,
    pub status: SpanStatus,
    pub status_message: String,
    pub attributes: Attributes,
    pub events: Vec<SpanEvent>,
    pub links: Vec<SpanLink>,
    pub resource: Arc<Resource>,
    /// The instrumentation library.
    pub scope: Option<String>,
}

/// A trace as lists show it, without its spans.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceHead {
    /// The store's own number.
    #[serde(skip)]
    pub row: i64,
    pub trace_id: TraceId,
    pub started_at: Timestamp,
    /// From the first start to the last end, in microseconds.
    pub duration_us: i64,
    pub span_count: i64,
    pub error_count: i64,
    /// False while the root has not arrived and the earliest span stands in for it.
    pub root_seen: bool,
    /// Service and operation of the root.
    pub service: String,
    pub operation: String,
}

/// What a search asks for; empty and absent parts do not filter. With a service, duration and error are
/// those of its own spans; without, those of the whole trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceFilter {
    pub service: String,
    /// Only together with a service.
    pub operation: String,
    pub error: bool,
    pub min_duration_us: Option<i64>,
    pub max_duration_us: Option<i64>,
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub to: Option<Timestamp>,
}

/// What makes a span the same span when it is delivered twice. Zipkin's two halves of a call share
/// the id and differ in the kind.
pub type SpanKey = (SpanId, SpanKind);

impl SpanKind {
    /// OTLP's number, which is also how the store writes it.
    pub const fn number(self) -> i32 {
        match self {
            Self::Unspecified => 0,
            Self::Internal => 1,
            Self::Server => 2,
            Self::Client => 3,
            Self::Producer => 4,
            Self::Consumer => 5,
        }
    }

    /// Unknown numbers are unspecified, as the protocol asks for.
    pub const fn from_number(number: i64) -> Self {
        match number {
            1 => Self::Internal,
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Unspecified,
        }
    }

    /// From a word of any case, as Zipkin, Jaeger and Datadog write it.
    pub fn from_word(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "internal" => Self::Internal,
            "server" => Self::Server,
            "client" => Self::Client,
            "producer" => Self::Producer,
            "consumer" => Self::Consumer,
            _ => Self::Unspecified,
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }

    /// Calls out of its service.
    pub const fn is_outgoing(self) -> bool {
        matches!(self, Self::Client | Self::Producer)
    }

    /// Was called from outside its service.
    pub const fn is_incoming(self) -> bool {
        matches!(self, Self::Server | Self::Consumer)
    }
}

impl Span {
    /// A span with nothing but its identity, for decoders and tests to fill.
    pub fn bare(trace_id: TraceId, span_id: SpanId, resource: Arc<Resource>) -> Self {
        Self {
            trace_id,
            span_id,
            parent: None,
            kind: SpanKind::Unspecified,
            name: String::new(),
            start_nanos: 0,
            end_nanos: 0,
            status: SpanStatus::Unset,
            status_message: String::new(),
            attributes: Attributes::default(),
            events: Vec::new(),
            links: Vec::new(),
            resource,
            scope: None,
        }
    }

    pub const fn key(&self) -> SpanKey {
        (self.span_id, self.kind)
    }

    pub fn service(&self) -> &str {
        &self.resource.service
    }

    /// Never negative: a span that ends before it starts took no time that can be known.
    pub const fn duration_nanos(&self) -> i64 {
        let d = self.end_nanos.saturating_sub(self.start_nanos);
        if d < 0 || !self.has_time() { 0 } else { d }
    }

    /// False when the sender recorded no start.
    pub const fn has_time(&self) -> bool {
        self.start_nanos > 0
    }

    pub const fn ends_before_start(&self) -> bool {
        self.has_time() && self.end_nanos < self.start_nanos
    }

    /// The HTTP status code under its newer and older names.
    pub fn http_status(&self) -> Option<i64> {
        self.attributes.int_of(&["http.response.status_code", "http.status_code"])
    }

    pub fn grpc_status(&self) -> Option<i64> {
        self.attributes.int_of(&["rpc.grpc.status_code", "grpc.status_code"])
    }

    /// Whether the span failed: it says so, or it says nothing and its response code does (HTTP 5xx;
    /// gRPC codes that mean a fault of the server).
    pub fn failed(&self) -> bool {
        match self.status {
            SpanStatus::Error => true,
            SpanStatus::Ok => false,
            SpanStatus::Unset => {
                self.http_status().is_some_and(|c| (500..600).contains(&c))
                    || self.grpc_status().is_some_and(|c| matches!(c, 2 | 4 | 8 | 13 | 14 | 15))
            }
        }
    }

    /// The first recorded exception.
    pub fn exception(&self) -> Option<&SpanEvent> {
        self.events.iter().find(|e| e.name == "exception")
    }

    /// When the failure showed: the exception's time when it was recorded, else the span's end.
    pub fn failed_at_nanos(&self) -> i64 {
        match self.exception() {
            Some(e) if e.at_nanos >= self.start_nanos && e.at_nanos <= self.end_nanos => e.at_nanos,
            _ => self.end_nanos.max(self.start_nanos),
        }
    }

    /// One line that says what went wrong, from the most telling source that there is.
    pub fn error_text(&self) -> Option<String> {
        if !self.failed() {
            return None;
        }
        if let Some(e) = self.exception() {
            let kind = e.attributes.text_of(&["exception.type"]).unwrap_or_default();
            let message = e.attributes.text_of(&["exception.message"]).unwrap_or_default();
            if !kind.is_empty() || !message.is_empty() {
                let sep = if kind.is_empty() || message.is_empty() { "" } else { ": " };
                return Some(format!("{kind}{sep}{message}"));
            }
        }
        if !self.status_message.is_empty() {
            return Some(self.status_message.clone());
        }
        if let Some(text) = self.attributes.text_of(&["error.message", "error.msg", "error", "error.type"])
            && text != "true"
        {
            return Some(text.to_owned());
        }
        match (self.http_status(), self.grpc_status()) {
            (Some(code), _) => Some(format!("HTTP {code}")),
            (None, Some(code)) => Some(format!("gRPC status {code}")),
            (None, None) => Some("failed, with no message".to_owned()),
        }
    }

    /// Given up because something else had already failed: an effect, not a cause.
    pub fn was_cancelled(&self) -> bool {
        if self.grpc_status() == Some(1) {
            return true;
        }
        self.error_text().is_some_and(|t| {
            let t = t.to_ascii_lowercase();
            t.contains("context canceled")
                || t.contains("cancelled")
                || t.contains("cancellederror")
                || t.contains("canceled")
        })
    }

    /// Waited for an answer that did not come in time.
    pub fn timed_out(&self) -> bool {
        if self.grpc_status() == Some(4) || self.http_status() == Some(504) {
            return self.failed();
        }
        self.error_text().is_some_and(|t| {
            let t = t.to_ascii_lowercase();
            t.contains("timeout") || t.contains("timed out") || t.contains("deadline")
        })
    }

    /// Whom an outgoing span called, as far as the caller knows it.
    pub fn peer(&self) -> Option<&str> {
        const NAMES: [&str; 10] = [
            "peer.service",
            "service.peer.name",
            "db.system.name",
            "db.system",
            "messaging.system",
            "rpc.service",
            "server.address",
            "net.peer.name",
            "out.host",
            "http.host",
        ];
        self.attributes.text_of(&NAMES)
    }

    /// Keeps the fuller of two deliveries of the same span: the one with an end, then with more said.
    /// The rest only makes the choice independent of the order of arrival.
    pub fn is_fuller_than(&self, other: &Self) -> bool {
        self.fullness() > other.fullness()
    }

    fn fullness(&self) -> impl Ord + '_ {
        let said = self.events.len() + self.attributes.len();
        (
            self.duration_nanos() > 0,
            said,
            self.end_nanos,
            self.failed(),
            self.start_nanos,
            &self.name,
            self.parent,
            self.service(),
        )
    }

    pub fn set_error(&mut self, message: impl Into<String>) {
        self.status = SpanStatus::Error;
        self.status_message = message.into();
    }

    pub fn attribute(&self, key: &str) -> Option<&AttrValue> {
        self.attributes.get(key)
    }
}

#[cfg(test)]
mod tests;
