//! Similar incidents in the JSON API.

use axum::extract::{Path, Query};
use axum::response::Json;
use serde::Deserialize;
use serde_json::{Value, json};

use super::service::{self, Resembling};
use crate::accounts::Actor;
use crate::error::{Error, Result};
use crate::incidents::{self, IncidentId};
use crate::web::{Access, Cx, Routes};

/// Incidents in an answer, when the request does not say; and at most.
const DEFAULT: usize = 10;
const MOST: usize = 50;

pub(super) fn routes() -> Routes {
    Routes::new().get("/api/v1/incidents/{id}/similar", Access::VIEWER, list)
}

#[derive(Deserialize)]
struct Params {
    limit: Option<usize>,
}

async fn list(cx: Cx, actor: Actor, Path(id): Path<String>, Query(params): Query<Params>) -> Result<Json<Value>> {
    let id = IncidentId::parse(&id).ok_or_else(|| Error::not_found(&id))?;
    let db = &cx.state.db;
    let incident = incidents::get_visible(db, id, (&actor).into()).await?;
    let limit = params.limit.unwrap_or(DEFAULT).clamp(1, MOST);
    let found = service::of_incident(db, &incident, (&actor).into(), limit).await?;
    Ok(Json(json!({ "items": found.iter().map(item).collect::<Vec<_>>() })))
}

fn item(found: &Resembling) -> Value {
    let head = &found.head;
    json!({
        "id": head.id,
        "title": head.title,
        "severity": head.severity,
        "status": head.status,
        "private": head.private,
        "started_at": head.started_at,
        "ended_at": head.ended_at,
        "score": found.similar.score,
        "reasons": found.similar.reasons,
        "fixes": found.fixes,
    })
}
