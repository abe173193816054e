//! Datadog: the documented search of spans, `POST /api/v2/spans/events/search`, page by page.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::clock::Timestamp;
use crate::telemetry::{AttrValue, Attributes, Resource, SpanId, otlp_values};
use crate::traces::model::{Span, SpanKind};

use super::{Caller, Fault, Found, MAX_SPANS, Wanted, at, text_at};

/// Indexed spans are kept for 15 days, those kept by a retention filter of the team 30.
const SINCE: &str = "now-30d";
const PAGE: usize = 1_000;

pub(super) async fn fetch(caller: &Caller<'_>, wanted: &Wanted) -> Result<Found, Fault> {
    let mut found = Found::default();
    let mut cursor = Json::Null;
    let mut resources = HashMap::new();
    while found.spans.len() <= MAX_SPANS {
        let mut page = json!({ "limit": PAGE });
        if !cursor.is_null() {
            page["cursor"] = cursor;
        }
        let query = format!("trace_id:{} OR trace_id:{}", wanted.hex(), wanted.low());
        let body = json!({ "data": { "type": "search_request", "attributes": {
            "filter": { "query": query, "from": SINCE, "to": "now" }, "sort": "timestamp", "page": page } } });
        let answer = caller.post_json("/api/v2/spans/events/search", &body).await?;
        let rows = answer.get("data").and_then(Json::as_array);
        let rows = rows.ok_or_else(|| Fault::Refused("it answers, but not as Datadog does".to_owned()))?;
        let mut unread = 0;
        for row in rows {
            match span_of(row.get("attributes").unwrap_or(&Json::Null), wanted, &mut resources) {
                Some(span) => found.spans.push(span),
                None => unread += 1,
            }
        }
        if unread > 0 {
            found.remark.push_str(&format!("{unread} spans could not be read. "));
        }
        cursor = answer.pointer("/meta/page/after").cloned().unwrap_or_default();
        if cursor.is_null() || rows.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// Datadog writes ids as decimal numbers; 16 hex digits in newer answers.
fn id_of(text: &str) -> Option<SpanId> {
    match text.parse::<u64>() {
        Ok(number) => SpanId::new(number),
        Err(_) => SpanId::parse_lenient(text).ok(),
    }
}

fn span_of(row: &Json, wanted: &Wanted, resources: &mut HashMap<String, Arc<Resource>>) -> Option<Span> {
    let span_id = id_of(&text_at(row, &["span_id"]))?;
    let service = text_at(row, &["service"]);
    let version = text_at(row, &["custom.version", "attributes.version"]);
    let host = text_at(row, &["host"]);
    let resource = resources.entry(format!("{service}\n{version}\n{host}")).or_insert_with(|| {
        let mut attributes = Attributes::default();
        let environment = text_at(row, &["env"]);
        for (key, value) in [
            ("service.name", &service),
            ("service.version", &version),
            ("host.name", &host),
            ("deployment.environment", &environment),
        ] {
            if !value.is_empty() {
                attributes.push(key, AttrValue::text(value.as_str()));
            }
        }
        Arc::new(Resource::from_attributes(attributes))
    });
    let mut span = Span::bare(wanted.trace_id()?, span_id, Arc::clone(resource));
    span.parent = id_of(&text_at(row, &["parent_id"]));
    span.name = text_at(row, &["resource_name", "operation_name"]);
    let time = |field: &str| Timestamp::parse(&text_at(row, &[field])).map(|t| t.as_micros().saturating_mul(1_000));
    span.start_nanos = time("start_timestamp")?;
    span.end_nanos = time("end_timestamp").unwrap_or(span.start_nanos);
    span.kind = SpanKind::from_word(&text_at(row, &["custom.span.kind", "attributes.span.kind", "type"]));
    if span.kind == SpanKind::Unspecified {
        span.kind = match text_at(row, &["type"]).as_str() {
            "web" => SpanKind::Server,
            "http" | "db" | "sql" | "cache" | "redis" => SpanKind::Client,
            _ => SpanKind::Internal,
        };
    }
    flatten(at(row, "custom").unwrap_or(&Json::Null), "", &mut span.attributes);
    let error = text_at(row, &["custom.error.message", "custom.error.type", "attributes.error.message"]);
    if text_at(row, &["status", "custom.status", "attributes.status"]) == "error" || !error.is_empty() {
        span.set_error(error);
    }
    Some(span)
}

/// Nested objects become dotted keys, as the tags were written.
fn flatten(json: &Json, prefix: &str, out: &mut Attributes) {
    let Some(fields) = json.as_object() else { return };
    for (key, value) in fields {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if value.is_object() && name.len() < 200 {
            flatten(value, &name, out);
        } else {
            out.push(name, otlp_values::from_plain_json(value));
        }
    }
}

pub(super) async fn test(caller: &Caller<'_>) -> Result<String, Fault> {
    let body = json!({ "data": { "type": "search_request", "attributes": {
        "filter": { "query": "*", "from": "now-15m", "to": "now" }, "page": { "limit": 1 } } } });
    let answer = caller.post_json("/api/v2/spans/events/search", &body).await?;
    match answer.get("data").and_then(Json::as_array) {
        Some(rows) if rows.is_empty() => Ok("It accepts both keys; no span came in the last 15 minutes.".to_owned()),
        Some(_) => Ok("It accepts both keys and has fresh spans.".to_owned()),
        None => Err(Fault::Refused("it answers, but not as Datadog does".to_owned())),
    }
}
