//! Running a runbook inside an incident: choose, start, step by step. Made for a phone and for
//! browsers without scripts: every step is one form with large buttons.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::super::hooks::Sources;
use super::super::model::record::{RunState, Runbook};
use super::super::model::variables::{self, fill_markdown};
use super::super::model::{Step, StepRecord, StepState};
use super::super::service::runs::{self, RecordInput, RunView, StartInput};
use super::super::service::suggest::{Suggestion, suggest};
use super::super::service::{self, get_version, parse_stored};
use super::super::store::runbooks as runbook_store;
use super::{by, incident_of, known_of, minutes};
use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::Incident;
use crate::markdown::{self, SafeHtml};
use crate::web::{Cx, Shell, redirect, redirect_with_flash, render, render_with_status};

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

/// A step as the page shows it.
struct StepRow<'a> {
    number: usize,
    step: &'a Step,
    title: String,
    body: SafeHtml,
    state: StepState,
    record: Option<&'a StepRecord>,
    note: SafeHtml,
    earlier_tries: usize,
    current: bool,
    expected: String,
    /// Chosen branch's label.
    chosen: Option<&'a str>,
    missing: Vec<String>,
}

impl StepRow<'_> {
    fn is_open(&self) -> bool {
        self.state == StepState::Pending
    }
}

fn step_rows(view: &RunView) -> Vec<StepRow<'_>> {
    let places = view.progress.steps.iter();
    view.steps
        .iter()
        .zip(places)
        .enumerate()
        .map(|(i, (step, place))| {
            let record = place.record.and_then(|r| view.records.get(r));
            let body = fill_markdown(&step.body, &view.values);
            let title = fill_markdown(&step.title, &view.values);
            StepRow {
                number: i + 1,
                title: markdown::plain_text(&title.text, 300),
                body: markdown::render(&body.text),
                state: place.state,
                note: record.map(|r| markdown::render(&r.note)).unwrap_or_default(),
                earlier_tries: place.earlier_tries,
                current: view.progress.current == Some(i),
                expected: minutes(step.expected_s.map_or(0, i64::from)),
                chosen: record.and_then(|r| step.branches.get(r.branch?)).map(|b| b.label.as_str()),
                missing: body.missing,
                step,
                record,
            }
        })
        .collect()
}

/// What was typed into a step's form, to be shown again.
#[derive(Clone, Debug, Default)]
struct Typed {
    step: String,
    note: String,
    output: String,
    at: String,
}

#[derive(Template)]
#[template(path = "runbooks/run.html")]
struct RunPage<'a> {
    shell: Shell,
    incident: Incident,
    view: &'a RunView,
    rows: Vec<StepRow<'a>>,
    settled: usize,
    on_the_way: usize,
    elapsed: String,
    is_running: bool,
    typed: Typed,
    errors: FieldErrors,
    /// Why the last press was not taken.
    refusal: Option<String>,
}

impl RunPage<'_> {
    fn typed_for(&self, row: &StepRow<'_>) -> Typed {
        if self.typed.step == row.step.id { self.typed.clone() } else { Typed::default() }
    }

    fn errors_for(&self, row: &StepRow<'_>) -> FieldErrors {
        if self.typed.step == row.step.id { self.errors.clone() } else { FieldErrors::default() }
    }
}

fn run_page<'a>(cx: &Cx, incident: Incident, view: &'a RunView) -> RunPage<'a> {
    let (settled, on_the_way) = view.progress.counts();
    let until: Timestamp = view.run.ended_at.unwrap_or_else(|| cx.now());
    RunPage {
        shell: cx
            .shell(format!("{}: {}", incident.id, view.run.runbook_title))
            .live(&[&format!("incident:{}", incident.id.0)]),
        rows: step_rows(view),
        settled,
        on_the_way,
        elapsed: crate::clock::human_duration(until - view.run.started_at),
        is_running: view.run.state == RunState::Running,
        incident,
        view,
        typed: Typed::default(),
        errors: FieldErrors::default(),
        refusal: None,
    }
}

pub(super) async fn show(cx: Cx, Path((id, run)): Path<(String, i64)>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let view = runs::view(&cx.state.db, incident.id, run).await?;
    render(&run_page(&cx, incident, &view))
}

/// One press on a step's form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StepForm {
    step: String,
    /// The pressed button: `done`, `skipped`, `failed`, `reopened`, or `branch:1`.
    press: String,
    note: String,
    output: String,
    at: String,
}

impl StepForm {
    fn input(&self) -> RecordInput {
        let (outcome, branch) = match self.press.split_once(':') {
            Some(("branch", n)) => ("done", n),
            _ => (self.press.as_str(), ""),
        };
        RecordInput {
            step: self.step.clone(),
            outcome: outcome.to_owned(),
            branch: branch.to_owned(),
            note: self.note.clone(),
            output: self.output.clone(),
            at: self.at.clone(),
        }
    }
}

pub(super) async fn record(
    cx: Cx,
    Path((id, run)): Path<(String, i64)>,
    Form(form): Form<StepForm>,
) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let tx = cx.state.db.begin().await?;
    let refused = match runs::record(&tx, incident.id, run, &form.input(), &by(cx.actor()?), cx.now()).await {
        Ok(view) => {
            tx.commit().await?;
            return Ok(redirect(&format!("{}#{}", view.run.path(), next_anchor(&view))));
        }
        Err(refused @ (Error::Invalid(_) | Error::Conflict(_))) => refused,
        Err(other) => return Err(other),
    };
    drop(tx);
    let view = runs::view(&cx.state.db, incident.id, run).await?;
    let mut page = run_page(&cx, incident, &view);
    page.typed = Typed { step: form.step, note: form.note, output: form.output, at: form.at };
    let status = match refused {
        Error::Invalid(errors) => {
            page.errors = errors;
            StatusCode::UNPROCESSABLE_ENTITY
        }
        other => {
            page.refusal = Some(other.to_string());
            StatusCode::CONFLICT
        }
    };
    render_with_status(status, &page)
}

fn next_anchor(view: &RunView) -> String {
    view.progress.current.and_then(|i| view.steps.get(i)).map_or_else(|| "end".to_owned(), |s| format!("step-{}", s.id))
}

#[derive(Deserialize)]
pub(super) struct StopForm {
    #[serde(default)]
    reason: String,
}

pub(super) async fn stop(cx: Cx, Path((id, run)): Path<(String, i64)>, Form(form): Form<StopForm>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let tx = cx.state.db.begin().await?;
    match runs::stop(&tx, incident.id, run, &form.reason, &by(cx.actor()?), cx.now()).await {
        Ok(view) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&view.run.path(), "The run is stopped."))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            let view = runs::view(&cx.state.db, incident.id, run).await?;
            let mut page = run_page(&cx, incident, &view);
            page.errors = errors;
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}

pub(super) async fn take_over(cx: Cx, Path((id, run)): Path<(String, i64)>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let tx = cx.state.db.begin().await?;
    let run = runs::take_over(&tx, incident.id, run, &by(cx.actor()?), cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&run.path(), "You drive this run now."))
}
