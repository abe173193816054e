//! `/incidents/INC-n/edit`: what it is called, how bad it is, what it hits, who may see it, and
//! merging.

use askama::Template;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::error::{Error, FieldErrors, Result};
use crate::web::{Shell, redirect_with_flash, render_with_status};

use super::super::model::input::PatchInput;
use super::super::model::record::{Incident, ServiceRef};
use super::super::model::{Kind, Severity};
use super::super::service;
use super::super::service::people::Named;
use super::super::store::people::Account;
use super::{At, complaints};

#[derive(Template)]
#[template(path = "incidents/edit.html")]
struct EditPage {
    shell: Shell,
    incident: Incident,
    services: Vec<ServiceRef>,
    named: Vec<Named>,
    people: Vec<Account>,
    form: PatchInput,
    merge: MergeForm,
    access: AccessForm,
    /// Which of the page's forms was refused.
    refused: &'static str,
    errors: FieldErrors,
}

impl EditPage {
    fn of(&self, form: &str) -> FieldErrors {
        if self.refused == form { self.errors.clone() } else { FieldErrors::default() }
    }

    fn title(&self) -> &str {
        self.form.title.as_deref().unwrap_or(&self.incident.title)
    }

    fn summary(&self) -> &str {
        self.form.summary.as_deref().unwrap_or(&self.incident.summary)
    }

    fn is_severity(&self, severity: &Severity) -> bool {
        self.form.severity.as_deref().and_then(Severity::read).unwrap_or(self.incident.severity) == *severity
    }

    fn is_kind(&self, kind: &Kind) -> bool {
        self.form.kind.as_deref().and_then(Kind::parse).unwrap_or(self.incident.kind) == *kind
    }

    fn service_words(&self) -> String {
        match &self.form.services {
            Some(typed) => typed.join(", "),
            None => self.services.iter().map(|s| s.slug.as_str()).collect::<Vec<_>>().join(", "),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct MergeForm {
    into: String,
    reason: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AccessForm {
    email: String,
    /// `grant`, `revoke`, `private` or `public`.
    action: String,
}

/// A form of the page that comes back.
#[derive(Default)]
struct Refused {
    form: PatchInput,
    merge: MergeForm,
    access: AccessForm,
    which: &'static str,
    errors: FieldErrors,
}

pub(super) async fn edit(at: At) -> Result<Response> {
    show(&at, Refused::default()).await
}

async fn show(at: &At, refused: Refused) -> Result<Response> {
    let status = match (refused.errors.is_empty(), refused.errors.has("conflict")) {
        (true, _) => StatusCode::OK,
        (false, true) => StatusCode::CONFLICT,
        (false, false) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    // Read again: a conflict shows what stands now beside what was typed.
    let incident = service::get_visible(at.db(), at.id(), (&at.actor).into()).await?;
    let page = EditPage {
        shell: at.cx.shell(format!("{}: edit", at.id())),
        services: service::details::services(at.db(), at.id()).await?,
        named: service::people::named(at.db(), at.id()).await?,
        people: service::people::people(at.db()).await?,
        incident,
        form: refused.form,
        merge: refused.merge,
        access: refused.access,
        refused: refused.which,
        errors: refused.errors,
    };
    render_with_status(status, &page)
}

pub(super) async fn update(at: At, Form(input): Form<PatchInput>) -> Result<Response> {
    let tx = at.begin().await?;
    match at.acting(&tx).change_details(at.id(), &input).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path(""), "Changed."))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            show(&at, Refused { form: input, which: "details", errors, ..Refused::default() }).await
        }
    }
}

pub(super) async fn merge(at: At, Form(form): Form<MergeForm>) -> Result<Response> {
    let tx = at.begin().await?;
    match at.acting(&tx).merge(at.id(), &form.into, form.reason.trim()).await {
        Ok(target) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&format!("/incidents/{target}"), &format!("{} was merged into {target}.", at.id())))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            show(&at, Refused { merge: form, which: "merge", errors, ..Refused::default() }).await
        }
    }
}

pub(super) async fn unmerge(at: At) -> Result<Response> {
    let tx = at.begin().await?;
    let incident = at.acting(&tx).unmerge(at.id(), "").await?;
    tx.commit().await?;
    Ok(redirect_with_flash(
        &at.path(""),
        &format!("The merge is undone: {} is {} again.", incident.id, incident.status),
    ))
}

pub(super) async fn change_access(at: At, Form(form): Form<AccessForm>) -> Result<Response> {
    let tx = at.begin().await?;
    let acting = at.acting(&tx);
    let private = |private| PatchInput { private: Some(private), ..PatchInput::default() };
    let outcome = match form.action.as_str() {
        "grant" => acting.change_access(at.id(), &form.email, true).await,
        "revoke" => acting.change_access(at.id(), &form.email, false).await,
        "private" => acting.change_details(at.id(), &private(true)).await.map(drop),
        "public" => acting.change_details(at.id(), &private(false)).await.map(drop),
        other => Err(Error::BadRequest(format!("'{other}' is not a change of access"))),
    };
    match outcome {
        Ok(()) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path("/edit#access"), "Access changed."))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            show(&at, Refused { access: form, which: "access", errors, ..Refused::default() }).await
        }
    }
}
