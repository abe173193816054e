//! Sentry envelopes: a header line, then items of a header line and a payload. Transactions become
//! spans, events become log records; other items are skipped, as the protocol asks for.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::logs::model::{Level, LogRecord};
use crate::telemetry::attributes::clip;
use crate::telemetry::otlp::{items, text_field};
use crate::telemetry::{AttrValue, Attributes, Decoded, Resource, SpanId, TraceId, otlp_values};
use crate::traces::model::{Span, SpanKind, SpanStatus};

use super::DecodedSpans;

#[derive(Debug, Default)]
pub struct Envelope {
    /// The header's `event_id`, to be given back.
    pub event_id: String,
    pub spans: DecodedSpans,
    pub logs: Vec<LogRecord>,
    pub skipped: usize,
}

/// `project` is the number in the address; a service that does not name itself is called after it.
pub fn decode(body: &[u8], project: &str, now_nanos: i64) -> Result<Envelope> {
    let (header, mut rest) = line(body);
    let header: Json =
        serde_json::from_slice(header).map_err(|e| Error::BadRequest(format!("not an envelope: {e}")))?;
    if !header.is_object() {
        return Err(Error::BadRequest("an envelope starts with an object".to_owned()));
    }
    let mut out =
        Envelope { event_id: text(&header, "event_id").to_owned(), spans: Decoded::default(), ..Envelope::default() };
    let mut index = 0;
    while !rest.is_empty() {
        let (head, after) = line(rest);
        rest = after;
        if head.is_empty() {
            continue;
        }
        let head: Json =
            serde_json::from_slice(head).map_err(|e| Error::BadRequest(format!("item {index} has no header: {e}")))?;
        let payload;
        (payload, rest) = take_payload(&head, rest, index)?;
        read_item(text(&head, "type"), payload, (project, now_nanos), index, &mut out);
        index += 1;
    }
    Ok(out)
}

/// Only a line feed ends a line.
fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|b| *b == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[]),
    }
}

/// With a length the payload may hold line feeds; without, it ends at the next one.
fn take_payload<'b>(head: &Json, rest: &'b [u8], index: usize) -> Result<(&'b [u8], &'b [u8])> {
    let Some(length) = head.get("length").and_then(otlp_values::unsigned) else { return Ok(line(rest)) };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > rest.len() {
        return Err(Error::BadRequest(format!("item {index} is cut off: {} of {length} bytes", rest.len())));
    }
    let (payload, after) = rest.split_at(length);
    Ok((payload, after.strip_prefix(b"\n").unwrap_or(after)))
}

fn read_item(kind: &str, payload: &[u8], (project, now): (&str, i64), index: usize, out: &mut Envelope) {
    if !matches!(kind, "transaction" | "event") {
        out.skipped += 1;
        return;
    }
    let event: Json = match serde_json::from_slice(payload) {
        Ok(event) => event,
        Err(e) => return out.spans.reject(|| format!("item {index}"), format!("not JSON: {e}")),
    };
    let resource = Arc::new(resource(&event, project));
    if kind == "event" {
        out.logs.push(record(&event, resource, now));
        return;
    }
    out.spans.take(|| format!("item {index}"), transaction(&event, &resource, now));
    for (i, child) in items(&event, "spans").iter().enumerate() {
        out.spans.take(|| format!("item {index} spans[{i}]"), span(child, &resource, now));
    }
}

fn text<'a>(json: &'a Json, field: &str) -> &'a str {
    json.get(field).and_then(Json::as_str).unwrap_or_default()
}

