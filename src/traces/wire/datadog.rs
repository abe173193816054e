//! What Datadog's tracing libraries send to their agent: `/v0.4/traces` in MessagePack, `/v0.3/traces`
//! also in JSON. A list of traces, each a list of spans.
//!
//! Ids are 64-bit numbers; the high half of a 128-bit trace id travels as the tag `_dd.p.tid` of the
//! first span of a chunk.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{DecodedSpans, ResourcePool};
use crate::error::{Error, Result};
use crate::telemetry::attributes::clip;
use crate::telemetry::{AttrValue, Attributes, Resource, SpanId, TraceId, otlp_values};
use crate::traces::model::{Span, SpanEvent, SpanKind, SpanStatus};

pub fn decode_msgpack(body: &[u8]) -> Result<DecodedSpans> {
    let traces: Vec<Json> =
        rmp_serde::from_slice(body).map_err(|e| Error::BadRequest(format!("not MessagePack traces: {e}")))?;
    Ok(read(&traces))
}

pub fn decode_json(body: &[u8]) -> Result<DecodedSpans> {
    match crate::telemetry::otlp::read_json(body)? {
        Json::Array(traces) => Ok(read(&traces)),
        _ => Err(Error::BadRequest("traces are a list of lists of spans".to_owned())),
    }
}

fn read(traces: &[Json]) -> DecodedSpans {
    let mut out = DecodedSpans::default();
    let mut pool = ResourcePool::default();
    for (t, trace) in traces.iter().enumerate() {
        let Json::Array(spans) = trace else {
            out.reject(|| format!("[{t}]"), "a trace is a list of spans");
            continue;
        };
        // The tag is on one span of the chunk and holds for all of it.
        let high = spans.iter().find_map(|s| s.get("meta")?.get("_dd.p.tid")?.as_str());
        let high = high.and_then(|h| u64::from_str_radix(h, 16).ok()).unwrap_or(0);
        for (i, span) in spans.iter().enumerate() {
            out.take(|| format!("[{t}][{i}]"), span_from_json(span, high, &mut pool));
        }
    }
    out
}

fn span_from_json(json: &Json, high: u64, pool: &mut ResourcePool) -> Result<Span, String> {
    let number = |field: &str| match json.get(field) {
        None | Some(Json::Null) => Ok(0),
        Some(v) => otlp_values::unsigned(v)
            .or_else(|| v.as_i64().map(i64::cast_unsigned))
            .ok_or_else(|| format!("{field} is not a whole number")),
    };
    if !json.is_object() {
        return Err("a span is a map".to_owned());
    }
    // The high half comes from the chunk's tag, so a zero low half must be caught before they are joined.
    let low = number("trace_id")?;
    let trace_id = TraceId::from_halves(high, low).filter(|_| low != 0).ok_or("trace_id is zero")?;
    let span_id = SpanId::new(number("span_id")?).ok_or("span_id is zero")?;
    let text = |field: &str| json.get(field).and_then(Json::as_str).unwrap_or_default();
    let meta = |key: &str| json.get("meta").and_then(|m| m.get(key)).and_then(Json::as_str).unwrap_or_default();

    let mut span = Span::bare(trace_id, span_id, resource(text("service"), &meta, pool));
    span.parent = SpanId::new(number("parent_id")?);
    span.name = clip(if text("resource").is_empty() { text("name") } else { text("resource") }.to_owned());
    span.kind = kind_of(meta("span.kind"), text("type"));
    span.start_nanos = i64::try_from(number("start")?).unwrap_or(i64::MAX);
    span.end_nanos = span.start_nanos.saturating_add(i64::try_from(number("duration")?).unwrap_or(0));
    span.attributes.push("operation.name", AttrValue::text(text("name")));
    for part in ["meta", "metrics"] {
        for (key, value) in json.get(part).and_then(Json::as_object).into_iter().flatten() {
            span.attributes.push(key.as_str(), otlp_values::from_plain_json(value));
        }
    }
    if number("error")? != 0 {
        read_error(&mut span, &meta);
    }
    Ok(span)
}

