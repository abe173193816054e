//! What an incident is seen together with: customer impact, other incidents, a chat; and templates.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::accounts::Actor;
use crate::error::Result;
use crate::state::AppState;
use crate::web::ApiJson;

use super::super::actions::Acting;
use super::super::actions::chat::ChatInput;
use super::super::actions::links::LinkInput;
use super::super::model::impact::{Impact, ImpactInput, total};
use super::super::model::template::{Template, TemplateInput};
use super::super::service::{details, impacts as windows, links as linking, templates as kept};
use super::{At, fields};

pub(super) async fn impacts(at: At) -> Result<Json<Value>> {
    let all = windows::windows(at.db(), at.id()).await?;
    let seconds = total(&all, at.now()).num_seconds();
    Ok(Json(json!({ "items": all, "total_s": seconds })))
}

pub(super) async fn add_impact(at: At, ApiJson(body): ApiJson<Value>) -> Result<Response> {
    let input: ImpactInput = fields(&body)?;
    let tx = at.begin().await?;
    let once = at.idempotent(&body);
    if let Some(earlier) = once.earlier(&tx).await? {
        return Ok(earlier);
    }
    let impact = at.acting(&tx).add_impact(at.id(), &input).await?;
    let response = once.keep(&tx, at.now(), StatusCode::CREATED, &json!(impact)).await?;
    tx.commit().await?;
    Ok(response)
}

pub(super) async fn edit_impact(at: At, ApiJson(input): ApiJson<ImpactInput>) -> Result<Json<Impact>> {
    let tx = at.begin().await?;
    let impact = at.acting(&tx).edit_impact(at.id(), at.part()?, &input).await?;
    tx.commit().await?;
    Ok(Json(impact))
}

pub(super) async fn remove_impact(at: At) -> Result<StatusCode> {
    let tx = at.begin().await?;
    at.acting(&tx).remove_impact(at.id(), at.part()?).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The services that are hit, and those that need them.
pub(super) async fn blast_radius(at: At) -> Result<Json<Value>> {
    let hit = details::services(at.db(), at.id()).await?;
    let reached = windows::blast_radius(at.db(), &hit).await?;
    let slugs: Vec<&str> = hit.iter().map(|s| s.slug.as_str()).collect();
    Ok(Json(json!({ "services": slugs, "reached": reached })))
}

pub(super) async fn links(at: At) -> Result<Json<Value>> {
    let all = linking::of(at.db(), &at.incident, (&at.actor).into()).await?;
    let items: Vec<Value> = all
        .iter()
        .map(|l| {
            json!({
                "id": l.key, "relation": l.relation, "label": l.label, "incident": l.incident.id,
                "title": l.incident.title, "status": l.incident.status, "severity": l.incident.severity,
            })
        })
        .collect();
    Ok(Json(json!({ "items": items })))
}

pub(super) async fn link(at: At, ApiJson(input): ApiJson<LinkInput>) -> Result<Response> {
    let tx = at.begin().await?;
    at.acting(&tx).link(at.id(), &input).await?;
    tx.commit().await?;
    let incident = super::get_visible(at.db(), at.id(), (&at.actor).into()).await?;
    let answer = links(At { incident, ..at }).await?;
    Ok((StatusCode::CREATED, answer).into_response())
}

pub(super) async fn unlink(at: At) -> Result<StatusCode> {
    let key = at.rest.first().cloned().unwrap_or_default();
    let tx = at.begin().await?;
    at.acting(&tx).unlink(at.id(), &key).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `{"messages": […], "confirm": true}`; without `confirm` it only tells what it would add.
pub(super) async fn import_chat(at: At, ApiJson(body): ApiJson<Value>) -> Result<Json<Value>> {
    let mut input: ChatInput = fields(&body)?;
    if let Some(messages) = body.get("messages") {
        input.export = messages.to_string();
    }
    let tx = at.begin().await?;
    let preview = at.acting(&tx).import_chat(at.id(), &input, &[]).await?;
    tx.commit().await?;
    Ok(Json(json!({
        "new": preview.new_ones(),
        "known": preview.entries.len() - preview.new_ones(),
        "skipped": preview.skipped,
        "outside": preview.outside,
        "written": input.confirm,
    })))
}

pub(super) async fn templates(State(state): State<AppState>) -> Result<Json<Value>> {
    Ok(Json(json!({ "items": kept::all(&state.db).await? })))
}

pub(super) async fn template(State(state): State<AppState>, Path(slug): Path<String>) -> Result<Json<Template>> {
    Ok(Json(kept::get(&state.db, &slug).await?))
}

pub(super) async fn add_template(
    State(state): State<AppState>,
    actor: Actor,
    ApiJson(input): ApiJson<TemplateInput>,
) -> Result<Response> {
    let tx = state.db.begin().await?;
    let template = Acting { tx: &tx, actor: &actor, now: state.now() }.add_template(&input).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(template)).into_response())
}

pub(super) async fn edit_template(
    State(state): State<AppState>,
    actor: Actor,
    Path(slug): Path<String>,
    ApiJson(input): ApiJson<TemplateInput>,
) -> Result<Json<Template>> {
    let tx = state.db.begin().await?;
    let template = Acting { tx: &tx, actor: &actor, now: state.now() }.edit_template(&slug, &input).await?;
    tx.commit().await?;
    Ok(Json(template))
}

pub(super) async fn delete_template(
    State(state): State<AppState>,
    actor: Actor,
    Path(slug): Path<String>,
) -> Result<StatusCode> {
    let tx = state.db.begin().await?;
    Acting { tx: &tx, actor: &actor, now: state.now() }.delete_template(&slug).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
