//! Elastic APM intake v2: newline-delimited JSON, a `metadata` line and then events. Transactions and
//! spans become spans; errors and logs become log records; metricsets are skipped.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::logs::model::{Level, LogRecord};
use crate::telemetry::attributes::clip;
use crate::telemetry::otlp::text_field;
use crate::telemetry::{AttrValue, Attributes, Resource, SpanId, TraceId, otlp_values};
use crate::traces::model::{Span, SpanKind, SpanStatus};

/// An event that was refused, as Elastic's answer lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventError {
    pub message: String,
    /// The line, cut.
    pub document: String,
}

#[derive(Debug, Default)]
pub struct Intake {
    pub spans: Vec<Span>,
    pub logs: Vec<LogRecord>,
    pub errors: Vec<EventError>,
    /// Events that were understood, those without a span or log included.
    pub accepted: usize,
}

/// Errors listed in an answer.
const MAX_ERRORS: usize = 20;
/// How much of a refused line is given back.
const MAX_DOCUMENT: usize = 1_000;

/// `now_nanos` stands in for times that an event leaves out.
pub fn decode(body: &[u8], now_nanos: i64) -> Result<Intake> {
    let mut out = Intake::default();
    let mut metadata: Option<Arc<Resource>> = None;
    for line in body.split(|b| *b == b'\n').filter(|l| !l.iter().all(u8::is_ascii_whitespace)) {
        let event = serde_json::from_slice::<Json>(line).map_err(|e| format!("not JSON: {e}"));
        match (&metadata, event) {
            (None, Ok(event)) => {
                let Some(found) = event.get("metadata") else {
                    return Err(Error::BadRequest("the first line is not metadata".to_owned()));
                };
                metadata = Some(Arc::new(resource(found, None)));
            }
            (None, Err(e)) => return Err(Error::BadRequest(format!("the first line is not metadata: {e}"))),
            (Some(base), event) => match event.and_then(|e| read_event(&e, base, now_nanos, &mut out)) {
                Ok(()) => out.accepted += 1,
                Err(message) if out.errors.len() < MAX_ERRORS => {
                    let document = String::from_utf8_lossy(line).chars().take(MAX_DOCUMENT).collect();
                    out.errors.push(EventError { message, document });
                }
                Err(_) => {}
            },
        }
    }
    Ok(out)
}

fn read_event(event: &Json, base: &Arc<Resource>, now: i64, out: &mut Intake) -> Result<(), String> {
    let Some((kind, body)) = event.as_object().and_then(|o| o.iter().next()) else {
        return Err("an event is an object with one key".to_owned());
    };
    match kind.as_str() {
        "transaction" => out.spans.push(span(body, base, now, SpanKind::Server)?),
        "span" => out.spans.push(span(body, base, now, SpanKind::Internal)?),
        "error" => out.logs.push(error(body, base, now)?),
        "log" => out.logs.push(log(body, base, now)),
        "metricset" | "metadata" => {}
        other => return Err(format!("did not recognize object type: {}", other.chars().take(40).collect::<String>())),
    }
    Ok(())
}

fn span(json: &Json, base: &Arc<Resource>, now: i64, default_kind: SpanKind) -> Result<Span, String> {
    let trace_id = TraceId::parse_lenient(text_field(json, "trace_id")?)?;
    let span_id = last_16(text_field(json, "id")?)?;
    let mut span = Span::bare(trace_id, span_id, resource_of(json, base));
    let parent = text_field(json, "parent_id")?;
    span.parent = if parent.is_empty() { None } else { Some(last_16(parent)?) };
    let (kind, subtype) = (text_field(json, "type")?, text_field(json, "subtype")?);
    span.kind = match (default_kind, kind.split('.').next().unwrap_or_default()) {
        (SpanKind::Server, "messaging") => SpanKind::Consumer,
        (SpanKind::Server, _) => SpanKind::Server,
        (_, "messaging") => SpanKind::Producer,
        (_, "external" | "db" | "storage") => SpanKind::Client,
        (other, _) => other,
    };
    span.name = clip(text_field(json, "name")?.to_owned());
    span.start_nanos = json.get("timestamp").and_then(otlp_values::int).map_or(now, |us| us.saturating_mul(1_000));
    let duration_ms = json.get("duration").and_then(Json::as_f64).ok_or("duration is required")?;
    span.end_nanos = span.start_nanos.saturating_add(millis(duration_ms));
    span.attributes.push("span.type", AttrValue::text(kind));
    if !subtype.is_empty() {
        span.attributes.push("span.subtype", AttrValue::text(subtype));
    }
    read_context(json, &mut span);
    match (text_field(json, "outcome")?, text_field(json, "result")?) {
        ("failure", result) => span.set_error(result),
        ("success", _) => span.status = SpanStatus::Ok,
        (_, result) if !result.is_empty() => span.attributes.push("result", AttrValue::text(result)),
        _ => {}
    }
    Ok(span)
}

