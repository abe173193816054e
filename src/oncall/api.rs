//! Rotations, overrides, shifts and pages in JSON.

mod connections;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::input::{OverrideInput, TeamInput};
use super::service::teams::{self as service, OnCall};
use super::service::{Member, Team, paging};
use super::store::pages as store;
use crate::accounts::Actor;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::incidents::{self, IncidentId};
use crate::state::AppState;
use crate::web::{Access, ApiJson, Idempotent, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/oncall", Access::VIEWER, list)
        .post("/api/v1/oncall/teams", Access::COMMANDER, create)
        .get("/api/v1/oncall/teams/{id}", Access::VIEWER, show)
        .put("/api/v1/oncall/teams/{id}", Access::COMMANDER, update)
        .delete("/api/v1/oncall/teams/{id}", Access::COMMANDER, remove)
        .get("/api/v1/oncall/teams/{id}/shifts", Access::VIEWER, shifts)
        .post("/api/v1/oncall/teams/{id}/overrides", Access::RESPONDER, swap)
        .delete("/api/v1/oncall/teams/{id}/overrides/{override}", Access::RESPONDER, end_swap)
        .get("/api/v1/incidents/{id}/pages", Access::VIEWER, pages)
        .post("/api/v1/incidents/{id}/pages", Access::RESPONDER, page)
        .post("/api/v1/incidents/{id}/acknowledge", Access::RESPONDER, acknowledge)
        .merge(connections::routes())
}

fn person(member: &Option<Member>) -> Value {
    member.as_ref().map_or(Value::Null, |m| json!({ "name": m.name, "email": m.email }))
}

fn brief(on_call: &OnCall) -> Value {
    json!({
        "team_id": on_call.team_id, "team": on_call.team, "on_call": person(&on_call.person),
        "until": on_call.until, "is_override": on_call.is_override, "next": person(&on_call.next),
    })
}

fn whole(team: &Team, now: Timestamp) -> Value {
    let mut value = brief(&OnCall::of(team, now));
    let member =
        |id: &i64| team.people.get(id).map(|m| json!({ "name": m.name, "email": m.email, "disabled": m.disabled }));
    value["members"] = team.rotation.members.iter().filter_map(member).collect();
    value["zone"] = json!(team.rotation.zone.name());
    value["first_day"] = json!(team.rotation.first_day.to_string());
    value["handover"] = json!(team.rotation.handover.format("%H:%M").to_string());
    value["turn_days"] = json!(team.rotation.turn_days);
    value["ack_minutes"] = json!(team.ack_minutes);
    value["pages_from"] = json!(team.pages_from);
    value["version"] = json!(team.version);
    value["overrides"] = team
        .swaps
        .iter()
        .map(|s| {
            json!({
                "id": s.id, "person": person(&team.people.get(&s.span.user_id).cloned()),
                "from": s.span.from, "until": s.span.until, "created_by": s.created_by,
            })
        })
        .collect();
    value
}

async fn list(State(state): State<AppState>) -> Result<Json<Value>> {
    let all = service::now_on_call(&state.db, state.now()).await?;
    let items: Vec<Value> = all.iter().map(brief).collect();
    Ok(Json(json!({ "total": items.len(), "items": items, "next_cursor": null })))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    headers: HeaderMap,
    ApiJson(body): ApiJson<Value>,
) -> Result<Response> {
    let input = TeamInput::deserialize(&body).map_err(|e| Error::invalid("body", e.to_string()))?;
    let tx = state.db.begin().await?;
    let once = Idempotent::new(&headers, &actor, &format!("POST /api/v1/oncall/teams {body}"));
    if let Some(earlier) = once.earlier(&tx).await? {
        return Ok(earlier);
    }
    let team = service::create(&tx, &input, &actor, state.now()).await?;
    let response = once.keep(&tx, state.now(), StatusCode::CREATED, &whole(&team, state.now())).await?;
    tx.commit().await?;
    Ok(response)
}

async fn show(State(state): State<AppState>, Path(id): Path<i64>) -> Result<Json<Value>> {
    Ok(Json(whole(&service::get(&state.db, id, state.now()).await?, state.now())))
}

async fn update(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<i64>,
    ApiJson(input): ApiJson<TeamInput>,
) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    let team = service::edit(&tx, id, &input, &actor, state.now()).await?;
    tx.commit().await?;
    Ok(Json(whole(&team, state.now())))
}

