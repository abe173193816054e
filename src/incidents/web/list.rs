//! `/incidents`: all of them, filtered by the URL.

use askama::Template;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;

use crate::error::{Error, FieldErrors, Result};
use crate::services;
use crate::web::{Cx, Page, Shell, redirect, render, render_with_status};

use super::super::model::{IncidentId, Kind, Severity, Status};
use super::super::service::lists::{self, ListQuery, Listed};

/// Counting stops here; the page then says "1,000+".
const COUNT_TO: i64 = 1_001;

#[derive(Template)]
#[template(path = "incidents/list.html")]
struct ListPage {
    shell: Shell,
    query: ListQuery,
    errors: FieldErrors,
    page: Page<Listed>,
    teams: Vec<String>,
}

impl ListPage {
    fn total(&self) -> String {
        if self.page.total >= COUNT_TO { "1,000+".to_owned() } else { self.page.total.to_string() }
    }

    fn age(&self, listed: &Listed) -> String {
        listed.incident.age_words(self.shell.now)
    }

    fn status_is(&self, word: &str) -> bool {
        self.query.status.iter().any(|s| s == word)
    }

    fn severity_is(&self, severity: &Severity) -> bool {
        self.query.severity.iter().any(|s| Severity::read(s) == Some(*severity))
    }

    fn kind_is(&self, kind: &Kind) -> bool {
        self.query.kind.iter().any(|k| Kind::parse(k) == Some(*kind))
    }

    fn is_filtered(&self) -> bool {
        let q = &self.query;
        let words = q.status.len() + q.severity.len() + q.kind.len();
        words > 0 || [&q.service, &q.team, &q.q, &q.from, &q.to].iter().any(|t| !t.is_empty())
    }

    /// The same filters for a download.
    fn export_query(&self) -> String {
        self.query.to_url("")
    }

    /// The same filters on the next page.
    fn next(&self) -> Option<String> {
        let cursor = self.page.next_cursor.as_ref()?;
        Some(format!("/incidents?{}", self.query.to_url(cursor)))
    }
}

pub(super) async fn show(cx: Cx, Query(query): Query<ListQuery>) -> Result<Response> {
    // `INC-12` in the search box is a wish to go there.
    if let Some(id) = IncidentId::parse(&query.q).filter(|_| query.q.trim().to_ascii_lowercase().starts_with("inc-")) {
        return Ok(redirect(&format!("/incidents/{id}")));
    }
    let db = &cx.state.db;
    let (page, errors) = match lists::list(db, &query, cx.actor()?.into(), COUNT_TO, cx.now()).await {
        Ok(page) => (page, FieldErrors::default()),
        Err(Error::Invalid(errors)) => (Page { items: Vec::new(), next_cursor: None, total: 0 }, errors),
        Err(other) => return Err(other),
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let teams = services::teams(db).await?;
    let shell = cx.shell("Incidents").live(&["incidents"]);
    let page = ListPage { shell, query, errors, page, teams };
    if status == StatusCode::OK { render(&page) } else { render_with_status(status, &page) }
}
