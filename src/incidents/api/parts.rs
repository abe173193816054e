//! Milestones, roles, access and merging.

use axum::Json;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::web::ApiJson;

use super::super::model::input::MilestoneInput;
use super::super::model::{MilestoneName, Role};
use super::super::service;
use super::{At, json};

pub(super) async fn milestones(at: At) -> Result<Json<Value>> {
    let whole = json::whole(at.db(), &at.incident, &at.state.config.base_url).await?;
    Ok(Json(json!({ "milestones": whole["milestones"], "durations": whole["durations"] })))
}

fn name(at: &At) -> Result<MilestoneName> {
    let text = at.rest.first().map(String::as_str).unwrap_or_default();
    MilestoneName::parse(text).ok_or_else(|| Error::not_found(format!("milestone {text}")))
}

/// The incident as it is after the change.
async fn changed(at: &At, tx: crate::db::Tx) -> Result<Json<Value>> {
    let incident = service::get_visible(&tx, at.id(), (&at.actor).into()).await?;
    let answer = json::whole(&tx, &incident, &at.state.config.base_url).await?;
    tx.commit().await?;
    Ok(Json(answer))
}

pub(super) async fn set_milestone(at: At, ApiJson(input): ApiJson<MilestoneInput>) -> Result<Json<Value>> {
    let name = name(&at)?;
    let tx = at.begin().await?;
    at.acting(&tx).set_milestone(at.id(), name, &input).await?;
    changed(&at, tx).await
}

pub(super) async fn clear_milestone(at: At, ApiJson(input): ApiJson<MilestoneInput>) -> Result<Json<Value>> {
    let name = name(&at)?;
    let tx = at.begin().await?;
    at.acting(&tx).clear_milestone(at.id(), name, &input).await?;
    changed(&at, tx).await
}

#[derive(Deserialize)]
pub(super) struct PersonBody {
    /// Empty or `null` takes the role away.
    #[serde(default)]
    email: Option<String>,
}

pub(super) async fn assign_role(at: At, ApiJson(body): ApiJson<PersonBody>) -> Result<Json<Value>> {
    let text = at.rest.first().map(String::as_str).unwrap_or_default();
    let role = Role::parse(text).ok_or_else(|| Error::not_found(format!("role {text}")))?;
    let tx = at.begin().await?;
    at.acting(&tx).assign_role(at.id(), role, &body.email.unwrap_or_default()).await?;
    changed(&at, tx).await
}

#[derive(Deserialize)]
pub(super) struct AccessBody {
    email: String,
    /// `false` takes it away.
    #[serde(default = "yes")]
    allow: bool,
}

const fn yes() -> bool {
    true
}

pub(super) async fn change_access(at: At, ApiJson(body): ApiJson<AccessBody>) -> Result<Json<Value>> {
    let tx = at.begin().await?;
    at.acting(&tx).change_access(at.id(), &body.email, body.allow).await?;
    let named = service::people::named(&tx, at.id()).await?;
    tx.commit().await?;
    let people: Vec<_> = named.iter().map(|n| json!({ "name": n.name, "email": n.email })).collect();
    Ok(Json(json!({ "people": people })))
}

#[derive(Deserialize)]
pub(super) struct MergeBody {
    #[serde(default)]
    into: String,
    #[serde(default)]
    reason: String,
}

pub(super) async fn merge(at: At, ApiJson(body): ApiJson<MergeBody>) -> Result<Json<Value>> {
    let tx = at.begin().await?;
    at.acting(&tx).merge(at.id(), &body.into, body.reason.trim()).await?;
    changed(&at, tx).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ReasonBody {
    reason: String,
}

pub(super) async fn unmerge(at: At, ApiJson(body): ApiJson<ReasonBody>) -> Result<Json<Value>> {
    let tx = at.begin().await?;
    at.acting(&tx).unmerge(at.id(), body.reason.trim()).await?;
    changed(&at, tx).await
}
