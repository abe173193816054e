//! One runbook, as a reader sees it.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde::Deserialize;

use super::super::model::record::{Runbook, Version};
use super::super::model::{Problem, Step};
use super::super::service::{self, parse_stored};
use super::super::store::runs as run_store;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::incidents::IncidentId;
use crate::markdown::{self, Document};
use crate::web::{Cx, Shell, redirect, render};

#[derive(Template)]
#[template(path = "runbooks/show.html")]
struct ShowPage {
    shell: Shell,
    runbook: Runbook,
    version: Version,
    document: Document,
    steps: Vec<Step>,
    warnings: Vec<Problem>,
    conditions: Vec<String>,
    expected: String,
    overdue: bool,
    runs: i64,
    last_run: Option<Timestamp>,
}

pub(super) async fn show(cx: Cx, Path(slug): Path<String>) -> Result<Response> {
    let db = &cx.state.db;
    let runbook = service::get(db, &slug).await?;
    let version = service::get_version(db, &runbook, runbook.version).await?;
    let parsed = parse_stored(&version.source)?;
    let (runs, last_run) = run_store::usage(db, runbook.id).await?;
    render(&ShowPage {
        shell: cx.shell(runbook.title.clone()).live(&["runbooks"]),
        document: markdown::render_document(&parsed.body, "rb-"),
        conditions: runbook.attach_when.iter().map(super::super::model::Condition::describe).collect(),
        expected: super::minutes(runbook.expected_s),
        overdue: runbook.is_overdue(cx.now()),
        steps: parsed.steps,
        warnings: parsed.warnings,
        runbook,
        version,
        runs,
        last_run,
    })
}

#[derive(Deserialize)]
pub(super) struct RunIn {
    #[serde(default)]
    incident: String,
}

/// From a runbook's page to its start inside an incident.
pub(super) async fn run_in(cx: Cx, Path(slug): Path<String>, Query(query): Query<RunIn>) -> Result<Response> {
    let runbook = service::get(&cx.state.db, &slug).await?;
    let id = IncidentId::parse(&query.incident)
        .ok_or_else(|| Error::invalid("incident", "must be the number of an incident, such as INC-12"))?;
    Ok(redirect(&format!("/incidents/{id}/runs/new?runbook={}", runbook.slug)))
}
