//! Sentry: the documented table of events, `GET /api/0/organizations/{org}/events/`, first its spans, then
//! its errors, which stand beside the spans as log lines.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::clock::Timestamp;
use crate::logs::model::{Level, LogRecord};
use crate::telemetry::{AttrValue, Attributes, Resource, SpanId};
use crate::traces::model::{Span, SpanKind};

use super::{Caller, Fault, Found, MAX_SPANS, Wanted, expect_success, json_of, nanos, number_at, text_at};

const SPAN_FIELDS: [&str; 12] = [
    "id",
    "parent_span",
    "span.op",
    "span.description",
    "span.status",
    "span.duration",
    "transaction",
    "project",
    "release",
    "environment",
    "precise.start_ts",
    "precise.finish_ts",
];
const ERROR_FIELDS: [&str; 7] = ["id", "title", "timestamp", "level", "project", "release", "trace.span"];
/// Sentry keeps spans for 30 days, errors for 90.
const PERIOD: &str = "90d";
const PAGE: usize = 100;
const MAX_PAGES: usize = 200;

pub(super) async fn fetch(caller: &Caller<'_>, wanted: &Wanted) -> Result<Found, Fault> {
    let rows = table(caller, "spans", &SPAN_FIELDS, wanted).await?;
    let mut resources = HashMap::new();
    let spans = rows.iter().filter_map(|row| span_of(row, wanted, &mut resources)).collect();
    let mut found = Found { spans, ..Found::default() };
    let unread = rows.len() - found.spans.len();
    if unread > 0 {
        found.remark = format!("{unread} spans could not be read. ");
    }
    if !found.spans.is_empty() {
        match table(caller, "errors", &ERROR_FIELDS, wanted).await {
            Ok(rows) => found.logs = rows.iter().map(|row| log_of(row, wanted, &mut resources)).collect(),
            Err(_) => found.remark.push_str("Its errors could not be had. "),
        }
    }
    Ok(found)
}

/// All rows of a table, page by page.
async fn table(caller: &Caller<'_>, dataset: &str, fields: &[&str], wanted: &Wanted) -> Result<Vec<Json>, Fault> {
    let mut rows = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let query = query_of(dataset, fields, wanted, cursor.as_deref());
        let path = format!("/api/0/organizations/{}/events/?{query}", caller.source.scope);
        let answer = expect_success(caller.get(&path, "application/json").await?)?;
        cursor = answer.link.as_deref().and_then(next_cursor);
        let json = json_of(&answer)?;
        let page = json.get("data").and_then(Json::as_array);
        rows.extend(
            page.ok_or_else(|| Fault::Refused("it answers, but not as Sentry does".to_owned()))?.iter().cloned(),
        );
        if cursor.is_none() || rows.len() > MAX_SPANS {
            break;
        }
    }
    Ok(rows)
}

fn query_of(dataset: &str, fields: &[&str], wanted: &Wanted, cursor: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("dataset", dataset).append_pair("statsPeriod", PERIOD);
    query.append_pair("query", &format!("trace:{}", wanted.hex())).append_pair("per_page", &PAGE.to_string());
    query.extend_pairs(fields.iter().map(|f| ("field", *f)));
    if let Some(cursor) = cursor {
        query.append_pair("cursor", cursor);
    }
    query.finish()
}

/// `<…>; rel="next"; results="true"; cursor="0:100:0"`
fn next_cursor(link: &str) -> Option<String> {
    let next = link.split(',').find(|part| part.contains("rel=\"next\"") && part.contains("results=\"true\""))?;
    let (_, after) = next.split_once("cursor=\"")?;
    after.split('"').next().map(str::to_owned)
}

fn resource_of(row: &Json, pool: &mut HashMap<String, Arc<Resource>>) -> Arc<Resource> {
    let (project, release) = (text_at(row, &["project", "project.name"]), text_at(row, &["release"]));
    let made = pool.entry(format!("{project}\n{release}")).or_insert_with(|| {
        let mut attributes = Attributes::default();
        attributes.push("service.name", AttrValue::text(project));
        if !release.is_empty() {
            // A release is often written as name@version.
            attributes.push("service.version", AttrValue::text(release.rsplit('@').next().unwrap_or_default()));
        }
        let environment = text_at(row, &["environment"]);
        if !environment.is_empty() {
            attributes.push("deployment.environment", AttrValue::text(environment));
        }
        Arc::new(Resource::from_attributes(attributes))
    });
    Arc::clone(made)
}

