//! The forms of the panel on an incident's page.

use axum::extract::{Form, Path};
use axum::response::Response;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::incidents::IncidentId;
use crate::oncall::service::paging;
use crate::web::{Cx, redirect_with_flash};

fn id_of(text: &str) -> Result<IncidentId> {
    IncidentId::parse(text).ok_or_else(|| Error::not_found(format!("incident {text}")))
}

pub(super) async fn acknowledge(cx: Cx, Path(incident): Path<String>) -> Result<Response> {
    let id = id_of(&incident)?;
    let tx = cx.state.db.begin().await?;
    paging::acknowledge(&tx, id, cx.actor()?, cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&format!("/incidents/{id}"), "Acknowledged: nobody else is paged."))
}

#[derive(Deserialize)]
pub(super) struct PageForm {
    team: i64,
}

pub(super) async fn page(cx: Cx, Path(incident): Path<String>, Form(form): Form<PageForm>) -> Result<Response> {
    let id = id_of(&incident)?;
    let tx = cx.state.db.begin().await?;
    paging::page_team(&tx, id, form.team, cx.actor()?, cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&format!("/incidents/{id}#on-call"), "The team is being paged."))
}

pub(super) async fn stop(cx: Cx, Path((incident, page)): Path<(String, i64)>) -> Result<Response> {
    let id = id_of(&incident)?;
    let tx = cx.state.db.begin().await?;
    paging::stop(&tx, id, page, cx.actor()?, cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&format!("/incidents/{id}#on-call"), "Nobody else is paged."))
}
