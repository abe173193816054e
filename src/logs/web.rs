//! The search of logs, as a page and as JSON.

use askama::Template;
use axum::Json;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::state::AppState;
use crate::telemetry::lookup::{Pasted, TraceKey};
use crate::web::{Cursor, Cx, Shell, render};

use super::model::{Level, LogFilter, LogLine};
use super::service;

const PAGE: usize = 100;

/// The filter as it stands in the address.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LogQuery {
    service: String,
    #[serde(alias = "trace_id")]
    trace: String,
    #[serde(alias = "severity")]
    level: String,
    q: String,
    from: String,
    to: String,
    cursor: String,
    limit: Option<usize>,
}

impl LogQuery {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE).clamp(1, 200)
    }

    fn filter(&self) -> Result<LogFilter> {
        let time = |field: &str, text: &str| match text.trim() {
            "" => Ok(None),
            text => Timestamp::parse(text).map(Some).ok_or_else(|| Error::invalid(field, "is not a time")),
        };
        let trace = match self.trace.trim() {
            "" => None,
            text => Some(key_of(text).ok_or_else(|| Error::invalid("trace", "names no trace"))?),
        };
        Ok(LogFilter {
            service: self.service.trim().to_owned(),
            trace,
            min_severity: Level::from_word(&self.level).floor(),
            text: self.q.trim().to_owned(),
            from: time("from", &self.from)?,
            to: time("to", &self.to)?,
        })
    }

    fn before(&self) -> Result<Option<(Timestamp, i64)>> {
        Ok(Cursor::from_param(Some(&self.cursor))?.map(|c| (Timestamp::from_micros(c.sort), c.id)))
    }

    /// This search from another place on.
    fn link(&self, cursor: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let pairs = [
            ("service", &self.service),
            ("trace", &self.trace),
            ("level", &self.level),
            ("q", &self.q),
            ("from", &self.from),
            ("to", &self.to),
        ];
        query.extend_pairs(pairs.into_iter().filter(|(_, v)| !v.is_empty()));
        if !cursor.is_empty() {
            query.append_pair("cursor", cursor);
        }
        format!("/logs?{}", query.finish())
    }
}

/// An id in any notation, a context header or a page's address.
fn key_of(text: &str) -> Option<TraceKey> {
    Pasted::parse(text)?.keys.first().copied()
}

#[derive(Template)]
#[template(path = "logs/list.html")]
struct ListPage {
    shell: Shell,
    query: LogQuery,
    complaint: Option<String>,
    services: Vec<String>,
    levels: [Level; 6],
    lines: Vec<LogLine>,
    first: String,
    next: Option<String>,
}

pub(super) async fn list(cx: Cx, Query(query): Query<LogQuery>) -> Result<Response> {
    let filter = query.filter().and_then(|f| Ok((f, query.before()?)));
    let (complaint, (lines, more)) = match filter {
        Ok((filter, before)) => (None, service::search(&cx.state.db, &filter, before, query.limit()).await?),
        Err(error) => (Some(error.to_string()), (Vec::new(), false)),
    };
    let next = lines.last().filter(|_| more).map(|l| query.link(&cursor_of(l)));
    render(&ListPage {
        shell: cx.shell("Logs"),
        complaint,
        services: service::services(&cx.state.db).await?,
        levels: Level::ALL,
        first: query.link(""),
        next,
        lines,
        query,
    })
}

fn cursor_of(line: &LogLine) -> String {
    Cursor { sort: line.at.as_micros(), id: line.id }.encode()
}

/// `GET /api/v1/logs?service=&trace_id=&severity=&q=&from=&to=&cursor=`. Counting a text search would read
/// everything, so there is no total.
pub(super) async fn list_json(
    State(state): State<AppState>,
    Query(query): Query<LogQuery>,
) -> Result<Json<serde_json::Value>> {
    let (lines, more) = service::search(&state.db, &query.filter()?, query.before()?, query.limit()).await?;
    let next_cursor = lines.last().filter(|_| more).map(cursor_of);
    Ok(Json(serde_json::json!({ "items": lines, "next_cursor": next_cursor })))
}
