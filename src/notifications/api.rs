//! Channels, rules and the log in JSON, for administrators' tokens.

use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::courier::Courier;
use super::model::ChannelKind;
use super::model::channel::{Channel, ChannelInput, RuleInput, StoredRule};
use super::service::channels::{self as service, Change};
use super::service::deliveries;
use super::store;
use super::store::log::{Delivery, Filter};
use crate::accounts::Actor;
use crate::error::{Error, Result};
use crate::state::AppState;
use crate::web::{Access, ApiJson, Cursor, Idempotent, Limit, Page, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/notifications/channels", Access::ADMIN, list)
        .post("/api/v1/notifications/channels", Access::ADMIN, create)
        .get("/api/v1/notifications/channels/{id}", Access::ADMIN, show)
        .patch("/api/v1/notifications/channels/{id}", Access::ADMIN, update)
        .delete("/api/v1/notifications/channels/{id}", Access::ADMIN, delete)
        .post("/api/v1/notifications/channels/{id}/test", Access::ADMIN, test)
        .post("/api/v1/notifications/channels/{id}/secret", Access::ADMIN, rotate)
        .delete("/api/v1/notifications/channels/{id}/secret", Access::ADMIN, end_old_secret)
        .post("/api/v1/notifications/channels/{id}/rules", Access::ADMIN, add_rule)
        .put("/api/v1/notifications/channels/{id}/rules/{rule}", Access::ADMIN, edit_rule)
        .delete("/api/v1/notifications/channels/{id}/rules/{rule}", Access::ADMIN, delete_rule)
        .get("/api/v1/notifications/deliveries", Access::ADMIN, log)
        .get("/api/v1/notifications/deliveries/{id}", Access::ADMIN, delivery)
        .post("/api/v1/notifications/deliveries/{id}/retry", Access::ADMIN, retry)
}

/// Never with the address of a webhook or a secret: who holds those has them.
fn json_of(channel: &Channel, rules: Option<&[StoredRule]>) -> Value {
    let mut value = json!({
        "id": channel.id,
        "name": channel.name,
        "kind": channel.kind,
        "address": channel.shown_address(),
        "may_see_private": channel.may_see_private,
        "digest": channel.digest,
        "enabled": channel.enabled,
        "state": channel.state(),
        "disabled_reason": channel.disabled_reason,
        "failing_since": channel.failing_since,
        "secrets": channel.secrets.len(),
        "created_at": channel.created_at,
        "updated_at": channel.updated_at,
    });
    if let Some(rules) = rules {
        value["rules"] = json!(rules);
    }
    value
}

async fn whole(db: &crate::db::Db, channel: &Channel) -> Result<Value> {
    Ok(json_of(channel, Some(&store::channels::rules_of(db, channel.id).await?)))
}

async fn list(State(state): State<AppState>) -> Result<Json<Value>> {
    let channels = store::channels::all(&state.db).await?;
    let items: Vec<Value> = channels.iter().map(|c| json_of(c, None)).collect();
    Ok(Json(json!({ "total": items.len(), "items": items, "next_cursor": null })))
}

async fn create(
    State(state): State<AppState>,
    Extension(courier): Extension<Courier>,
    actor: Actor,
    headers: HeaderMap,
    ApiJson(body): ApiJson<Value>,
) -> Result<Response> {
    let input = ChannelInput::deserialize(&body).map_err(|e| Error::invalid("body", e.to_string()))?;
    let input = ChannelInput { digest: body.get("digest").is_none() || input.digest, ..input };
    let tx = state.db.begin().await?;
    let once = Idempotent::new(&headers, &actor, &format!("POST /api/v1/notifications/channels {body}"));
    if let Some(earlier) = once.earlier(&tx).await? {
        return Ok(earlier);
    }
    let now = state.now();
    let (channel, secret) = Change { tx: &tx, actor: &actor, now }.create(&input, &courier, &state.random).await?;
    let mut answer = whole(&tx, &channel).await?;
    // The kept answer is without the secret: a retry of a lost answer rotates it.
    let mut response = once.keep(&tx, now, StatusCode::CREATED, &answer).await?;
    if let Some(secret) = secret {
        answer["secret"] = json!(secret);
        response = (StatusCode::CREATED, Json(answer)).into_response();
    }
    tx.commit().await?;
    Ok(response)
}

async fn show(State(state): State<AppState>, Path(id): Path<i64>) -> Result<Json<Value>> {
    let channel = service::get(&state.db, id).await?;
    Ok(Json(whole(&state.db, &channel).await?))
}

/// What is left out stays.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ChannelPatch {
    name: Option<String>,
    address: Option<String>,
    may_see_private: Option<bool>,
    digest: Option<bool>,
    enabled: Option<bool>,
}

