//! Declaring an incident in a few seconds: title, severity, and what is known already.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Query};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::db::Db;
use crate::error::{Error, FieldErrors, Result};
use crate::services;
use crate::web::{Cx, Shell, redirect_with_flash, render_with_status};

use super::super::actions::Acting;
use super::super::hooks::{Hooks, PossibleDuplicate};
use super::super::model::input::DeclareInput;
use super::super::model::{Kind, Severity};
use super::complaints;

#[derive(Template)]
#[template(path = "incidents/new.html")]
struct DeclarePage {
    shell: Shell,
    form: DeclareInput,
    errors: FieldErrors,
    /// Slugs to choose from.
    known_services: Vec<String>,
    /// Open incidents that this may repeat.
    duplicates: Vec<PossibleDuplicate>,
    /// Whether it was held back because of them.
    held_back: bool,
}

impl DeclarePage {
    /// The severity that is chosen: what was typed, else SEV3.
    fn is_chosen(&self, severity: &Severity) -> bool {
        Severity::read(&self.form.severity).unwrap_or(Severity::Sev3) == *severity
    }

    fn is_kind(&self, kind: &Kind) -> bool {
        Kind::parse(&self.form.kind).unwrap_or(Kind::Real) == *kind
    }

    fn services(&self) -> String {
        self.form.services.join(", ")
    }

    /// The rarely used fields are open when one of them was filled.
    fn shows_more(&self) -> bool {
        let f = &self.form;
        let kind = !f.kind.is_empty() && !self.is_kind(&Kind::Real);
        let later = [&f.detected_at, &f.acknowledged_at, &f.mitigated_at, &f.impact_ended_at, &f.resolved_at];
        kind || f.private || later.iter().any(|t| !t.is_empty())
    }
}

/// At most this many services are offered for completion.
const OFFERED: i64 = 500;

async fn known_services(db: &Db) -> Result<Vec<String>> {
    let all = services::page(db, &services::Filter::default(), OFFERED).await?;
    Ok(all.into_iter().map(|s| s.slug).collect())
}

/// The form; a link may fill it (`?title=…&services=…&severity=…`).
pub(super) async fn new(
    cx: Cx,
    Extension(hooks): Extension<Hooks>,
    Query(form): Query<DeclareInput>,
) -> Result<Response> {
    let duplicates = duplicates(&cx, &hooks, &form).await?;
    show(&cx, StatusCode::OK, form, FieldErrors::default(), duplicates, false).await
}

async fn show(
    cx: &Cx,
    status: StatusCode,
    form: DeclareInput,
    errors: FieldErrors,
    duplicates: Vec<PossibleDuplicate>,
    held_back: bool,
) -> Result<Response> {
    let known_services = known_services(&cx.state.db).await?;
    let shell = cx.shell("Declare an incident");
    render_with_status(status, &DeclarePage { shell, form, errors, known_services, duplicates, held_back })
}

/// Open incidents that this may repeat; a drill or a past incident repeats none.
async fn duplicates(cx: &Cx, hooks: &Hooks, form: &DeclareInput) -> Result<Vec<PossibleDuplicate>> {
    let is_real = Kind::parse(&form.kind).unwrap_or(Kind::Real) == Kind::Real;
    if !is_real || !form.resolved_at.trim().is_empty() {
        return Ok(Vec::new());
    }
    Ok(hooks.possible_duplicates(&cx.state.db, &form.title, &form.services, cx.actor()?.into()).await)
}

/// In the address once the possible duplicates were shown: declare all the same.
#[derive(Deserialize)]
pub(super) struct Sure {
    #[serde(default)]
    sure: String,
}

pub(super) async fn create(
    cx: Cx,
    Extension(hooks): Extension<Hooks>,
    Query(Sure { sure }): Query<Sure>,
    Form(form): Form<DeclareInput>,
) -> Result<Response> {
    if sure.is_empty() {
        let duplicates = duplicates(&cx, &hooks, &form).await?;
        if !duplicates.is_empty() {
            return show(&cx, StatusCode::UNPROCESSABLE_ENTITY, form, FieldErrors::default(), duplicates, true).await;
        }
    }
    let tx = cx.state.db.begin().await?;
    let acting = Acting { tx: &tx, actor: cx.actor()?, now: cx.now() };
    match acting.declare(&form).await {
        Ok(id) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&format!("/incidents/{id}"), &format!("{id} is declared.")))
        }
        Err(error @ Error::Invalid(_)) => {
            drop(tx);
            let errors = complaints(error)?;
            show(&cx, StatusCode::UNPROCESSABLE_ENTITY, form, errors, Vec::new(), false).await
        }
        Err(other) => Err(other),
    }
}
