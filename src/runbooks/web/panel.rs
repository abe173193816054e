//! The runbooks' part of an incident's page.

use askama::Template;
use futures::future::BoxFuture;

use super::super::hooks::Sources;
use super::super::model::record::RunState;
use super::super::model::variables::fill_markdown;
use super::super::service::runs::{self, RunView};
use super::super::service::suggest::{Suggestion, suggest};
use crate::error::{Error, Result};
use crate::incidents::hooks::{IncidentPanel, Panel, PanelContext, Place};
use crate::markdown;

/// Registered in `app.rs`.
pub struct RunbookPanel {
    pub sources: Sources,
    pub base_url: String,
}

/// A run as the panel shows it.
struct RunRow {
    path: String,
    title: String,
    state: &'static str,
    running: bool,
    settled: usize,
    on_the_way: usize,
    lead: String,
    /// The step to do next.
    next: Option<String>,
}

fn run_row(view: &RunView) -> RunRow {
    let (settled, on_the_way) = view.progress.counts();
    let running = view.run.state == RunState::Running;
    let next = view.progress.current.filter(|_| running).and_then(|i| view.steps.get(i));
    RunRow {
        path: view.run.path(),
        title: view.run.runbook_title.clone(),
        state: view.run.state.as_str(),
        running,
        settled,
        on_the_way,
        lead: view.run.lead.clone(),
        next: next.map(|s| markdown::plain_text(&fill_markdown(&s.title, &view.values).text, 120)),
    }
}

#[derive(Template)]
#[template(path = "runbooks/_panel.html")]
struct PanelView {
    incident: String,
    runs: Vec<RunRow>,
    suggestions: Vec<Suggestion>,
    may_respond: bool,
}

impl IncidentPanel for RunbookPanel {
    fn id(&self) -> &'static str {
        "runbooks"
    }

    fn place(&self) -> Place {
        Place::Side
    }

    fn order(&self) -> i32 {
        30
    }

    fn render<'a>(&'a self, context: &'a PanelContext<'a>) -> BoxFuture<'a, Result<Option<Panel>>> {
        Box::pin(async move {
            let incident = context.incident;
            let views = runs::views_of_incident(context.db, incident.id).await?;
            let suggestions = if incident.status.is_open() {
                let known = self.sources.known(context.db, incident, &self.base_url).await?;
                suggest(context.db, &known.facts, 3).await?
            } else {
                Vec::new()
            };
            if views.is_empty() && suggestions.is_empty() && !context.may_respond {
                return Ok(None);
            }
            // What is being run need not be suggested.
            let suggestions: Vec<Suggestion> =
                suggestions.into_iter().filter(|s| views.iter().all(|v| v.run.runbook_id != s.runbook.id)).collect();
            let runs: Vec<RunRow> = views.iter().map(run_row).collect();
            let next_step = next_step(&runs, &suggestions);
            let count = i64::try_from(runs.len()).ok().filter(|n| *n > 0);
            let view =
                PanelView { incident: incident.id.to_string(), runs, suggestions, may_respond: context.may_respond };
            let html = view.render().map_err(|e| Error::Internal(format!("rendering: {e}")))?;
            let link = format!("{}/runs", incident.path());
            Ok(Some(Panel { title: "Runbooks".to_owned(), count, link, html, suspicion: None, next_step }))
        })
    }
}

fn next_step(runs: &[RunRow], suggestions: &[Suggestion]) -> Option<String> {
    let running = runs.iter().find_map(|r| r.next.as_ref().map(|next| format!("{}: {next}", r.title)));
    running.or_else(|| {
        let first = suggestions.first().filter(|_| runs.is_empty())?;
        Some(format!("Run “{}”: {}", first.runbook.title, first.reasons.join(", ")))
    })
}
