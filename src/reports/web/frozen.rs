//! Frozen reports: the list, one of them with what has changed since, their shared addresses, the API.

use askama::Template;
use axum::extract::{Form, Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::json;

use super::sheets::file;
use crate::error::{Error, FieldErrors, Result};
use crate::reports::filters::scope_of;
use crate::reports::frozen::{self as service, Rerun, VISIBILITY};
use crate::reports::ledger::Ledger;
use crate::reports::model::scope::ScopeQuery;
use crate::reports::model::sheet::Sheet;
use crate::reports::store::frozen::{self as store, Head, Link};
use crate::reports::view;
use crate::web::{Access, Cx, Routes, Shell, redirect_with_flash, render, render_with_status};

/// Reports of one page.
const PAGE: i64 = 50;

pub fn routes() -> Routes {
    Routes::new()
        .get("/reports/frozen", Access::VIEWER, list)
        .post("/reports/frozen", Access::RESPONDER, freeze)
        .get("/reports/frozen/{id}", Access::VIEWER, show)
        .post("/reports/frozen/{id}/links", Access::COMMANDER, share)
        .post("/reports/links/{id}/withdraw", Access::COMMANDER, withdraw)
        .get("/embed/report/{secret}", Access::Public, shared)
        .get("/api/v1/reports/frozen", Access::VIEWER, api_list)
        .post("/api/v1/reports/frozen", Access::RESPONDER, api_freeze)
        .get("/api/v1/reports/frozen/{id}", Access::VIEWER, api_show)
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    before: String,
}

#[derive(Template)]
#[template(path = "reports/frozen_list.html")]
struct ListPage {
    shell: Shell,
    reports: Vec<Head>,
    older: Option<i64>,
    form: FreezeForm,
    errors: FieldErrors,
}

/// A title and the filters as a query string.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct FreezeForm {
    title: String,
    filters: String,
}

async fn list_page(cx: &Cx, before: Option<i64>, form: FreezeForm, errors: FieldErrors) -> Result<ListPage> {
    let mut reports = store::page(&cx.state.db, before, PAGE + 1).await?;
    let size = usize::try_from(PAGE).unwrap_or_default();
    let more = reports.len() > size;
    reports.truncate(size);
    let older = reports.last().filter(|_| more).map(|r| r.id);
    Ok(ListPage { shell: cx.shell("Frozen reports"), reports, older, form, errors })
}

async fn list(cx: Cx, Query(query): Query<ListQuery>) -> Result<Response> {
    render(&list_page(&cx, query.before.parse().ok(), FreezeForm::default(), FieldErrors::default()).await?)
}

/// The words of a query string as filters.
fn filters_of(text: &str) -> Result<ScopeQuery> {
    let map: serde_json::Map<String, serde_json::Value> =
        url::form_urlencoded::parse(text.trim_start_matches('?').as_bytes())
            .map(|(k, v)| (k.into_owned(), serde_json::Value::String(v.into_owned())))
            .collect();
    serde_json::from_value(serde_json::Value::Object(map)).map_err(|e| Error::invalid("filters", e.to_string()))
}

async fn freeze_it(cx: &Cx, ledger: &Ledger, title: &str, query: &ScopeQuery) -> Result<i64> {
    let mut errors = FieldErrors::default();
    let title = crate::fields::required(&mut errors, "title", title, 200);
    errors.into_result()?;
    let scope = scope_of(cx, query).await?;
    service::freeze(&cx.state, ledger, &scope, &title, cx.actor()?).await
}

