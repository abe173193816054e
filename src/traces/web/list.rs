//! The list of traces with its search, and the way to a trace by anything that names it.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;

use super::format::duration;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::telemetry::lookup::Pasted;
use crate::traces::model::{TraceFilter, TraceHead};
use crate::traces::service::view;
use crate::web::{Cursor, Cx, Shell, redirect, render};

const PAGE: usize = 50;

/// The search as it stands in the address; the same for the page and the API.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::traces) struct ListQuery {
    /// An id, a context header or a tracing system's address: leads to the trace itself.
    pub q: String,
    pub service: String,
    pub operation: String,
    /// `true` or `1`.
    pub error: String,
    pub min_duration_ms: String,
    pub max_duration_ms: String,
    pub from: String,
    pub to: String,
    pub cursor: String,
    pub limit: Option<usize>,
}

impl ListQuery {
    /// # Errors
    /// `Invalid` with the field that cannot be read.
    pub fn filter(&self) -> Result<TraceFilter> {
        let time = |field: &str, text: &str| match text.trim() {
            "" => Ok(None),
            text => Timestamp::parse(text).map(Some).ok_or_else(|| Error::invalid(field, "is not a time")),
        };
        let millis = |field: &str, text: &str| match text.trim() {
            "" => Ok(None),
            text => text
                .parse::<f64>()
                .ok()
                .filter(|ms| ms.is_finite() && *ms >= 0.0 && *ms < 1e12)
                .map(micros)
                .map(Some)
                .ok_or_else(|| Error::invalid(field, "is not a number of milliseconds")),
        };
        Ok(TraceFilter {
            service: self.service.trim().to_owned(),
            operation: self.operation.trim().to_owned(),
            error: matches!(self.error.as_str(), "1" | "true" | "on"),
            min_duration_us: millis("min_duration_ms", &self.min_duration_ms)?,
            max_duration_us: millis("max_duration_ms", &self.max_duration_ms)?,
            from: time("from", &self.from)?,
            to: time("to", &self.to)?,
        })
    }

    pub fn before(&self) -> Result<Option<(Timestamp, i64)>> {
        Ok(Cursor::from_param(Some(&self.cursor))?.map(|c| (Timestamp::from_micros(c.sort), c.id)))
    }

    pub fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE).clamp(1, 200)
    }

    fn link(&self, cursor: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let pairs = [
            ("service", &self.service),
            ("operation", &self.operation),
            ("error", &self.error),
            ("min_duration_ms", &self.min_duration_ms),
            ("max_duration_ms", &self.max_duration_ms),
            ("from", &self.from),
            ("to", &self.to),
        ];
        query.extend_pairs(pairs.into_iter().filter(|(_, v)| !v.is_empty()));
        if !cursor.is_empty() {
            query.append_pair("cursor", cursor);
        }
        format!("/traces?{}", query.finish())
    }

    fn wants_errors(&self) -> bool {
        !self.error.is_empty()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be below 1e12 ms")]
fn micros(ms: f64) -> i64 {
    (ms * 1_000.0).round() as i64
}

pub(in crate::traces) fn cursor_text((at, row): (Timestamp, i64)) -> String {
    Cursor { sort: at.as_micros(), id: row }.encode()
}

/// One line of the list.
struct RowView {
    head: TraceHead,
    duration: String,
    /// Of the longest in the list, out of 100.
    share: i64,
}

#[derive(Template)]
#[template(path = "traces/list.html")]
struct ListPage {
    shell: Shell,
    query: ListQuery,
    complaint: Option<String>,
    services: Vec<String>,
    operations: Vec<String>,
    rows: Vec<RowView>,
    first: String,
    next: Option<String>,
    /// What was pasted and not found.
    missing: Option<String>,
}

pub(in crate::traces) async fn list(cx: Cx, Query(query): Query<ListQuery>) -> Result<Response> {
    let db = &cx.state.db;
    let pasted = query.q.trim();
    let mut missing = None;
    let mut complaint = None;
    if !pasted.is_empty() {
        if let Some(found) = view::find(db, pasted).await? {
            let span =
                Pasted::parse(pasted).and_then(|p| p.span).map(|s| format!("?span={s}#span")).unwrap_or_default();
            return Ok(redirect(&format!("/traces/{}{span}", found.trace_id)));
        }
        match Pasted::parse(pasted) {
            Some(_) => missing = Some(pasted.chars().take(200).collect()),
            None => {
                complaint =
                    Some("That names no trace: paste an id, a traceparent or the address of a trace's page.".to_owned())
            }
        }
    }
    let found = match query.filter().and_then(|f| Ok((f, query.before()?))) {
        Ok((filter, before)) => view::search(db, &filter, before, query.limit()).await?,
        Err(error) => {
            complaint = Some(error.to_string());
            (Vec::new(), None)
        }
    };
    let longest = found.0.iter().map(|t| t.duration_us).max().unwrap_or(0).max(1);
    let rows = found.0.into_iter().map(|head| RowView {
        duration: duration(head.duration_us.saturating_mul(1_000)),
        share: head.duration_us.saturating_mul(100) / longest,
        head,
    });
    render(&ListPage {
        shell: cx.shell("Traces"),
        complaint,
        services: view::services(db).await?,
        operations: if query.service.is_empty() {
            Vec::new()
        } else {
            view::operations(db, query.service.trim()).await?
        },
        rows: rows.collect(),
        first: query.link(""),
        next: found.1.map(|c| query.link(&cursor_text(c))),
        missing,
        query,
    })
}
