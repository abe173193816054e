//! Zipkin v2: a JSON array of spans (also an array of traces, as the query API lists them).
//!
//! A call's two halves may share one span id (`shared`, or B3's classic way): they differ in kind, and
//! the tree joins them again. Times are microseconds and may be missing.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{DecodedSpans, ResourcePool};
use crate::error::{Error, Result};
use crate::telemetry::otlp::{items, read_json, text_field};
use crate::telemetry::{AttrValue, Attributes, Resource, SpanId, TraceId, otlp_values};
use crate::traces::model::{Span, SpanEvent, SpanKind, SpanStatus};

pub fn decode(body: &[u8]) -> Result<DecodedSpans> {
    let json = read_json(body)?;
    let Json::Array(list) = &json else {
        return Err(Error::BadRequest("Zipkin spans are a JSON array".to_owned()));
    };
    let mut out = DecodedSpans::default();
    let mut pool = ResourcePool::default();
    for (i, item) in list.iter().enumerate() {
        match item {
            Json::Array(trace) => {
                for (j, span) in trace.iter().enumerate() {
                    out.take(|| format!("[{i}][{j}]"), span_from_json(span, &mut pool));
                }
            }
            span => out.take(|| format!("[{i}]"), span_from_json(span, &mut pool)),
        }
    }
    Ok(out)
}

fn span_from_json(json: &Json, pool: &mut ResourcePool) -> Result<Span, String> {
    if !json.is_object() {
        return Err("a span is an object".to_owned());
    }
    let trace_id = TraceId::parse_lenient(text_field(json, "traceId")?)?;
    let span_id = SpanId::parse_lenient(text_field(json, "id")?)?;
    let mut span = Span::bare(trace_id, span_id, resource(json.get("localEndpoint"), pool));
    span.parent = SpanId::parse_parent(text_field(json, "parentId")?)?;
    span.kind = SpanKind::from_word(text_field(json, "kind")?);
    span.name = crate::telemetry::attributes::clip(text_field(json, "name")?.to_owned());
    span.start_nanos = micros(json, "timestamp")?;
    span.end_nanos = span.start_nanos.saturating_add(micros(json, "duration")?);
    if let Some(Json::Object(tags)) = json.get("tags") {
        for (key, value) in tags {
            span.attributes.push(key.as_str(), otlp_values::from_plain_json(value));
        }
    }
    remote_endpoint(json.get("remoteEndpoint"), &mut span.attributes);
    span.events = items(json, "annotations").iter().map(annotation).collect::<Result<_, _>>()?;
    read_error(&mut span);
    Ok(span)
}

/// Zipkin's rule: a tag `error` means failure whatever its value, and the value says why.
fn read_error(span: &mut Span) {
    let error = span.attributes.get("error").map(ToString::to_string);
    match error.as_deref() {
        None | Some("false") => {}
        Some("" | "true") => span.status = SpanStatus::Error,
        Some(message) => span.set_error(message.to_owned()),
    }
    if span.attributes.text_of(&["otel.status_code"]) == Some("OK") {
        span.status = SpanStatus::Ok;
    }
}

/// Microseconds as a number or digits; absent is 0. Both databases and charts stay within an `i64` of
/// nanoseconds.
fn micros(json: &Json, field: &str) -> Result<i64, String> {
    match json.get(field) {
        None | Some(Json::Null) => Ok(0),
        Some(value) => otlp_values::unsigned(value)
            .map(|us| i64::try_from(us).unwrap_or(i64::MAX).saturating_mul(1_000))
            .ok_or_else(|| format!("{field} is not a number of microseconds")),
    }
}

fn annotation(json: &Json) -> Result<SpanEvent, String> {
    Ok(SpanEvent {
        at_nanos: micros(json, "timestamp").map_err(|e| format!("annotation: {e}"))?,
        name: crate::telemetry::attributes::clip(
            text_field(json, "value").map_err(|e| format!("annotation: {e}"))?.to_owned(),
        ),
        attributes: Attributes::default(),
    })
}

