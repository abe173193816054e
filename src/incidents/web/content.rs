//! What stands on the incident page between its frame and its foot: gathered from the record and from
//! the panels of other rooms. It depends on who reads only by what [`Reader`] and the viewer's sight say,
//! so that readers who see the same can share it.

use askama::Template;

use crate::accounts::{Actor, Role as AccountRole};
use crate::clock::{Timestamp, human_duration};
use crate::db::Db;
use crate::error::Result;
use crate::markdown::{self, SafeHtml};

use super::super::hooks::{PanelContext, Place, Shown};
use super::super::model::blast::Reached;
use super::super::model::impact::{self, Impact};
use super::super::model::link::Relation;
use super::super::model::record::{Evidence, Incident, ServiceRef, Task, times_of};
use super::super::model::{IncidentId, Kind, Role, Status, TaskKind, TaskState, command};
use super::super::service::{self, links::Linked, people::Named};
use super::super::store::lists::Viewer;
use super::super::store::people::Account;
use super::super::store::timeline as timeline_store;
use super::At;
use super::page::Forms;
use super::view::{DurationView, EntryView, MilestoneView, RoleView, durations, milestone_table, role_table};

/// Newest entries on the page; the rest is a link away.
const ENTRIES: i64 = 30;
const TASKS: i64 = 60;
const EVIDENCE: i64 = 20;

/// What a reader may do, as far as the page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reader {
    pub respond: bool,
    pub command: bool,
    /// When the page is made.
    pub now: Timestamp,
}

impl Reader {
    pub(super) fn of(actor: &Actor, now: Timestamp) -> Self {
        Self { respond: actor.can(AccountRole::Responder), command: actor.can(AccountRole::Commander), now }
    }

    fn can_respond(self) -> bool {
        self.respond
    }

    fn can_command(self) -> bool {
        self.command
    }
}

#[derive(Template)]
#[template(path = "incidents/_content.html")]
pub(super) struct IncidentContent {
    reader: Reader,
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

impl IncidentContent {
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
        human_duration(impact.lasted(self.reader.now))
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
        self.incident.next_update_due_at.is_some_and(|due| due < self.reader.now)
    }

    fn is_overdue(&self, task: &Task) -> bool {
        task.is_overdue(self.reader.now)
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

/// Everything the content shows, with a refused form in it when there is one.
pub(super) async fn gather(at: &At, reader: Reader, forms: Forms) -> Result<IncidentContent> {
    let (db, id, now, viewer) = (&at.db().gathering(), at.id(), at.now(), Viewer::from(&at.actor));
    let newest = timeline_store::Filter { newest_first: true, ..timeline_store::Filter::default() };
    let record = async {
        tokio::try_join!(
            service::details::services(db, id),
            service::milestones::milestones(db, id),
            service::milestones::history(db, id),
            service::people::roles(db, id),
            service::timeline::page(db, id, &newest, ENTRIES + 1),
            service::impacts::windows(db, id),
        )
    };
    let beside = async {
        tokio::try_join!(
            service::tasks::page(db, id, 0, TASKS),
            service::tasks::count(db, id),
            service::evidence::page(db, id, 0, EVIDENCE),
            service::evidence::count(db, id),
            merged(db, id, viewer),
            service::links::of(db, &at.incident, viewer),
            people_to_choose(db, at, reader),
        )
    };
    let (record, beside) = tokio::try_join!(record, beside)?;
    let (services, milestones, history, holders, mut entries, impacts) = record;
    let (tasks, tasks_total, evidence, evidence_total, merged, links, (people, named)) = beside;
    let more_entries = entries.len() > usize::try_from(ENTRIES).unwrap_or_default();
    entries.truncate(usize::try_from(ENTRIES).unwrap_or_default());
    let times = times_of(&milestones);
    let (may_respond, incident) = (reader.respond, &at.incident);
    let context = PanelContext { db, now, viewer, may_respond, incident, services: &services, times: &times };
    let panels = async { Ok(at.hooks.panels(&context).await) };
    let (panels, blast) = tokio::try_join!(panels, service::impacts::blast_radius(db, &services))?;
    Ok(IncidentContent {
        reader,
        summary: markdown::render(&at.incident.summary),
        age: at.incident.age_words(now),
        commander: holders.iter().find(|h| h.role == Role::Commander).map(|h| h.name.clone()),
        roles: role_table(&holders),
        milestones: milestone_table(&milestones, &history),
        durations: durations(&milestones),
        entries: entries.into_iter().map(EntryView::new).collect(),
        more_entries,
        tasks,
        tasks_total,
        evidence,
        evidence_total,
        merged,
        impact_total: human_duration(impact::total(&impacts, now)),
        impacts,
        blast,
        links,
        next_steps: panels.iter().filter_map(|p| p.panel.next_step.clone()).collect(),
        suspicion: panels.iter().find_map(|p| p.panel.suspicion.clone()),
        statuses: at.incident.status.options(),
        people,
        named,
        incident: at.incident.clone(),
        services,
        panels,
        forms,
    })
}

/// Merged duplicates; private ones stay hidden from those who were not named.
async fn merged(db: &Db, id: IncidentId, viewer: Viewer) -> Result<Vec<Incident>> {
    let mut shown = Vec::new();
    for incident in service::merge::merged_into(db, id).await? {
        if !incident.private || service::get_visible(db, incident.id, viewer).await.is_ok() {
            shown.push(incident);
        }
    }
    Ok(shown)
}

/// Whom a responder may give a role, and whom a private incident names.
async fn people_to_choose(db: &Db, at: &At, reader: Reader) -> Result<(Vec<Account>, Vec<Named>)> {
    let people = async { if reader.respond { service::people::people(db).await } else { Ok(Vec::new()) } };
    let named = async { if at.incident.private { service::people::named(db, at.id()).await } else { Ok(Vec::new()) } };
    tokio::try_join!(people, named)
}
