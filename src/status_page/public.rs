//! `/status` and below: what everybody may read, without session or cookie.

mod pages;
mod subscribe;
mod view;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

use super::PublicCache;
use crate::error::Result;
use crate::state::AppState;
use crate::web::{Access, Routes};

pub use subscribe::Doorman;
pub(super) use view::{NoticeView, notice_view};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/status", Access::Public, home)
        .get("/status/history", Access::Public, history)
        .get("/status/notices/{id}", Access::Public, notice)
        .get("/status/feed.atom", Access::Public, feed)
        .get("/status/summary.json", Access::Public, summary)
        .get("/status/history.json", Access::Public, history_json)
        .merge(subscribe::routes())
}

async fn home(
    State(state): State<AppState>,
    Extension(cache): Extension<PublicCache>,
    headers: HeaderMap,
) -> Result<Response> {
    cache.serve(&state, &headers, "home", pages::home(&state)).await
}

#[derive(Deserialize)]
struct MonthQuery {
    /// `2026-11`; the present month when left out.
    #[serde(default)]
    month: String,
}

async fn history(
    State(state): State<AppState>,
    Extension(cache): Extension<PublicCache>,
    Query(query): Query<MonthQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let Some(month) = view::Month::parse(&query.month, state.now()) else { return pages::nothing(&state).await };
    cache.serve(&state, &headers, &format!("history {month}"), pages::history(&state, month)).await
}

async fn history_json(
    State(state): State<AppState>,
    Extension(cache): Extension<PublicCache>,
    Query(query): Query<MonthQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let Some(month) = view::Month::parse(&query.month, state.now()) else { return pages::nothing(&state).await };
    cache.serve(&state, &headers, &format!("history.json {month}"), pages::history_json(&state, month)).await
}

async fn notice(
    State(state): State<AppState>,
    Extension(cache): Extension<PublicCache>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let Ok(id) = id.parse::<i64>() else { return pages::nothing(&state).await };
    cache.serve(&state, &headers, &format!("notice {id}"), pages::notice(&state, id)).await
}

async fn feed(
    State(state): State<AppState>,
    Extension(cache): Extension<PublicCache>,
    headers: HeaderMap,
) -> Result<Response> {
    cache.serve(&state, &headers, "feed", pages::feed(&state)).await
}

async fn summary(
    State(state): State<AppState>,
    Extension(cache): Extension<PublicCache>,
    headers: HeaderMap,
) -> Result<Response> {
    cache.serve(&state, &headers, "summary.json", pages::summary(&state)).await
}
