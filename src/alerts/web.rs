//! Pages of alerts: the list with bulk actions, one alert with its history, promoting. Rules and
//! maintenance windows, and the set-up of sources, have pages of their own below.

mod act;
mod list;
mod maintenance;
mod noise;
mod rules;
mod show;
mod sources;

use crate::web::{Access, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/alerts", Access::VIEWER, list::list)
        .post("/alerts/bulk", Access::RESPONDER, act::bulk)
        .post("/alerts/undo/{id}", Access::RESPONDER, act::undo)
        .get("/alerts/noise", Access::VIEWER, noise::noise)
        .get("/alerts/{id}", Access::VIEWER, show::show)
        .get("/alerts/{id}/promote", Access::RESPONDER, show::promote_form)
        .post("/alerts/{id}/promote", Access::RESPONDER, show::promote)
        .merge(rules::routes())
        .merge(maintenance::routes())
        .merge(sources::routes())
}
