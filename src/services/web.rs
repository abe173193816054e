//! The catalogue's pages.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::db::Db;
use crate::error::{Error, FieldErrors, Result};
use crate::markdown::{self, SafeHtml};
use crate::web::{Access, Cx, Routes, Shell, redirect_with_flash, render, render_with_status};

use super::hooks::{Column, Hooks, Panel};
use super::model::{Edge, Service, ServiceInput, tier_meaning};
use super::{service, store};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/services", Access::VIEWER, list)
        .post("/services", Access::RESPONDER, create)
        .get("/services/new", Access::RESPONDER, new)
        .get("/services/{slug}", Access::VIEWER, show)
        .get("/services/{slug}/edit", Access::RESPONDER, edit)
        .post("/services/{slug}/edit", Access::RESPONDER, update)
}

/// Services of one page.
const PAGE: i64 = 100;

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    q: String,
    team: String,
    /// `discovered` for those that nobody described yet.
    show: String,
    after: String,
}

#[derive(Template)]
#[template(path = "services/list.html")]
struct ListPage {
    shell: Shell,
    query: ListQuery,
    services: Vec<Service>,
    /// What other rooms know of each: open incidents, firing alerts, the last change.
    columns: Vec<Column>,
    total: i64,
    teams: Vec<String>,
    next: Option<String>,
}

impl ListPage {
    fn is_filtered(&self) -> bool {
        [&self.query.q, &self.query.team, &self.query.show].iter().any(|t| !t.is_empty())
    }
}

async fn list(cx: Cx, Extension(hooks): Extension<Hooks>, Query(query): Query<ListQuery>) -> Result<Response> {
    let filter = store::Filter {
        text: query.q.trim().to_owned(),
        team: query.team.trim().to_owned(),
        discovered_only: query.show == "discovered",
        after: query.after.clone(),
    };
    let db = &cx.state.db;
    let mut services = store::page(db, &filter, PAGE + 1).await?;
    let size = usize::try_from(PAGE).unwrap_or_default();
    let more = services.len() > size;
    services.truncate(size);
    let next = services.last().filter(|_| more).map(|last| next_url(&query, &last.slug));
    render(&ListPage {
        shell: cx.shell("Services").live(&["services"]),
        columns: hooks.columns(db, &services, cx.actor()?, cx.now()).await,
        total: store::count(db, &filter).await?,
        teams: store::teams(db).await?,
        query,
        services,
        next,
    })
}

fn next_url(query: &ListQuery, after: &str) -> String {
    let mut url = url::form_urlencoded::Serializer::new(String::from("/services?"));
    for (name, value) in [("q", &*query.q), ("team", &query.team), ("show", &query.show), ("after", after)] {
        if !value.is_empty() {
            url.append_pair(name, value);
        }
    }
    url.finish()
}

#[derive(Template)]
#[template(path = "services/page.html")]
struct ServicePage {
    shell: Shell,
    service: Service,
    description: SafeHtml,
    dependencies: Vec<Edge>,
    dependents: Vec<Edge>,
    /// What other rooms know of it: incidents, deployments, alerts, traces.
    panels: Vec<Panel>,
}

impl ServicePage {
    fn tier(&self) -> &'static str {
        tier_meaning(self.service.tier)
    }
}

async fn show(cx: Cx, Extension(hooks): Extension<Hooks>, Path(slug): Path<String>) -> Result<Response> {
    let db = &cx.state.db;
    let service = service::get(db, &slug).await?;
    render(&ServicePage {
        shell: cx.shell(service.name.clone()),
        description: markdown::render(&service.description),
        dependencies: service::dependencies(db, &service).await?,
        dependents: service::dependents(db, &service).await?,
        panels: hooks.panels(db, &service, cx.actor()?, cx.now()).await,
        service,
    })
}

#[derive(Template)]
#[template(path = "services/edit.html")]
struct EditPage {
    shell: Shell,
    /// `None` for a new one.
    service: Option<Service>,
    form: ServiceInput,
    errors: FieldErrors,
    known: Vec<String>,
    teams: Vec<String>,
}

impl EditPage {
    fn dependencies(&self) -> String {
        self.form.dependencies.join(", ")
    }

    fn is_tier(&self, tier: &i64) -> bool {
        self.form.tier.trim().parse().unwrap_or(3) == *tier
    }

    fn meaning(&self, tier: &i64) -> &'static str {
        tier_meaning(*tier)
    }
}

async fn edit_page(cx: &Cx, service: Option<Service>, form: ServiceInput, errors: FieldErrors) -> Result<EditPage> {
    let db = &cx.state.db;
    let title = service.as_ref().map_or_else(|| "Add a service".to_owned(), |s| format!("Edit {}", s.name));
    let known = store::page(db, &store::Filter::default(), 500).await?.into_iter().map(|s| s.slug).collect();
    Ok(EditPage { shell: cx.shell(title), service, form, errors, known, teams: store::teams(db).await? })
}

async fn new(cx: Cx) -> Result<Response> {
    render(&edit_page(&cx, None, ServiceInput::default(), FieldErrors::default()).await?)
}

async fn edit(cx: Cx, Path(slug): Path<String>) -> Result<Response> {
    let service = service::get(&cx.state.db, &slug).await?;
    let form = form_of(&cx.state.db, &service).await?;
    render(&edit_page(&cx, Some(service), form, FieldErrors::default()).await?)
}

async fn form_of(db: &Db, service: &Service) -> Result<ServiceInput> {
    let declared = service::dependencies(db, service).await?.into_iter().filter(|e| e.declared);
    Ok(ServiceInput {
        slug: service.slug.clone(),
        name: service.name.clone(),
        owner_team: service.owner_team.clone(),
        tier: service.tier.to_string(),
        description: service.description.clone(),
        dependencies: declared.map(|e| e.service).collect(),
        version: Some(service.version),
    })
}

async fn create(cx: Cx, Form(form): Form<ServiceInput>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    match service::create_as(&tx, &form, cx.actor()?, cx.now()).await {
        Ok(service) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&format!("/services/{}", service.slug), "The service is in the catalogue."))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &edit_page(&cx, None, form, errors).await?)
        }
        Err(other) => Err(other),
    }
}

async fn update(cx: Cx, Path(slug): Path<String>, Form(form): Form<ServiceInput>) -> Result<Response> {
    let service = service::get(&cx.state.db, &slug).await?;
    let form = ServiceInput { slug: service.slug.clone(), ..form };
    let tx = cx.state.db.begin().await?;
    let errors = match service::edit_as(&tx, &service, &form, cx.actor()?, cx.now()).await {
        Ok(_) => {
            tx.commit().await?;
            return Ok(redirect_with_flash(&format!("/services/{slug}"), "Changed."));
        }
        Err(Error::Invalid(errors)) => errors,
        Err(Error::Conflict(message)) => {
            let mut errors = FieldErrors::default();
            errors.add("conflict", message);
            errors
        }
        Err(other) => return Err(other),
    };
    drop(tx);
    render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &edit_page(&cx, Some(service), form, errors).await?)
}