fn resource(event: &Json, project: &str) -> Resource {
    let tag = |name: &str| event.get("tags").and_then(|t| t.get(name)).and_then(Json::as_str).unwrap_or_default();
    let fallback = format!("sentry-project-{}", project.chars().take(40).collect::<String>());
    let service = [tag("service"), tag("service.name")].into_iter().find(|s| !s.is_empty()).unwrap_or(&fallback);
    // A release is often written as name@version.
    let release = text(event, "release");
    let version = release.rsplit_once('@').map_or(release, |(_, v)| v);
    let mut attributes = Attributes::default();
    let pairs = [
        ("service.name", service),
        ("service.version", version),
        ("deployment.environment", text(event, "environment")),
        ("host.name", text(event, "server_name")),
    ];
    for (key, value) in pairs.into_iter().filter(|(_, v)| !v.is_empty()) {
        attributes.push(key, AttrValue::text(value));
    }
    Resource::from_attributes(attributes)
}

/// Seconds as a number, or RFC 3339.
#[expect(clippy::cast_possible_truncation, reason = "bounded before")]
fn nanos(json: &Json, field: &str, missing: i64) -> i64 {
    match json.get(field) {
        Some(Json::String(s)) => Timestamp::parse(s).map_or(missing, |t| t.as_micros().saturating_mul(1_000)),
        Some(v) => v.as_f64().filter(|s| s.is_finite()).map_or(missing, |s| (s.clamp(0.0, 9e9) * 1e6) as i64 * 1_000),
        None => missing,
    }
}

fn transaction(event: &Json, resource: &Arc<Resource>, now: i64) -> Result<Span, String> {
    let trace = event.get("contexts").and_then(|c| c.get("trace")).ok_or("a transaction needs contexts.trace")?;
    let mut out = span(trace, resource, now)?;
    let name = text_field(event, "transaction")?;
    if !name.is_empty() {
        out.name = clip(name.to_owned());
    }
    out.start_nanos = nanos(event, "start_timestamp", now);
    out.end_nanos = nanos(event, "timestamp", now);
    out.kind = match text(trace, "op") {
        op if op.starts_with("queue") => SpanKind::Consumer,
        _ => SpanKind::Server,
    };
    for (key, value) in event.get("tags").and_then(Json::as_object).into_iter().flatten() {
        out.attributes.push(key.as_str(), otlp_values::from_plain_json(value));
    }
    Ok(out)
}

fn span(json: &Json, resource: &Arc<Resource>, now: i64) -> Result<Span, String> {
    let trace_id = TraceId::parse_lenient(text_field(json, "trace_id")?)?;
    let span_id = SpanId::parse_lenient(text_field(json, "span_id")?)?;
    let mut out = Span::bare(trace_id, span_id, Arc::clone(resource));
    out.parent = SpanId::parse_parent(text_field(json, "parent_span_id")?)?;
    let (op, description) = (text_field(json, "op")?, text_field(json, "description")?);
    out.name = clip(if description.is_empty() { op } else { description }.to_owned());
    out.kind = match op.split('.').next().unwrap_or_default() {
        "http" if op == "http.server" => SpanKind::Server,
        "http" | "db" | "cache" | "rpc" | "grpc" => SpanKind::Client,
        _ => SpanKind::Internal,
    };
    out.start_nanos = nanos(json, "start_timestamp", now);
    out.end_nanos = nanos(json, "timestamp", out.start_nanos);
    out.attributes.push("sentry.op", AttrValue::text(op));
    for part in ["data", "tags"] {
        for (key, value) in json.get(part).and_then(Json::as_object).into_iter().flatten() {
            out.attributes.push(key.as_str(), otlp_values::from_plain_json(value));
        }
    }
    match text(json, "status") {
        "" | "unknown" | "cancelled" => {}
        "ok" => out.status = SpanStatus::Ok,
        // What the client did wrong is no failure of the service.
        "not_found" | "invalid_argument" | "already_exists" | "permission_denied" | "unauthenticated" => {}
        status => out.set_error(status),
    }
    Ok(out)
}

