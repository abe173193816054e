//! The pages of postmortems. Each handler extracts, calls one action, and renders or redirects; a
//! form that is refused is shown again with what was typed.

mod actions;
mod export;
mod items;
mod list;
mod page;
pub(super) mod panel;
mod public;
mod review;
mod rules;
mod section;

use crate::accounts::{Actor, Role};
use crate::error::{Error, Result};
use crate::incidents::{By, Incident, IncidentId, Viewer, get_visible};
use crate::web::{Access, Cx, Routes};
pub(super) use items::{ItemQuery, cursor_of};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/postmortems", Access::VIEWER, list::show)
        .get("/action-items", Access::VIEWER, items::list)
        .get("/action-items/{key}", Access::VIEWER, items::show)
        .post("/action-items/{key}", Access::RESPONDER, items::save)
        .post("/incidents/{id}/postmortem/recurrences", Access::RESPONDER, actions::recurs)
        .get("/incidents/{id}/postmortem", Access::VIEWER, page::show)
        .post("/incidents/{id}/postmortem", Access::RESPONDER, page::draft)
        .post("/incidents/{id}/postmortem/state", Access::RESPONDER, page::change_state)
        .get("/incidents/{id}/postmortem/export.md", Access::VIEWER, export::markdown)
        .get("/incidents/{id}/postmortem/export.html", Access::VIEWER, export::html)
        .post("/incidents/{id}/postmortem/about", Access::RESPONDER, page::set_about)
        .get("/settings/postmortems", Access::ADMIN, rules::list)
        .post("/settings/postmortems", Access::ADMIN, rules::create)
        .get("/settings/postmortems/{rule}", Access::ADMIN, rules::edit)
        .post("/settings/postmortems/{rule}", Access::ADMIN, rules::update)
        .post("/settings/postmortems/{rule}/remove", Access::ADMIN, rules::remove)
        .post("/incidents/{id}/postmortem/actions", Access::RESPONDER, actions::add)
        .post("/incidents/{id}/postmortem/actions/{task}", Access::RESPONDER, actions::update)
        .post("/incidents/{id}/postmortem/reviewers", Access::RESPONDER, review::ask)
        .post("/incidents/{id}/postmortem/review", Access::RESPONDER, review::answer)
        .post("/incidents/{id}/postmortem/checklist", Access::RESPONDER, review::tick)
        .post("/incidents/{id}/postmortem/audience", Access::RESPONDER, review::set_audience)
        .get("/incidents/{id}/postmortem/public", Access::RESPONDER, public::preview)
        .get("/status/postmortems/{id}", Access::Public, public::show)
        .post("/incidents/{id}/postmortem/comments/{comment}", Access::RESPONDER, review::settle)
        .post("/incidents/{id}/postmortem/sections/{key}/comments", Access::RESPONDER, review::comment)
        .post("/incidents/{id}/postmortem/sections/{key}/suggest", Access::RESPONDER, review::suggest)
        .get("/incidents/{id}/postmortem/sections/{key}", Access::RESPONDER, section::edit)
        .post("/incidents/{id}/postmortem/sections/{key}", Access::RESPONDER, section::save)
        .post("/incidents/{id}/postmortem/sections/{key}/regenerate", Access::RESPONDER, section::regenerate)
        .get("/incidents/{id}/postmortem/sections/{key}/versions", Access::VIEWER, section::versions)
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
