//! Components of the page and its settings.

use askama::Template;
use axum::extract::{Form, Path};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::tabs;
use crate::error::{Error, FieldErrors, Result};
use crate::services;
use crate::status_page::model::input::{ComponentInput, PageInput};
use crate::status_page::service::Component;
use crate::status_page::service::components as service;
use crate::web::{Cx, Shell, redirect_with_flash, render_with_status};

const PATH: &str = "/status-page/components";
/// Services offered for choosing.
const OFFERED: i64 = 500;

#[derive(Template)]
#[template(path = "status_page/components.html")]
struct ComponentsPage {
    shell: Shell,
    tabs: Vec<(&'static str, &'static str)>,
    components: Vec<Component>,
    services: Vec<String>,
    /// The component that is edited, `None` while one is added.
    editing: Option<i64>,
    form: ComponentInput,
    errors: FieldErrors,
}

impl ComponentsPage {
    fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> =
            self.components.iter().map(|c| c.group_name.as_str()).filter(|g| !g.is_empty()).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

async fn page(cx: &Cx, editing: Option<i64>, form: ComponentInput, errors: FieldErrors) -> Result<Response> {
    let db = &cx.state.db;
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let known = services::page(db, &services::Filter::default(), OFFERED).await?;
    let page = ComponentsPage {
        shell: cx.shell("Components of the status page"),
        tabs: tabs(cx.actor()?),
        components: service::all(db).await?,
        services: known.into_iter().map(|s| s.slug).collect(),
        editing,
        form,
        errors,
    };
    render_with_status(status, &page)
}

pub(super) async fn list(cx: Cx) -> Result<Response> {
    page(&cx, None, ComponentInput::default(), FieldErrors::default()).await
}

pub(super) async fn add(cx: Cx, Form(form): Form<ComponentInput>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    match service::add(&tx, &form, cx.actor()?, cx.now()).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(redirect_with_flash(PATH, "The component is on the status page."))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            page(&cx, None, form, errors).await
        }
        Err(other) => Err(other),
    }
}

pub(super) async fn edit(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let component = service::get(&cx.state.db, id).await?;
    let form = ComponentInput {
        name: component.name,
        description: component.description,
        group: component.group_name,
        service: component.service.unwrap_or_default(),
    };
    page(&cx, Some(id), form, FieldErrors::default()).await
}

pub(super) async fn update(cx: Cx, Path(id): Path<i64>, Form(form): Form<ComponentInput>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    match service::edit(&tx, id, &form, cx.actor()?, cx.now()).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(redirect_with_flash(PATH, "Changed."))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            page(&cx, Some(id), form, errors).await
        }
        Err(other) => Err(other),
    }
}

#[derive(Deserialize)]
pub(super) struct DoForm {
    #[serde(rename = "do")]
    what: String,
    #[serde(default)]
    confirm: String,
}

pub(super) async fn act(cx: Cx, Path(id): Path<i64>, Form(form): Form<DoForm>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    let (actor, now) = (cx.actor()?, cx.now());
    let said = match form.what.as_str() {
        "up" | "down" => {
            service::shift(&tx, id, form.what == "up", actor, now).await?;
            "Moved."
        }
        "remove" if form.confirm.is_empty() => {
            return Err(Error::invalid("confirm", "tick the box: its history on the page goes with it"));
        }
        "remove" => {
            service::remove(&tx, id, actor, now).await?;
            "The component is off the status page."
        }
        other => return Err(Error::invalid("do", format!("'{other}' is none of up, down, remove"))),
    };
    tx.commit().await?;
    Ok(redirect_with_flash(PATH, said))
}

#[derive(Template)]
#[template(path = "status_page/settings.html")]
struct SettingsPage {
    shell: Shell,
    tabs: Vec<(&'static str, &'static str)>,
    form: PageInput,
    errors: FieldErrors,
}

fn settings_page(cx: &Cx, form: PageInput, errors: FieldErrors) -> Result<Response> {
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = SettingsPage { shell: cx.shell("Settings of the status page"), tabs: tabs(cx.actor()?), form, errors };
    render_with_status(status, &page)
}

pub(super) async fn settings(cx: Cx) -> Result<Response> {
    let head = service::head(&cx.state.db).await?;
    let form = PageInput { title: head.title, intro: head.intro, is_public: head.is_public };
    settings_page(&cx, form, FieldErrors::default())
}

pub(super) async fn save_settings(cx: Cx, Form(form): Form<PageInput>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    match service::save_head(&tx, &form, cx.actor()?, cx.now()).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(redirect_with_flash("/status-page/settings", "Saved."))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            settings_page(&cx, form, errors)
        }
        Err(other) => Err(other),
    }
}
