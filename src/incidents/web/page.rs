//! `/incidents/INC-n`: on one screen how bad, since when, who leads, what is suspected, what next.

use askama::Template;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::clock::human_duration;
use crate::db::Db;
use crate::error::{FieldErrors, Result};
use crate::markdown::{self, SafeHtml};
use crate::web::{Shell, redirect_with_flash, render_with_status};

use super::super::actions::links::LinkInput;
use super::super::hooks::{PanelContext, Place, Shown};
use super::super::model::blast::Reached;
use super::super::model::impact::{self, Impact, ImpactInput};
use super::super::model::input::{NextUpdateInput, StatusInput, TaskInput, TimelineInput};
use super::super::model::link::Relation;
use super::super::model::record::{Evidence, Incident, ServiceRef, Task, times_of};
use super::super::model::{IncidentId, Kind, Role, Status, TaskKind, TaskState, command};
use super::super::service::{self, links::Linked, people::Named};
use super::super::store::people::Account;
use super::super::store::timeline as timeline_store;
use super::view::{DurationView, EntryView, MilestoneView, RoleView, durations, milestone_table, role_table};
use super::{At, complaints};

/// Newest entries on the page; the rest is a link away.
const ENTRIES: i64 = 30;
const TASKS: i64 = 60;
const EVIDENCE: i64 = 20;

#[derive(Template)]
#[template(path = "incidents/page.html")]
struct IncidentPage {
    shell: Shell,
    incident: Incident,
    summary: SafeHtml,
    age: String,
    services: Vec<ServiceRef>,
    commander: Option<String>,
    roles: Vec<RoleView>,
    milestones: Vec<MilestoneView>,
    durations: Vec<DurationView>,
    entries: Vec<EntryView>,
    more_entries: bool,
    tasks: Vec<Task>,
    tasks_total: i64,
    evidence: Vec<Evidence>,
    evidence_total: i64,
    merged: Vec<Incident>,
    impacts: Vec<Impact>,
    /// How long customers were affected in all.
    impact_total: String,
    blast: Vec<Reached>,
    links: Vec<Linked>,
    panels: Vec<Shown>,
    next_steps: Vec<String>,
    suspicion: Option<String>,
    statuses: Vec<Status>,
    people: Vec<Account>,
    /// Who may see it while it is private.
    named: Vec<Named>,
    forms: Forms,
}

/// The forms of the page as they were typed, and what was wrong with the one that was refused.
#[derive(Default)]
pub(super) struct Forms {
    pub refused: &'static str,
    pub errors: FieldErrors,
    pub status: StatusInput,
    pub entry: TimelineInput,
    pub task: TaskInput,
    pub role_email: String,
    pub impact: ImpactInput,
    pub link: LinkInput,
    pub next_update: NextUpdateInput,
}

impl Forms {
    /// The complaints about one form of the page.
    fn of(&self, form: &str) -> FieldErrors {
        if self.refused == form { self.errors.clone() } else { FieldErrors::default() }
    }

    fn is_refused(&self, form: &str) -> bool {
        self.refused == form
    }
}

impl IncidentPage {
    fn main_panels(&self) -> impl Iterator<Item = &Shown> {
        self.panels.iter().filter(|p| p.place == Place::Main)
    }

    fn side_panels(&self) -> impl Iterator<Item = &Shown> {
        self.panels.iter().filter(|p| p.place == Place::Side)
    }

    fn is_open(&self) -> bool {
        self.incident.status.is_open()
    }

    /// The question that was asked before resolving, when the form comes back with it.
    fn question(&self) -> Option<String> {
        self.forms.of("status").of("conflict").map(str::to_owned)
    }

    fn lasted(&self, impact: &Impact) -> String {
        human_duration(impact.lasted(self.shell.now))
    }

    fn open_impact(&self) -> Option<&Impact> {
        self.impacts.iter().rev().find(|i| i.ended_at.is_none())
    }

    /// Services of the blast radius that are named; more are only counted.
    fn named_blast(&self) -> impl Iterator<Item = &Reached> {
        self.blast.iter().take(12)
    }

    fn unnamed_blast(&self) -> usize {
        self.blast.len().saturating_sub(12)
    }

    fn commands(&self) -> [(&'static str, &'static str); 7] {
        command::EXAMPLES
    }

    fn update_overdue(&self) -> bool {
        self.incident.next_update_due_at.is_some_and(|due| due < self.shell.now)
    }

    fn is_overdue(&self, task: &Task) -> bool {
        task.is_overdue(self.shell.now)
    }

    fn tasks_of(&self, kind: &TaskKind) -> Vec<&Task> {
        self.tasks.iter().filter(|t| t.kind == *kind).collect()
    }

    fn open_tasks(&self) -> usize {
        self.tasks.iter().filter(|t| t.state == TaskState::Open).count()
    }

    fn size_of(&self, evidence: &Evidence) -> String {
        evidence.kept_bytes.map(super::view::size).unwrap_or_default()
    }
}

pub(super) async fn show(at: At) -> Result<Response> {
    show_with(&at, Forms::default()).await
}

