//! The pages of traces: list and search, one trace, comparison, and the form that attaches a trace to an
//! incident.

mod compare;
mod format;
mod graph;
mod import;
mod intake;
mod list;
mod show;
pub(super) mod waterfall_view;

pub(super) use format::duration;
pub(super) use list::{ListQuery, cursor_text};
pub(super) use show::{ErrorCard, error_card};

use axum::extract::Path;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::incidents::{self, By, IncidentId, Viewer};
use crate::web::{Access, Cx, Routes, redirect_with_flash};

use super::evidence;
use super::service::view;

pub fn routes() -> Routes {
    Routes::new()
        .get("/traces", Access::VIEWER, list::list)
        .get("/settings/telemetry", Access::ADMIN, intake::show)
        .get("/traces/graph", Access::VIEWER, graph::graph)
        .get("/traces/import", Access::RESPONDER, import::form)
        .post("/traces/import", Access::RESPONDER, import::import)
        .get("/traces/{id}", Access::VIEWER, show::show)
        .get("/traces/{id}/compare", Access::VIEWER, compare::compare)
        .post("/traces/{id}/attach", Access::RESPONDER, attach)
}

#[derive(Debug, Deserialize)]
struct AttachForm {
    #[serde(default)]
    incident: String,
}

/// Keeps the whole trace with an incident.
async fn attach(cx: Cx, Path(id): Path<String>, Form(form): Form<AttachForm>) -> Result<Response> {
    let actor = cx.actor()?;
    let incident =
        IncidentId::parse(&form.incident).ok_or_else(|| Error::invalid("incident", "is a number like INC-12"))?;
    incidents::get_visible(&cx.state.db, incident, Viewer::from(actor)).await?;
    let whole = view::whole(&cx.state.db, &id).await?.ok_or_else(|| Error::not_found("This trace"))?;
    let attach = evidence::attachment(&cx.state.db, &whole).await?;
    let tx = cx.state.db.begin().await?;
    incidents::add_evidence(&tx, incident, &attach, &By::from(actor), cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&format!("/incidents/{incident}/evidence"), "The trace is kept with the incident."))
}
