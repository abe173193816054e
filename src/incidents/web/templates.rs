//! `/settings/incident-templates`: what declarations start from.

use axum::extract::{Form, Path};
use axum::http::StatusCode;
use axum::response::Response;

use crate::error::{FieldErrors, Result};
use crate::web::{Cx, Shell, redirect_with_flash, render, render_with_status};

use super::super::actions::Acting;
use super::super::model::template::{Template, TemplateInput};
use super::super::model::{Kind, Severity};
use super::super::service::templates;
use super::complaints;

#[derive(askama::Template)]
#[template(path = "incidents/templates.html")]
struct ListPage {
    shell: Shell,
    templates: Vec<Template>,
}

pub(super) async fn list(cx: Cx) -> Result<Response> {
    let templates = templates::all(&cx.state.db).await?;
    render(&ListPage { shell: cx.shell("Incident templates"), templates })
}

#[derive(askama::Template)]
#[template(path = "incidents/template.html")]
struct TemplatePage {
    shell: Shell,
    /// `None` for a new one.
    standing: Option<Template>,
    form: TemplateInput,
    errors: FieldErrors,
}

impl TemplatePage {
    fn action(&self) -> String {
        match &self.standing {
            Some(template) => format!("/settings/incident-templates/{}", template.slug),
            None => "/settings/incident-templates".to_owned(),
        }
    }

    fn is_severity(&self, severity: &Severity) -> bool {
        Severity::read(&self.form.severity).unwrap_or(Severity::Sev3) == *severity
    }

    fn is_kind(&self, kind: &Kind) -> bool {
        Kind::parse(&self.form.kind).unwrap_or(Kind::Real) == *kind
    }

    fn services(&self) -> String {
        self.form.services.join(", ")
    }

    /// The version that the form starts from: after a conflict the one that is shown beside it.
    fn version(&self) -> Option<i64> {
        self.standing.as_ref().map(|t| t.version)
    }
}

fn page(cx: &Cx, standing: Option<Template>, form: TemplateInput, errors: FieldErrors) -> Result<Response> {
    let status = match (errors.is_empty(), errors.has("conflict")) {
        (true, _) => StatusCode::OK,
        (false, true) => StatusCode::CONFLICT,
        (false, false) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let title = standing.as_ref().map_or("New incident template", |t| t.name.as_str()).to_owned();
    render_with_status(status, &TemplatePage { shell: cx.shell(title), standing, form, errors })
}

pub(super) async fn new(cx: Cx) -> Result<Response> {
    page(&cx, None, TemplateInput::default(), FieldErrors::default())
}

pub(super) async fn create(cx: Cx, Form(form): Form<TemplateInput>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    match (Acting { tx: &tx, actor: cx.actor()?, now: cx.now() }).add_template(&form).await {
        Ok(template) => {
            tx.commit().await?;
            Ok(redirect_with_flash("/settings/incident-templates", &format!("{} is saved.", template.name)))
        }
        Err(error) => {
            drop(tx);
            page(&cx, None, form, complaints(error)?)
        }
    }
}

pub(super) async fn show(cx: Cx, Path(slug): Path<String>) -> Result<Response> {
    let standing = templates::get(&cx.state.db, &slug).await?;
    let form = TemplateInput::from(&standing);
    page(&cx, Some(standing), form, FieldErrors::default())
}

pub(super) async fn update(cx: Cx, Path(slug): Path<String>, Form(form): Form<TemplateInput>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    match (Acting { tx: &tx, actor: cx.actor()?, now: cx.now() }).edit_template(&slug, &form).await {
        Ok(template) => {
            tx.commit().await?;
            Ok(redirect_with_flash("/settings/incident-templates", &format!("{} is saved.", template.name)))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            let standing = templates::get(&cx.state.db, &slug).await?;
            page(&cx, Some(standing), form, errors)
        }
    }
}

pub(super) async fn delete(cx: Cx, Path(slug): Path<String>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    Acting { tx: &tx, actor: cx.actor()?, now: cx.now() }.delete_template(&slug).await?;
    tx.commit().await?;
    Ok(redirect_with_flash("/settings/incident-templates", "Deleted; incidents made from it stay as they are."))
}