fn read_context(json: &Json, span: &mut Span) {
    let Some(context) = json.get("context").filter(|c| c.is_object()) else { return };
    let at = |path: &[&str]| path.iter().try_fold(context, |at, key| at.get(*key)).filter(|v| !v.is_null());
    let names: [(&[&str], &str); 9] = [
        (&["response", "status_code"], "http.response.status_code"),
        (&["http", "status_code"], "http.response.status_code"),
        (&["http", "method"], "http.request.method"),
        (&["http", "url"], "url.full"),
        (&["request", "method"], "http.request.method"),
        (&["request", "url", "full"], "url.full"),
        (&["db", "statement"], "db.query.text"),
        (&["db", "type"], "db.system"),
        (&["destination", "service", "resource"], "peer.service"),
    ];
    for (path, name) in names {
        if let Some(value) = at(path)
            && span.attributes.get(name).is_none()
        {
            span.attributes.push(name, otlp_values::from_plain_json(value));
        }
    }
    for (key, value) in at(&["tags"]).and_then(Json::as_object).into_iter().flatten() {
        span.attributes.push(key.as_str(), otlp_values::from_plain_json(value));
    }
}

/// An error belongs to a transaction or span but travels by itself: it stands beside it as a record.
fn error(json: &Json, base: &Arc<Resource>, now: i64) -> Result<LogRecord, String> {
    let exception = json.get("exception").unwrap_or(&Json::Null);
    let logged = json.get("log").unwrap_or(&Json::Null);
    let (kind, message) = (text_field(exception, "type")?, text_field(exception, "message")?);
    let sep = if kind.is_empty() || message.is_empty() { "" } else { ": " };
    let said = format!("{kind}{sep}{message}");
    let mut attributes = Attributes::default();
    for (key, value) in
        [("exception.type", kind), ("exception.message", message), ("error.culprit", text_field(json, "culprit")?)]
    {
        if !value.is_empty() {
            attributes.push(key, AttrValue::text(value));
        }
    }
    let word = text_field(logged, "level")?;
    let level = if word.is_empty() { Level::Error } else { Level::from_word(word) };
    let trace = text_field(json, "trace_id")?;
    let parent = text_field(json, "parent_id")?;
    Ok(LogRecord {
        at_nanos: json.get("timestamp").and_then(otlp_values::int).map_or(now, |us| us.saturating_mul(1_000)),
        severity: level.floor(),
        severity_text: word.to_owned(),
        body: clip(if said.is_empty() { text_field(logged, "message")?.to_owned() } else { said }),
        trace_id: if trace.is_empty() { None } else { Some(TraceId::parse_lenient(trace)?) },
        span_id: if parent.is_empty() { None } else { Some(last_16(parent)?) },
        attributes,
        resource: resource_of(json, base),
        scope: Some(text_field(logged, "logger_name")?.to_owned()).filter(|s| !s.is_empty()),
    })
}

/// Fields of logs come flat (`log.level`) or nested; the nested ones win.
fn log(json: &Json, base: &Arc<Resource>, now: i64) -> LogRecord {
    let text = |path: &str| {
        let nested = path.split('.').try_fold(json, |at, key| at.get(key)).and_then(Json::as_str);
        nested.or_else(|| json.get(path).and_then(Json::as_str)).unwrap_or_default()
    };
    let at = match json.get("@timestamp") {
        Some(Json::String(s)) => crate::clock::Timestamp::parse(s).map_or(now, |t| t.as_micros().saturating_mul(1_000)),
        Some(v) => otlp_values::int(v).map_or(now, |us| us.saturating_mul(1_000)),
        None => now,
    };
    let service = text("service.name");
    let mut attributes = Attributes::default();
    for (key, value) in json.get("labels").and_then(Json::as_object).into_iter().flatten() {
        attributes.push(key.as_str(), otlp_values::from_plain_json(value));
    }
    LogRecord {
        at_nanos: at,
        severity: Level::from_word(text("log.level")).floor(),
        severity_text: clip(text("log.level").to_owned()),
        body: clip(text("message").to_owned()),
        trace_id: TraceId::parse_lenient(text("trace.id")).ok(),
        span_id: last_16(if text("span.id").is_empty() { text("transaction.id") } else { text("span.id") }).ok(),
        attributes,
        resource: if service.is_empty() { Arc::clone(base) } else { Arc::new(Resource::named(service)) },
        scope: Some(text("log.logger").to_owned()).filter(|s| !s.is_empty()),
    }
}

/// Ids are 16 hex digits; some agents' longer ones are told apart by their end.
fn last_16(id: &str) -> Result<SpanId, String> {
    let tail = if id.is_ascii() && id.len() > 16 { &id[id.len() - 16..] } else { id };
    SpanId::parse_lenient(tail)
}

#[expect(clippy::cast_possible_truncation, reason = "bounded before")]
fn millis(ms: f64) -> i64 {
    if ms.is_finite() { (ms.clamp(0.0, 1e12) * 1e6) as i64 } else { 0 }
}