fn resource<'m>(service: &str, meta: &impl Fn(&str) -> &'m str, pool: &mut ResourcePool) -> Arc<Resource> {
    let (env, version, host) = (meta("env"), meta("version"), meta("_dd.hostname"));
    pool.get_or(&[service, env, version, host].join("\n"), || {
        let mut attributes = Attributes::default();
        let pairs = [
            ("service.name", service),
            ("service.version", version),
            ("deployment.environment", env),
            ("host.name", host),
        ];
        for (key, value) in pairs.into_iter().filter(|(_, v)| !v.is_empty()) {
            attributes.push(key, AttrValue::text(value));
        }
        Resource::from_attributes(attributes)
    })
}

/// The tag says it in newer libraries; before, the span's type hints at it.
fn kind_of(tag: &str, span_type: &str) -> SpanKind {
    match SpanKind::from_word(tag) {
        SpanKind::Unspecified => match span_type {
            "web" | "serverless" => SpanKind::Server,
            "http" | "sql" | "cache" | "db" | "redis" | "memcached" | "mongodb" | "elasticsearch" | "cassandra" => {
                SpanKind::Client
            }
            _ => SpanKind::Unspecified,
        },
        kind => kind,
    }
}

fn read_error<'m>(span: &mut Span, meta: &impl Fn(&str) -> &'m str) {
    let message = [meta("error.message"), meta("error.msg")].into_iter().find(|m| !m.is_empty()).unwrap_or_default();
    span.status = SpanStatus::Error;
    span.status_message = clip(message.to_owned());
    let mut attributes = Attributes::default();
    for (key, value) in [
        ("exception.type", meta("error.type")),
        ("exception.message", message),
        ("exception.stacktrace", meta("error.stack")),
    ] {
        if !value.is_empty() {
            attributes.push(key, AttrValue::text(value));
        }
    }
    if !attributes.is_empty() {
        span.events.push(SpanEvent { at_nanos: span.end_nanos, name: "exception".to_owned(), attributes });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn traces() -> Json {
        json!([[
            {"trace_id": 15_161_849_952_847_513_100_u64, "span_id": 5, "parent_id": 0, "name": "web.request", "service": "shop",
             "resource": "GET /cart", "type": "web", "start": 1_700_000_000_000_000_000_u64, "duration": 2_000_000, "error": 1,
             "meta": {"_dd.p.tid": "5b8efff798038103", "env": "prod", "version": "1.3.2", "error.type": "KeyError", "error.message": "item 7"},
             "metrics": {"_sampling_priority_v1": 1.0}},
            {"trace_id": 15_161_849_952_847_513_100_u64, "span_id": 6, "parent_id": 5, "name": "redis.command", "service": "shop-redis",
             "resource": "GET", "type": "redis", "start": 1_700_000_000_000_500_000_u64, "duration": 1_000, "error": 0, "meta": {}, "metrics": {}},
            {"trace_id": 0, "span_id": 7},
            {"trace_id": 1, "span_id": "seven"}
        ]])
    }

    #[test]
    fn both_encodings_are_read_with_the_whole_trace_id() {
        let packed = rmp_serde::to_vec_named(&traces()).expect("packs");
        let from_pack = decode_msgpack(&packed).expect("traces");
        let from_json = decode_json(traces().to_string().as_bytes()).expect("traces");
        assert_eq!(from_pack.records, from_json.records);
        assert_eq!((from_pack.records.len(), from_pack.rejected_count()), (2, 2));
        let [root, call] = from_pack.records.as_slice() else { panic!("two spans") };
        assert_eq!(root.trace_id.to_string(), "5b8efff798038103d269b633813fc60c");
        assert_eq!(call.trace_id, root.trace_id, "the tag holds for the whole chunk");
        assert_eq!((root.kind, call.kind), (SpanKind::Server, SpanKind::Client));
        assert_eq!((root.name.as_str(), root.resource.version.as_deref()), ("GET /cart", Some("1.3.2")));
        assert_eq!(root.error_text().as_deref(), Some("KeyError: item 7"));
        assert_eq!(call.parent, Some(root.span_id));
    }

    #[test]
    fn what_is_no_list_of_traces_is_refused() {
        assert!(decode_msgpack(&[0xc1]).is_err());
        assert!(decode_json(b"{}").is_err());
        assert_eq!(decode_json(b"[7]").expect("a list").rejected_count(), 1);
        // An array that claims four billion elements and has none.
        assert!(decode_msgpack(&[0xdd, 0xff, 0xff, 0xff, 0xff]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_msgpack(&bytes);
        }
    }
}