async fn freeze(cx: Cx, Extension(ledger): Extension<Ledger>, Form(form): Form<FreezeForm>) -> Result<Response> {
    let outcome = match filters_of(&form.filters) {
        Ok(query) => freeze_it(&cx, &ledger, &form.title, &query).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(id) => Ok(redirect_with_flash(&format!("/reports/frozen/{id}"), "Frozen: these figures stay as they are.")),
        Err(Error::Invalid(errors)) => {
            let page = list_page(&cx, None, form, errors).await?;
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => Err(error),
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ShowQuery {
    format: String,
}

#[derive(Template)]
#[template(path = "reports/frozen.html")]
struct ShowPage {
    shell: Shell,
    head: Head,
    sheet: Sheet,
    /// None on a shared page.
    rerun: Option<Rerun>,
    links: Vec<Link>,
    visibility: &'static str,
    /// Where files of this page are had.
    here: String,
}

impl ShowPage {
    fn took(&self, micros: &Option<i64>) -> String {
        micros.map_or_else(|| "no value".to_owned(), view::micros)
    }
}

async fn show(
    cx: Cx,
    Extension(ledger): Extension<Ledger>,
    Path(id): Path<i64>,
    Query(query): Query<ShowQuery>,
) -> Result<Response> {
    let (head, kept) = service::get(&cx.state.db, id).await?;
    if matches!(query.format.as_str(), "csv" | "md") {
        return Ok(file(&format!("report-{id}"), &titled(kept.sheet, &head), &query.format));
    }
    let rerun = service::rerun(&cx.state, &ledger, &head, &kept).await?;
    let links = store::links(&cx.state.db, Some(id), cx.now()).await?;
    render(&ShowPage {
        shell: cx.shell(head.title.clone()),
        here: format!("/reports/frozen/{id}"),
        sheet: kept.sheet,
        head,
        rerun: Some(rerun),
        links,
        visibility: VISIBILITY,
    })
}

fn titled(mut sheet: Sheet, head: &Head) -> Sheet {
    sheet.title.clone_from(&head.title);
    sheet.notes.push(format!(
        "Frozen by {} at {}, data hash {}.",
        head.author_name,
        head.created_at.to_rfc3339(),
        head.data_hash
    ));
    sheet
}

/// The days for which a shared address opens the report; none for ever.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ShareForm {
    days: String,
}

async fn share(cx: Cx, Path(id): Path<i64>, Form(form): Form<ShareForm>) -> Result<Response> {
    let head = store::find(&cx.state.db, id).await?.ok_or_else(|| Error::not_found(format!("frozen report {id}")))?;
    let days = match form.days.trim() {
        "" => None,
        text => match text.parse::<i64>() {
            Ok(days @ 1..=3_650) => Some(days),
            _ => return Err(Error::invalid("days", "a number of days from 1 to 3650, or nothing for ever")),
        },
    };
    let actor = cx.actor()?;
    let link = Link {
        id: 0,
        kind: "report".into(),
        report_id: Some(id),
        query: String::new(),
        measure: String::new(),
        title: head.title,
        created_at: cx.now(),
        created_by_name: actor.name.clone(),
        expires_at: days.map(|d| cx.now() + TimeDelta::days(d)),
    };
    let secret = service::share(&cx.state, actor, link).await?;
    let address = format!("{}/embed/report/{secret}", cx.state.config.base_url);
    Ok(redirect_with_flash(
        &format!("/reports/frozen/{id}"),
        &format!("Copy this address now, it is not shown again: {address}"),
    ))
}

async fn withdraw(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    service::revoke(&cx.state, cx.actor()?, id).await?;
    Ok(redirect_with_flash("/reports/frozen", "Withdrawn: the address opens nothing any more."))
}

async fn shared(cx: Cx, Path(secret): Path<String>, Query(query): Query<ShowQuery>) -> Result<Response> {
    let link = service::opened(&cx.state, "report", &secret).await?;
    let id = link.report_id.ok_or_else(|| Error::Internal("a report's link without a report".into()))?;
    let (head, kept) = service::get(&cx.state.db, id).await?;
    if matches!(query.format.as_str(), "csv" | "md") {
        return Ok(file(&format!("report-{id}"), &titled(kept.sheet, &head), &query.format));
    }
    let mut sheet = kept.sheet;
    // Who has only this address cannot open the pages behind the numbers.
    for value in sheet.tables.iter_mut().flat_map(|t| &mut t.rows).flatten() {
        value.href = None;
    }
    sheet.numbers.iter_mut().for_each(|n| n.value.href = None);
    render(&ShowPage {
        shell: cx.shell(head.title.clone()),
        here: format!("/embed/report/{secret}"),
        sheet,
        head,
        rerun: None,
        links: Vec::new(),
        visibility: VISIBILITY,
    })
}

fn head_json(head: &Head) -> serde_json::Value {
    json!({
        "id": head.id,
        "title": head.title,
        "filters": head.query,
        "definitions": head.definitions.lines().collect::<Vec<_>>(),
        "incidents": head.incident_count,
        "data_hash": head.data_hash,
        "created_at": head.created_at,
        "author": head.author_name,
        "schedule": head.schedule_id,
    })
}

async fn api_list(cx: Cx, Query(page): Query<ApiPage>) -> Result<Json<serde_json::Value>> {
    let limit = page.limit.parse().unwrap_or(PAGE).clamp(1, 200);
    let before: Option<i64> = page.cursor.parse().ok();
    let mut reports = store::page(&cx.state.db, before, limit + 1).await?;
    let size = usize::try_from(limit).unwrap_or_default();
    let more = reports.len() > size;
    reports.truncate(size);
    let next = reports.last().filter(|_| more).map(|r| r.id.to_string());
    Ok(Json(json!({ "items": reports.iter().map(head_json).collect::<Vec<_>>(), "next_cursor": next })))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ApiPage {
    limit: String,
    cursor: String,
}

/// A title, and the filters by the names that the reports' addresses use.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ApiFreeze {
    title: String,
    #[serde(flatten)]
    scope: ScopeQuery,
}

async fn api_freeze(
    cx: Cx,
    Extension(ledger): Extension<Ledger>,
    crate::web::ApiJson(body): crate::web::ApiJson<ApiFreeze>,
) -> Result<(StatusCode, Json<serde_json::Value>)> {
    let id = freeze_it(&cx, &ledger, &body.title, &body.scope).await?;
    let head = store::find(&cx.state.db, id).await?.ok_or_else(|| Error::not_found(format!("frozen report {id}")))?;
    Ok((StatusCode::CREATED, Json(head_json(&head))))
}

async fn api_show(
    cx: Cx,
    Extension(ledger): Extension<Ledger>,
    Path(id): Path<i64>,
) -> Result<Json<serde_json::Value>> {
    let (head, kept) = service::get(&cx.state.db, id).await?;
    let rerun = service::rerun(&cx.state, &ledger, &head, &kept).await?;
    let mut body = head_json(&head);
    if let Some(map) = body.as_object_mut() {
        map.insert("report".into(), serde_json::to_value(&kept)?);
        map.insert(
            "since".into(),
            json!({ "data_hash": rerun.data_hash, "difference": rerun.difference, "edits": rerun.edits, "at": cx.now() }),
        );
    }
    Ok(Json(body))
}
