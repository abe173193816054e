//! Suspects in the JSON API.

use axum::extract::Path;
use axum::response::Json;
use serde_json::Value;

use super::service::{self, VerdictInput};
use super::view;
use crate::accounts::{Actor, Role};
use crate::error::{Error, Result};
use crate::incidents::{self, Incident, IncidentId, Viewer};
use crate::web::{Access, ApiJson, Cx, Routes};

pub(super) fn routes() -> Routes {
    Routes::new().get("/api/v1/incidents/{id}/suspects", Access::VIEWER, list).post(
        "/api/v1/incidents/{id}/suspects/verdict",
        Access::RESPONDER,
        verdict,
    )
}

/// The incident of a path, if the actor may know of it.
pub(super) async fn incident(cx: &Cx, actor: &Actor, id: &str) -> Result<Incident> {
    let id = IncidentId::parse(id).ok_or_else(|| Error::not_found(id))?;
    let viewer = Viewer { all: actor.can(Role::Admin), user_id: actor.user_id.unwrap_or(0) };
    incidents::get_visible(&cx.state.db, id, viewer).await
}

async fn list(cx: Cx, actor: Actor, Path(id): Path<String>) -> Result<Json<Value>> {
    let incident = incident(&cx, &actor, &id).await?;
    answer(&cx, &incident).await
}

async fn answer(cx: &Cx, incident: &Incident) -> Result<Json<Value>> {
    let kept = service::current(&cx.state.db, incident, cx.now()).await?;
    let verdicts = service::verdicts(&cx.state.db, incident.id).await?;
    Ok(Json(view::json(&kept, &verdicts)))
}

async fn verdict(
    cx: Cx,
    actor: Actor,
    Path(id): Path<String>,
    ApiJson(input): ApiJson<VerdictInput>,
) -> Result<Json<Value>> {
    let incident = incident(&cx, &actor, &id).await?;
    service::give_verdict(&cx.state.db, &incident, input.normalize()?, &actor, cx.now()).await?;
    answer(&cx, &incident).await
}
