//! Suspects in the JSON API.

use axum::extract::{Path, Query};
use axum::response::Json;
use chrono::TimeDelta;
use serde_json::Value;

use super::service::{self, VerdictInput};
use super::view;
use crate::accounts::{Actor, Role};
use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};
use crate::fields;
use crate::incidents::{self, Incident, IncidentId, Viewer};
use crate::web::{Access, ApiJson, Cx, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/incidents/{id}/suspects", Access::VIEWER, list)
        .post("/api/v1/incidents/{id}/suspects/verdict", Access::RESPONDER, verdict)
        .get("/api/v1/reports/suspects", Access::VIEWER, accuracy)
}

/// The time of a report in the URL; nothing said means the last twelve months.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct PeriodQuery {
    pub from: String,
    pub to: String,
}

impl PeriodQuery {
    /// # Errors
    /// `Invalid` by field for what is no time.
    pub fn period(&self, now: Timestamp) -> Result<(Timestamp, Timestamp)> {
        let mut errors = FieldErrors::default();
        let from = fields::moment(&mut errors, "from", &self.from, now);
        let to = fields::moment(&mut errors, "to", &self.to, now);
        errors.into_result()?;
        Ok((from.unwrap_or(now - TimeDelta::days(365)), to.unwrap_or(now + TimeDelta::days(1))))
    }
}

/// How often the first suspect was right about confirmed causes, by service and month.
async fn accuracy(cx: Cx, Query(query): Query<PeriodQuery>) -> Result<Json<Value>> {
    let (from, to) = query.period(cx.now())?;
    let report = service::accuracy_between(&cx.state.db, from, to).await?;
    let mut body = serde_json::to_value(&report)?;
    body["from"] = serde_json::json!(from);
    body["to"] = serde_json::json!(to);
    Ok(Json(body))
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
