//! `GET /api/v1/reports/mttr`: the same figures as the pages.

use axum::Json;
use axum::extract::Query;

use super::filters::{viewer, zone};
use super::json::ReportJson;
use super::model::measures::Measure;
use super::model::scope::{Scope, ScopeQuery};
use super::service;
use crate::error::Result;
use crate::web::{Access, Cx, Routes};

pub fn routes() -> Routes {
    Routes::new().get("/api/v1/reports/mttr", Access::VIEWER, mttr)
}

async fn mttr(cx: Cx, Query(query): Query<ScopeQuery>) -> Result<Json<ReportJson>> {
    let scope = Scope::parse(&query, cx.now(), zone(&cx).await?)?;
    let material = service::load(&cx.state.db, &scope, viewer(cx.actor()?)).await?;
    Ok(Json(ReportJson::of(&material.report(&scope, &Measure::SHARED), &Measure::SHARED)))
}
