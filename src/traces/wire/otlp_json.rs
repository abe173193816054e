//! OTLP traces in JSON, and Jaeger's api/v3 answers, which wrap the same in `result`.
//!
//! Read span by span from a JSON value: the generated reader refuses a whole request for one bad id.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{DecodedSpans, otlp_proto::status_from_code};
use crate::error::Result;
use crate::telemetry::attributes::clip;
use crate::telemetry::otlp::{
    items, nanos_field, read_json, resource_from_json, scope_from_json, text_field, top_level,
};
use crate::telemetry::{Resource, SpanId, TraceId, otlp_values};
use crate::traces::model::{Span, SpanEvent, SpanKind, SpanLink};

pub fn decode(body: &[u8]) -> Result<DecodedSpans> {
    decode_value(&read_json(body)?)
}

/// `{"resourceSpans": […]}`; also under `result`, as api/v3 of Jaeger answers, and the older
/// `batches` of Tempo.
pub fn decode_value(json: &Json) -> Result<DecodedSpans> {
    let json = json.get("result").or_else(|| json.get("trace")).filter(|r| r.is_object()).unwrap_or(json);
    let field = if json.get("batches").is_some() { "batches" } else { "resourceSpans" };
    let mut out = DecodedSpans::default();
    for (r, group) in top_level(json, field)?.iter().enumerate() {
        let resource = Arc::new(resource_from_json(group));
        for (s, scope) in items(group, "scopeSpans").iter().enumerate() {
            let name = scope_from_json(scope);
            for (i, span) in items(scope, "spans").iter().enumerate() {
                out.take(
                    || format!("{field}[{r}].scopeSpans[{s}].spans[{i}]"),
                    span_from_json(span, &resource, name.as_deref()),
                );
            }
        }
    }
    Ok(out)
}

fn span_from_json(json: &Json, resource: &Arc<Resource>, scope: Option<&str>) -> Result<Span, String> {
    if !json.is_object() {
        return Err("a span is an object".to_owned());
    }
    let status = json.get("status").unwrap_or(&Json::Null);
    Ok(Span {
        trace_id: TraceId::parse_strict(text_field(json, "traceId")?)?,
        span_id: SpanId::parse_strict(text_field(json, "spanId")?)?,
        parent: parent(text_field(json, "parentSpanId")?)?,
        kind: kind_from_json(json.get("kind")),
        name: clip(text_field(json, "name")?.to_owned()),
        start_nanos: nanos_field(json, "startTimeUnixNano")?,
        end_nanos: nanos_field(json, "endTimeUnixNano")?,
        status: status_from_code(code_from_json(status.get("code"))),
        status_message: clip(text_field(status, "message")?.to_owned()),
        attributes: otlp_values::from_json(json.get("attributes")),
        events: items(json, "events").iter().map(event_from_json).collect::<Result<_, _>>()?,
        links: items(json, "links").iter().filter_map(link_from_json).collect(),
        resource: Arc::clone(resource),
        scope: scope.map(str::to_owned),
    })
}

fn parent(text: &str) -> Result<Option<SpanId>, String> {
    if text.bytes().all(|b| b == b'0') {
        return Ok(None);
    }
    SpanId::parse_strict(text).map(Some).map_err(|e| format!("parent {e}"))
}

/// The protocol says integers only; the enum's names are taken too, as some senders write them.
fn kind_from_json(json: Option<&Json>) -> SpanKind {
    match json {
        Some(Json::String(s)) => SpanKind::from_word(s.trim_start_matches("SPAN_KIND_")),
        Some(other) => SpanKind::from_number(otlp_values::int(other).unwrap_or(0)),
        None => SpanKind::Unspecified,
    }
}

fn code_from_json(json: Option<&Json>) -> i64 {
    match json.and_then(Json::as_str) {
        Some("STATUS_CODE_OK") => 1,
        Some("STATUS_CODE_ERROR") => 2,
        _ => json.and_then(otlp_values::int).unwrap_or(0),
    }
}

