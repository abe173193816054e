//! A run, step by step. Made for a phone and for browsers without scripts: every step is one form with
//! large buttons, and a call is shown in full before it is sent.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Form;
use chrono::TimeDelta;
use serde::Deserialize;

use super::super::model::calls::MadeCall;
use super::super::model::record::RunState;
use super::super::model::variables::{fill_markdown, fill_url};
use super::super::model::{Step, StepKind, StepRecord, StepState};
use super::super::service::runs::{self, RecordInput, RunView};
use super::super::service::{calls, lead};
use super::{by, incident_of, minutes};
use crate::accounts;
use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::Incident;
use crate::markdown::{self, SafeHtml};
use crate::web::{Cx, Shell, redirect, redirect_with_flash, render, render_with_status};

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
    /// Of a link step: where it leads.
    link: Option<String>,
    /// Calls of a webhook step, newest first.
    calls: Vec<&'a MadeCall>,
    /// Of a wait that has begun: until when, and whether that is over.
    wait: Option<(Timestamp, bool)>,
}

impl StepRow<'_> {
    fn is_open(&self) -> bool {
        self.state == StepState::Pending
    }

    fn calls_something(&self) -> bool {
        self.step.kind == StepKind::Webhook
    }

    fn is_calling(&self) -> bool {
        self.calls.iter().any(|c| c.state.is_open())
    }
}

/// A wait begins when what came before it was settled.
fn wait_of(view: &RunView, step: &Step, current: bool, now: Timestamp) -> Option<(Timestamp, bool)> {
    if step.kind != StepKind::Wait || !current {
        return None;
    }
    let began = view.records.iter().map(|r| r.at).max().unwrap_or(view.run.started_at).max(view.run.started_at);
    let until = began + TimeDelta::seconds(i64::from(step.expected_s?));
    Some((until, now >= until))
}

fn step_rows<'a>(view: &'a RunView, calls: &'a [MadeCall], now: Timestamp) -> Vec<StepRow<'a>> {
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
                link: step.link.as_ref().map(|l| fill_url(l, &view.values).text),
                calls: calls.iter().filter(|c| c.step_id == step.id).collect(),
                wait: wait_of(view, step, view.progress.current == Some(i), now),
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
    /// Who took part, in order of appearance.
    together: Vec<&'a str>,
    people: Vec<accounts::model::User>,
}

impl RunPage<'_> {
    fn typed_for(&self, row: &StepRow<'_>) -> Typed {
        if self.typed.step == row.step.id { self.typed.clone() } else { Typed::default() }
    }

    fn errors_for(&self, row: &StepRow<'_>) -> FieldErrors {
        if self.typed.step == row.step.id { self.errors.clone() } else { FieldErrors::default() }
    }
}

/// What a run's page is made from.
struct Loaded {
    view: RunView,
    calls: Vec<MadeCall>,
    people: Vec<accounts::model::User>,
}

async fn load(cx: &Cx, incident: &Incident, run: i64) -> Result<Loaded> {
    let db = &cx.state.db;
    let view = runs::view(db, incident.id, run).await?;
    let calls = calls::of_run(db, run).await?;
    let mut people = accounts::service::list_users(db).await?;
    people.retain(|p| p.disabled_at.is_none() && p.role != "viewer" && p.name != view.run.lead);
    Ok(Loaded { view, calls, people })
}

fn run_page<'a>(cx: &Cx, incident: Incident, loaded: &'a Loaded) -> RunPage<'a> {
    let view = &loaded.view;
    let (settled, on_the_way) = view.progress.counts();
    let until: Timestamp = view.run.ended_at.unwrap_or_else(|| cx.now());
    RunPage {
        shell: cx
            .shell(format!("{}: {}", incident.id, view.run.runbook_title))
            .live(&[&format!("incident:{}", incident.id.0)]),
        rows: step_rows(view, &loaded.calls, cx.now()),
        settled,
        on_the_way,
        elapsed: crate::clock::human_duration(until - view.run.started_at),
        is_running: view.run.state == RunState::Running,
        incident,
        view,
        typed: Typed::default(),
        errors: FieldErrors::default(),
        refusal: None,
        together: together(view),
        people: loaded.people.clone(),
    }
}

fn together(view: &RunView) -> Vec<&str> {
    let mut names = vec![view.run.started_by.as_str()];
    for name in view.records.iter().map(|r| r.by.as_str()).chain(std::iter::once(view.run.lead.as_str())) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

pub(super) async fn show(cx: Cx, Path((id, run)): Path<(String, i64)>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let loaded = load(&cx, &incident, run).await?;
    render(&run_page(&cx, incident, &loaded))
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
    let loaded = load(&cx, &incident, run).await?;
    let mut page = run_page(&cx, incident, &loaded);
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
            let loaded = load(&cx, &incident, run).await?;
            let mut page = run_page(&cx, incident, &loaded);
            page.errors = errors;
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LeadForm {
    /// The address of whoever drives it from now on; empty for oneself.
    to: String,
}

/// Somebody takes the run over, or gives it to another person.
pub(super) async fn change_lead(
    cx: Cx,
    Path((id, run)): Path<(String, i64)>,
    Form(form): Form<LeadForm>,
) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let (actor, now) = (cx.actor()?, cx.now());
    let people = accounts::service::list_users(&cx.state.db).await?;
    let tx = cx.state.db.begin().await?;
    let (run, message) = if form.to.trim().is_empty() {
        (lead::take_over(&tx, incident.id, run, &by(actor), now).await?, "You drive this run now.".to_owned())
    } else {
        let to = people.iter().find(|u| u.email.eq_ignore_ascii_case(form.to.trim()) && u.disabled_at.is_none());
        let to = to.ok_or_else(|| Error::invalid("to", format!("nobody has the address '{}'", form.to.trim())))?;
        let run = lead::hand_over(&tx, incident.id, run, (to.id, &to.name), &by(actor), now).await?;
        (run, format!("{} drives this run now.", to.name))
    };
    tx.commit().await?;
    Ok(redirect_with_flash(&run.path(), &message))
}

/// Takes up a run that was given up.
pub(super) async fn resume(cx: Cx, Path((id, run)): Path<(String, i64)>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let tx = cx.state.db.begin().await?;
    let run = lead::resume(&tx, incident.id, run, &by(cx.actor()?), cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&run.path(), "The run goes on where it was left."))
}
