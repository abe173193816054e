//! Declaring an incident in a few seconds: title, severity, and what is known already.

use askama::Template;
use axum::extract::{Form, Query};
use axum::http::StatusCode;
use axum::response::Response;

use crate::db::Db;
use crate::error::{Error, FieldErrors, Result};
use crate::services;
use crate::web::{Cx, Shell, redirect_with_flash, render, render_with_status};

use super::super::actions::Acting;
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
pub(super) async fn new(cx: Cx, Query(form): Query<DeclareInput>) -> Result<Response> {
    let known_services = known_services(&cx.state.db).await?;
    render(&DeclarePage {
        shell: cx.shell("Declare an incident"),
        form,
        errors: FieldErrors::default(),
        known_services,
    })
}

pub(super) async fn create(cx: Cx, Form(form): Form<DeclareInput>) -> Result<Response> {
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
            let known_services = known_services(&cx.state.db).await?;
            let page = DeclarePage { shell: cx.shell("Declare an incident"), form, errors, known_services };
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}
