//! Jaeger's query JSON (`/api/traces/{id}`, the UI's "Trace JSON" download) and the forms near it: one
//! trace, a bare array of spans with their process inline, and api/v3 (which is OTLP).

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::{DecodedSpans, otlp_json};
use crate::error::{Error, Result};
use crate::telemetry::attributes::clip;
use crate::telemetry::otlp::{items, read_json, text_field};
use crate::telemetry::{AttrValue, Attributes, Resource, SpanId, TraceId, otlp_values};
use crate::traces::model::{Span, SpanEvent, SpanKind, SpanLink, SpanStatus};

/// Tags that Jaeger adds when it turns OTLP into its own model; they go back to where they came from.
const MOVED_TAGS: [&str; 4] = ["span.kind", "otel.library.name", "otel.scope.name", "internal.span.format"];

pub fn decode(body: &[u8]) -> Result<DecodedSpans> {
    decode_value(&read_json(body)?)
}

pub fn decode_value(json: &Json) -> Result<DecodedSpans> {
    if json.get("result").is_some() || json.get("resourceSpans").is_some() {
        return otlp_json::decode_value(json);
    }
    let mut out = DecodedSpans::default();
    if let Some(Json::Array(traces)) = json.get("data") {
        for (t, trace) in traces.iter().enumerate() {
            read_trace(trace, &format!("data[{t}]."), &mut out);
        }
    } else if json.get("spans").is_some_and(Json::is_array) {
        read_trace(json, "", &mut out);
    } else if let Json::Array(list) = json {
        // An array of spans, or of traces.
        let processes = HashMap::new();
        for (i, item) in list.iter().enumerate() {
            if item.get("spans").is_some() {
                read_trace(item, &format!("[{i}]."), &mut out);
            } else {
                out.take(|| format!("[{i}]"), span_from_json(item, &processes));
            }
        }
    } else {
        return Err(Error::BadRequest("not a Jaeger trace: neither 'data', 'spans' nor 'result' is in it".to_owned()));
    }
    Ok(out)
}

fn read_trace(trace: &Json, at: &str, out: &mut DecodedSpans) {
    let processes: HashMap<&str, Arc<Resource>> = trace
        .get("processes")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
        .map(|(id, process)| (id.as_str(), Arc::new(process_resource(process))))
        .collect();
    for (i, span) in items(trace, "spans").iter().enumerate() {
        out.take(|| format!("{at}spans[{i}]"), span_from_json(span, &processes));
    }
}

fn process_resource(process: &Json) -> Resource {
    let mut attributes = Attributes::default();
    if let Some(name) = process.get("serviceName").and_then(Json::as_str).filter(|s| !s.is_empty()) {
        attributes.push("service.name", AttrValue::text(name));
    }
    for (key, value) in tags(process, "tags") {
        attributes.push(key, value);
    }
    Resource::from_attributes(attributes)
}

fn span_from_json(json: &Json, processes: &HashMap<&str, Arc<Resource>>) -> Result<Span, String> {
    if !json.is_object() {
        return Err("a span is an object".to_owned());
    }
    let trace_id = TraceId::parse_lenient(text_field(json, "traceID")?)?;
    let span_id = SpanId::parse_lenient(text_field(json, "spanID")?)?;
    let resource = match (json.get("process"), json.get("processID").and_then(Json::as_str)) {
        (Some(process @ Json::Object(_)), _) => Arc::new(process_resource(process)),
        (_, Some(id)) => processes.get(id).cloned().unwrap_or_default_resource(),
        _ => Arc::new(Resource::named("")),
    };
    let mut span = Span::bare(trace_id, span_id, resource);
    span.name = clip(text_field(json, "operationName")?.to_owned());
    span.start_nanos = micros(json, "startTime")?;
    span.end_nanos = span.start_nanos.saturating_add(micros(json, "duration")?);
    read_references(json, &mut span)?;
    read_tags(json, &mut span);
    span.events = items(json, "logs").iter().map(log).collect::<Result<_, _>>()?;
    Ok(span)
}

trait OrUnknown {
    fn unwrap_or_default_resource(self) -> Arc<Resource>;
}

