//! The pages of suspects: all of an incident's, and how often the first was right.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Extension, Form, Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::api::{PeriodQuery, incident};
use super::service::{self, VerdictInput};
use super::store::Kept;
use super::verdict::{Accuracy, AccuracyReport};
use super::view::{self, Card};
use crate::accounts::Role;
use crate::deployments;
use crate::deployments::hooks::{Hooks, Refused};
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::Incident;
use crate::web::{Access, Cx, Routes, Shell, redirect_with_flash, render, render_with_status};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/incidents/{id}/suspects", Access::VIEWER, list)
        .post("/incidents/{id}/suspects/verdict", Access::RESPONDER, verdict)
        .post("/deployments/{id}/verdict", Access::RESPONDER, verdict_on_change)
        .get("/reports/suspects", Access::VIEWER, accuracy)
}

#[derive(Template)]
#[template(path = "suspects/list.html")]
struct ListPage {
    shell: Shell,
    incident: Incident,
    kept: Kept,
    cards: Vec<Card>,
    may_respond: bool,
    errors: FieldErrors,
}

async fn page(cx: &Cx, incident: Incident, errors: FieldErrors) -> Result<ListPage> {
    let kept = service::current(&cx.state.db, &incident, cx.now()).await?;
    let verdicts = service::verdicts(&cx.state.db, incident.id).await?;
    Ok(ListPage {
        shell: cx.shell(format!("Suspects of {}", incident.id)).live(&[&format!("incident:{}", incident.id.0)]),
        cards: view::cards(&kept, &verdicts),
        may_respond: cx.actor()?.can(Role::Responder),
        incident,
        kept,
        errors,
    })
}

async fn list(cx: Cx, Path(id): Path<String>) -> Result<Response> {
    let incident = incident(&cx, cx.actor()?, &id).await?;
    render(&page(&cx, incident, FieldErrors::default()).await?)
}

async fn verdict(cx: Cx, Path(id): Path<String>, Form(input): Form<VerdictInput>) -> Result<Response> {
    let incident = incident(&cx, cx.actor()?, &id).await?;
    match input.normalize() {
        Ok(said) => {
            service::give_verdict(&cx.state.db, &incident, said, cx.actor()?, cx.now()).await?;
            Ok(redirect_with_flash(&format!("{}/suspects", incident.path()), "Noted."))
        }
        Err(Error::Invalid(errors)) => {
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page(&cx, incident, errors).await?)
        }
        Err(other) => Err(other),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChangeForm {
    incident: String,
    verdict: String,
}

/// The form stands on the change's page, which belongs to another room and comes back with a complaint.
async fn verdict_on_change(
    cx: Cx,
    Extension(hooks): Extension<Hooks>,
    Path(id): Path<i64>,
    Form(form): Form<ChangeForm>,
) -> Result<Response> {
    let db = &cx.state.db;
    let change = deployments::get(db, id).await?;
    let page = format!("/deployments/{id}");
    match service::say_of_change(db, &change, &form.incident, &form.verdict, cx.actor()?, cx.now()).await {
        Ok(incident) => Ok(redirect_with_flash(&page, &format!("Noted on {incident}."))),
        Err(Error::Invalid(errors)) => {
            let complaint = errors.0.first().map(|e| e.message.clone()).unwrap_or_default();
            deployments::complain(&cx, &hooks, id, &Refused { typed: form.incident, complaint }).await
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "suspects/accuracy.html")]
struct AccuracyPage {
    shell: Shell,
    report: AccuracyReport,
    query: PeriodQuery,
    errors: FieldErrors,
}

impl AccuracyPage {
    fn tables(&self) -> [(&'static str, Vec<(&str, &Accuracy)>); 2] {
        fn rows(all: &BTreeMap<String, Accuracy>) -> Vec<(&str, &Accuracy)> {
            all.iter().map(|(k, v)| (k.as_str(), v)).collect()
        }
        [("By month", rows(&self.report.by_month)), ("By service", rows(&self.report.by_service))]
    }
}

/// The last twelve months unless the URL says otherwise.
async fn accuracy(cx: Cx, Query(query): Query<PeriodQuery>) -> Result<Response> {
    let shell = cx.shell("Was the first suspect right?");
    let (from, to) = match query.period(cx.now()) {
        Ok(period) => period,
        Err(Error::Invalid(errors)) => {
            let page = AccuracyPage { shell, report: AccuracyReport::default(), query, errors };
            return render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
        Err(other) => return Err(other),
    };
    let report = service::accuracy_between(&cx.state.db, from, to).await?;
    render(&AccuracyPage { shell, report, query, errors: FieldErrors::default() })
}