fn event_from_json(json: &Json) -> Result<SpanEvent, String> {
    Ok(SpanEvent {
        at_nanos: nanos_field(json, "timeUnixNano").map_err(|e| format!("event: {e}"))?,
        name: clip(text_field(json, "name").map_err(|e| format!("event: {e}"))?.to_owned()),
        attributes: otlp_values::from_json(json.get("attributes")),
    })
}

fn link_from_json(json: &Json) -> Option<SpanLink> {
    Some(SpanLink {
        trace_id: TraceId::parse_strict(json.get("traceId")?.as_str()?).ok()?,
        span_id: SpanId::parse_strict(json.get("spanId")?.as_str()?).ok()?,
        attributes: otlp_values::from_json(json.get("attributes")),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::telemetry::AttrValue;
    use crate::traces::model::SpanStatus;

    const TWO_SPANS: &str = include_str!("fixtures/otlp_two_services.json");

    #[test]
    fn our_fixture_is_read_whole() {
        let got = decode(TWO_SPANS.as_bytes()).expect("our own fixture");
        assert_eq!((got.records.len(), got.rejected_count()), (2, 0));
        let (server, client) = (&got.records[0], &got.records[1]);
        assert_eq!(server.trace_id.to_string(), "5b8efff798038103d269b633813fc60c");
        assert_eq!(server.parent, Some(client.span_id), "ids are compared in lower case");
        assert_eq!((server.kind, client.kind), (SpanKind::Server, SpanKind::Client));
        assert_eq!((server.start_nanos, server.duration_nanos()), (1_544_712_660_000_000_000, 1_000_000_000));
        assert_eq!(server.status, SpanStatus::Error);
        assert_eq!(server.error_text().as_deref(), Some("OutOfStock: no item 7"));
        assert_eq!((server.service(), server.resource.version.as_deref()), ("inventory", Some("1.3.2")));
        assert_eq!(server.scope.as_deref(), Some("my.library"));
        assert_eq!(client.attribute("http.response.status_code"), Some(&AttrValue::Int(500)));
        assert_eq!(client.links.len(), 1, "the link with a wrong id is dropped");
    }

    #[test]
    fn a_bad_span_is_refused_alone() {
        let good = json!({"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": null, "traceState": null});
        let with = |field: &str, value: Json| {
            let mut span = good.clone();
            span[field] = value;
            span
        };
        let spans = json!([
            good,
            with("traceId", json!("")),
            with("traceId", json!("abc")),
            with("traceId", json!("00000000000000000000000000000000")),
            with("spanId", json!("eee19b7ec3c1b17g")),
            with("spanId", json!(7)),
            with("parentSpanId", json!("123")),
            with("startTimeUnixNano", json!("yesterday")),
            7,
            with("kind", json!("SPAN_KIND_SERVER"))
        ]);
        let got = decode_value(&json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})).expect("an envelope");
        assert_eq!(got.records.len(), 2);
        let reasons: Vec<&str> = got.rejected.iter().map(|r| r.reason.as_str()).collect();
        assert_eq!(
            reasons,
            [
                "trace id '' has 0 characters, not 32",
                "trace id 'abc' has 3 characters, not 32",
                "trace id is zero",
                "span id 'eee19b7ec3c1b17g' is not 1 to 16 hex digits",
                "spanId is not text",
                "parent span id '123' has 3 characters, not 16",
                "startTimeUnixNano is not a time in nanoseconds",
                "a span is an object",
            ]
        );
        assert_eq!(got.rejected[0].place, "resourceSpans[0].scopeSpans[0].spans[1]");
        assert_eq!(got.records[1].kind, SpanKind::Server);
    }

    proptest! {
        #[test]
        fn any_json_is_answered(text in "[\\[\\]{}\":,0-9a-z ]{0,80}") {
            let _ = decode(text.as_bytes());
        }
    }
}