impl OrUnknown for Option<Arc<Resource>> {
    /// A process that the trace does not list is an unknown service, not a bad span.
    fn unwrap_or_default_resource(self) -> Arc<Resource> {
        self.unwrap_or_else(|| Arc::new(Resource::named("")))
    }
}

/// The first reference within the trace is the parent (`CHILD_OF` before `FOLLOWS_FROM`); the rest are
/// links.
fn read_references(json: &Json, span: &mut Span) -> Result<(), String> {
    let mut refs = Vec::new();
    for reference in items(json, "references") {
        let trace = TraceId::parse_lenient(text_field(reference, "traceID")?).map_err(|e| format!("reference: {e}"))?;
        let id = SpanId::parse_lenient(text_field(reference, "spanID")?).map_err(|e| format!("reference: {e}"))?;
        refs.push((text_field(reference, "refType")? != "CHILD_OF", trace, id));
    }
    refs.sort_by_key(|(follows, ..)| *follows);
    let own = span.trace_id;
    let parent = refs.iter().position(|(_, trace, _)| *trace == own);
    if let Some(at) = parent {
        span.parent = Some(refs.remove(at).2);
    } else {
        span.parent = SpanId::parse_parent(text_field(json, "parentSpanID")?)?;
    }
    span.links = refs
        .into_iter()
        .map(|(_, trace_id, span_id)| SpanLink { trace_id, span_id, attributes: Attributes::default() })
        .collect();
    Ok(())
}

fn read_tags(json: &Json, span: &mut Span) {
    let all: Vec<(String, AttrValue)> = tags(json, "tags").collect();
    let find = |key: &str| all.iter().find(|(k, _)| k == key).map(|(_, v)| v.to_string());
    span.kind = find("span.kind").map_or(SpanKind::Unspecified, |k| SpanKind::from_word(&k));
    span.scope = find("otel.scope.name").or_else(|| find("otel.library.name")).filter(|s| !s.is_empty());
    span.status = match (find("otel.status_code").as_deref(), find("error").as_deref()) {
        (Some("OK"), _) => SpanStatus::Ok,
        (Some("ERROR"), _) => SpanStatus::Error,
        (_, None | Some("false" | "")) => SpanStatus::Unset,
        _ => SpanStatus::Error,
    };
    span.status_message = find("otel.status_description").unwrap_or_default();
    for (key, value) in all {
        if !MOVED_TAGS.contains(&key.as_str()) {
            span.attributes.push(key, value);
        }
    }
}

fn tags<'a>(json: &'a Json, field: &str) -> impl Iterator<Item = (String, AttrValue)> + 'a {
    items(json, field).iter().filter_map(|tag| {
        let key = tag.get("key")?.as_str()?;
        Some((key.to_owned(), tag_value(tag.get("type").and_then(Json::as_str), tag.get("value")?)))
    })
}

/// The declared type wins over how the value is written: `{"type": "bool", "value": "true"}` is met.
fn tag_value(declared: Option<&str>, value: &Json) -> AttrValue {
    match (declared, value) {
        (Some("bool"), Json::String(s)) => AttrValue::Bool(s == "true"),
        (Some("int64"), v) => otlp_values::int(v).map_or_else(|| otlp_values::from_plain_json(v), AttrValue::Int),
        (Some("float64"), Json::String(s)) => s.parse().map_or_else(|_| AttrValue::text(s.as_str()), AttrValue::Double),
        (_, v) => otlp_values::from_plain_json(v),
    }
}

fn micros(json: &Json, field: &str) -> Result<i64, String> {
    match json.get(field) {
        None | Some(Json::Null) => Ok(0),
        Some(value) => otlp_values::unsigned(value)
            .map(|us| i64::try_from(us).unwrap_or(i64::MAX).saturating_mul(1_000))
            .ok_or_else(|| format!("{field} is not a number of microseconds")),
    }
}

