//! Customer impact: adding windows, ending them, changing one; and adding a service that is hit.

use askama::Template;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};
use crate::web::{Shell, redirect_with_flash, render_with_status};

use super::super::model::impact::{Impact, ImpactInput};
use super::super::model::record::Incident;
use super::super::service;
use super::page::{Forms, show_with};
use super::{At, complaints};

pub(super) async fn create(at: At, Form(input): Form<ImpactInput>) -> Result<Response> {
    let tx = at.begin().await?;
    match at.acting(&tx).add_impact(at.id(), &input).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path("#impact"), "Customer impact is written down."))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            show_with(&at, Forms { refused: "impact", errors, impact: input, ..Forms::default() }).await
        }
    }
}

#[derive(Template)]
#[template(path = "incidents/impact.html")]
struct ImpactPage {
    shell: Shell,
    incident: Incident,
    impact: Impact,
    form: ImpactInput,
    errors: FieldErrors,
}

impl ImpactPage {
    fn is_conflict(&self) -> bool {
        self.errors.has("conflict")
    }
}

pub(super) async fn show(at: At) -> Result<Response> {
    let impact = service::impacts::get(at.db(), at.id(), at.part()?).await?;
    let form = ImpactInput {
        started_at: impact.started_at.to_input(),
        ended_at: impact.ended_at.map(Timestamp::to_input).unwrap_or_default(),
        what: impact.what.clone(),
        affected: impact.affected.clone(),
        version: Some(impact.version),
    };
    show_form(&at, form, FieldErrors::default()).await
}

async fn show_form(at: &At, form: ImpactInput, errors: FieldErrors) -> Result<Response> {
    let impact = service::impacts::get(at.db(), at.id(), at.part()?).await?;
    let status = match (errors.is_empty(), errors.has("conflict")) {
        (true, _) => StatusCode::OK,
        (false, true) => StatusCode::CONFLICT,
        (false, false) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let page = ImpactPage {
        shell: at.cx.shell(format!("{}: customer impact", at.id())),
        incident: at.incident.clone(),
        impact,
        form,
        errors,
    };
    render_with_status(status, &page)
}

pub(super) async fn update(at: At, Form(input): Form<ImpactInput>) -> Result<Response> {
    let tx = at.begin().await?;
    match at.acting(&tx).edit_impact(at.id(), at.part()?, &input).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path("#impact"), "Customer impact is changed."))
        }
        Err(error) => {
            drop(tx);
            show_form(&at, input, complaints(error)?).await
        }
    }
}

/// Ends a window now: the button beside one that is still open.
pub(super) async fn end(at: At) -> Result<Response> {
    let standing = service::impacts::get(at.db(), at.id(), at.part()?).await?;
    let input = ImpactInput {
        started_at: standing.started_at.to_rfc3339(),
        ended_at: at.now().to_rfc3339(),
        what: standing.what.clone(),
        affected: standing.affected.clone(),
        version: Some(standing.version),
    };
    let tx = at.begin().await?;
    at.acting(&tx).edit_impact(at.id(), standing.id, &input).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&at.path("#impact"), "Ended now."))
}

pub(super) async fn remove(at: At) -> Result<Response> {
    let tx = at.begin().await?;
    at.acting(&tx).remove_impact(at.id(), at.part()?).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&at.path("#impact"), "Removed; the timeline keeps that it was there."))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ServiceForm {
    service: String,
}

/// A service of the blast radius turned out to be hit.
pub(super) async fn add_service(at: At, Form(form): Form<ServiceForm>) -> Result<Response> {
    let tx = at.begin().await?;
    match at.acting(&tx).add_hit_service(at.id(), &form.service).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path("#blast"), &format!("{} is hit, too.", form.service.trim())))
        }
        // The button only sends what the catalogue knew a moment ago.
        Err(Error::Invalid(errors)) => Err(Error::BadRequest(errors.to_string())),
        Err(other) => Err(other),
    }
}
