//! The catalogue in JSON.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounts::Actor;
use crate::error::{Error, Result};
use crate::state::AppState;
use crate::web::{Access, ApiJson, Idempotent, Limit, Page, Routes};

use super::model::{Service, ServiceInput};
use super::{service, store};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/services", Access::VIEWER, list)
        .post("/api/v1/services", Access::RESPONDER, create)
        .get("/api/v1/services/{slug}", Access::VIEWER, show)
        .patch("/api/v1/services/{slug}", Access::RESPONDER, update)
        .get("/api/v1/services/{slug}/dependencies", Access::VIEWER, dependencies)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    q: String,
    team: String,
    discovered: bool,
    /// The slug that the page before ended with.
    cursor: String,
    limit: Limit,
}

async fn list(State(state): State<AppState>, Query(query): Query<ListQuery>) -> Result<Json<Page<Service>>> {
    let filter = store::Filter {
        text: query.q.trim().to_owned(),
        team: query.team.trim().to_owned(),
        discovered_only: query.discovered,
        after: query.cursor.clone(),
    };
    let mut items = store::page(&state.db, &filter, query.limit.get() + 1).await?;
    let size = usize::try_from(query.limit.get()).unwrap_or_default();
    let more = items.len() > size;
    items.truncate(size);
    let next_cursor = items.last().filter(|_| more).map(|s| s.slug.clone());
    Ok(Json(Page { items, next_cursor, total: store::count(&state.db, &filter).await? }))
}

fn input(body: &Value) -> Result<ServiceInput> {
    ServiceInput::deserialize(body).map_err(|e| Error::invalid("body", e.to_string()))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    headers: HeaderMap,
    ApiJson(body): ApiJson<Value>,
) -> Result<Response> {
    let input = input(&body)?;
    let tx = state.db.begin().await?;
    let once = Idempotent::new(&headers, &actor, &format!("POST /api/v1/services {body}"));
    if let Some(earlier) = once.earlier(&tx).await? {
        return Ok(earlier);
    }
    let service = service::create_as(&tx, &input, &actor, state.now()).await?;
    let answer = whole(&tx, &service).await?;
    let response = once.keep(&tx, state.now(), StatusCode::CREATED, &answer).await?;
    tx.commit().await?;
    Ok(response)
}

async fn show(State(state): State<AppState>, Path(slug): Path<String>) -> Result<Json<Value>> {
    let service = service::get(&state.db, &slug).await?;
    Ok(Json(whole(&state.db, &service).await?))
}

/// What is left out stays as it is.
async fn update(
    State(state): State<AppState>,
    actor: Actor,
    Path(slug): Path<String>,
    ApiJson(body): ApiJson<Value>,
) -> Result<Json<Value>> {
    let service = service::get(&state.db, &slug).await?;
    let tx = state.db.begin().await?;
    let mut whole_body = whole(&tx, &service).await?;
    if let (Value::Object(standing), Value::Object(sent)) = (&mut whole_body, body) {
        standing.remove("version");
        standing.extend(sent);
        standing.insert("slug".to_owned(), json!(service.slug));
    }
    let changed = service::edit_as(&tx, &service, &input(&whole_body)?, &actor, state.now()).await?;
    let answer = whole(&tx, &changed).await?;
    tx.commit().await?;
    Ok(Json(answer))
}

async fn dependencies(State(state): State<AppState>, Path(slug): Path<String>) -> Result<Json<Value>> {
    let service = service::get(&state.db, &slug).await?;
    Ok(Json(json!({
        "service": service.slug,
        "dependencies": service::dependencies(&state.db, &service).await?,
        "dependents": service::dependents(&state.db, &service).await?,
    })))
}

/// A service with the slugs of its declared dependencies, as it can be sent back.
async fn whole(db: &crate::db::Db, service: &Service) -> Result<Value> {
    let mut value = json!(service);
    let declared = service::dependencies(db, service).await?.into_iter().filter(|e| e.declared);
    value["dependencies"] = declared.map(|e| Value::from(e.service)).collect();
    Ok(value)
}
