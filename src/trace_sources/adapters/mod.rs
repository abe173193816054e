//! One adapter per tracing system: what it is asked, and what its answers mean. An adapter knows the
//! documented API of its system and nothing of incidents, rows or pages.

mod datadog;
mod elastic;
mod honeycomb;
mod jaeger;
mod newrelic;
mod sentry;
mod tempo;
mod zipkin;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::logs::model::LogRecord;
use crate::outbound::{Answer, Outbound, OutboundError, Request};
use crate::traces::model::Span;

use super::model::{SourceKind, TraceSource, Wanted};

/// What a source gave.
#[derive(Debug, Default)]
pub struct Found {
    pub spans: Vec<Span>,
    pub logs: Vec<LogRecord>,
    /// What a reader should know: refused spans, an answer that was cut.
    pub remark: String,
}

/// Why there is no trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The source answered, and does not know the trace (yet).
    Unknown,
    /// The source gives no spans by an API; its page is all there is.
    OnlyLinked(String),
    /// Worth another try, perhaps after so many seconds.
    Later(String, Option<u64>),
    /// Trying again gives the same until somebody changes something.
    Refused(String),
}

/// Of one call, from the name service to the last byte.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The largest answer that is read: some 50,000 spans.
const MAX_ANSWER: usize = 48 * 1024 * 1024;
/// Spans taken of one trace.
pub const MAX_SPANS: usize = 50_000;

/// Asks a source for a trace.
pub async fn fetch(outbound: &Outbound, source: &TraceSource, wanted: &Wanted) -> Result<Found, Fault> {
    let caller = Caller { outbound, source };
    let mut found = match source.kind {
        SourceKind::Jaeger => jaeger::fetch(&caller, wanted).await,
        SourceKind::Zipkin => zipkin::fetch(&caller, wanted).await,
        SourceKind::Tempo => tempo::fetch(&caller, wanted).await,
        SourceKind::Elastic => elastic::fetch(&caller, wanted).await,
        SourceKind::Datadog => datadog::fetch(&caller, wanted).await,
        SourceKind::NewRelic => newrelic::fetch(&caller, wanted).await,
        SourceKind::Sentry => sentry::fetch(&caller, wanted).await,
        SourceKind::Honeycomb => honeycomb::fetch(&caller, wanted),
    }?;
    // A source that answers with another trace must not put it into the incident.
    found.spans.retain(|s| wanted.matches(s.trace_id));
    if found.spans.is_empty() {
        return Err(if found.remark.is_empty() { Fault::Unknown } else { Fault::Refused(found.remark) });
    }
    if found.spans.len() > MAX_SPANS {
        found.remark = format!("{} of {} spans were taken. {}", MAX_SPANS, found.spans.len(), found.remark);
        found.spans.truncate(MAX_SPANS);
    }
    Ok(found)
}

/// Asks a source for something small that needs its credentials. Gives what it said.
pub async fn test(outbound: &Outbound, source: &TraceSource) -> Result<String, Fault> {
    let caller = Caller { outbound, source };
    match source.kind {
        SourceKind::Jaeger => jaeger::test(&caller).await,
        SourceKind::Zipkin => zipkin::test(&caller).await,
        SourceKind::Tempo => tempo::test(&caller).await,
        SourceKind::Elastic => elastic::test(&caller).await,
        SourceKind::Datadog => datadog::test(&caller).await,
        SourceKind::NewRelic => newrelic::test(&caller).await,
        SourceKind::Sentry => sentry::test(&caller).await,
        SourceKind::Honeycomb => honeycomb::test(&caller).await,
    }
}

/// Calls one source with its credentials.
struct Caller<'a> {
    outbound: &'a Outbound,
    source: &'a TraceSource,
}

impl Caller<'_> {
    async fn get(&self, path: &str, accept: &str) -> Result<Answer, Fault> {
        self.send(Request::get(self.url(path)).with_header("accept", accept)).await
    }

    async fn get_json(&self, path: &str) -> Result<Json, Fault> {
        json_of(&expect_success(self.get(path, "application/json").await?)?)
    }

    async fn post_json(&self, path: &str, body: &Json) -> Result<Json, Fault> {
        let request = Request::post_json(self.url(path), body.to_string().into_bytes());
        json_of(&expect_success(self.send(request.with_header("accept", "application/json")).await?)?)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.source.base_url)
    }

    async fn send(&self, mut request: Request) -> Result<Answer, Fault> {
        request.timeout = TIMEOUT;
        request.max_answer = MAX_ANSWER;
        for (name, value) in credentials(self.source) {
            request = request.with_header(name, &value);
        }
        let answer = self.outbound.send(request).await.map_err(|e| match e {
            OutboundError::Refused(refusal) => Fault::Refused(refusal.to_string()),
            other => Fault::Later(other.to_string(), None),
        })?;
        if answer.is_cut {
            return Err(Fault::Refused(format!("its answer is larger than {} MiB", MAX_ANSWER / 1024 / 1024)));
        }
        Ok(answer)
    }
}

