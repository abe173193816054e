//! Pages of changes: the list, one change, reporting one by hand.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Extension, Form, Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::TimeDelta;
use serde::Deserialize;

use super::actions;
use super::api::{COUNT_LIMIT, cursor_of};
use super::band::Band;
use super::hooks::{Context, Hooks, Panel, Refused};
use super::input::DeploymentInput;
use super::model::{ChangeKind, ChangeStatus, Deployment};
use super::query::ListQuery;
use super::service::{self, LinkedIncident};
use super::store::health::Counted;
use super::store::{Filter, Report};
use crate::clock::human_duration;
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::{self, Incident, Viewer};
use crate::web::{Access, Cx, Page, Routes, Shell, redirect_with_flash, render, render_with_status};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/deployments", Access::VIEWER, list)
        .get("/deployments/new", Access::RESPONDER, new)
        .post("/deployments", Access::RESPONDER, create)
        .get("/deployments/{id}", Access::VIEWER, show)
        .post("/deployments/{id}/attach", Access::RESPONDER, attach)
}

#[derive(Template)]
#[template(path = "deployments/list.html")]
struct ListPage {
    shell: Shell,
    query: ListQuery,
    errors: FieldErrors,
    environments: Vec<String>,
    page: Page<Deployment>,
    health: HashMap<i64, Counted>,
    linked: HashMap<i64, Vec<LinkedIncident>>,
    band: Option<Band>,
    base_url: String,
}

impl ListPage {
    fn kinds(&self) -> &'static [ChangeKind] {
        ChangeKind::ALL
    }

    fn statuses(&self) -> &'static [ChangeStatus] {
        ChangeStatus::ALL
    }

    fn health(&self, change: &Deployment) -> Option<&Counted> {
        self.health.get(&change.id).filter(|c| c.health.has_requests())
    }

    fn linked(&self, change: &Deployment) -> &[LinkedIncident] {
        self.linked.get(&change.id).map_or(&[], Vec::as_slice)
    }

    fn total(&self) -> String {
        let more = if self.page.total >= COUNT_LIMIT { "+" } else { "" };
        format!("{}{more}", self.page.total)
    }
}

