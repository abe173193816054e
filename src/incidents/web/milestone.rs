//! One milestone: its history, and the forms to correct and to clear it.

use askama::Template;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::Response;

use crate::error::{Error, FieldErrors, Result};
use crate::web::{Shell, redirect_with_flash, render_with_status};

use super::super::model::MilestoneName;
use super::super::model::input::MilestoneInput;
use super::super::model::record::{Incident, Milestone, MilestoneChange};
use super::super::service;
use super::{At, complaints};

#[derive(Template)]
#[template(path = "incidents/milestone.html")]
struct MilestonePage {
    shell: Shell,
    incident: Incident,
    name: MilestoneName,
    milestone: Option<Milestone>,
    /// Oldest first.
    history: Vec<MilestoneChange>,
    form: MilestoneInput,
    errors: FieldErrors,
}

impl MilestonePage {
    fn has_value(&self) -> bool {
        self.milestone.as_ref().is_some_and(|m| m.at.is_some())
    }
}

fn name(at: &At) -> Result<MilestoneName> {
    let text = at.rest.first().map(String::as_str).unwrap_or_default();
    MilestoneName::parse(text).ok_or_else(|| Error::not_found(format!("milestone {text}")))
}

pub(super) async fn show(at: At) -> Result<Response> {
    let name = name(&at)?;
    let times = service::milestones::times(at.db(), at.id()).await?;
    let standing = times.get(name).map(|t| t.format("%Y-%m-%d %H:%M:%S")).unwrap_or_default();
    let form = MilestoneInput { at: standing, ..MilestoneInput::default() };
    show_with(&at, name, form, FieldErrors::default()).await
}

async fn show_with(at: &At, name: MilestoneName, form: MilestoneInput, errors: FieldErrors) -> Result<Response> {
    let milestone = service::milestones::milestones(at.db(), at.id()).await?.into_iter().find(|m| m.name == name);
    let history = service::milestones::history(at.db(), at.id()).await?;
    let status = match (errors.is_empty(), errors.has("conflict")) {
        (true, _) => StatusCode::OK,
        (false, true) => StatusCode::CONFLICT,
        (false, false) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let page = MilestonePage {
        shell: at.cx.shell(format!("{}: {}", at.id(), name.label())),
        incident: at.incident.clone(),
        name,
        milestone,
        history: history.into_iter().filter(|c| c.name == name).collect(),
        form,
        errors,
    };
    render_with_status(status, &page)
}

pub(super) async fn set(at: At, Form(input): Form<MilestoneInput>) -> Result<Response> {
    let name = name(&at)?;
    let tx = at.begin().await?;
    match at.acting(&tx).set_milestone(at.id(), name, &input).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path("#milestones"), &format!("{} is set.", name.label())))
        }
        Err(error) => {
            drop(tx);
            show_with(&at, name, input, complaints(error)?).await
        }
    }
}

pub(super) async fn clear(at: At, Form(input): Form<MilestoneInput>) -> Result<Response> {
    let name = name(&at)?;
    let tx = at.begin().await?;
    match at.acting(&tx).clear_milestone(at.id(), name, &input).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path("#milestones"), &format!("{} is cleared.", name.label())))
        }
        Err(error) => {
            drop(tx);
            show_with(&at, name, input, complaints(error)?).await
        }
    }
}
