//! The pages of incidents. Each handler extracts, calls one action, and renders or redirects; a form
//! that is refused is shown again with what was typed.

mod chat;
mod content;
mod dashboard;
mod declare;
mod entry;
mod evidence;
mod files;
mod filled;
mod impacts;
mod links;
mod list;
mod live;
mod manage;
mod milestone;
mod page;
mod service_column;
mod service_panel;
mod shared;
mod tasks;
mod templates;
mod timeline;
mod view;

use axum::Extension;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path};
use axum::http::request::Parts;

use crate::accounts::Actor;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, FieldErrors, Result};
use crate::state::AppState;
use crate::web::{Access, Cx, Routes};

use super::actions::Acting;
use super::hooks::Hooks;
use super::model::IncidentId;
use super::model::record::Incident;
use super::service::get_visible;

pub(super) use filled::{Filled, UPLOAD_LIMIT};
pub use service_column::OpenIncidents;
pub use service_panel::ServiceIncidents;

pub(super) fn routes() -> Routes {
    // Forms with files may be larger than others.
    let uploads = Routes::new()
        .post("/incidents/{id}/timeline", Access::RESPONDER, timeline::create)
        .post("/incidents/{id}/timeline/import", Access::RESPONDER, chat::import)
        .post("/incidents/{id}/files", Access::RESPONDER, files::create)
        .map_router(|router| router.layer(DefaultBodyLimit::max(filled::UPLOAD_LIMIT)));
    uploads.merge(pages()).map_router(|router| router.layer(Extension(shared::Shared::default())))
}

fn pages() -> Routes {
    Routes::new()
        .get("/", Access::VIEWER, dashboard::show)
        .get("/live", Access::VIEWER, live::stream)
        .get("/incidents", Access::VIEWER, list::show)
        .post("/incidents", Access::RESPONDER, declare::create)
        .get("/incidents/new", Access::RESPONDER, declare::new)
        .get("/incidents/{id}", Access::VIEWER, page::show)
        .get("/incidents/{id}/parts", Access::VIEWER, page::parts)
        .post("/incidents/{id}/status", Access::RESPONDER, page::change_status)
        .post("/incidents/{id}/roles", Access::RESPONDER, page::assign_role)
        .post("/incidents/{id}/next-update", Access::RESPONDER, page::promise_update)
        .get("/incidents/{id}/edit", Access::RESPONDER, manage::edit)
        .post("/incidents/{id}/edit", Access::RESPONDER, manage::update)
        .post("/incidents/{id}/merge", Access::COMMANDER, manage::merge)
        .post("/incidents/{id}/unmerge", Access::COMMANDER, manage::unmerge)
        .post("/incidents/{id}/access", Access::COMMANDER, manage::change_access)
        .get("/incidents/{id}/milestones/{name}", Access::VIEWER, milestone::show)
        .post("/incidents/{id}/milestones/{name}", Access::RESPONDER, milestone::set)
        .post("/incidents/{id}/milestones/{name}/clear", Access::RESPONDER, milestone::clear)
        .get("/incidents/{id}/timeline", Access::VIEWER, timeline::list)
        .get("/incidents/{id}/timeline/new", Access::RESPONDER, timeline::new)
        .get("/incidents/{id}/timeline/{entry}", Access::VIEWER, entry::show)
        .post("/incidents/{id}/timeline/{entry}", Access::RESPONDER, entry::update)
        .post("/incidents/{id}/timeline/{entry}/layer", Access::RESPONDER, entry::set_layer)
        .post("/incidents/{id}/timeline/{entry}/strike", Access::RESPONDER, entry::strike)
        .post("/incidents/{id}/timeline/{entry}/restore", Access::RESPONDER, entry::restore)
        .get("/incidents/{id}/timeline/import", Access::RESPONDER, chat::form)
        .post("/incidents/{id}/impacts", Access::RESPONDER, impacts::create)
        .get("/incidents/{id}/impacts/{impact}", Access::VIEWER, impacts::show)
        .post("/incidents/{id}/impacts/{impact}", Access::RESPONDER, impacts::update)
        .post("/incidents/{id}/impacts/{impact}/end", Access::RESPONDER, impacts::end)
        .post("/incidents/{id}/impacts/{impact}/remove", Access::RESPONDER, impacts::remove)
        .post("/incidents/{id}/services", Access::RESPONDER, impacts::add_service)
        .post("/incidents/{id}/links", Access::RESPONDER, links::create)
        .post("/incidents/{id}/links/remove", Access::RESPONDER, links::remove)
        .get("/settings/incident-templates", Access::COMMANDER, templates::list)
        .post("/settings/incident-templates", Access::COMMANDER, templates::create)
        .get("/settings/incident-templates/new", Access::COMMANDER, templates::new)
        .get("/settings/incident-templates/{slug}", Access::COMMANDER, templates::show)
        .post("/settings/incident-templates/{slug}", Access::COMMANDER, templates::update)
        .post("/settings/incident-templates/{slug}/delete", Access::COMMANDER, templates::delete)
        .get("/incidents/{id}/evidence", Access::VIEWER, evidence::list)
        .post("/incidents/{id}/evidence", Access::RESPONDER, evidence::create)
        .get("/incidents/{id}/evidence/{piece}", Access::VIEWER, evidence::show)
        .get("/incidents/{id}/evidence/{piece}/raw", Access::VIEWER, evidence::raw)
        .post("/incidents/{id}/evidence/{piece}/remove", Access::RESPONDER, evidence::remove)
        .post("/incidents/{id}/tasks", Access::RESPONDER, tasks::create)
        .get("/incidents/{id}/tasks/{task}", Access::VIEWER, tasks::show)
        .post("/incidents/{id}/tasks/{task}", Access::RESPONDER, tasks::update)
}