fn resource(endpoint: Option<&Json>, pool: &mut ResourcePool) -> Arc<Resource> {
    let text = |field: &str| endpoint.and_then(|e| e.get(field)).and_then(Json::as_str).unwrap_or_default();
    let (service, ip) =
        (text("serviceName"), [text("ipv4"), text("ipv6")].into_iter().find(|s| !s.is_empty()).unwrap_or_default());
    pool.get_or(&format!("{service}\n{ip}"), || {
        let mut attributes = Attributes::default();
        if !service.is_empty() {
            attributes.push("service.name", AttrValue::text(service));
        }
        if !ip.is_empty() {
            attributes.push("ip", AttrValue::text(ip));
        }
        Resource::from_attributes(attributes)
    })
}

fn remote_endpoint(endpoint: Option<&Json>, attributes: &mut Attributes) {
    let Some(endpoint) = endpoint else { return };
    for (field, name) in
        [("serviceName", "peer.service"), ("ipv4", "net.peer.ip"), ("ipv6", "net.peer.ip"), ("port", "net.peer.port")]
    {
        if let Some(value) = endpoint.get(field).filter(|v| !v.is_null() && v.as_str() != Some(""))
            && attributes.get(name).is_none()
        {
            attributes.push(name, otlp_values::from_plain_json(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn halves_of_a_call_keep_their_shared_id() {
        let got = decode(
            br#"[{"traceId":"1e223ff1f80f1c69","parentId":"BF396325699C84BF","id":"74280ae0c10d8062","kind":"SERVER","name":"post",
                  "timestamp":1470150004008761,"duration":93577,"localEndpoint":{"serviceName":"b","ipv4":"10.0.0.2"},"shared":true},
                 {"traceId":"1e223ff1f80f1c69","parentId":"bf396325699c84bf","id":"74280ae0c10d8062","kind":"CLIENT","name":"post",
                  "timestamp":1470150004074202,"duration":94539,"localEndpoint":{"serviceName":"a"},
                  "remoteEndpoint":{"serviceName":"b","port":80},"tags":{"error":"503"},
                  "annotations":[{"timestamp":1470150004074300,"value":"ws"}]}]"#,
        )
        .expect("spans");
        let [server, client] = got.records.as_slice() else { panic!("two spans") };
        assert_eq!(server.span_id, client.span_id);
        assert_ne!(server.key(), client.key());
        assert_eq!(server.trace_id.to_string(), "00000000000000001e223ff1f80f1c69");
        assert_eq!(server.parent.map(|p| p.to_string()).as_deref(), Some("bf396325699c84bf"));
        assert_eq!((server.start_nanos, server.duration_nanos()), (1_470_150_004_008_761_000, 93_577_000));
        assert_eq!(server.resource.instance.as_deref(), Some("10.0.0.2"));
        assert!(client.failed() && !server.failed());
        assert_eq!((client.error_text().as_deref(), client.peer()), (Some("503"), Some("b")));
        assert_eq!((client.events[0].name.as_str(), client.events[0].at_nanos), ("ws", 1_470_150_004_074_300_000));
    }

    #[test]
    fn only_the_ids_are_required() {
        let got = decode(br#"[{"traceId":"1","id":"2"},{"traceId":"1"},{"id":"2"},{"traceId":"x","id":"2"},{"traceId":"1","id":"2","timestamp":"soon"}]"#)
            .expect("an array");
        assert_eq!((got.records.len(), got.rejected_count()), (1, 4));
        assert!(!got.records[0].has_time());
        assert_eq!(got.records[0].service(), "unknown_service");
    }

    #[test]
    fn other_top_levels_are_bad_requests_and_lists_of_traces_are_read() {
        assert!(decode(b"{}").is_err());
        assert_eq!(decode(br#"[[{"traceId":"1","id":"2"}],[]]"#).expect("traces").records.len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[\\[\\]{}\":,0-9a-z ]{0,80}") {
            let _ = decode(text.as_bytes());
        }
    }
}
