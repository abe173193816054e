//! Trace sources and fetches as JSON. Credentials go in, never out.

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::{Fetch, SourceInput, TraceSource};
use super::service;
use super::web::visible_fetch;
use crate::error::Result;
use crate::fields;
use crate::web::{Access, ApiJson, Cx, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/trace-sources", Access::ADMIN, list)
        .post("/api/v1/trace-sources", Access::ADMIN, create)
        .get("/api/v1/trace-sources/{id}", Access::ADMIN, show)
        .put("/api/v1/trace-sources/{id}", Access::ADMIN, replace)
        .delete("/api/v1/trace-sources/{id}", Access::ADMIN, remove)
        .post("/api/v1/trace-sources/{id}/test", Access::ADMIN, test)
        .post("/api/v1/trace-fetches", Access::RESPONDER, request)
        .get("/api/v1/trace-fetches/{id}", Access::VIEWER, fetch)
}

fn shown(source: &TraceSource) -> Value {
    let mut value = json!(source);
    value["has_secret"] = source.has_secret().into();
    value
}

async fn list(cx: Cx) -> Result<Json<Value>> {
    let items: Vec<Value> = service::list(&cx.state.db).await?.iter().map(shown).collect();
    Ok(Json(json!({ "total": items.len(), "items": items, "next_cursor": null })))
}

async fn create(cx: Cx, ApiJson(input): ApiJson<SourceInput>) -> Result<(StatusCode, Json<Value>)> {
    let id = service::create(&cx.state, cx.actor()?, &input).await?;
    Ok((StatusCode::CREATED, Json(shown(&service::get(&cx.state.db, id).await?))))
}

async fn show(cx: Cx, Path(id): Path<i64>) -> Result<Json<Value>> {
    Ok(Json(shown(&service::get(&cx.state.db, id).await?)))
}

async fn replace(cx: Cx, Path(id): Path<i64>, ApiJson(input): ApiJson<SourceInput>) -> Result<Json<Value>> {
    service::change(&cx.state, cx.actor()?, id, &input).await?;
    Ok(Json(shown(&service::get(&cx.state.db, id).await?)))
}

async fn remove(cx: Cx, Path(id): Path<i64>) -> Result<StatusCode> {
    service::remove(&cx.state, cx.actor()?, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn test(cx: Cx, Path(id): Path<i64>) -> Result<Json<Value>> {
    let said = service::test(&cx.state, id).await?;
    let is_ok = said.is_ok();
    Ok(Json(json!({ "ok": is_ok, "message": said.unwrap_or_else(|why| why) })))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FetchInput {
    /// An id, a context header or the address of a trace's page.
    #[serde(deserialize_with = "fields::id_text")]
    reference: String,
    /// Only this source.
    source: Option<i64>,
}

async fn request(cx: Cx, ApiJson(input): ApiJson<FetchInput>) -> Result<(StatusCode, Json<Fetch>)> {
    let id = service::request(&cx.state, cx.actor()?, &input.reference, input.source).await?;
    Ok((StatusCode::ACCEPTED, Json(service::get_fetch(&cx.state.db, id).await?)))
}

async fn fetch(cx: Cx, Path(id): Path<i64>) -> Result<Json<Fetch>> {
    Ok(Json(visible_fetch(&cx, id).await?))
}
