//! The pages of runbooks and their runs. Each handler extracts, calls one action, and renders or
//! redirects; a form that is refused is shown again with what was typed.

mod call;
mod edit;
mod efficacy;
mod history;
mod list;
pub(super) mod panel;
mod run;
mod runs;
mod show;

use axum::Extension;

use super::hooks::{Known, Sources};
use crate::accounts::{Actor, Role};
use crate::error::{Error, Result};
use crate::incidents::{By, Incident, IncidentId, Viewer, get_visible};
use crate::web::{Access, Cx, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/runbooks", Access::VIEWER, list::show)
        .post("/runbooks", Access::RESPONDER, edit::create)
        .get("/runbooks/new", Access::RESPONDER, edit::new)
        .get("/runbooks/efficacy", Access::VIEWER, efficacy::all)
        .get("/runbooks/{slug}", Access::VIEWER, show::show)
        .get("/runbooks/{slug}/efficacy", Access::VIEWER, efficacy::show)
        .get("/runbooks/{slug}/run", Access::RESPONDER, show::run_in)
        .get("/runbooks/{slug}/edit", Access::RESPONDER, edit::edit)
        .post("/runbooks/{slug}/edit", Access::RESPONDER, edit::update)
        .get("/runbooks/{slug}/versions", Access::VIEWER, history::list)
        .get("/runbooks/{slug}/versions/{number}", Access::VIEWER, history::show)
        .post("/runbooks/{slug}/versions/{number}/restore", Access::RESPONDER, history::restore)
        .post("/runbooks/{slug}/pending", Access::RESPONDER, history::decide)
        .post("/runbooks/{slug}/archive", Access::COMMANDER, edit::archive)
        .get("/settings/runbooks", Access::ADMIN, list::problems)
        .get("/incidents/{id}/runs", Access::VIEWER, runs::list)
        .post("/incidents/{id}/runs", Access::RESPONDER, runs::start)
        .get("/incidents/{id}/runs/new", Access::RESPONDER, runs::new)
        .get("/incidents/{id}/runs/{run}", Access::VIEWER, run::show)
        .post("/incidents/{id}/runs/{run}/steps", Access::RESPONDER, run::record)
        .get("/incidents/{id}/runs/{run}/steps/{step}/call", Access::RESPONDER, call::confirm)
        .post("/incidents/{id}/runs/{run}/steps/{step}/call", Access::RESPONDER, call::send)
        .post("/incidents/{id}/runs/{run}/stop", Access::RESPONDER, run::stop)
        .post("/incidents/{id}/runs/{run}/resume", Access::RESPONDER, run::resume)
        .post("/incidents/{id}/runs/{run}/lead", Access::RESPONDER, run::change_lead)
}

pub(super) fn by(actor: &Actor) -> By {
    By { user_id: actor.user_id, name: actor.name.clone() }
}

pub(super) fn viewer(actor: &Actor) -> Viewer {
    Viewer { all: actor.can(Role::Admin), user_id: actor.user_id.unwrap_or_default() }
}

/// # Errors
/// `NotFound` for what is no number, does not exist, or is hidden from this person.
async fn incident_of(cx: &Cx, id: &str) -> Result<Incident> {
    let parsed = IncidentId::parse(id).ok_or_else(|| Error::not_found(format!("The incident '{id}'")))?;
    get_visible(&cx.state.db, parsed, viewer(cx.actor()?)).await
}

async fn known_of(cx: &Cx, sources: Option<Extension<Sources>>, incident: &Incident) -> Result<Known> {
    let sources = sources.map(|Extension(sources)| sources).unwrap_or_default();
    sources.known(&cx.state.db, incident, &cx.state.config.base_url).await
}

/// `7 min` or `1 h 5 min`, from seconds; empty for none.
pub(super) fn minutes(seconds: i64) -> String {
    if seconds <= 0 {
        return String::new();
    }
    let total = (seconds + 59) / 60;
    if total < 60 { format!("{total} min") } else { format!("{} h {} min", total / 60, total % 60) }
}
