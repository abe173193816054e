//! New Relic: NRQL over NerdGraph, `POST /graphql`; spans and log lines by `trace.id`.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::logs::model::{Level, LogRecord};
use crate::telemetry::{AttrValue, Attributes, Resource, SpanId, otlp_values};
use crate::traces::model::{Span, SpanKind};

use super::{Caller, Fault, Found, Wanted, nanos, number_at, text_at};

/// Spans are kept for eight days unless more is paid for.
const SINCE: &str = "SINCE 30 days ago LIMIT MAX";
const QUERY: &str = "query($account: Int!, $nrql: Nrql!) { actor { account(id: $account) { nrql(query: $nrql, timeout: 12) { results } } } }";

pub(super) async fn fetch(caller: &Caller<'_>, wanted: &Wanted) -> Result<Found, Fault> {
    let id = wanted.hex();
    let rows = ask(caller, &format!("SELECT * FROM Span WHERE trace.id = '{id}' {SINCE}")).await?;
    let mut found = Found { spans: rows.iter().filter_map(|row| span_of(row, wanted)).collect(), ..Found::default() };
    let unread = rows.len() - found.spans.len();
    if unread > 0 {
        found.remark = format!("{unread} spans could not be read. ");
    }
    if !found.spans.is_empty() {
        // A trace without its lines is better than none.
        match ask(caller, &format!("SELECT * FROM Log WHERE trace.id = '{id}' {SINCE}")).await {
            Ok(rows) => found.logs = rows.iter().map(|row| log_of(row, wanted)).collect(),
            Err(fault) => found.remark.push_str(&format!("Its log lines could not be had: {fault:?}")),
        }
    }
    Ok(found)
}

async fn ask(caller: &Caller<'_>, nrql: &str) -> Result<Vec<Json>, Fault> {
    let account: i64 =
        caller.source.scope.parse().map_err(|_| Fault::Refused("the account id is not a number".to_owned()))?;
    let body = json!({ "query": QUERY, "variables": { "account": account, "nrql": nrql } });
    let answer = caller.post_json("/graphql", &body).await?;
    // GraphQL answers 200 also when it refuses.
    if let Some(error) = answer.pointer("/errors/0/message").and_then(Json::as_str) {
        return Err(Fault::Refused(format!(
            "it refuses the question: {}",
            error.chars().take(300).collect::<String>()
        )));
    }
    let rows = answer.pointer("/data/actor/account/nrql/results").and_then(Json::as_array).cloned();
    rows.ok_or_else(|| Fault::Refused("it answers, but not as NerdGraph does".to_owned()))
}

fn resource_of(row: &Json) -> Arc<Resource> {
    let mut attributes = Attributes::default();
    let names: [(&str, &[&str]); 4] = [
        ("service.name", &["service.name", "appName", "entity.name", "entityName"]),
        ("service.version", &["service.version", "tags.version"]),
        ("deployment.environment", &["deployment.environment", "environment"]),
        ("host.name", &["host.name", "host", "hostname"]),
    ];
    for (key, from) in names {
        let value = text_at(row, from);
        if !value.is_empty() {
            attributes.push(key, AttrValue::text(value));
        }
    }
    Arc::new(Resource::from_attributes(attributes))
}

fn span_of(row: &Json, wanted: &Wanted) -> Option<Span> {
    let span_id = SpanId::parse_lenient(&text_at(row, &["id", "guid", "span.id"])).ok()?;
    let mut span = Span::bare(wanted.trace_id()?, span_id, resource_of(row));
    span.parent = SpanId::parse_lenient(&text_at(row, &["parent.id", "parentId"])).ok();
    span.name = text_at(row, &["name"]);
    span.start_nanos = nanos(number_at(row, &["timestamp"])?, 1e6);
    let took = match number_at(row, &["duration.ms", "durationMs"]) {
        Some(ms) => nanos(ms, 1e6),
        None => nanos(number_at(row, &["duration"]).unwrap_or(0.0), 1e9),
    };
    span.end_nanos = span.start_nanos.saturating_add(took);
    span.kind = SpanKind::from_word(&text_at(row, &["span.kind"]));
    if span.kind == SpanKind::Unspecified {
        span.kind = match text_at(row, &["category"]).as_str() {
            "http" | "datastore" => SpanKind::Client,
            _ if row.get("nr.entryPoint").and_then(Json::as_bool) == Some(true) => SpanKind::Server,
            _ => SpanKind::Internal,
        };
    }
    let message = text_at(row, &["error.message", "otel.status_description", "error.class"]);
    let is_error = row.get("error").and_then(Json::as_bool) == Some(true) || !text_at(row, &["error.class"]).is_empty();
    if is_error || text_at(row, &["otel.status_code"]).eq_ignore_ascii_case("error") {
        span.set_error(message);
    }
    const KNOWN: [&str; 8] = ["id", "guid", "trace.id", "traceId", "parent.id", "parentId", "timestamp", "name"];
    for (key, value) in row.as_object().into_iter().flatten() {
        if !KNOWN.contains(&key.as_str()) && !value.is_null() {
            span.attributes.push(key.as_str(), otlp_values::from_plain_json(value));
        }
    }
    Some(span)
}

fn log_of(row: &Json, wanted: &Wanted) -> LogRecord {
    let word = text_at(row, &["level", "log.level", "severity.text"]);
    LogRecord {
        at_nanos: nanos(number_at(row, &["timestamp"]).unwrap_or(0.0), 1e6),
        severity: Level::from_word(&word).floor(),
        severity_text: word,
        body: text_at(row, &["message"]),
        trace_id: wanted.trace_id(),
        span_id: SpanId::parse_lenient(&text_at(row, &["span.id"])).ok(),
        attributes: Attributes::default(),
        resource: resource_of(row),
        scope: Some(text_at(row, &["logger.name"])).filter(|s| !s.is_empty()),
    }
}

pub(super) async fn test(caller: &Caller<'_>) -> Result<String, Fault> {
    let rows = ask(caller, "SELECT count(*) FROM Span SINCE 15 minutes ago").await?;
    let count = rows.first().and_then(|r| number_at(r, &["count"])).unwrap_or(0.0);
    Ok(format!("It accepts the key; {count} spans came in the last 15 minutes."))
}
