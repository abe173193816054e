//! Elasticsearch: transactions, spans and errors of Elastic APM and log lines, all by `trace.id`, in one
//! search. Documents of Elastic's agents are put back into the shape in which the agents send them, so
//! that one decoder reads both; those of an OpenTelemetry collector are read as they are.

use serde_json::{Value as Json, json};

use crate::clock::Timestamp;
use crate::telemetry::{AttrValue, Attributes, Resource, SpanId, TraceId, otlp_values};
use crate::traces::model::{Span, SpanKind, SpanStatus};
use crate::traces::wire::elastic;

use super::{Caller, Fault, Found, Wanted, at, nanos, number_at, text_at};

const INDICES: &str = "traces-*,apm-*,logs-*,filebeat-*";
/// Elasticsearch gives no more in one answer unless somebody raised its limit.
const SIZE: usize = 10_000;

pub(super) async fn fetch(caller: &Caller<'_>, wanted: &Wanted) -> Result<Found, Fault> {
    let id = wanted.hex();
    let body = json!({
        "size": SIZE,
        "track_total_hits": true,
        "query": { "bool": { "minimum_should_match": 1,
            "should": [ { "term": { "trace.id": id } }, { "term": { "trace_id": id } } ] } },
        // Spans before log lines: when not all fit, it is lines that are missing.
        "sort": [ { "processor.event": { "order": "desc", "unmapped_type": "keyword", "missing": "_last" } },
                  { "@timestamp": { "order": "asc", "unmapped_type": "date" } } ],
    });
    let path = format!("/{}/_search?ignore_unavailable=true&allow_no_indices=true", indices(&caller.source.scope));
    let answer = caller.post_json(&path, &body).await?;
    let hits = answer.pointer("/hits/hits").and_then(Json::as_array);
    let hits = hits.ok_or_else(|| Fault::Refused("it answers, but not as Elasticsearch does".to_owned()))?;
    let mut found = read(hits.iter().filter_map(|hit| hit.get("_source")));
    let total = answer.pointer("/hits/total/value").and_then(Json::as_u64).unwrap_or(0);
    if total > hits.len() as u64 {
        found.remark = format!("{} of {total} documents were taken. {}", hits.len(), found.remark);
    }
    Ok(found)
}

fn indices(scope: &str) -> &str {
    if scope.is_empty() { INDICES } else { scope }
}

fn read<'j>(documents: impl Iterator<Item = &'j Json>) -> Found {
    let mut found = Found::default();
    let mut stream = b"{\"metadata\":{}}\n".to_vec();
    for document in documents {
        if document.get("span_id").is_some() && document.get("trace_id").is_some() {
            found.spans.extend(otel_span(document));
        } else if let Some(event) = event_of(document) {
            stream.extend_from_slice(event.to_string().as_bytes());
            stream.push(b'\n');
        }
    }
    match elastic::decode(&stream, 0) {
        Ok(intake) => {
            found.spans.extend(intake.spans);
            found.logs = intake.logs;
            if let Some(first) = intake.errors.first() {
                found.remark =
                    format!("{} documents could not be read, the first: {}", intake.errors.len(), first.message);
            }
        }
        Err(error) => found.remark = error.to_string(),
    }
    found
}

/// A stored document as the agent sent it.
fn event_of(document: &Json) -> Option<Json> {
    let service = json!({ "name": text_at(document, &["service.name"]), "version": text_at(document, &["service.version"]),
        "environment": text_at(document, &["service.environment"]),
        "node": { "configured_name": text_at(document, &["service.node.name", "host.name"]) } });
    let kind = text_at(document, &["processor.event"]);
    let us = number_at(document, &["timestamp.us"])
        .or_else(|| Timestamp::parse(&text_at(document, &["@timestamp"])).map(|t| t.as_micros() as f64))?;
    #[expect(clippy::cast_possible_truncation, reason = "microseconds since 1970 are whole and far below 2^53")]
    let timestamp = us as i64;
    let common = |id: &str| {
        json!({ "id": id, "trace_id": text_at(document, &["trace.id"]), "parent_id": text_at(document, &["parent.id"]),
            "timestamp": timestamp, "outcome": text_at(document, &["event.outcome"]) })
    };
    let context = json!({ "service": service, "tags": tags(document),
        "response": { "status_code": at(document, "http.response.status_code") },
        "request": { "method": at(document, "http.request.method"), "url": { "full": at(document, "url.full") } },
        "db": { "statement": at(document, "span.db.statement"), "type": at(document, "span.db.type") },
        "destination": { "service": { "resource": at(document, "span.destination.service.resource") } } });
    Some(match kind.as_str() {
        "transaction" | "span" => {
            let under = |field: &str| text_at(document, &[&format!("{kind}.{field}")]);
            let mut body = common(&under("id"));
            body["name"] = under("name").into();
            body["type"] = under("type").into();
            body["subtype"] = under("subtype").into();
            body["result"] = under("result").into();
            body["duration"] = (number_at(document, &[&format!("{kind}.duration.us")]).unwrap_or(0.0) / 1_000.0).into();
            body["context"] = context;
            json!({ kind: body })
        }
        "error" => {
            let mut body = common(&text_at(document, &["error.id"]));
            body["culprit"] = text_at(document, &["error.culprit"]).into();
            let exception = at(document, "error.exception").map(|e| e.get(0).unwrap_or(e)).cloned().unwrap_or_default();
            body["exception"] =
                json!({ "type": text_at(&exception, &["type"]), "message": text_at(&exception, &["message"]) });
            body["log"] = json!({ "message": text_at(document, &["error.log.message", "message"]) });
            body["context"] = context;
            json!({ "error": body })
        }
        "metric" => return None,
        // What is no APM event but holds the trace's id is a log line.
        _ => json!({ "log": document }),
    })
}