/// The headers that say who asks.
fn credentials(source: &TraceSource) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    let secret = &source.secret;
    if source.has_secret() {
        headers.push(match source.kind {
            SourceKind::Datadog => ("dd-api-key", secret.clone()),
            SourceKind::NewRelic => ("api-key", secret.clone()),
            SourceKind::Honeycomb => ("x-honeycomb-team", secret.clone()),
            _ if !source.username.is_empty() => {
                ("authorization", format!("Basic {}", STANDARD.encode(format!("{}:{secret}", source.username))))
            }
            SourceKind::Elastic => ("authorization", format!("ApiKey {secret}")),
            _ => ("authorization", format!("Bearer {secret}")),
        });
    }
    if source.kind == SourceKind::Datadog && !source.secret_extra.is_empty() {
        headers.push(("dd-application-key", source.secret_extra.clone()));
    }
    if source.kind == SourceKind::Tempo && !source.scope.is_empty() {
        headers.push(("x-scope-orgid", source.scope.clone()));
    }
    headers
}

/// What a status that is no success means for a fetch.
fn expect_success(answer: Answer) -> Result<Answer, Fault> {
    let said = |what: &str| {
        let excerpt = answer.excerpt(200);
        if excerpt.is_empty() {
            format!("{what} ({})", answer.status)
        } else {
            format!("{what} ({}): {excerpt}", answer.status)
        }
    };
    match answer.status {
        200..=299 => Ok(answer),
        404 => Err(Fault::Unknown),
        401 | 403 => Err(Fault::Refused(said("it does not accept the credentials"))),
        300..=399 => Err(Fault::Refused(said("it redirects elsewhere; set the address that answers itself"))),
        408 | 425 | 429 | 500..=599 => Err(Fault::Later(said("it cannot answer now"), answer.retry_after_s)),
        _ => Err(Fault::Refused(said("it refuses the question"))),
    }
}

fn json_of(answer: &Answer) -> Result<Json, Fault> {
    serde_json::from_slice(&answer.body)
        .map_err(|e| Fault::Refused(format!("its answer is not JSON ({e}): {}", answer.excerpt(100))))
}

/// A decoder's outcome as a find.
fn found_of(decoded: crate::error::Result<crate::traces::wire::DecodedSpans>) -> Result<Found, Fault> {
    match decoded {
        Ok(decoded) => Ok(Found { remark: decoded.message(), spans: decoded.records, logs: Vec::new() }),
        Err(error) => Err(Fault::Refused(format!("its answer cannot be read: {error}"))),
    }
}

/// A field of a document: nested (`a: {b: …}`) or flat (`"a.b": …`).
fn at<'j>(json: &'j Json, path: &str) -> Option<&'j Json> {
    let flat = json.get(path).filter(|v| !v.is_null());
    flat.or_else(|| path.split('.').try_fold(json, |at, key| at.get(key)).filter(|v| !v.is_null()))
}

/// The first of several fields that holds text; numbers count as their digits.
fn text_at(json: &Json, paths: &[&str]) -> String {
    paths
        .iter()
        .find_map(|path| match at(json, path)? {
            Json::String(text) if !text.is_empty() => Some(text.clone()),
            Json::Number(n) => Some(n.to_string()),
            _ => None,
        })
        .unwrap_or_default()
}

fn number_at(json: &Json, paths: &[&str]) -> Option<f64> {
    paths.iter().find_map(|path| match at(json, path)? {
        Json::Number(n) => n.as_f64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

/// Nanoseconds from a count of a unit.
#[expect(clippy::cast_possible_truncation, reason = "clamped to what fits")]
fn nanos(count: f64, per_unit: f64) -> i64 {
    if count.is_finite() { (count * per_unit).clamp(0.0, 9.0e18) as i64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_nested_and_flat() {
        let json = serde_json::json!({"a": {"b": "x"}, "c.d": 7, "e": null});
        assert_eq!(text_at(&json, &["e", "a.b"]), "x");
        assert_eq!(text_at(&json, &["c.d"]), "7");
        assert_eq!(number_at(&json, &["c.d"]), Some(7.0));
        assert_eq!(at(&json, "e"), None);
        assert_eq!(nanos(f64::NAN, 1e6), 0);
        assert_eq!(nanos(1.5, 1e6), 1_500_000);
    }

    #[test]
    fn statuses_are_judged() {
        let answer = |status| Answer {
            status,
            body: b"no".to_vec(),
            is_cut: false,
            content_type: None,
            retry_after_s: Some(9),
            link: None,
        };
        assert!(expect_success(answer(200)).is_ok());
        assert!(matches!(expect_success(answer(404)), Err(Fault::Unknown)));
        assert!(matches!(expect_success(answer(401)), Err(Fault::Refused(said)) if said.contains("credentials")));
        assert!(matches!(expect_success(answer(503)), Err(Fault::Later(_, Some(9)))));
        assert!(matches!(expect_success(answer(302)), Err(Fault::Refused(_))));
        assert!(matches!(expect_success(answer(422)), Err(Fault::Refused(_))));
    }
}