/// The page, with a refused form in it when there is one.
pub(super) async fn show_with(at: &At, forms: Forms) -> Result<Response> {
    let (db, id, now) = (at.db(), at.id(), at.now());
    let services = service::details::services(db, id).await?;
    let milestones = service::milestones::milestones(db, id).await?;
    let history = service::milestones::history(db, id).await?;
    let holders = service::people::roles(db, id).await?;
    let newest = timeline_store::Filter { newest_first: true, ..timeline_store::Filter::default() };
    let mut entries = service::timeline::page(db, id, &newest, ENTRIES + 1).await?;
    let more_entries = entries.len() > usize::try_from(ENTRIES).unwrap_or_default();
    entries.truncate(usize::try_from(ENTRIES).unwrap_or_default());
    let may_respond = at.actor.can(crate::accounts::Role::Responder);
    let times = times_of(&milestones);
    let context = PanelContext {
        db,
        now,
        viewer: (&at.actor).into(),
        may_respond,
        incident: &at.incident,
        services: &services,
        times: &times,
    };
    let panels = at.hooks.panels(&context).await;
    let impacts = service::impacts::windows(db, id).await?;
    let page = IncidentPage {
        shell: at.cx.shell(format!("{id} {}", at.incident.title)).live(&[&format!("incident:{}", id.0)]),
        summary: markdown::render(&at.incident.summary),
        age: at.incident.age_words(now),
        commander: holders.iter().find(|h| h.role == Role::Commander).map(|h| h.name.clone()),
        roles: role_table(&holders),
        milestones: milestone_table(&milestones, &history),
        durations: durations(&milestones),
        entries: entries.into_iter().map(EntryView::new).collect(),
        more_entries,
        tasks: service::tasks::page(db, id, 0, TASKS).await?,
        tasks_total: service::tasks::count(db, id).await?,
        evidence: service::evidence::page(db, id, 0, EVIDENCE).await?,
        evidence_total: service::evidence::count(db, id).await?,
        merged: visible_only(at, service::merge::merged_into(db, id).await?).await?,
        impact_total: human_duration(impact::total(&impacts, now)),
        impacts,
        blast: service::impacts::blast_radius(db, &services).await?,
        links: service::links::of(db, &at.incident, (&at.actor).into()).await?,
        next_steps: panels.iter().filter_map(|p| p.panel.next_step.clone()).collect(),
        suspicion: panels.iter().find_map(|p| p.panel.suspicion.clone()),
        statuses: at.incident.status.options(),
        people: if may_respond { service::people::people(db).await? } else { Vec::new() },
        named: if at.incident.private { service::people::named(db, id).await? } else { Vec::new() },
        incident: at.incident.clone(),
        services,
        panels,
        forms,
    };
    let status = if page.forms.errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    render_with_status(status, &page)
}

/// Merged duplicates that are private stay hidden from those who were not named.
async fn visible_only(at: &At, merged: Vec<Incident>) -> Result<Vec<Incident>> {
    let mut shown = Vec::new();
    for incident in merged {
        if !incident.private || service::get_visible(at.db(), incident.id, (&at.actor).into()).await.is_ok() {
            shown.push(incident);
        }
    }
    Ok(shown)
}

pub(super) async fn change_status(at: At, Form(input): Form<StatusInput>) -> Result<Response> {
    let tx = at.begin().await?;
    let outcome = at.acting(&tx).change_status(at.id(), &input, &at.hooks).await;
    match outcome {
        Ok(incident) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path(""), &format!("{} is now {}.", incident.id, incident.status)))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            show_with(&at, Forms { refused: "status", errors, status: input, ..Forms::default() }).await
        }
    }
}

#[derive(Deserialize)]
pub(super) struct RoleForm {
    #[serde(default)]
    role: String,
    #[serde(default)]
    email: String,
    /// Who held it when the page was read; `None` when the form does not say.
    holder: Option<String>,
}

pub(super) async fn assign_role(at: At, Form(form): Form<RoleForm>) -> Result<Response> {
    let role = Role::parse(&form.role).ok_or_else(|| crate::error::Error::BadRequest(Role::unknown(&form.role)))?;
    let tx = at.begin().await?;
    let outcome = match taken_meanwhile(&tx, at.id(), role, form.holder.as_deref()).await? {
        Some(complaint) => Err(complaint),
        None => at.acting(&tx).assign_role(at.id(), role, &form.email).await,
    };
    match outcome {
        Ok(()) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path("#roles"), &format!("{} is set.", role.label())))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            let refused = role.as_str();
            show_with(&at, Forms { refused, errors, role_email: form.email, ..Forms::default() }).await
        }
    }
}

/// Two people who take one role at once: the second is told who has it, instead of taking it away.
async fn taken_meanwhile(
    db: &Db,
    id: IncidentId,
    role: Role,
    read: Option<&str>,
) -> Result<Option<crate::error::Error>> {
    let Some(read) = read else { return Ok(None) };
    let holder = service::people::roles(db, id).await?.into_iter().find(|h| h.role == role);
    if holder.as_ref().map_or("", |h| h.email.as_str()) == read {
        return Ok(None);
    }
    let who = holder.map_or("nobody".to_owned(), |h| h.name);
    let told = format!("{} is {who} now: somebody changed it meanwhile", role.label());
    Ok(Some(crate::error::Error::invalid("email", told)))
}

pub(super) async fn promise_update(at: At, Form(input): Form<NextUpdateInput>) -> Result<Response> {
    let tx = at.begin().await?;
    match at.acting(&tx).promise_update(at.id(), &input).await {
        Ok(incident) => {
            tx.commit().await?;
            let said = match incident.next_update_due_at {
                Some(due) => format!("The next update is due at {} UTC.", due.to_minute()),
                None => "No next update is promised.".to_owned(),
            };
            Ok(redirect_with_flash(&at.path(""), &said))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            show_with(&at, Forms { refused: "next_update", errors, next_update: input, ..Forms::default() }).await
        }
    }
}