fn tags(document: &Json) -> Json {
    let labels = [at(document, "labels"), at(document, "numeric_labels")];
    let all: serde_json::Map<String, Json> = labels
        .into_iter()
        .flatten()
        .filter_map(Json::as_object)
        .flatten()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    Json::Object(all)
}

/// A span as an OpenTelemetry collector stores it.
fn otel_span(document: &Json) -> Option<Span> {
    let trace_id = TraceId::parse_lenient(&text_at(document, &["trace_id"])).ok()?;
    let span_id = SpanId::parse_lenient(&text_at(document, &["span_id"])).ok()?;
    let mut resource = Attributes::default();
    for (key, value) in at(document, "resource.attributes").and_then(Json::as_object).into_iter().flatten() {
        resource.push(key.as_str(), otlp_values::from_plain_json(value));
    }
    let mut span = Span::bare(trace_id, span_id, Resource::from_attributes(resource).into());
    span.parent = SpanId::parse_parent(&text_at(document, &["parent_span_id"])).ok().flatten();
    span.name = text_at(document, &["name"]);
    span.kind = SpanKind::from_word(&text_at(document, &["kind"]));
    let started = Timestamp::parse(&text_at(document, &["@timestamp"]))?;
    span.start_nanos = started.as_micros().saturating_mul(1_000);
    span.end_nanos = span.start_nanos.saturating_add(nanos(number_at(document, &["duration"]).unwrap_or(0.0), 1.0));
    for (key, value) in at(document, "attributes").and_then(Json::as_object).into_iter().flatten() {
        span.attributes.push(key.as_str(), otlp_values::from_plain_json(value));
    }
    match text_at(document, &["status.code"]).to_ascii_lowercase().as_str() {
        "error" | "2" => span.set_error(text_at(document, &["status.message"])),
        "ok" | "1" => span.status = SpanStatus::Ok,
        _ => {}
    }
    if span.name.is_empty() {
        span.attributes.push("document", AttrValue::text("without a name"));
    }
    Some(span)
}

pub(super) async fn test(caller: &Caller<'_>) -> Result<String, Fault> {
    let path = format!("/{}/_count?ignore_unavailable=true&allow_no_indices=true", indices(&caller.source.scope));
    let json = caller.get_json(&path).await?;
    match json.get("count").and_then(Json::as_u64) {
        Some(count) => Ok(format!("It answers; the indices hold {count} documents.")),
        None => Err(Fault::Refused("it answers, but not as Elasticsearch does".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_both_shapes_become_spans_and_lines() {
        let id = "5b8efff798038103d269b633813fc60c";
        let documents = [
            json!({"processor": {"event": "transaction"}, "trace": {"id": id}, "transaction": {"id": "00000000000000a1", "name": "GET /cart",
                "type": "request", "result": "HTTP 5xx", "duration": {"us": 1500}}, "timestamp": {"us": 1_700_000_000_000_000_i64},
                "service": {"name": "shop", "version": "1.2"}, "event": {"outcome": "failure"}, "http": {"response": {"status_code": 500}}}),
            json!({"processor.event": "span", "trace.id": id, "span.id": "00000000000000a2", "parent.id": "00000000000000a1", "span.name": "SELECT",
                "span.type": "db", "span.duration.us": 900, "@timestamp": "2023-11-14T22:13:20.000Z", "service.name": "shop"}),
            json!({"processor": {"event": "error"}, "trace": {"id": id}, "parent": {"id": "00000000000000a2"}, "@timestamp": "2023-11-14T22:13:20.001Z",
                "error": {"exception": [{"type": "DbError", "message": "gone"}]}, "service": {"name": "shop"}}),
            json!({"@timestamp": "2023-11-14T22:13:20.001Z", "message": "retrying", "log.level": "warn", "trace.id": id, "service.name": "shop"}),
            json!({"trace_id": id, "span_id": "00000000000000a3", "parent_span_id": "00000000000000a2", "name": "parse", "kind": "Internal",
                "@timestamp": "2023-11-14T22:13:20.001Z", "duration": 5000, "status": {"code": "Error", "message": "bad row"},
                "resource": {"attributes": {"service.name": "db"}}, "attributes": {"rows": 3}}),
        ];
        let found = read(documents.iter());
        assert_eq!(found.remark, "");
        let shown: Vec<_> =
            found.spans.iter().map(|s| (s.service(), s.name.as_str(), s.duration_nanos(), s.failed())).collect();
        assert_eq!(
            shown,
            [("db", "parse", 5_000, true), ("shop", "GET /cart", 1_500_000, true), ("shop", "SELECT", 900_000, false)]
        );
        assert_eq!(found.spans[1].resource.version.as_deref(), Some("1.2"));
        assert_eq!(found.spans[2].parent, Some(found.spans[1].span_id));
        let lines: Vec<_> = found.logs.iter().map(|l| (l.body.as_str(), l.level().word())).collect();
        assert_eq!(lines, [("DbError: gone", "error"), ("retrying", "warn")]);
    }
}
