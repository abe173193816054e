//! `/oncall`: rotations and overrides, calendars, and the buttons of an incident's panel.

mod calendar;
mod connections;
mod incident;
mod teams;

use crate::web::{Access, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/oncall", Access::VIEWER, teams::list)
        .get("/oncall/teams/new", Access::COMMANDER, teams::new)
        .post("/oncall/teams", Access::COMMANDER, teams::create)
        .get("/oncall/teams/{id}", Access::VIEWER, teams::show)
        .get("/oncall/teams/{id}/edit", Access::COMMANDER, teams::edit)
        .post("/oncall/teams/{id}/edit", Access::COMMANDER, teams::update)
        .post("/oncall/teams/{id}/remove", Access::COMMANDER, teams::remove)
        .post("/oncall/teams/{id}/overrides", Access::RESPONDER, teams::swap)
        .post("/oncall/teams/{id}/overrides/{swap}/end", Access::RESPONDER, teams::end_swap)
        .get("/oncall/calendars", Access::VIEWER, calendar::list)
        .post("/oncall/calendars", Access::VIEWER, calendar::create)
        .post("/oncall/calendars/{id}/revoke", Access::VIEWER, calendar::revoke)
        .get("/oncall/connections", Access::ADMIN, connections::list)
        .post("/oncall/connections", Access::ADMIN, connections::add)
        .post("/oncall/connections/{id}/do", Access::ADMIN, connections::act)
        .post("/ingest/oncall/{id}/{token}", Access::Ingest, connections::receive)
        .get("/calendar/{token}/oncall.ics", Access::Public, calendar::file)
        .post("/oncall/incidents/{incident}/acknowledge", Access::RESPONDER, incident::acknowledge)
        .post("/oncall/incidents/{incident}/page", Access::RESPONDER, incident::page)
        .post("/oncall/incidents/{incident}/pages/{page}/stop", Access::RESPONDER, incident::stop)
}
