//! OTLP logs in protobuf and JSON, record by record.

use std::sync::Arc;

use opentelemetry_proto::tonic::logs::v1::LogRecord as ProtoRecord;
use prost::Message;
use prost::bytes::Bytes;
use serde_json::Value as Json;

use super::model::{Level, LogRecord};
use crate::error::Result;
use crate::telemetry::attributes::clip;
use crate::telemetry::otlp::{
    RawRequest, clamp_nanos, items, nanos_field, read_json, resource_from_json, scope_from_json, text_field, top_level,
};
use crate::telemetry::{AttrValue, Decoded, Resource, SpanId, TraceId, otlp_values};

pub type DecodedLogs = Decoded<LogRecord>;

/// Decodes an `ExportLogsServiceRequest`.
pub fn decode_proto(body: Bytes) -> Result<DecodedLogs> {
    let request = RawRequest::read(body)?;
    let mut out = DecodedLogs::default();
    for (r, raw) in request.resources.iter().enumerate() {
        let resource = Arc::new(raw.resource());
        for (s, scope) in raw.scopes.iter().enumerate() {
            let name = scope.name();
            for (i, record) in scope.records.iter().enumerate() {
                let record = ProtoRecord::decode(record.clone())
                    .map_err(|e| format!("not a log record: {e}"))
                    .and_then(|record| from_proto(record, &resource, name.as_deref()));
                out.take(|| format!("resourceLogs[{r}].scopeLogs[{s}].logRecords[{i}]"), record);
            }
        }
    }
    Ok(out)
}

/// Decodes the same in JSON.
pub fn decode_json(body: &[u8]) -> Result<DecodedLogs> {
    let json = read_json(body)?;
    let mut out = DecodedLogs::default();
    for (r, group) in top_level(&json, "resourceLogs")?.iter().enumerate() {
        let resource = Arc::new(resource_from_json(group));
        for (s, scope) in items(group, "scopeLogs").iter().enumerate() {
            let name = scope_from_json(scope);
            for (i, record) in items(scope, "logRecords").iter().enumerate() {
                let record = from_json(record, &resource, name.as_deref());
                out.take(|| format!("resourceLogs[{r}].scopeLogs[{s}].logRecords[{i}]"), record);
            }
        }
    }
    Ok(out)
}

fn from_proto(record: ProtoRecord, resource: &Arc<Resource>, scope: Option<&str>) -> Result<LogRecord, String> {
    // Logs without a trace are normal: empty or zero ids mean none. A wrong length is a mistake.
    let trace_id =
        if record.trace_id.iter().all(|b| *b == 0) { None } else { Some(TraceId::from_bytes(&record.trace_id)?) };
    let time = if record.time_unix_nano == 0 { record.observed_time_unix_nano } else { record.time_unix_nano };
    let mut out = LogRecord {
        at_nanos: clamp_nanos(time),
        severity: severity(i64::from(record.severity_number), &record.severity_text),
        severity_text: clip(record.severity_text),
        body: body_text(record.body.map_or(AttrValue::Null, otlp_values::value_from_proto)),
        trace_id,
        span_id: SpanId::parent_from_bytes(&record.span_id)?,
        attributes: otlp_values::from_proto(record.attributes),
        resource: Arc::clone(resource),
        scope: scope.map(str::to_owned),
    };
    name_event(&mut out, record.event_name);
    Ok(out)
}

