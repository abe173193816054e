//! Changes as JSON.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::actions;
use super::input::DeploymentInput;
use super::model::Deployment;
use super::query::ListQuery;
use super::service;
use super::store::health::Counted;
use crate::accounts::Actor;
use crate::error::{Error, Result};
use crate::state::AppState;
use crate::web::{Access, ApiJson, Cursor, Idempotent, Page, Routes};

/// Counting stops here; the API then says this number.
pub(super) const COUNT_LIMIT: i64 = 100_000;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/deployments", Access::VIEWER, list)
        .post("/api/v1/deployments", Access::RESPONDER, create)
        .get("/api/v1/deployments/{id}", Access::VIEWER, show)
}

async fn list(State(state): State<AppState>, Query(query): Query<ListQuery>) -> Result<Json<Page<Value>>> {
    let filter = query.filter(&state.db, state.now()).await?;
    let items = service::page(&state.db, &filter, query.limit.get() + 1).await?;
    let total = service::count(&state.db, &filter, COUNT_LIMIT).await?;
    let page = Page::cut(items, query.limit, total, cursor_of);
    let ids: Vec<i64> = page.items.iter().map(|d| d.id).collect();
    let health = service::health(&state.db, &ids).await?;
    Ok(Json(page.map(|d| json(&d, health.get(&d.id)))))
}

fn json(change: &Deployment, counted: Option<&Counted>) -> Value {
    let mut body = json!(change);
    body["health"] = json!(counted);
    body
}

pub(super) fn cursor_of(change: &Deployment) -> Cursor {
    Cursor { sort: change.at.as_micros(), id: change.id }
}

async fn show(State(state): State<AppState>, actor: Actor, Path(id): Path<i64>) -> Result<Json<Value>> {
    let change = service::get(&state.db, id).await?;
    let reports = service::reports(&state.db, id).await?;
    let mut body = json(&change, service::health(&state.db, &[id]).await?.get(&id));
    let linked = service::linked_incidents(&state.db, &[id], actions::viewer_of(&actor)).await?.remove(&id);
    body["incidents"] = linked
        .unwrap_or_default()
        .iter()
        .map(|i| json!({ "id": i.id, "title": i.title, "status": i.status }))
        .collect();
    body["reports"] = reports
        .iter()
        .map(|r| json!({ "status": r.status, "source": r.source, "reported_at": r.reported_at, "received_at": r.received_at }))
        .collect();
    Ok(Json(body))
}

/// 201 for a new change, 200 for one more report about a known one.
async fn create(
    State(state): State<AppState>,
    actor: Actor,
    headers: HeaderMap,
    ApiJson(body): ApiJson<Value>,
) -> Result<Response> {
    let now = state.now();
    let once = Idempotent::new(&headers, &actor, &format!("POST /api/v1/deployments {body}"));
    let input: DeploymentInput = serde_json::from_value(body).map_err(|e| Error::invalid("body", e.to_string()))?;
    let tx = state.db.begin().await?;
    if let Some(answer) = once.earlier(&tx).await? {
        return Ok(answer);
    }
    let recorded = actions::report(&tx, &actor, &input, now).await?;
    let change = service::get(&tx, recorded.id).await?;
    let status = if recorded.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let answer = once.keep(&tx, now, status, &serde_json::to_value(&change)?).await?;
    tx.commit().await?;
    Ok(answer)
}
