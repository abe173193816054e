//! The JSON API of incidents, over the same actions as the pages. DESIGN.md has the contract.

mod items;
mod json;
mod parts;
mod together;

use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::{Extension, Json};
use serde_json::Value;

use crate::accounts::Actor;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::state::AppState;
use crate::web::{Access, ApiJson, Idempotent, Page, Routes};

use super::actions::Acting;
use super::hooks::Hooks;
use super::model::IncidentId;
use super::model::input::{DeclareInput, NextUpdateInput, PatchInput, StatusInput};
use super::model::record::Incident;
use super::service::get_visible;
use super::service::lists::{self, ListQuery};
use super::web::UPLOAD_LIMIT;

pub(super) fn routes() -> Routes {
    let uploads = Routes::new()
        .post("/api/v1/incidents/{id}/files", Access::RESPONDER, items::add_files)
        .map_router(|router| router.layer(DefaultBodyLimit::max(UPLOAD_LIMIT)));
    uploads.merge(bodies())
}

fn bodies() -> Routes {
    Routes::new()
        .get("/api/v1/incidents", Access::VIEWER, list)
        .post("/api/v1/incidents", Access::RESPONDER, create)
        .get("/api/v1/incidents/{id}", Access::VIEWER, show)
        .patch("/api/v1/incidents/{id}", Access::RESPONDER, update)
        .post("/api/v1/incidents/{id}/status", Access::RESPONDER, change_status)
        .put("/api/v1/incidents/{id}/next-update", Access::RESPONDER, promise_update)
        .get("/api/v1/incidents/{id}/milestones", Access::VIEWER, parts::milestones)
        .put("/api/v1/incidents/{id}/milestones/{name}", Access::RESPONDER, parts::set_milestone)
        .delete("/api/v1/incidents/{id}/milestones/{name}", Access::RESPONDER, parts::clear_milestone)
        .put("/api/v1/incidents/{id}/roles/{role}", Access::RESPONDER, parts::assign_role)
        .post("/api/v1/incidents/{id}/access", Access::COMMANDER, parts::change_access)
        .post("/api/v1/incidents/{id}/merge", Access::COMMANDER, parts::merge)
        .post("/api/v1/incidents/{id}/unmerge", Access::COMMANDER, parts::unmerge)
        .get("/api/v1/incidents/{id}/timeline", Access::VIEWER, items::timeline)
        .post("/api/v1/incidents/{id}/timeline", Access::RESPONDER, items::post_entry)
        .get("/api/v1/incidents/{id}/timeline/{entry}", Access::VIEWER, items::entry)
        .patch("/api/v1/incidents/{id}/timeline/{entry}", Access::RESPONDER, items::edit_entry)
        .delete("/api/v1/incidents/{id}/timeline/{entry}", Access::RESPONDER, items::strike_entry)
        .post("/api/v1/incidents/{id}/timeline/{entry}/restore", Access::RESPONDER, items::restore_entry)
        .get("/api/v1/incidents/{id}/evidence", Access::VIEWER, items::evidence)
        .post("/api/v1/incidents/{id}/evidence", Access::RESPONDER, items::add_evidence)
        .get("/api/v1/incidents/{id}/evidence/{piece}", Access::VIEWER, items::piece)
        .delete("/api/v1/incidents/{id}/evidence/{piece}", Access::RESPONDER, items::remove_evidence)
        .get("/api/v1/incidents/{id}/evidence/{piece}/raw", Access::VIEWER, items::raw)
        .get("/api/v1/incidents/{id}/impacts", Access::VIEWER, together::impacts)
        .post("/api/v1/incidents/{id}/impacts", Access::RESPONDER, together::add_impact)
        .put("/api/v1/incidents/{id}/impacts/{impact}", Access::RESPONDER, together::edit_impact)
        .delete("/api/v1/incidents/{id}/impacts/{impact}", Access::RESPONDER, together::remove_impact)
        .get("/api/v1/incidents/{id}/blast-radius", Access::VIEWER, together::blast_radius)
        .get("/api/v1/incidents/{id}/links", Access::VIEWER, together::links)
        .post("/api/v1/incidents/{id}/links", Access::RESPONDER, together::link)
        .delete("/api/v1/incidents/{id}/links/{link}", Access::RESPONDER, together::unlink)
        .post("/api/v1/incidents/{id}/timeline/import", Access::RESPONDER, together::import_chat)
        .get("/api/v1/incident-templates", Access::VIEWER, together::templates)
        .post("/api/v1/incident-templates", Access::COMMANDER, together::add_template)
        .get("/api/v1/incident-templates/{slug}", Access::VIEWER, together::template)
        .put("/api/v1/incident-templates/{slug}", Access::COMMANDER, together::edit_template)
        .delete("/api/v1/incident-templates/{slug}", Access::COMMANDER, together::delete_template)
        .get("/api/v1/incidents/{id}/tasks", Access::VIEWER, items::tasks)
        .post("/api/v1/incidents/{id}/tasks", Access::RESPONDER, items::add_task)
        .patch("/api/v1/incidents/{id}/tasks/{task}", Access::RESPONDER, items::edit_task)
}

