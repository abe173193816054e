//! The JSON API of action items and recurrences.

use axum::Json;
use axum::extract::{Path, Query, State as AxumState};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::actions::{ActionItem, parse_key};
use super::service::actions::{self, ItemInput};
use super::web::{ItemQuery, by, cursor_of, viewer};
use crate::accounts::Actor;
use crate::accounts::service::list_users;
use crate::error::{Error, Result};
use crate::fields;
use crate::incidents::{IncidentId, get_visible};
use crate::state::AppState;
use crate::web::{Access, ApiJson, Cursor, Page, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/action-items", Access::VIEWER, list)
        .get("/api/v1/action-items/{key}", Access::VIEWER, show)
        .patch("/api/v1/action-items/{key}", Access::RESPONDER, edit)
        .post("/api/v1/action-items/merged", Access::RESPONDER, merged)
        .post("/api/v1/incidents/{id}/action-items", Access::RESPONDER, add)
        .post("/api/v1/incidents/{id}/recurrences", Access::RESPONDER, recurs)
}

async fn list(
    AxumState(state): AxumState<AppState>,
    actor: Actor,
    Query(query): Query<ItemQuery>,
) -> Result<Json<Page<ActionItem>>> {
    let viewer = viewer(&actor);
    let mut filter = query.filter(actor.user_id, &list_users(&state.db).await?, state.now());
    let total = actions::count(&state.db, &filter, viewer, 10_000).await?;
    filter.beyond = Cursor::from_param(Some(&query.cursor))?.map(|c| (c.sort, c.id));
    let items = actions::page(&state.db, &filter, viewer, query.limit.get() + 1).await?;
    Ok(Json(Page::cut(items, query.limit, total, cursor_of)))
}

async fn item_of(state: &AppState, actor: &Actor, key: &str) -> Result<ActionItem> {
    let id = parse_key(key).ok_or_else(|| Error::not_found(format!("The action item '{key}'")))?;
    actions::get(&state.db, id, viewer(actor)).await
}

async fn show(
    AxumState(state): AxumState<AppState>,
    Path(key): Path<String>,
    actor: Actor,
) -> Result<Json<ActionItem>> {
    item_of(&state, &actor, &key).await.map(Json)
}

async fn edit(
    AxumState(state): AxumState<AppState>,
    Path(key): Path<String>,
    actor: Actor,
    ApiJson(input): ApiJson<ItemInput>,
) -> Result<Json<ActionItem>> {
    let item = item_of(&state, &actor, &key).await?;
    let tx = state.db.begin().await?;
    actions::edit(&tx, &item, &input, &by(&actor), state.now()).await?;
    let changed = actions::get(&tx, item.task_id, viewer(&actor)).await?;
    tx.commit().await?;
    Ok(Json(changed))
}

async fn add(
    AxumState(state): AxumState<AppState>,
    Path(id): Path<String>,
    actor: Actor,
    ApiJson(input): ApiJson<ItemInput>,
) -> Result<Response> {
    let parsed = IncidentId::parse(&id).ok_or_else(|| Error::not_found(format!("The incident '{id}'")))?;
    let incident = get_visible(&state.db, parsed, viewer(&actor)).await?;
    let tx = state.db.begin().await?;
    let task = actions::add(&tx, &incident, &input, &by(&actor), state.now()).await?;
    let item = actions::get(&tx, task, viewer(&actor)).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(item)).into_response())
}

/// What a merged change says of itself; a job of the repository's own CI sends it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct MergedInput {
    #[serde(deserialize_with = "fields::text")]
    title: String,
    #[serde(deserialize_with = "fields::text")]
    description: String,
}

/// Closes every open action item that a merged change names.
async fn merged(
    AxumState(state): AxumState<AppState>,
    actor: Actor,
    ApiJson(input): ApiJson<MergedInput>,
) -> Result<Json<Value>> {
    let text = format!("{} {}", input.title, input.description.chars().take(10_000).collect::<String>());
    let tx = state.db.begin().await?;
    let closed = actions::close_named(&tx, &text, None, viewer(&actor), &by(&actor), state.now()).await?;
    tx.commit().await?;
    let keys: Vec<String> = closed.into_iter().map(super::model::actions::key).collect();
    Ok(Json(json!({ "closed": keys })))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RecurrenceInput {
    /// `INC-3`: the incident that this one repeats.
    #[serde(deserialize_with = "fields::text")]
    earlier: String,
}

async fn recurs(
    AxumState(state): AxumState<AppState>,
    Path(id): Path<String>,
    actor: Actor,
    ApiJson(input): ApiJson<RecurrenceInput>,
) -> Result<Json<Value>> {
    let parsed = IncidentId::parse(&id).ok_or_else(|| Error::not_found(format!("The incident '{id}'")))?;
    let incident = get_visible(&state.db, parsed, viewer(&actor)).await?;
    let wanted = IncidentId::parse(input.earlier.trim())
        .ok_or_else(|| Error::invalid("earlier", "must be the number of an incident, such as INC-3"))?;
    let missing = |_| Error::invalid("earlier", format!("there is no incident '{wanted}'"));
    let earlier = get_visible(&state.db, wanted, viewer(&actor)).await.map_err(missing)?;
    let tx = state.db.begin().await?;
    let reopened = actions::recurs(&tx, &incident, &earlier, &by(&actor), state.now()).await?;
    tx.commit().await?;
    Ok(Json(json!({ "incident": incident.id, "earlier": earlier.id, "reopened": reopened })))
}