async fn list(cx: Cx, Query(query): Query<ListQuery>) -> Result<Response> {
    let db = &cx.state.db;
    let shell = cx.shell("Deployments").live(&["deployments"]);
    let environments = service::environments(db).await?;
    let base_url = cx.state.config.base_url.clone();
    let filter = match query.filter(db, cx.now()).await {
        Ok(filter) => filter,
        Err(Error::Invalid(errors)) => {
            let page = Page { items: Vec::new(), next_cursor: None, total: 0 };
            let (health, linked) = (HashMap::new(), HashMap::new());
            let page = ListPage { shell, query, errors, environments, page, health, linked, band: None, base_url };
            return render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
        Err(other) => return Err(other),
    };
    let items = service::page(db, &filter, query.limit.get() + 1).await?;
    let total = service::count(db, &filter, COUNT_LIMIT).await?;
    let page = Page::cut(items, query.limit, total, cursor_of);
    let ids: Vec<i64> = page.items.iter().map(|d| d.id).collect();
    let viewer = actions::viewer_of(cx.actor()?);
    let band = Band::draw(&page.items, &incidents_around(&cx, &page.items, viewer).await?, cx.now());
    let (health, linked) = (service::health(db, &ids).await?, service::linked_incidents(db, &ids, viewer).await?);
    render(&ListPage {
        shell,
        query,
        errors: FieldErrors::default(),
        environments,
        page,
        health,
        linked,
        band,
        base_url,
    })
}

/// The incidents that began while the listed changes were made, or a day before; at most fifty.
async fn incidents_around(cx: &Cx, changes: &[Deployment], viewer: Viewer) -> Result<Vec<Incident>> {
    let (Some(first), Some(last)) = (changes.iter().map(|c| c.at).min(), changes.iter().map(|c| c.at).max()) else {
        return Ok(Vec::new());
    };
    let filter = incidents::Filter {
        from: Some(first - TimeDelta::days(1)),
        to: Some(last + TimeDelta::hours(1)),
        ..incidents::Filter::default()
    };
    incidents::page(&cx.state.db, &filter, viewer, 50).await
}

#[derive(Template)]
#[template(path = "deployments/show.html")]
struct ShowPage {
    shell: Shell,
    change: Deployment,
    reports: Vec<Report>,
    /// Changes of the same service and environment just before this one.
    earlier: Vec<Deployment>,
    incidents: Vec<LinkedIncident>,
    health: Option<Counted>,
    panels: Vec<Panel>,
    /// As typed into the form that attaches this.
    incident: String,
    errors: FieldErrors,
}

impl ShowPage {
    fn duration(&self) -> Option<String> {
        self.change.duration().map(human_duration)
    }

    fn declare_url(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("services", &self.change.service);
        query.append_pair("title", &format!("After {}", self.change.headline()));
        query.append_pair("impact_started_at", &self.change.at.to_input());
        format!("/incidents/new?{}", query.finish())
    }
}

async fn show_page(
    cx: &Cx,
    hooks: &Hooks,
    id: i64,
    (incident, errors): (String, FieldErrors),
    refused: Option<&Refused>,
) -> Result<ShowPage> {
    let db = &cx.state.db;
    let change = service::get(db, id).await?;
    let actor = cx.actor()?;
    let mut linked = service::linked_incidents(db, &[id], actions::viewer_of(actor)).await?;
    let before = Filter {
        services: vec![service::service_id(db, &change).await?],
        environment: Some(change.environment.clone()),
        beyond: Some((change.at, change.id)),
        ..Filter::default()
    };
    Ok(ShowPage {
        shell: cx.shell(change.headline()).live(&["deployments"]),
        reports: service::reports(db, id).await?,
        earlier: service::page(db, &before, 5).await?,
        incidents: linked.remove(&id).unwrap_or_default(),
        health: service::health(db, &[id]).await?.remove(&id),
        panels: hooks.panels(Context { db, change: &change, actor, now: cx.now(), refused }).await,
        change,
        incident,
        errors,
    })
}

async fn show(cx: Cx, Extension(hooks): Extension<Hooks>, Path(id): Path<i64>) -> Result<Response> {
    render(&show_page(&cx, &hooks, id, <(String, FieldErrors)>::default(), None).await?)
}

/// The change's page again, with what a panel's form could not take.
///
/// # Errors
/// `NotFound` for an unknown change.
pub async fn complain(cx: &Cx, hooks: &Hooks, id: i64, refused: &Refused) -> Result<Response> {
    let page = show_page(cx, hooks, id, <(String, FieldErrors)>::default(), Some(refused)).await?;
    render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AttachForm {
    incident: String,
}

async fn attach(
    cx: Cx,
    Extension(hooks): Extension<Hooks>,
    Path(id): Path<i64>,
    Form(form): Form<AttachForm>,
) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    match actions::attach(&tx, cx.actor()?, id, &form.incident, cx.now()).await {
        Ok(incident) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&format!("/deployments/{id}"), &format!("Attached to {incident}.")))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            let page = show_page(&cx, &hooks, id, (form.incident, errors), None).await?;
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "deployments/new.html")]
struct NewPage {
    shell: Shell,
    form: DeploymentInput,
    errors: FieldErrors,
}

impl NewPage {
    fn kinds(&self) -> &'static [ChangeKind] {
        ChangeKind::ALL
    }

    fn statuses(&self) -> &'static [ChangeStatus] {
        ChangeStatus::ALL
    }
}

async fn new(cx: Cx, Query(form): Query<DeploymentInput>) -> Result<Response> {
    render(&NewPage { shell: cx.shell("Report a change"), form, errors: FieldErrors::default() })
}

async fn create(cx: Cx, Form(form): Form<DeploymentInput>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    match actions::report(&tx, cx.actor()?, &form, cx.now()).await {
        Ok(recorded) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&format!("/deployments/{}", recorded.id), "The change is recorded."))
        }
        Err(Error::Invalid(errors)) => {
            let page = NewPage { shell: cx.shell("Report a change"), form, errors };
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}