/// The request of a page below `/incidents/{id}`, with the incident loaded for who asks.
struct At {
    cx: Cx,
    actor: Actor,
    hooks: Hooks,
    incident: Incident,
    /// The database's count of changes before the incident was read.
    changes: u64,
    /// The path's other parts: the entry, the milestone's name …
    rest: Vec<String>,
}

impl FromRequestParts<AppState> for At {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let cx = Cx::from_request_parts(parts, state).await?;
        let actor = cx.actor()?.clone();
        let Extension(hooks) = Extension::<Hooks>::from_request_parts(parts, state)
            .await
            .map_err(|e| Error::Internal(format!("hooks are not installed: {e}")))?;
        let Path(path) = Path::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| Error::not_found("This page"))?;
        let mut values = path.into_iter().map(|(_, value)| value);
        let id = values.next().unwrap_or_default();
        let id = IncidentId::parse(&id).ok_or_else(|| Error::not_found(format!("incident {id}")))?;
        let changes = state.db.changes();
        let incident = get_visible(&state.db, id, (&actor).into()).await?;
        Ok(Self { cx, actor, hooks, incident, changes, rest: values.collect() })
    }
}

impl At {
    fn id(&self) -> IncidentId {
        self.incident.id
    }

    fn db(&self) -> &Db {
        &self.cx.state.db
    }

    fn now(&self) -> Timestamp {
        self.cx.now()
    }

    async fn begin(&self) -> Result<Tx> {
        self.db().begin().await
    }

    fn acting<'a>(&'a self, tx: &'a Tx) -> Acting<'a> {
        Acting { tx, actor: &self.actor, now: self.now() }
    }

    /// The numeric id in the path, of an entry, a piece of evidence, a task.
    fn part(&self) -> Result<i64> {
        let text = self.rest.first().map(String::as_str).unwrap_or_default();
        text.parse().map_err(|_| Error::not_found(format!("'{text}' of {}", self.id())))
    }

    /// A path below this incident's.
    fn path(&self, below: &str) -> String {
        format!("{}{below}", self.incident.path())
    }
}

/// What a refused form shows: complaints by field, or (for a conflict) one at its top.
fn complaints(error: Error) -> Result<FieldErrors> {
    match error {
        Error::Invalid(errors) => Ok(errors),
        Error::Conflict(message) => {
            let mut errors = FieldErrors::default();
            errors.add("conflict", message);
            Ok(errors)
        }
        other => Err(other),
    }
}
