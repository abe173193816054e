//! The settings pages of trace sources, and the page of a fetch.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::model::{Fetch, FetchState, SourceInput, SourceKind, TraceSource};
use super::service;
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::{self, IncidentId, Viewer};
use crate::web::{Access, Cx, Routes, Shell, redirect, redirect_with_flash, render, render_with_status};

const PAGE: &str = "/settings/trace-sources";

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(PAGE, Access::ADMIN, list)
        .post(PAGE, Access::ADMIN, create)
        .get("/settings/trace-sources/new", Access::ADMIN, new)
        .get("/settings/trace-sources/{id}", Access::ADMIN, edit)
        .post("/settings/trace-sources/{id}", Access::ADMIN, update)
        .post("/settings/trace-sources/{id}/test", Access::ADMIN, test)
        .post("/settings/trace-sources/{id}/remove", Access::ADMIN, remove)
        .post("/trace-fetches", Access::RESPONDER, request)
        .get("/trace-fetches/{id}", Access::VIEWER, show)
        .post("/trace-fetches/{id}/retry", Access::RESPONDER, retry)
}

#[derive(Template)]
#[template(path = "trace_sources/list.html")]
struct ListPage {
    shell: Shell,
    sources: Vec<TraceSource>,
    kinds: &'static [SourceKind],
}

async fn list(cx: Cx) -> Result<Response> {
    let sources = service::list(&cx.state.db).await?;
    render(&ListPage { shell: cx.shell("Trace sources"), sources, kinds: SourceKind::ALL })
}

#[derive(Template)]
#[template(path = "trace_sources/form.html")]
struct FormPage {
    shell: Shell,
    system: SourceKind,
    /// `None` for one to be added.
    standing: Option<TraceSource>,
    form: SourceInput,
    errors: FieldErrors,
}

impl FormPage {
    fn is_enabled(&self) -> bool {
        self.form.enabled.unwrap_or(true)
    }

    fn secret_hint(&self) -> &'static str {
        match &self.standing {
            Some(s) if s.has_secret() => "One is kept and never shown. Empty keeps it.",
            _ => "Kept in the database, sent to this source alone, and never shown again.",
        }
    }
}

#[derive(Default, Deserialize)]
struct KindQuery {
    #[serde(default)]
    kind: String,
}

async fn new(cx: Cx, Query(query): Query<KindQuery>) -> Result<Response> {
    let Some(kind) = SourceKind::parse(&query.kind) else { return Ok(redirect(PAGE)) };
    let form = SourceInput {
        name: kind.as_str().to_owned(),
        base_url: kind.usual_url().to_owned(),
        kind: query.kind,
        ..SourceInput::default()
    };
    let shell = cx.shell(format!("Add a trace source: {}", kind.label()));
    render(&FormPage { shell, system: kind, standing: None, form, errors: FieldErrors::default() })
}

/// What was typed, with the complaints beside it. Typed credentials are not sent back.
fn form_again(cx: &Cx, standing: Option<TraceSource>, mut form: SourceInput, errors: FieldErrors) -> Result<Response> {
    form.secret.clear();
    form.secret_extra.clear();
    let kind = standing.as_ref().map(|s| s.kind).or_else(|| SourceKind::parse(&form.kind));
    let page = FormPage {
        shell: cx.shell("Trace source"),
        system: kind.ok_or_else(|| Error::Invalid(errors.clone()))?,
        standing,
        form,
        errors,
    };
    render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

async fn create(cx: Cx, Form(form): Form<SourceInput>) -> Result<Response> {
    match service::create(&cx.state, cx.actor()?, &form).await {
        Ok(id) => Ok(redirect_with_flash(&format!("{PAGE}/{id}"), "Added. Test it before it is needed.")),
        Err(Error::Invalid(errors)) => form_again(&cx, None, form, errors),
        Err(other) => Err(other),
    }
}

async fn edit(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let standing = service::get(&cx.state.db, id).await?;
    let form = SourceInput::of(&standing);
    let shell = cx.shell(format!("Trace source: {}", standing.name));
    render(&FormPage { shell, system: standing.kind, standing: Some(standing), form, errors: FieldErrors::default() })
}

async fn update(cx: Cx, Path(id): Path<i64>, Form(mut form): Form<SourceInput>) -> Result<Response> {
    // An empty checkbox is not sent at all.
    form.enabled = Some(form.enabled == Some(true));
    match service::change(&cx.state, cx.actor()?, id, &form).await {
        Ok(()) => Ok(redirect_with_flash(&format!("{PAGE}/{id}"), "Saved.")),
        Err(Error::Invalid(errors)) => form_again(&cx, Some(service::get(&cx.state.db, id).await?), form, errors),
        Err(other) => Err(other),
    }
}

async fn test(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let said = match service::test(&cx.state, id).await? {
        Ok(said) => format!("The test succeeded. {said}"),
        Err(why) => format!("The test failed: {why}"),
    };
    Ok(redirect_with_flash(&format!("{PAGE}/{id}"), &said))
}

async fn remove(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let gone = service::remove(&cx.state, cx.actor()?, id).await?;
    Ok(redirect_with_flash(PAGE, &format!("{} removed; what was fetched from it stays.", gone.name)))
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct RequestForm {
    reference: String,
}

async fn request(cx: Cx, Form(form): Form<RequestForm>) -> Result<Response> {
    match service::request(&cx.state, cx.actor()?, &form.reference, None).await {
        Ok(id) => Ok(redirect(&format!("/trace-fetches/{id}"))),
        Err(Error::Invalid(errors)) => Ok(redirect_with_flash("/traces", &format!("Not fetched: {errors}."))),
        Err(other) => Err(other),
    }
}

/// A fetch of a private incident is not told to others.
pub(super) async fn visible_fetch(cx: &Cx, id: i64) -> Result<Fetch> {
    let fetch = service::get_fetch(&cx.state.db, id).await?;
    if let Some(incident) = fetch.incident_id {
        let viewer = Viewer::from(cx.actor()?);
        incidents::get_visible(&cx.state.db, IncidentId(incident), viewer)
            .await
            .map_err(|_| Error::not_found(format!("fetch {id}")))?;
    }
    Ok(fetch)
}

#[derive(Template)]
#[template(path = "trace_sources/fetch.html")]
struct FetchPage {
    shell: Shell,
    fetch: Fetch,
}

impl FetchPage {
    fn is_failed(&self) -> bool {
        self.fetch.state == FetchState::Failed
    }
}

/// While it is under way its page asks again; once the trace is here it leads there.
async fn show(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let fetch = visible_fetch(&cx, id).await?;
    if fetch.state == FetchState::Done {
        return Ok(redirect(&format!("/traces/{}", fetch.trace_id)));
    }
    let shell = cx.shell("Fetching a trace").live(&[&format!("trace-fetch:{id}")]);
    render(&FetchPage { shell, fetch })
}

async fn retry(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let fetch = visible_fetch(&cx, id).await?;
    service::retry(&cx.state, fetch.id).await?;
    let back = match (fetch.incident_id, fetch.evidence_id) {
        (Some(incident), Some(piece)) => format!("/incidents/{}/evidence#piece-{piece}", IncidentId(incident)),
        _ => format!("/trace-fetches/{id}"),
    };
    Ok(redirect_with_flash(&back, "It is tried again."))
}
