//! Declaring an incident in a few seconds: title, severity, and what is known already.

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
use super::super::model::template::Template;
use super::super::model::{Kind, Severity};
use super::super::service;
use super::complaints;

#[derive(askama::Template)]
#[template(path = "incidents/new.html")]
struct DeclarePage {
    shell: Shell,
    form: DeclareInput,
    errors: FieldErrors,
    /// Slugs to choose from.
    known_services: Vec<String>,
    /// Templates to start from; those that suit the services first.
    templates: Vec<Template>,
    /// The one that fills the form.
    template: Option<Template>,
    /// Open incidents that this may repeat.
    duplicates: Vec<PossibleDuplicate>,
    /// Whether it was held back because of them.
    held_back: bool,
}

impl DeclarePage {
    /// The same form from another template, with what is known already.
    fn template_url(&self, template: &Template) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let services = self.form.services.join(" ");
        let known = [
            ("template", &template.slug),
            ("attach", &self.form.attach),
            ("services", &services),
            ("impact_started_at", &self.form.impact_started_at),
        ];
        for (name, value) in known.into_iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        format!("/incidents/new?{}", query.finish())
    }

    /// What it is declared from, in words.
    fn attached(&self) -> Option<String> {
        self.form.attach.split_once(':').map(|(kind, reference)| format!("{kind} {reference}"))
    }

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

/// The form; a link may fill it (`?title=…&services=…&severity=…&template=…&attach=trace:…`). A
/// single template that suits the services fills it by itself.
pub(super) async fn new(
    cx: Cx,
    Extension(hooks): Extension<Hooks>,
    Query(mut form): Query<DeclareInput>,
) -> Result<Response> {
    let db = &cx.state.db;
    let template = match form.template.as_str() {
        "" => {
            let mut suiting = service::templates::suiting(db, &form.services, &form.title).await?;
            if suiting.len() == 1 { suiting.pop() } else { None }
        }
        "none" => None,
        slug => Some(service::templates::get(db, slug).await?),
    };
    if let Some(template) = &template {
        template.fill(&mut form);
        form.template.clone_from(&template.slug);
    }
    let similar = Similar { duplicates: duplicates(&cx, &hooks, &form).await?, held_back: false };
    show(&cx, form, FieldErrors::default(), similar).await
}

/// Open incidents that look like this one.
#[derive(Default)]
struct Similar {
    duplicates: Vec<PossibleDuplicate>,
    /// Whether the declaration was held back because of them.
    held_back: bool,
}

async fn show(cx: &Cx, form: DeclareInput, errors: FieldErrors, similar: Similar) -> Result<Response> {
    let db = &cx.state.db;
    let mut templates = service::templates::all(db).await?;
    templates.sort_by_key(|t| !t.suits(&form.services, &form.title));
    let template = templates.iter().find(|t| t.slug == form.template).cloned();
    let is_fine = errors.is_empty() && !similar.held_back;
    let status = if is_fine { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = DeclarePage {
        shell: cx.shell("Declare an incident"),
        form,
        errors,
        known_services: known_services(db).await?,
        templates,
        template,
        duplicates: similar.duplicates,
        held_back: similar.held_back,
    };
    render_with_status(status, &page)
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
    Form(mut form): Form<DeclareInput>,
) -> Result<Response> {
    if form.template == "none" {
        form.template.clear();
    }
    if sure.is_empty() {
        let duplicates = duplicates(&cx, &hooks, &form).await?;
        if !duplicates.is_empty() {
            return show(&cx, form, FieldErrors::default(), Similar { duplicates, held_back: true }).await;
        }
    }
    let tx = cx.state.db.begin().await?;
    let acting = Acting { tx: &tx, actor: cx.actor()?, now: cx.now() };
    match acting.declare_with(&form, &hooks).await {
        Ok(id) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&format!("/incidents/{id}"), &format!("{id} is declared.")))
        }
        Err(error @ Error::Invalid(_)) => {
            drop(tx);
            show(&cx, form, complaints(error)?, Similar::default()).await
        }
        Err(other) => Err(other),
    }
}