fn record(event: &Json, resource: Arc<Resource>, now: i64) -> LogRecord {
    let exception = event.get("exception").and_then(|e| items(e, "values").last());
    let trace = event.get("contexts").and_then(|c| c.get("trace")).unwrap_or(&Json::Null);
    let said = match exception {
        Some(e) => format!("{}: {}", text(e, "type"), text(e, "value")),
        None => match event.get("logentry") {
            Some(entry) => [text(entry, "formatted"), text(entry, "message")]
                .into_iter()
                .find(|s| !s.is_empty())
                .unwrap_or_default(),
            None => text(event, "message"),
        }
        .to_owned(),
    };
    let word = text(event, "level");
    let mut attributes = Attributes::default();
    if let Some(e) = exception {
        attributes.push("exception.type", AttrValue::text(text(e, "type")));
        attributes.push("exception.message", AttrValue::text(text(e, "value")));
    }
    LogRecord {
        at_nanos: nanos(event, "timestamp", now),
        severity: if word.is_empty() { Level::Error } else { Level::from_word(word) }.floor(),
        severity_text: word.to_owned(),
        body: clip(said),
        trace_id: TraceId::parse_lenient(text(trace, "trace_id")).ok(),
        span_id: SpanId::parse_lenient(text(trace, "span_id")).ok(),
        attributes,
        resource,
        scope: Some(text(event, "logger").to_owned()).filter(|s| !s.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn envelope() -> Vec<u8> {
        let transaction = r#"{"type":"transaction","transaction":"GET /cart","start_timestamp":1700000000.5,"timestamp":"2023-11-14T22:13:21Z","release":"shop@1.3.2",
            "tags":{"service":"shop"},"contexts":{"trace":{"trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b173","op":"http.server","status":"internal_error"}},
            "spans":[{"trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174","parent_span_id":"eee19b7ec3c1b173","op":"db.query","description":"SELECT 1",
            "start_timestamp":1700000000.6,"timestamp":1700000000.7},{"span_id":"1"}]}"#;
        let event = r#"{"level":"error","exception":{"values":[{"type":"KeyError","value":"7"}]},"contexts":{"trace":{"trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b173"}}}"#;
        let mut body = b"{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\"}\n".to_vec();
        body.extend(format!("{{\"type\":\"transaction\",\"length\":{}}}\n{transaction}\n", transaction.len()).bytes());
        body.extend(b"{\"type\":\"session\"}\n{}\n");
        body.extend(format!("{{\"type\":\"event\"}}\n{event}\n").bytes());
        body
    }

    #[test]
    fn transactions_and_events_are_read_and_the_rest_is_skipped() {
        let got = decode(&envelope(), "42", 7).expect("an envelope");
        assert_eq!(got.event_id, "9ec79c33ec9942ab8353589fcb2e04dc");
        assert_eq!((got.spans.records.len(), got.spans.rejected_count(), got.logs.len(), got.skipped), (2, 1, 1, 1));
        let [root, query] = got.spans.records.as_slice() else { panic!("two spans") };
        assert_eq!((root.name.as_str(), root.kind, root.failed()), ("GET /cart", SpanKind::Server, true));
        assert_eq!((root.duration_nanos(), root.resource.version.as_deref()), (500_000_000, Some("1.3.2")));
        assert_eq!((query.parent, query.kind), (Some(root.span_id), SpanKind::Client));
        assert_eq!((got.logs[0].body.as_str(), got.logs[0].trace_id), ("KeyError: 7", Some(root.trace_id)));
    }

    #[test]
    fn broken_envelopes_are_refused() {
        assert!(decode(b"", "1", 0).is_err());
        assert!(decode(b"{}\n{\"type\":\"event\",\"length\":99}\n{}", "1", 0).is_err());
        assert!(decode(b"{}\nnonsense\n", "1", 0).is_err());
        assert_eq!(
            decode(b"{}\n{\"type\":\"event\"}\n{}", "7", 5).expect("an event").logs[0].resource.service,
            "sentry-project-7"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut body = b"{}\n".to_vec();
            body.extend(bytes);
            let _ = decode(&body, "1", 1);
        }
    }
}
