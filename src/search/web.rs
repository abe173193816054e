//! The search page, the palette's suggestions, and search as JSON.

use askama::Template;
use axum::Json;
use axum::extract::{Query as UrlQuery, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::DocKind;
use super::query::Query;
use super::service::{self, Found, Hit};
use super::store::Reader;
use crate::accounts::{Actor, Role};
use crate::error::Result;
use crate::state::AppState;
use crate::web::{Access, Cx, Limit, Routes, Shell, redirect, render};

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

fn reader(actor: &Actor) -> Reader {
    Reader { all: actor.can(Role::Admin), user_id: actor.user_id.unwrap_or_default() }
}

#[derive(Template)]
#[template(path = "search/page.html")]
struct SearchPage {
    shell: Shell,
    typed: String,
    kind: String,
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
        if number > 0 {
            query.append_pair("page", &number.to_string());
        }
        format!("/search?{}", query.finish())
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
    if params.stay.is_empty()
        && params.kind.is_empty()
        && let Some(target) = service::jump_target(db, &typed, reader).await?
    {
        return Ok(redirect(&target));
    }
    let query = params.query();
    let number = params.page.min(LAST_PAGE);
    let found = service::search(db, &query, reader, cx.now(), number * PAGE, PAGE).await?;
    render(&SearchPage {
        shell: cx.shell(if typed.is_empty() { "Search".to_owned() } else { format!("Search: {typed}") }),
        typed,
        kind: params.kind,
        found,
        number,
        is_asked: !query.is_empty(),
    })
}

/// `{jump, total, is_cut, items: [{kind, id, title, url, snippet, marks, at, score}]}`. Snippets are plain
/// text; `marks` gives the ranges of hits in it, in characters.
async fn api(State(state): State<AppState>, actor: Actor, UrlQuery(params): UrlQuery<Params>) -> Result<Json<Value>> {
    let reader = reader(&actor);
    let limit = usize::try_from(params.limit.get()).unwrap_or(PAGE);
    let offset = params.page.min(LAST_PAGE) * limit;
    let found = service::search(&state.db, &params.query(), reader, state.now(), offset, limit).await?;
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