fn resource_of(event: &Json, base: &Arc<Resource>) -> Arc<Resource> {
    match event.get("context").and_then(|c| c.get("service")).filter(|s| s.get("name").is_some_and(Json::is_string)) {
        Some(service) => Arc::new(resource(&serde_json::json!({ "service": service }), Some(base))),
        None => Arc::clone(base),
    }
}

fn resource(metadata: &Json, base: Option<&Resource>) -> Resource {
    let at = |path: &[&str]| {
        path.iter().try_fold(metadata, |at, key| at.get(*key)).and_then(Json::as_str).filter(|s| !s.is_empty())
    };
    let host = at(&["system", "configured_hostname"])
        .or_else(|| at(&["system", "hostname"]))
        .or_else(|| at(&["system", "detected_hostname"]));
    let pairs = [
        ("service.name", at(&["service", "name"])),
        ("service.version", at(&["service", "version"])),
        ("deployment.environment", at(&["service", "environment"])),
        ("service.instance.id", at(&["service", "node", "configured_name"])),
        ("telemetry.sdk.name", at(&["service", "agent", "name"])),
        ("k8s.pod.name", at(&["system", "kubernetes", "pod", "name"])),
        ("host.name", host),
    ];
    let mut attributes = Attributes::default();
    for (key, value) in pairs {
        let inherited =
            || base.and_then(|b| b.attributes.text_of(&[key])).filter(|_| key == "host.name" || key == "k8s.pod.name");
        if let Some(value) = value.or_else(inherited) {
            attributes.push(key, AttrValue::text(value));
        }
    }
    Resource::from_attributes(attributes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &str = r#"{"metadata":{"service":{"name":"shop","version":"5.1.3","agent":{"name":"node"}},"system":{"hostname":"h1"}}}
{"transaction":{"id":"945254c567a5417e","trace_id":"945254c567a5417eaaaaaaaaaaaaaaaa","name":"GET /cart","type":"request","duration":32.5,"outcome":"failure","result":"HTTP 5xx","timestamp":1496170407154000,"span_count":{"started":1},"context":{"response":{"status_code":500}}}}
{"span":{"id":"0aaaaaaaaaaaaaaa","parent_id":"945254c567a5417e","trace_id":"945254c567a5417eaaaaaaaaaaaaaaaa","name":"SELECT","type":"db","subtype":"postgresql","duration":3.78,"timestamp":1496170407155000,"context":{"service":{"name":"other"},"db":{"statement":"SELECT 1"},"destination":{"service":{"resource":"postgresql"}}}}}

{"transaction":{"id":12345,"trace_id":"0123456789abcdef0123456789abcdef"}}
{"error":{"id":"x","trace_id":"945254c567a5417eaaaaaaaaaaaaaaaa","parent_id":"945254c567a5417e","timestamp":1496170407156000,"exception":{"type":"DbError","message":"gone"}}}
{"log":{"message":"hi","log.level":"debug","log":{"level":"warn"},"@timestamp":1662616049000000}}
{"metricset":{"samples":{}}}
{"surprise":{}}
"#;

    #[test]
    fn a_stream_is_read_event_by_event() {
        let got = decode(STREAM.as_bytes(), 7).expect("starts with metadata");
        assert_eq!((got.spans.len(), got.logs.len(), got.accepted, got.errors.len()), (2, 2, 5, 2));
        assert_eq!(got.errors[0].message, "id is not text");
        assert!(got.errors[0].document.contains("12345"));
        let [transaction, query] = got.spans.as_slice() else { panic!("two spans") };
        assert_eq!(
            (transaction.kind, transaction.failed(), transaction.http_status()),
            (SpanKind::Server, true, Some(500))
        );
        assert_eq!(transaction.duration_nanos(), 32_500_000);
        assert_eq!(transaction.resource.version.as_deref(), Some("5.1.3"));
        assert_eq!((query.kind, query.peer(), query.service()), (SpanKind::Client, Some("postgresql"), "other"));
        assert_eq!((got.logs[0].body.as_str(), got.logs[0].level()), ("DbError: gone", Level::Error));
        assert_eq!(got.logs[0].span_id, Some(transaction.span_id));
        assert_eq!(got.logs[1].level(), Level::Warn, "nested fields win");
    }

    #[test]
    fn a_stream_without_metadata_is_refused() {
        assert!(decode(b"{\"span\":{}}\n", 0).is_err());
        assert!(decode(b"nonsense", 0).is_err());
        assert_eq!(decode(b"", 0).expect("nothing").accepted, 0);
    }

    proptest! {
        #[test]
        fn any_lines_are_answered(text in "(\\{\"metadata\":\\{\\}\\}\n)?[\\[\\]{}\":,0-9a-z\n ]{0,100}") {
            let _ = decode(text.as_bytes(), 1);
        }
    }
}
