//! `/incidents`: all of them, filtered by the URL.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;

use crate::error::{Error, FieldErrors, Result};
use crate::services;
use crate::web::{Cx, Page, redirect, render, render_with_status};

use super::super::model::{IncidentId, Kind, Severity, Status};
use super::super::service::lists::{self, ListQuery, Listed};
use super::content::Reader;
use super::shared::{self, Asking, Of, Shared, SharedPage};

/// Counting stops here; the page then says "1,000+".
const COUNT_TO: i64 = 1_001;

#[derive(Template)]
#[template(path = "incidents/_list.html")]
struct ListContent {
    reader: Reader,
    query: ListQuery,
    errors: FieldErrors,
    page: Page<Listed>,
    teams: Vec<String>,
}

impl ListContent {
    fn total(&self) -> String {
        if self.page.total >= COUNT_TO { "1,000+".to_owned() } else { self.page.total.to_string() }
    }

    fn age(&self, listed: &Listed) -> String {
        listed.incident.age_words(self.reader.now)
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

pub(super) async fn show(
    cx: Cx,
    Extension(shared): Extension<Shared>,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    // `INC-12` in the search box is a wish to go there.
    if let Some(id) = IncidentId::parse(&query.q).filter(|_| query.q.trim().to_ascii_lowercase().starts_with("inc-")) {
        return Ok(redirect(&format!("/incidents/{id}")));
    }
    let (db, actor, now) = (&cx.state.db, cx.actor()?, cx.now());
    let asking = Asking { db, actor, changes: db.changes(), now };
    let reader = Reader::of(actor, now);
    let shell = cx.shell("Incidents").live(&["incidents"]);
    let gather = async {
        let db = &db.gathering();
        let list = lists::list(db, &query, actor.into(), COUNT_TO, now);
        let (page, teams) = tokio::try_join!(list, services::teams(db))?;
        Ok(ListContent { reader, query: query.clone(), errors: FieldErrors::default(), page, teams })
    };
    match shared.content(Of::List(cx.query.clone()), asking, gather).await {
        Ok(content) => render(&SharedPage { shell, content }),
        Err(Error::Invalid(errors)) => {
            let (page, teams) = (Page { items: Vec::new(), next_cursor: None, total: 0 }, services::teams(db).await?);
            let content = Arc::new(shared::render(&ListContent { reader, query: query.clone(), errors, page, teams })?);
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &SharedPage { shell, content })
        }
        Err(other) => Err(other),
    }
}