fn from_json(json: &Json, resource: &Arc<Resource>, scope: Option<&str>) -> Result<LogRecord, String> {
    if !json.is_object() {
        return Err("a log record is an object".to_owned());
    }
    let trace = text_field(json, "traceId")?;
    let span = text_field(json, "spanId")?;
    let blank = |id: &str| id.bytes().all(|b| b == b'0');
    let time = nanos_field(json, "timeUnixNano")?;
    let number = json.get("severityNumber").and_then(otlp_values::int).unwrap_or(0);
    let word = text_field(json, "severityText")?;
    let mut out = LogRecord {
        at_nanos: if time == 0 { nanos_field(json, "observedTimeUnixNano")? } else { time },
        severity: severity(number, word),
        severity_text: clip(word.to_owned()),
        body: body_text(json.get("body").map_or(AttrValue::Null, otlp_values::value_from_json)),
        trace_id: if blank(trace) { None } else { Some(TraceId::parse_strict(trace)?) },
        span_id: if blank(span) { None } else { Some(SpanId::parse_strict(span)?) },
        attributes: otlp_values::from_json(json.get("attributes")),
        resource: Arc::clone(resource),
        scope: scope.map(str::to_owned),
    };
    name_event(&mut out, text_field(json, "eventName")?.to_owned());
    Ok(out)
}

/// The number when it is in range, else what the word means.
fn severity(number: i64, word: &str) -> u8 {
    u8::try_from(number).ok().filter(|n| (1..=24).contains(n)).unwrap_or_else(|| Level::from_word(word).floor())
}

/// An event's name is what its reader looks for first; it is kept as an attribute, and as the body when
/// there is none.
fn name_event(record: &mut LogRecord, name: String) {
    if name.is_empty() {
        return;
    }
    if record.body.is_empty() {
        record.body.clone_from(&name);
    }
    record.attributes.push("event.name", AttrValue::text(name));
}

fn body_text(body: AttrValue) -> String {
    match body {
        AttrValue::Null => String::new(),
        AttrValue::Text(s) => s,
        other => clip(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::telemetry::otlp::{RawResource, RawScope};

    #[test]
    fn json_records_are_read_and_refused_one_by_one() {
        let body = json!({"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "cart"}}]},
        "scopeLogs": [{"scope": {"name": "app.logger"}, "logRecords": [
            {"timeUnixNano": "1544712660300000000", "severityNumber": 17, "severityText": "ERROR", "body": {"stringValue": "boom"},
             "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174"},
            {"observedTimeUnixNano": 5, "severityText": "warning", "body": {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": "1"}}]}}},
            {"traceId": "12"},
            {"eventName": "user.login", "traceId": ""},
            "text"
        ]}]}]});
        let got = decode_json(body.to_string().as_bytes()).expect("an envelope");
        assert_eq!((got.records.len(), got.rejected_count()), (3, 2));
        let [boom, warned, event] = got.records.as_slice() else { panic!("three records") };
        assert_eq!((boom.level(), boom.body.as_str(), boom.resource.service.as_str()), (Level::Error, "boom", "cart"));
        assert_eq!(boom.trace_id.map(|t| t.to_string()).as_deref(), Some("5b8efff798038103d269b633813fc60c"));
        assert_eq!((warned.at_nanos, warned.severity, warned.body.as_str()), (5, 13, r#"{"a":1}"#));
        assert_eq!((event.body.as_str(), event.trace_id), ("user.login", None));
        assert_eq!(got.rejected[0].place, "resourceLogs[0].scopeLogs[0].logRecords[2]");
    }

    #[test]
    fn protobuf_records_are_read_and_refused_one_by_one() {
        let good = ProtoRecord {
            time_unix_nano: 7,
            severity_number: 9,
            body: Some(AnyValue { value: Some(any_value::Value::StringValue("hello".into())) }),
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            ..ProtoRecord::default()
        };
        let short = ProtoRecord { trace_id: vec![1; 4], ..good.clone() };
        let records =
            vec![good.encode_to_vec().into(), short.encode_to_vec().into(), Bytes::from_static(&[0x1a, 1, 0xff])];
        let request = RawRequest {
            resources: vec![RawResource {
                resource: Bytes::new(),
                scopes: vec![RawScope { scope: Bytes::new(), records }],
            }],
        };
        let got = decode_proto(request.encode_to_vec().into()).expect("an envelope");
        assert_eq!((got.records.len(), got.rejected_count()), (1, 2));
        assert_eq!((got.records[0].body.as_str(), got.records[0].level()), ("hello", Level::Info));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode_proto(bytes.clone().into());
            let _ = decode_json(&bytes);
        }
    }
}