async fn update(
    State(state): State<AppState>,
    Extension(courier): Extension<Courier>,
    actor: Actor,
    Path(id): Path<i64>,
    ApiJson(patch): ApiJson<ChannelPatch>,
) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    let standing = service::get(&tx, id).await?;
    let input = ChannelInput {
        name: patch.name.unwrap_or(standing.name),
        kind: ChannelKind::as_str(standing.kind).to_owned(),
        address: patch.address.unwrap_or_default(),
        may_see_private: patch.may_see_private.unwrap_or(standing.may_see_private),
        digest: patch.digest.unwrap_or(standing.digest),
        tell_all: false,
    };
    let change = Change { tx: &tx, actor: &actor, now: state.now() };
    let mut channel = change.edit(id, &input, &courier).await?;
    if let Some(enabled) = patch.enabled {
        channel = change.switch(id, enabled).await?;
    }
    let answer = whole(&tx, &channel).await?;
    tx.commit().await?;
    Ok(Json(answer))
}

async fn delete(State(state): State<AppState>, actor: Actor, Path(id): Path<i64>) -> Result<StatusCode> {
    let tx = state.db.begin().await?;
    Change { tx: &tx, actor: &actor, now: state.now() }.delete(id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn test(
    State(state): State<AppState>,
    Extension(courier): Extension<Courier>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<Value>> {
    let tried = service::test(&state, &courier, &actor, id).await?;
    Ok(Json(json!({
        "delivered": tried.is_delivered(),
        "http_status": tried.http_status,
        "answer": tried.answer,
        "duration_ms": tried.duration_ms,
    })))
}

async fn rotate(State(state): State<AppState>, actor: Actor, Path(id): Path<i64>) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    let secret = Change { tx: &tx, actor: &actor, now: state.now() }.rotate_secret(id, &state.random).await?;
    tx.commit().await?;
    Ok(Json(json!({ "secret": secret })))
}

async fn end_old_secret(State(state): State<AppState>, actor: Actor, Path(id): Path<i64>) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    let channel = Change { tx: &tx, actor: &actor, now: state.now() }.end_old_secret(id).await?;
    let answer = whole(&tx, &channel).await?;
    tx.commit().await?;
    Ok(Json(answer))
}

async fn add_rule(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<i64>,
    ApiJson(input): ApiJson<RuleInput>,
) -> Result<Response> {
    let tx = state.db.begin().await?;
    let rule = Change { tx: &tx, actor: &actor, now: state.now() }.add_rule(id, &input).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(rule)).into_response())
}

async fn edit_rule(
    State(state): State<AppState>,
    actor: Actor,
    Path((id, rule)): Path<(i64, i64)>,
    ApiJson(input): ApiJson<RuleInput>,
) -> Result<Json<StoredRule>> {
    let tx = state.db.begin().await?;
    let rule = Change { tx: &tx, actor: &actor, now: state.now() }.edit_rule(id, rule, &input).await?;
    tx.commit().await?;
    Ok(Json(rule))
}

async fn delete_rule(
    State(state): State<AppState>,
    actor: Actor,
    Path((id, rule)): Path<(i64, i64)>,
) -> Result<StatusCode> {
    let tx = state.db.begin().await?;
    Change { tx: &tx, actor: &actor, now: state.now() }.delete_rule(id, rule).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LogQuery {
    channel: String,
    status: String,
    event: String,
    incident: String,
    cursor: String,
    limit: Limit,
}

async fn log(State(state): State<AppState>, Query(query): Query<LogQuery>) -> Result<Json<Page<Delivery>>> {
    let filter = Filter {
        channel: query.channel.parse().ok(),
        status: query.status,
        kind: query.event,
        subject: query.incident.trim().to_uppercase(),
        before: Cursor::from_param(Some(&query.cursor))?.map(|c| c.id),
    };
    let rows = deliveries::list(&state.db, &filter, query.limit.get() + 1).await?;
    let total = deliveries::count(&state.db, &filter).await?;
    let cursor_of = |d: &Delivery| Cursor { sort: d.created_at.as_micros(), id: d.id };
    Ok(Json(Page::cut(rows, query.limit, total, cursor_of)))
}

async fn delivery(State(state): State<AppState>, Path(id): Path<i64>) -> Result<Json<Value>> {
    let mut answer = json!(deliveries::get(&state.db, id).await?);
    answer["log"] = json!(deliveries::attempts(&state.db, id).await?);
    Ok(Json(answer))
}

async fn retry(State(state): State<AppState>, actor: Actor, Path(id): Path<i64>) -> Result<Json<Delivery>> {
    let tx = state.db.begin().await?;
    let delivery = deliveries::retry(&tx, id, &actor, state.now()).await?;
    tx.commit().await?;
    Ok(Json(delivery))
}
