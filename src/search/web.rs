//! The search page, the palette's suggestions, and search as JSON.

use askama::Template;
use axum::Json;
use axum::extract::{Query as UrlQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::DocKind;
use super::query::Query;
use super::service::{self, Found, Hit};
use super::store::{Narrow, Reader};
use crate::accounts::{Actor, Role};
use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};
use crate::fields::when;
use crate::state::AppState;
use crate::web::{Access, Cx, Limit, Routes, Shell, redirect, render_with_status};

/// Results on one page of people.
const PAGE: usize = 20;

/// Nobody reads further; the ranked candidates end here anyway.
const LAST_PAGE: usize = 30;

/// What is typed is cut to this many characters.
const LONGEST: usize = 400;

pub(super) fn routes() -> Routes {
    Routes::new().get("/search", Access::VIEWER, page).get("/api/v1/search", Access::VIEWER, api)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Params {
    q: String,
    kind: String,
    /// Slug of a service.
    service: String,
    /// A day, a time, or `-7d`.
    from: String,
    to: String,
    page: usize,
    limit: Limit,
    /// Set by the list's own links: shows results where the input alone would jump.
    stay: String,
}

impl Params {
    fn typed(&self) -> String {
        self.q.chars().take(LONGEST).collect()
    }

    /// The typed query, narrowed by the chosen kind.
    fn query(&self) -> Query {
        let mut query = Query::parse(&self.typed());
        if let (true, Some(kind)) = (query.kinds.is_empty(), DocKind::typed(&self.kind)) {
            query.kinds.push(kind);
        }
        query
    }
}

/// The filters of a URL besides words and kind.
///
/// # Errors
/// Every time that cannot be read, by field.
fn narrow(params: &Params, now: Timestamp) -> std::result::Result<Narrow, FieldErrors> {
    let mut errors = FieldErrors::default();
    let mut moment = |field: &str, text: &str| {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let read = Timestamp::parse(&format!("{text}T00:00")).or_else(|| when::parse(text, now));
        if read.is_none() {
            errors.add(field, format!("'{text}' is not a time: use a day such as 2026-11-23, or {}", when::HINT));
        }
        read
    };
    let (from, to) = (moment("from", &params.from), moment("to", &params.to));
    let service = Some(params.service.trim().to_lowercase()).filter(|s| !s.is_empty());
    if errors.is_empty() { Ok(Narrow { service, from, to }) } else { Err(errors) }
}

fn reader(actor: &Actor) -> Reader {
    Reader { all: actor.can(Role::Admin), user_id: actor.user_id.unwrap_or_default() }
}

#[derive(Template)]
#[template(path = "search/page.html")]
struct SearchPage {
    shell: Shell,
    typed: String,
    kind: String,
    service: String,
    from: String,
    to: String,
    errors: FieldErrors,
    found: Found,
    number: usize,
    is_asked: bool,
}

impl SearchPage {
    fn kinds(&self) -> &'static [DocKind] {
        DocKind::ALL
    }

    fn url(&self, kind: &str, number: usize) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("q", &self.typed).append_pair("stay", "1");
        if !kind.is_empty() {
            query.append_pair("kind", kind);
        }
        for (name, value) in [("service", &self.service), ("from", &self.from), ("to", &self.to)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if number > 0 {
            query.append_pair("page", &number.to_string());
        }
        format!("/search?{}", query.finish())
    }

    /// The same words and kind without the other filters.
    fn wide_url(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("q", &self.typed).append_pair("stay", "1");
        if !self.kind.is_empty() {
            query.append_pair("kind", &self.kind);
        }
        format!("/search?{}", query.finish())
    }

    fn is_narrowed(&self) -> bool {
        [&self.service, &self.from, &self.to].iter().any(|t| !t.is_empty())
    }

    fn has_next(&self) -> bool {
        (self.number + 1) * PAGE < self.found.total && self.number < LAST_PAGE
    }

    fn total(&self) -> String {
        format!("{}{}", self.found.total, if self.found.is_cut { "+" } else { "" })
    }
}

async fn page(cx: Cx, UrlQuery(params): UrlQuery<Params>) -> Result<Response> {
    let (db, reader) = (&cx.state.db, reader(cx.actor()?));
    let typed = params.typed();
    let is_narrowed = [&params.service, &params.from, &params.to].iter().any(|t| !t.is_empty());
    if params.stay.is_empty()
        && params.kind.is_empty()
        && !is_narrowed
        && let Some(target) = service::jump_target(db, &typed, reader).await?
    {
        return Ok(redirect(&target));
    }
    let query = params.query();
    let number = params.page.min(LAST_PAGE);
    let (narrow, errors) = match narrow(&params, cx.now()) {
        Ok(narrow) => (narrow, FieldErrors::default()),
        Err(errors) => (Narrow::default(), errors),
    };
    let found = if errors.is_empty() {
        service::search_in(db, &query, &narrow, reader, cx.now(), number * PAGE, PAGE).await?
    } else {
        Found::default()
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = SearchPage {
        shell: cx.shell(if typed.is_empty() { "Search".to_owned() } else { format!("Search: {typed}") }),
        typed,
        kind: params.kind,
        service: params.service,
        from: params.from,
        to: params.to,
        is_asked: !query.is_empty() && errors.is_empty(),
        errors,
        found,
        number,
    };
    render_with_status(status, &page)
}

/// `{jump, total, is_cut, items: [{kind, id, title, url, snippet, marks, at, score}]}`. Snippets are plain
/// text; `marks` gives the ranges of hits in it, in characters.
async fn api(State(state): State<AppState>, actor: Actor, UrlQuery(params): UrlQuery<Params>) -> Result<Json<Value>> {
    let reader = reader(&actor);
    let limit = usize::try_from(params.limit.get()).unwrap_or(PAGE);
    let offset = params.page.min(LAST_PAGE) * limit;
    let narrow = narrow(&params, state.now()).map_err(Error::Invalid)?;
    let found = service::search_in(&state.db, &params.query(), &narrow, reader, state.now(), offset, limit).await?;
    let jump = service::jump_target(&state.db, &params.typed(), reader).await?;
    let items: Vec<Value> = found.hits.iter().map(item).collect();
    Ok(Json(json!({ "jump": jump, "total": found.total, "is_cut": found.is_cut, "items": items })))
}

fn item(hit: &Hit) -> Value {
    let snippet: String = hit.snippet.iter().map(|s| s.text.as_str()).collect();
    let mut marks = Vec::new();
    let mut at = 0;
    for segment in &hit.snippet {
        let length = segment.text.chars().count();
        if segment.is_hit {
            marks.push(json!([at, at + length]));
        }
        at += length;
    }
    json!({
        "kind": hit.doc.kind, "id": hit.doc.id, "title": hit.doc.title, "url": hit.doc.url,
        "snippet": snippet, "marks": marks, "at": hit.doc.at, "score": hit.score,
    })
}