/// A log's `event` field names it; the others are its attributes.
fn log(json: &Json) -> Result<SpanEvent, String> {
    let mut event =
        SpanEvent { at_nanos: micros(json, "timestamp")?, name: String::new(), attributes: Attributes::default() };
    for (key, value) in tags(json, "fields") {
        match (key.as_str(), value.as_text()) {
            ("event", Some(name)) if event.name.is_empty() => event.name = name.to_owned(),
            _ => event.attributes.push(key, value),
        }
    }
    if event.name.is_empty() {
        event.name = "log".to_owned();
    }
    // OpenTracing's names for an exception.
    if event.name == "error" {
        let moved =
            [("error.kind", "exception.type"), ("message", "exception.message"), ("stack", "exception.stacktrace")];
        for (key, _) in &mut event.attributes.0 {
            if let Some((_, new)) = moved.iter().find(|(old, _)| old == key) {
                (*new).clone_into(key);
            }
        }
        event.name = "exception".to_owned();
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = r#"{"data":[{"traceID":"83a9efd15c1c98a977e0711cc93ee28b","processes":{"p1":{"serviceName":"shop","tags":[
        {"key":"service.version","type":"string","value":"2.0"}]}},"warnings":null,"spans":[
        {"traceID":"83a9efd15c1c98a977e0711cc93ee28b","spanID":"e127af99e3b3e074","operationName":"pay","processID":"p1",
         "references":[{"refType":"FOLLOWS_FROM","traceID":"83a9efd15c1c98a977e0711cc93ee28b","spanID":"1"},
                       {"refType":"CHILD_OF","traceID":"83a9efd15c1c98a977e0711cc93ee28b","spanID":"909541b92cf05311"},
                       {"refType":"FOLLOWS_FROM","traceID":"77","spanID":"2"}],
         "startTime":1706678909209712,"duration":123,
         "tags":[{"key":"span.kind","type":"string","value":"server"},{"key":"error","type":"bool","value":"true"},
                 {"key":"http.status_code","type":"int64","value":"500"},{"key":"otel.library.name","type":"string","value":"lib"}],
         "logs":[{"timestamp":1706678909209800,"fields":[{"key":"event","type":"string","value":"error"},
                 {"key":"message","type":"string","value":"card refused"}]}],"warnings":null},
        {"traceID":"83a9efd15c1c98a977e0711cc93ee28b","spanID":"5","processID":"p9"},
        {"traceID":"","spanID":"5"}]}],"total":0,"limit":0,"offset":0,"errors":null}"#;

    #[test]
    fn a_query_answer_is_read() {
        let got = decode(TRACE.as_bytes()).expect("our own fixture");
        assert_eq!((got.records.len(), got.rejected_count()), (2, 1));
        let span = &got.records[0];
        assert_eq!(
            span.parent.map(|p| p.to_string()).as_deref(),
            Some("909541b92cf05311"),
            "CHILD_OF before FOLLOWS_FROM"
        );
        assert_eq!(span.links.len(), 2);
        assert_eq!((span.kind, span.scope.as_deref()), (SpanKind::Server, Some("lib")));
        assert_eq!((span.start_nanos, span.duration_nanos()), (1_706_678_909_209_712_000, 123_000));
        assert_eq!((span.service(), span.resource.version.as_deref()), ("shop", Some("2.0")));
        assert_eq!((span.http_status(), span.failed()), (Some(500), true));
        assert_eq!(span.error_text().as_deref(), Some("card refused"));
        assert_eq!(got.records[1].service(), "unknown_service");
        assert_eq!(got.rejected[0].place, "data[0].spans[2]");
    }

    #[test]
    fn spans_with_their_process_inline_and_api_v3_are_read() {
        let inline = br#"[{"traceID":"2be38093ead7a083","spanID":"7606ddfe69932d34","flags":1,"operationName":"a","startTime":1,"duration":2,
            "references":[],"tags":[],"logs":[],"process":{"serviceName":"s","tags":[]}}]"#;
        let got = decode(inline).expect("spans");
        assert_eq!((got.records[0].service(), got.records[0].trace_id.low64()), ("s", 0x2be3_8093_ead7_a083));
        let v3 = br#"{"result":{"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[
            {"kind":2,"name":"foobar","spanId":"0000000000000002","status":{"code":2},"traceId":"00000000000000000000000000000001"}]}]}]}}"#;
        assert!(decode(v3).expect("v3").records[0].failed());
        assert!(decode(b"{}").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[\\[\\]{}\":,0-9a-z ]{0,80}") {
            let _ = decode(text.as_bytes());
        }
    }
}