/// A request below `/incidents/{id}`, with the incident loaded for who asks.
struct At {
    state: AppState,
    actor: Actor,
    hooks: Hooks,
    headers: HeaderMap,
    path: String,
    incident: Incident,
    /// The path's other parts.
    rest: Vec<String>,
}

impl FromRequestParts<AppState> for At {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let actor = Actor::from_request_parts(parts, state).await?;
        let Extension(hooks) = Extension::<Hooks>::from_request_parts(parts, state)
            .await
            .map_err(|e| Error::Internal(format!("hooks are not installed: {e}")))?;
        let Path(path) = Path::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| Error::not_found("This address"))?;
        let mut values = path.into_iter().map(|(_, value)| value);
        let id = values.next().unwrap_or_default();
        let id = IncidentId::parse(&id).ok_or_else(|| Error::not_found(format!("incident {id}")))?;
        let incident = get_visible(&state.db, id, (&actor).into()).await?;
        let (headers, path) = (parts.headers.clone(), parts.uri.path().to_owned());
        Ok(Self { state: state.clone(), actor, hooks, headers, path, incident, rest: values.collect() })
    }
}

impl At {
    fn id(&self) -> IncidentId {
        self.incident.id
    }

    fn db(&self) -> &Db {
        &self.state.db
    }

    fn now(&self) -> Timestamp {
        self.state.now()
    }

    async fn begin(&self) -> Result<Tx> {
        self.db().begin().await
    }

    fn acting<'a>(&'a self, tx: &'a Tx) -> Acting<'a> {
        Acting { tx, actor: &self.actor, now: self.now() }
    }

    /// The numeric id in the path.
    fn part(&self) -> Result<i64> {
        let text = self.rest.first().map(String::as_str).unwrap_or_default();
        text.parse().map_err(|_| Error::not_found(format!("'{text}' of {}", self.id())))
    }

    fn idempotent(&self, body: &Value) -> Idempotent {
        Idempotent::new(&self.headers, &self.actor, &format!("POST {} {body}", self.path))
    }
}

/// The fields of a body; what does not fit is named.
fn fields<T: serde::de::DeserializeOwned>(body: &Value) -> Result<T> {
    T::deserialize(body).map_err(|e| {
        let message = e.to_string();
        let field = message.split('`').nth(1).unwrap_or("body").to_owned();
        Error::invalid(&field, message)
    })
}

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Value>>> {
    let page = lists::list(&state.db, &query, (&actor).into(), i64::MAX, state.now()).await?;
    let ids: Vec<IncidentId> = page.items.iter().map(|l| l.incident.id).collect();
    let mut times = lists::times_of(&state.db, &ids).await?;
    let base = state.config.base_url.clone();
    Ok(Json(page.map(|listed| {
        let own = times.remove(&listed.incident.id).unwrap_or_default();
        json::listed(&listed, &own, &base)
    })))
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    Extension(hooks): Extension<Hooks>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<Value>,
) -> Result<Response> {
    let input: DeclareInput = fields(&body)?;
    let tx = state.db.begin().await?;
    let once = Idempotent::new(&headers, &actor, &format!("POST /api/v1/incidents {body}"));
    if let Some(earlier) = once.earlier(&tx).await? {
        return Ok(earlier);
    }
    let id = Acting { tx: &tx, actor: &actor, now: state.now() }.declare_with(&input, &hooks).await?;
    let incident = get_visible(&tx, id, (&actor).into()).await;
    // A token without an account may declare a private incident that it then cannot see.
    let answer = match incident {
        Ok(incident) => json::whole(&tx, &incident, &state.config.base_url).await?,
        Err(Error::NotFound(_)) => serde_json::json!({ "id": id, "private": true }),
        Err(other) => return Err(other),
    };
    let response = once.keep(&tx, state.now(), StatusCode::CREATED, &answer).await?;
    tx.commit().await?;
    Ok(response)
}

async fn show(at: At) -> Result<Json<Value>> {
    Ok(Json(json::whole(at.db(), &at.incident, &at.state.config.base_url).await?))
}

async fn update(at: At, ApiJson(input): ApiJson<PatchInput>) -> Result<Json<Value>> {
    let tx = at.begin().await?;
    let incident = at.acting(&tx).change_details(at.id(), &input).await?;
    let answer = json::whole(&tx, &incident, &at.state.config.base_url).await?;
    tx.commit().await?;
    Ok(Json(answer))
}

async fn change_status(at: At, ApiJson(input): ApiJson<StatusInput>) -> Result<Json<Value>> {
    let tx = at.begin().await?;
    let incident = at.acting(&tx).change_status(at.id(), &input, &at.hooks).await?;
    let answer = json::whole(&tx, &incident, &at.state.config.base_url).await?;
    tx.commit().await?;
    Ok(Json(answer))
}

async fn promise_update(at: At, ApiJson(input): ApiJson<NextUpdateInput>) -> Result<Json<Value>> {
    let tx = at.begin().await?;
    let incident = at.acting(&tx).promise_update(at.id(), &input).await?;
    let answer = json::whole(&tx, &incident, &at.state.config.base_url).await?;
    tx.commit().await?;
    Ok(Json(answer))
}