async fn remove(State(state): State<AppState>, actor: Actor, Path(id): Path<i64>) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    service::remove(&tx, id, &actor, state.now()).await?;
    tx.commit().await?;
    Ok(Json(json!({ "team_id": id, "removed": true })))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Window {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// The shifts of a window; of the next four weeks when none is said.
async fn shifts(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    Query(window): Query<Window>,
) -> Result<Json<Value>> {
    let from = window.from.unwrap_or_else(|| state.now());
    let to = window.to.unwrap_or(from + TimeDelta::days(28));
    let team = service::get(&state.db, id, from).await?;
    let items: Vec<Value> = service::shifts(&team, from, to)
        .into_iter()
        .map(|s| json!({ "person": s.name, "from": s.shift.from, "until": s.shift.until, "is_override": s.shift.is_override }))
        .collect();
    Ok(Json(json!({ "total": items.len(), "items": items, "next_cursor": null })))
}

async fn swap(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<i64>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<Value>,
) -> Result<Response> {
    let input = OverrideInput::deserialize(&body).map_err(|e| Error::invalid("body", e.to_string()))?;
    let tx = state.db.begin().await?;
    let once = Idempotent::new(&headers, &actor, &format!("POST /api/v1/oncall/teams/{id}/overrides {body}"));
    if let Some(earlier) = once.earlier(&tx).await? {
        return Ok(earlier);
    }
    let made = service::swap(&tx, id, &input, &actor, state.now()).await?;
    let team = whole(&service::get(&tx, id, state.now()).await?, state.now());
    let all = team["overrides"].as_array().cloned().unwrap_or_default();
    let answer = all.into_iter().find(|o| o["id"] == json!(made)).unwrap_or_default();
    let response = once.keep(&tx, state.now(), StatusCode::CREATED, &answer).await?;
    tx.commit().await?;
    Ok(response)
}

async fn end_swap(
    State(state): State<AppState>,
    actor: Actor,
    Path((id, swap)): Path<(i64, i64)>,
) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    service::end_swap(&tx, id, swap, &actor, state.now()).await?;
    tx.commit().await?;
    Ok(Json(json!({ "id": swap, "ended": true })))
}

async fn visible(db: &Db, id: &str, actor: &Actor) -> Result<IncidentId> {
    let parsed = IncidentId::parse(id).ok_or_else(|| Error::not_found(format!("incident {id}")))?;
    Ok(incidents::get_visible(db, parsed, actor.into()).await?.id)
}

async fn pages_of(db: &Db, id: IncidentId) -> Result<Value> {
    let calls = store::calls_of(db, id).await?;
    let items: Vec<Value> = store::of_incident(db, id)
        .await?
        .into_iter()
        .map(|p| {
            let told: Vec<_> = calls.iter().filter(|c| c.page_id == p.id).collect();
            json!({
                "id": p.id, "team": p.team, "started_at": p.started_at, "started_by": p.started_by, "level": p.level,
                "due_at": p.due_at, "ended_at": p.ended_at, "outcome": p.outcome, "told": told,
            })
        })
        .collect();
    Ok(json!({ "total": items.len(), "items": items, "next_cursor": null }))
}

async fn pages(State(state): State<AppState>, actor: Actor, Path(id): Path<String>) -> Result<Json<Value>> {
    let id = visible(&state.db, &id, &actor).await?;
    Ok(Json(pages_of(&state.db, id).await?))
}

#[derive(Deserialize)]
struct PageBody {
    /// The team's name.
    team: String,
}

async fn page(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<String>,
    ApiJson(body): ApiJson<PageBody>,
) -> Result<Json<Value>> {
    let id = visible(&state.db, &id, &actor).await?;
    let tx = state.db.begin().await?;
    let team = service::all(&tx, state.now()).await?.into_iter().find(|t| t.name == body.team.trim());
    let team = team.ok_or_else(|| Error::invalid("team", format!("'{}' has no rotation", body.team.trim())))?;
    paging::page_team(&tx, id, team.id, &actor, state.now()).await?;
    let answer = pages_of(&tx, id).await?;
    tx.commit().await?;
    Ok(Json(answer))
}

async fn acknowledge(State(state): State<AppState>, actor: Actor, Path(id): Path<String>) -> Result<Json<Value>> {
    let id = visible(&state.db, &id, &actor).await?;
    let tx = state.db.begin().await?;
    paging::acknowledge(&tx, id, &actor, state.now()).await?;
    let answer = pages_of(&tx, id).await?;
    tx.commit().await?;
    Ok(Json(answer))
}