/// Seconds since 1970 with a fraction, or a time in words.
fn time_at(row: &Json, fields: &[&str]) -> Option<i64> {
    // A double holds microseconds of this century exactly, nanoseconds not.
    let seconds = number_at(row, fields).map(|s| nanos((s * 1e6).round(), 1.0).saturating_mul(1_000));
    seconds.or_else(|| Timestamp::parse(&text_at(row, fields)).map(|t| t.as_micros().saturating_mul(1_000)))
}

fn span_of(row: &Json, wanted: &Wanted, pool: &mut HashMap<String, Arc<Resource>>) -> Option<Span> {
    let span_id = SpanId::parse_lenient(&text_at(row, &["id", "span_id"])).ok()?;
    let mut span = Span::bare(wanted.trace_id()?, span_id, resource_of(row, pool));
    span.parent = SpanId::parse_lenient(&text_at(row, &["parent_span"])).ok();
    let operation = text_at(row, &["span.op"]);
    let description = text_at(row, &["span.description", "transaction"]);
    span.name = if description.is_empty() { operation.clone() } else { description };
    span.start_nanos = time_at(row, &["precise.start_ts"])?;
    let duration = || nanos(number_at(row, &["span.duration"]).unwrap_or(0.0), 1e6);
    span.end_nanos =
        time_at(row, &["precise.finish_ts"]).unwrap_or_else(|| span.start_nanos.saturating_add(duration()));
    span.kind = match operation.split('.').next().unwrap_or_default() {
        "http" if operation.ends_with("server") => SpanKind::Server,
        "http" | "db" | "cache" | "grpc" | "rpc" => SpanKind::Client,
        "queue" if operation.ends_with("publish") => SpanKind::Producer,
        "queue" => SpanKind::Consumer,
        _ => SpanKind::Internal,
    };
    span.attributes.push("sentry.op", AttrValue::text(operation));
    let status = text_at(row, &["span.status"]);
    if !matches!(status.as_str(), "" | "ok" | "unset" | "unknown" | "cancelled") {
        span.set_error(status);
    }
    Some(span)
}

fn log_of(row: &Json, wanted: &Wanted, pool: &mut HashMap<String, Arc<Resource>>) -> LogRecord {
    let word = text_at(row, &["level"]);
    let level = if word.is_empty() { Level::Error } else { Level::from_word(&word) };
    LogRecord {
        at_nanos: time_at(row, &["timestamp"]).unwrap_or(0),
        severity: level.floor(),
        severity_text: word,
        body: text_at(row, &["title"]),
        trace_id: wanted.trace_id(),
        span_id: SpanId::parse_lenient(&text_at(row, &["trace.span"])).ok(),
        attributes: Attributes::default(),
        resource: resource_of(row, pool),
        scope: None,
    }
}

pub(super) async fn test(caller: &Caller<'_>) -> Result<String, Fault> {
    let json = caller.get_json(&format!("/api/0/organizations/{}/", caller.source.scope)).await?;
    let slug = text_at(&json, &["slug"]);
    if slug.is_empty() {
        return Err(Fault::Refused("it answers, but not as Sentry does".to_owned()));
    }
    Ok(format!("It accepts the token for the organisation {slug}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_read_from_the_link() {
        let link = "<https://s/?cursor=0:0:1>; rel=\"previous\"; results=\"false\"; cursor=\"0:0:1\", \
                    <https://s/?cursor=0:100:0>; rel=\"next\"; results=\"true\"; cursor=\"0:100:0\"";
        assert_eq!(next_cursor(link).as_deref(), Some("0:100:0"));
        assert_eq!(next_cursor(&link.replace("results=\"true\"", "results=\"false\"")), None);
        assert_eq!(next_cursor("nonsense"), None);
    }
}
