//! Which runbook to run in an incident, and with which values. What comes then is `run`.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::super::hooks::Sources;
use super::super::model::record::Runbook;
use super::super::model::variables;
use super::super::service::runs::{self, RunView, StartInput};
use super::super::service::suggest::{Suggestion, suggest};
use super::super::service::{self, get_version, parse_stored};
use super::super::store::runbooks as runbook_store;
use super::{by, incident_of, known_of};
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::Incident;
use crate::web::{Cx, Shell, redirect, render, render_with_status};

#[derive(Template)]
#[template(path = "runbooks/choose.html")]
struct ChoosePage {
    shell: Shell,
    incident: Incident,
    runs: Vec<RunView>,
    suggestions: Vec<Suggestion>,
    q: String,
    found: Vec<Runbook>,
}

#[derive(Default, Deserialize)]
pub(super) struct ChooseQuery {
    #[serde(default)]
    q: String,
}

/// Runs of the incident, what is suggested, and a search for others.
pub(super) async fn list(
    cx: Cx,
    Path(id): Path<String>,
    Query(query): Query<ChooseQuery>,
    sources: Option<Extension<Sources>>,
) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let known = known_of(&cx, sources, &incident).await?;
    let db = &cx.state.db;
    let filter = runbook_store::Filter { text: query.q.clone(), ..runbook_store::Filter::default() };
    let live = format!("incident:{}", incident.id.0);
    render(&ChoosePage {
        shell: cx.shell(format!("Runbooks for {}", incident.id)).live(&[&live]),
        runs: runs::views_of_incident(db, incident.id).await?,
        suggestions: suggest(db, &known.facts, 5).await?,
        found: runbook_store::page(db, &filter, 30).await?,
        q: query.q,
        incident,
    })
}

/// One variable of the runbook and its value.
struct Value {
    name: String,
    meaning: &'static str,
    value: String,
}

#[derive(Template)]
#[template(path = "runbooks/start.html")]
struct StartPage {
    shell: Shell,
    incident: Incident,
    runbook: Runbook,
    reason: String,
    values: Vec<Value>,
    errors: FieldErrors,
}

#[derive(Default, Deserialize)]
pub(super) struct StartQuery {
    #[serde(default)]
    runbook: String,
    #[serde(default)]
    reason: String,
}

/// What will be run, with the values that the incident gives, to be completed.
pub(super) async fn new(
    cx: Cx,
    Path(id): Path<String>,
    Query(query): Query<StartQuery>,
    sources: Option<Extension<Sources>>,
) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let known = known_of(&cx, sources, &incident).await?;
    let page = start_page(&cx, incident, &query.runbook, query.reason, &known.values).await?;
    render(&page)
}

async fn start_page(
    cx: &Cx,
    incident: Incident,
    slug: &str,
    reason: String,
    known: &std::collections::BTreeMap<String, String>,
) -> Result<StartPage> {
    let runbook = service::get(&cx.state.db, slug).await?;
    let version = get_version(&cx.state.db, &runbook, runbook.version).await?;
    let values = variables::names(&parse_stored(&version.source)?.body)
        .into_iter()
        .map(|name| {
            let meaning = variables::KNOWN.iter().find(|(n, _)| *n == name).map_or("", |(_, meaning)| *meaning);
            Value { value: known.get(&name).cloned().unwrap_or_default(), meaning, name }
        })
        .collect();
    let shell = cx.shell(format!("Run “{}” for {}", runbook.title, incident.id));
    Ok(StartPage { shell, incident, runbook, reason, values, errors: FieldErrors::default() })
}

/// Fields `runbook`, `reason`, and `v.<name>` for each variable.
pub(super) async fn start(
    cx: Cx,
    Path(id): Path<String>,
    sources: Option<Extension<Sources>>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let known = known_of(&cx, sources, &incident).await?;
    let field = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let values = fields.iter().filter_map(|(n, v)| Some((n.strip_prefix("v.")?.to_owned(), v.clone()))).collect();
    let input = StartInput { runbook: field("runbook"), values, reason: field("reason") };
    let tx = cx.state.db.begin().await?;
    let started = runs::start(&tx, incident.id, &input, known.values.clone(), &by(cx.actor()?), cx.now()).await;
    match started {
        Ok(run) => {
            tx.commit().await?;
            Ok(redirect(&run.path()))
        }
        Err(Error::Invalid(errors)) if !errors.has("runbook") => {
            drop(tx);
            let mut page = start_page(&cx, incident, &input.runbook, input.reason, &known.values).await?;
            for value in &mut page.values {
                value.value = input.values.get(&value.name).cloned().unwrap_or_default();
            }
            page.errors = errors;
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}
