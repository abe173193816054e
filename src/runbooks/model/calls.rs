//! Calls that a run makes: a webhook step's request with the values filled in, and what came of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::steps::Call;
use super::variables::{Filled, fill_json, fill_url};
use crate::clock::Timestamp;
use crate::fields::text_enum;

/// Time-out of a call that names none, in seconds.
pub const DEFAULT_TIMEOUT_S: u32 = 30;
/// Longest time-out that a call may ask for, in seconds.
pub const MAX_TIMEOUT_S: u32 = 120;

text_enum! {
    /// How far a call is.
    pub enum CallState("call state") {
        /// Confirmed; no node has taken it yet.
        Waiting = "waiting",
        Running = "running",
        /// Something came back, whatever the status.
        Answered = "answered",
        /// Nothing came back: refused, timed out, or the connection broke.
        Failed = "failed",
    }
}

impl CallState {
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}

/// The request as a person sees it before it is sent; what is sent is exactly this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub timeout_s: u32,
}

/// Fills the values in: percent-encoded in the address, quoted in JSON, on one line in headers.
///
/// # Errors
/// The names that have no value: a call with a hole in it is not made.
pub fn prepare(call: &Call, values: &BTreeMap<String, String>) -> Result<Prepared, Vec<String>> {
    let mut missing = Vec::new();
    let mut take = |filled: Filled| {
        missing.extend(filled.missing);
        filled.text
    };
    let url = take(fill_url(&call.url, values));
    let headers = call.headers.iter().map(|(name, value)| (name.clone(), take(fill_header(value, values)))).collect();
    let is_form = call.headers.iter().any(|(n, v)| n.eq_ignore_ascii_case("content-type") && v.contains("form"));
    let body = take(if is_form { fill_url(&call.body, values) } else { fill_json(&call.body, values) });
    let mut seen = std::collections::BTreeSet::new();
    missing.retain(|name: &String| seen.insert(name.clone()));
    if !missing.is_empty() {
        return Err(missing);
    }
    let timeout_s = call.timeout_s.unwrap_or(DEFAULT_TIMEOUT_S).min(MAX_TIMEOUT_S);
    Ok(Prepared { method: call.method.clone(), url, headers, body, timeout_s })
}

/// A header is one line of visible ASCII; what is neither becomes a blank.
fn fill_header(value: &str, values: &BTreeMap<String, String>) -> Filled {
    let plain = values
        .iter()
        .map(|(name, value)| {
            let line: String = value.chars().map(|c| if c.is_ascii() && !c.is_control() { c } else { ' ' }).collect();
            (name.clone(), line)
        })
        .collect();
    super::variables::fill_plain(value, &plain)
}

/// A call of a run as it stands in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeCall {
    pub id: i64,
    pub run_id: i64,
    pub step_id: String,
    pub request: Prepared,
    pub state: CallState,
    pub asked_by_id: Option<i64>,
    pub asked_by: String,
    pub asked_at: Timestamp,
    pub http_status: Option<i64>,
    pub answer: String,
    pub ended_at: Option<Timestamp>,
}

impl MadeCall {
    /// The other side said that it worked.
    pub fn is_success(&self) -> bool {
        self.http_status.is_some_and(|s| (200..300).contains(&s))
    }

    /// `HTTP 204`, `no answer`, or what it is doing.
    pub fn outcome(&self) -> String {
        match (self.state, self.http_status) {
            (CallState::Answered, Some(status)) => format!("HTTP {status}"),
            (CallState::Answered | CallState::Failed, _) => "no answer".to_owned(),
            (CallState::Waiting | CallState::Running, _) => "waiting for the answer".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call {
            method: "POST".to_owned(),
            url: "https://cdn.example/purge/{{service}}".to_owned(),
            headers: vec![("x-by".to_owned(), "{{incident.title}}".to_owned())],
            body: "{\"service\": \"{{service}}\"}".to_owned(),
            timeout_s: Some(9_000),
        }
    }

    #[test]
    fn values_cannot_leave_their_place() {
        let values = [("service", "a/../b\"?x=1"), ("incident.title", "line\r\nhost: evil é")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into();
        let prepared = prepare(&call(), &values).unwrap();
        assert_eq!(prepared.url, "https://cdn.example/purge/a%2F..%2Fb%22%3Fx%3D1");
        assert_eq!(prepared.headers, [("x-by".to_owned(), "line  host: evil  ".to_owned())]);
        assert_eq!(prepared.body, "{\"service\": \"a/../b\\\"?x=1\"}");
        assert_eq!(prepared.timeout_s, MAX_TIMEOUT_S);
    }

    #[test]
    fn a_call_with_a_hole_is_not_made() {
        assert_eq!(prepare(&call(), &BTreeMap::new()), Err(vec!["service".into(), "incident.title".into()]));
    }
}
