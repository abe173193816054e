//! Connections to PagerDuty and GoAlert in JSON, for administrators. No answer holds a secret but the one
//! that makes a connection: the address that the other side sends to, shown that once.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounts::Actor;
use crate::error::{Error, Result};
use crate::oncall::service::connections::{self as service, ConnectionInput};
use crate::oncall::store::connections::Connection;
use crate::outbound::Policy;
use crate::state::AppState;
use crate::web::{Access, ApiJson, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/oncall/connections", Access::ADMIN, list)
        .post("/api/v1/oncall/connections", Access::ADMIN, create)
        .patch("/api/v1/oncall/connections/{id}", Access::ADMIN, change)
        .delete("/api/v1/oncall/connections/{id}", Access::ADMIN, remove)
}

fn shown(c: &Connection) -> Value {
    json!({
        "id": c.id, "name": c.name, "kind": c.kind, "url": c.url, "sends_from": c.sends_from, "team": c.team,
        "enabled": c.enabled, "disabled_reason": c.disabled_reason, "last_answer": c.last_answer,
        "has_signing_secret": !c.signing_secret.is_empty(),
    })
}

async fn list(State(state): State<AppState>) -> Result<Json<Value>> {
    let items: Vec<Value> = service::all(&state.db).await?.iter().map(shown).collect();
    Ok(Json(json!({ "total": items.len(), "items": items, "next_cursor": null })))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    ApiJson(input): ApiJson<ConnectionInput>,
) -> Result<(StatusCode, Json<Value>)> {
    let policy = Policy::parse(&state.config.outbound_allow)
        .map_err(|e| Error::Internal(format!("FAULTLINE_OUTBOUND_ALLOW: {e}")))?;
    let tx = state.db.begin().await?;
    let (id, token) = service::add(&tx, &input, &policy, &actor, (&state.random, state.now())).await?;
    let made = service::get(&tx, id).await?;
    tx.commit().await?;
    let mut answer = shown(&made);
    answer["receives_at"] = json!(format!("{}/ingest/oncall/{id}/{token}", state.config.base_url));
    Ok((StatusCode::CREATED, Json(answer)))
}

/// What of a connection can be changed; what is left out stays.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ChangeInput {
    enabled: Option<bool>,
    signing_secret: Option<String>,
}

async fn change(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<i64>,
    ApiJson(input): ApiJson<ChangeInput>,
) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    if let Some(secret) = &input.signing_secret {
        service::set_secret(&tx, id, secret, &actor, state.now()).await?;
    }
    if let Some(enabled) = input.enabled {
        service::enable(&tx, id, enabled, &actor, state.now()).await?;
    }
    let changed = service::get(&tx, id).await?;
    tx.commit().await?;
    Ok(Json(shown(&changed)))
}

async fn remove(State(state): State<AppState>, actor: Actor, Path(id): Path<i64>) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    service::remove(&tx, id, &actor, state.now()).await?;
    tx.commit().await?;
    Ok(Json(json!({ "id": id, "removed": true })))
}
