//! What traces and logs share: ids, attribute values and the OTLP envelope.
//!
//! Lives here: the normal form of trace and span ids and how people and other systems write them
//! ([`lookup`]), attribute values, the parts of OTLP that
//! both signals have ([`otlp`]). Does not: spans (`traces`), log records (`logs`), storage.
//! Nothing here knows axum, sqlx or askama.

pub mod attributes;
pub mod ids;
pub mod lookup;
pub mod otlp;
pub mod otlp_values;

pub use attributes::{AttrValue, Attributes, Resource};
pub use ids::{SpanId, TraceId};

/// One record (span, log line) that was refused while its neighbours were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Where it stood in the delivery: `resourceSpans[0].scopeSpans[1].spans[7]`, `line 4`, …
    pub place: String,
    pub reason: String,
}

/// What a decoder made of one delivery: the good records, and the refused ones with their reasons.
#[derive(Clone, Debug)]
pub struct Decoded<T> {
    pub records: Vec<T>,
    pub rejected: Vec<Rejection>,
    /// Refused records beyond [`MAX_REASONS`], counted but not described.
    pub rejected_more: usize,
}

/// Reasons kept per delivery: a delivery of a million bad spans must not make a million strings.
pub const MAX_REASONS: usize = 20;

impl<T> Default for Decoded<T> {
    fn default() -> Self {
        Self { records: Vec::new(), rejected: Vec::new(), rejected_more: 0 }
    }
}

impl<T> Decoded<T> {
    /// `place` is only built when the reason is kept.
    pub fn reject(&mut self, place: impl FnOnce() -> String, reason: impl Into<String>) {
        if self.rejected.len() < MAX_REASONS {
            self.rejected.push(Rejection { place: place(), reason: reason.into() });
        } else {
            self.rejected_more += 1;
        }
    }

    pub fn take(&mut self, place: impl FnOnce() -> String, record: Result<T, String>) {
        match record {
            Ok(record) => self.records.push(record),
            Err(reason) => self.reject(place, reason),
        }
    }

    pub fn rejected_count(&self) -> usize {
        self.rejected.len() + self.rejected_more
    }

    /// One line for the sender: how many, and the first reasons. Empty when nothing was refused.
    pub fn message(&self) -> String {
        if self.rejected.is_empty() {
            return String::new();
        }
        let shown: Vec<String> = self.rejected.iter().take(5).map(|r| format!("{}: {}", r.place, r.reason)).collect();
        let more = self.rejected_count() - shown.len();
        let rest = if more == 0 { String::new() } else { format!("; and {more} more") };
        format!("{} refused: {}{rest}", self.rejected_count(), shown.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_bounded_and_counted() {
        let mut decoded = Decoded::<()>::default();
        for i in 0..50 {
            decoded.reject(|| format!("span {i}"), "zero id");
        }
        assert_eq!((decoded.rejected.len(), decoded.rejected_count()), (MAX_REASONS, 50));
        assert!(decoded.message().starts_with("50 refused: span 0: zero id; span 1"));
        assert!(decoded.message().ends_with("and 45 more"));
    }
}
