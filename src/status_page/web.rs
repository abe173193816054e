//! `/status-page`: where the status page is written.

mod components;
mod notices;
mod subscribers;

use crate::accounts::{Actor, Role};
use crate::web::{Access, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/status-page", Access::RESPONDER, notices::list)
        .get("/status-page/components", Access::RESPONDER, components::list)
        .post("/status-page/components", Access::COMMANDER, components::add)
        .get("/status-page/components/{id}", Access::COMMANDER, components::edit)
        .post("/status-page/components/{id}", Access::COMMANDER, components::update)
        .post("/status-page/components/{id}/do", Access::COMMANDER, components::act)
        .get("/status-page/settings", Access::ADMIN, components::settings)
        .post("/status-page/settings", Access::ADMIN, components::save_settings)
        .get("/status-page/subscribers", Access::ADMIN, subscribers::list)
        .post("/status-page/subscribers/{id}/remove", Access::ADMIN, subscribers::remove)
        .get("/status-page/notices/new", Access::RESPONDER, notices::new)
        .post("/status-page/notices", Access::RESPONDER, notices::create)
        .get("/status-page/notices/{id}", Access::RESPONDER, notices::show)
        .post("/status-page/notices/{id}/draft", Access::RESPONDER, notices::save)
        .post("/status-page/notices/{id}/publish", Access::RESPONDER, notices::publish)
        .post("/status-page/notices/{id}/discard", Access::RESPONDER, notices::discard)
        .post("/status-page/notices/{id}/withdraw", Access::RESPONDER, notices::withdraw)
        .post("/status-page/notices/{id}/updates/{update}", Access::RESPONDER, notices::correct)
}

/// The tabs of these pages that somebody may open.
fn tabs(actor: &Actor) -> Vec<(&'static str, &'static str)> {
    let mut tabs = vec![("/status-page", "Notices"), ("/status-page/components", "Components")];
    if actor.can(Role::Admin) {
        tabs.push(("/status-page/subscribers", "Subscribers"));
        tabs.push(("/status-page/settings", "Settings"));
    }
    tabs
}
