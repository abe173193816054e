//! Playing the script through the actions that people and machines use.
//!
//! The clock stands at each act's moment, so every row carries the time at which it would have been
//! written. Acts share transactions, some hundred each: a year of single commits would take too long
//! to wait for.

mod around;
mod learning;
mod outward;
mod telemetry;

use std::collections::HashMap;

use chrono::TimeDelta;

use super::company::{PEOPLE, SERVICES, TEAMS};
use super::incidents::{Ending, IncidentPlan};
use super::script::{Act, Step, script};
use super::year::Year;
use crate::clock::{Clock, Timestamp};
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::incidents::model::Role;
use crate::incidents::model::input::{NewEntry, NewTask, StatusChange};
use crate::incidents::model::{TaskKind, TaskState};
use crate::incidents::{
    self, By, Declare, IncidentId, Kind, Layer, MilestoneName, NewMilestone, Severity, Source, Status,
};
use crate::runbooks::model::StepKind;
use crate::runbooks::model::steps::Target;
use crate::runbooks::service::folder::FolderFile;
use crate::runbooks::service::runs::{self, RecordInput, StartInput};
use crate::runbooks::service::sync;
use crate::services;
use crate::traces::SpanStore;

/// Acts of one transaction.
const BATCH: usize = 400;

/// The people who act, in the order of [`PEOPLE`].
pub type Cast = Vec<By>;

/// What was played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    pub services: usize,
    pub incidents: usize,
    pub acts: usize,
}

/// Plays the whole year into an empty database and leaves the clock at its end.
///
/// # Errors
/// The first act that is refused, named: the plan is at fault then.
pub async fn play(db: &Db, clock: &Clock, year: &Year, cast: &Cast) -> Result<Played> {
    if cast.len() != PEOPLE.len() {
        return Err(Error::Internal(format!("the demo needs {} people, not {}", PEOPLE.len(), cast.len())));
    }
    clock.set(year.start);
    let mut player = Player {
        cast,
        ids: HashMap::new(),
        tasks: HashMap::new(),
        runs: HashMap::new(),
        follow_ups: HashMap::new(),
        changes: HashMap::new(),
    };
    let spans = SpanStore::new(db.clone(), clock.clone());
    let tx = db.begin().await?;
    player.open_shop(&tx, year.start).await?;
    tx.commit().await?;
    sync::take_in(db, &runbook_files(), year.start).await?;
    let steps = script(year);
    for batch in steps.chunks(BATCH) {
        store_traces(&spans, clock, batch).await?;
        let tx = db.begin().await?;
        for step in batch {
            clock.set(step.at);
            player.act(&tx, step).await.map_err(|e| Error::Internal(format!("demo: {:?}: {e}", step.act)))?;
        }
        tx.commit().await?;
    }
    clock.set(year.end);
    let tx = db.begin().await?;
    player.keep_ready(&tx, year).await?;
    player.tell_customers(&tx, year).await?;
    tx.commit().await?;
    Ok(Played { services: SERVICES.len(), incidents: player.ids.len(), acts: steps.len() })
}

/// The traces of a batch, as their collector flushes them.
async fn store_traces(store: &SpanStore, clock: &Clock, batch: &[Step<'_>]) -> Result<()> {
    let mut spans = Vec::new();
    for step in batch {
        if let Act::Trace(trace) = step.act {
            clock.set(step.at);
            spans.extend(telemetry::spans(trace)?);
        }
    }
    if spans.is_empty() { Ok(()) } else { store.store(spans).await.map(drop) }
}

/// The runbooks that ship with Faultline, whatever folder the demo is started in.
fn runbook_files() -> Vec<FolderFile> {
    #[derive(rust_embed::Embed)]
    #[folder = "runbooks/"]
    struct Shipped;
    Shipped::iter()
        .filter_map(|name| {
            let text = Shipped::get(&name)?.data;
            Some(FolderFile { content: Ok(String::from_utf8_lossy(&text).into_owned()), name: name.into_owned() })
        })
        .collect()
}

struct Player<'a> {
    cast: &'a Cast,
    /// The number in the plan → the incident that came of it.
    ids: HashMap<usize, IncidentId>,
    /// Tasks to finish when the incident is mitigated.
    tasks: HashMap<usize, Vec<incidents::record::Task>>,
    /// The run of an incident's runbook, until it is over.
    runs: HashMap<usize, i64>,
    /// Follow-ups by the incident's number in the plan and their place in the postmortem.
    follow_ups: HashMap<(usize, usize), incidents::record::Task>,
    changes: HashMap<around::ChangeKey, i64>,
}

impl Player<'_> {
    async fn open_shop(&self, tx: &Tx, now: Timestamp) -> Result<()> {
        for service in &SERVICES {
            let team = TEAMS.iter().find(|(slug, _)| *slug == service.team).map_or(service.team, |(_, name)| name);
            let new = services::model::NewService {
                slug: service.slug.to_owned(),
                name: service.name.to_owned(),
                owner_team: team.to_owned(),
                tier: i64::from(service.tier),
                description: service.does.to_owned(),
                dependencies: service.calls.iter().map(|s| (*s).to_owned()).collect(),
                version: None,
            };
            services::create(tx, &new, now).await?;
        }
        Ok(())
    }

    fn by(&self, person: usize) -> By {
        self.cast.get(person).cloned().unwrap_or_else(|| By::system("Faultline"))
    }

    fn person(&self, person: usize) -> Option<incidents::Person> {
        let by = self.cast.get(person)?;
        Some(incidents::Person { user_id: by.user_id?, name: by.name.clone() })
    }

    fn id(&self, incident: &IncidentPlan) -> Result<IncidentId> {
        self.ids
            .get(&incident.number)
            .copied()
            .ok_or_else(|| Error::Internal(format!("demo: {} was not declared yet", incident.title)))
    }

    async fn act(&mut self, tx: &Tx, step: &Step<'_>) -> Result<()> {
        let now = step.at;
        match step.act {
            Act::Declare(incident) => self.declare(tx, incident, now).await,
            Act::Roles(incident) => self.roles(tx, incident, now).await,
            Act::Status { incident, to } => self.status(tx, incident, to, now).await,
            Act::Milestone { incident, name, at, reason } => {
                let new = NewMilestone { name, at, source: Source::Person, reason: reason.to_owned() };
                incidents::set_milestone(tx, self.id(incident)?, &new, &self.by(incident.commander), now).await
            }
            Act::Note { incident, note } => self.note(tx, incident, note, now).await,
            Act::Tasks(incident) => self.add_tasks(tx, incident, now).await,
            Act::Merge(incident) => self.merge(tx, incident, now).await,
            Act::StartRunbook(incident) => self.start_runbook(tx, incident, now).await,
            Act::RunbookStep(incident) => self.runbook_step(tx, incident, now).await,
            Act::Change(change) => self.change(tx, change, now).await,
            Act::AlertFires(alert) => self.signal(tx, alert, false, now).await,
            Act::AlertResolves(alert) => self.signal(tx, alert, true, now).await,
            // Stored before the batch: spans have a way of their own into the database.
            Act::Trace(_) => Ok(()),
            Act::Evidence(incident) => self.attach_evidence(tx, incident, now).await,
            Act::DraftPostmortem(incident) => self.draft_postmortem(tx, incident, now).await,
            Act::PublishPostmortem(incident) => self.publish_postmortem(tx, incident, now).await,
            Act::FinishAction { incident, action } => self.finish_action(tx, incident, action, now).await,
        }
    }

    async fn declare(&mut self, tx: &Tx, plan: &IncidentPlan, now: Timestamp) -> Result<()> {
        let course = plan.course;
        let by_alert = plan.alert.is_some();
        let backfilled = plan.kind == Kind::Backfilled;
        let reason = |text: &str| if backfilled { "From the old wiki".to_owned() } else { text.to_owned() };
        let milestone = |name, at, source, why: &str| NewMilestone { name, at, source, reason: reason(why) };
        let person = if backfilled { Source::Import } else { Source::Person };
        let (detected_from, detected_why) =
            if by_alert { (Source::Alert, "First alert") } else { (person, "First report of a customer") };
        let began = plan.believed.unwrap_or(course.impact_started);
        let mut milestones = vec![
            milestone(MilestoneName::ImpactStarted, began, person, "As first believed"),
            milestone(MilestoneName::Detected, course.detected, detected_from, detected_why),
            milestone(MilestoneName::Declared, course.declared, person, ""),
            milestone(MilestoneName::Acknowledged, course.acknowledged, person, "Taken on"),
        ];
        if backfilled {
            milestones.push(milestone(MilestoneName::Mitigated, course.mitigated, person, ""));
            milestones.push(milestone(MilestoneName::ImpactEnded, course.impact_ended, person, ""));
            milestones.push(milestone(MilestoneName::Resolved, course.resolved, person, ""));
        }
        // Two reports of customers come before anybody takes them on.
        milestones.retain(|m| !matches!(plan.ending, Ending::Merged(_)) || m.name != MilestoneName::Acknowledged);
        milestones.sort_by_key(|m| m.name);
        let new = Declare {
            title: plan.title.clone(),
            summary: plan.summary.clone(),
            severity: plan.severity,
            status: if backfilled { Status::Resolved } else { Status::Triage },
            kind: plan.kind,
            private: plan.private,
            services: plan.services.iter().map(|s| (*s).to_owned()).collect(),
            milestones,
        };
        let id = incidents::declare(tx, &new, &self.by(plan.commander), now).await?;
        self.ids.insert(plan.number, id);
        self.join_alert(tx, plan, now).await
    }

    async fn roles(&self, tx: &Tx, plan: &IncidentPlan, now: Timestamp) -> Result<()> {
        let (id, by) = (self.id(plan)?, self.by(plan.commander));
        let mut wanted = vec![(Role::Commander, plan.commander), (Role::Operations, plan.operations)];
        if plan.severity <= Severity::Sev2 {
            let other = super::company::RESPONDERS.into_iter().find(|r| *r != plan.operations).unwrap_or(5);
            wanted.push((Role::Communications, other));
        }
        for (role, person) in wanted {
            incidents::assign_role(tx, id, role, self.person(person).as_ref(), &by, now).await?;
        }
        Ok(())
    }

    async fn status(&mut self, tx: &Tx, plan: &IncidentPlan, to: Status, now: Timestamp) -> Result<()> {
        let reason = match to {
            Status::Identified => plan.postmortem.as_ref().map_or_else(String::new, |p| p.cause.clone()),
            Status::Monitoring => plan.postmortem.as_ref().map_or_else(String::new, |p| p.mitigation.clone()),
            Status::Declined => "Expected: it was an announced load test".to_owned(),
            _ => String::new(),
        };
        let change = StatusChange { to, reason, at: now, confirmed: true };
        let by = self.by(if to == Status::Investigating { plan.operations } else { plan.commander });
        incidents::change_status(tx, self.id(plan)?, &change, &by, now).await?;
        if to == Status::Monitoring {
            self.finish_tasks(tx, plan, now).await?;
        }
        Ok(())
    }

    async fn note(&self, tx: &Tx, plan: &IncidentPlan, note: usize, now: Timestamp) -> Result<()> {
        let Some(note) = plan.notes.get(note) else { return Ok(()) };
        let layer = if note.story { Layer::Story } else { Layer::Activity };
        let entry = NewEntry { occurred_at: note.occurred, text: note.text.clone(), layer };
        incidents::timeline::post(tx, self.id(plan)?, &entry, &self.by(note.author), now).await?;
        Ok(())
    }

    async fn add_tasks(&mut self, tx: &Tx, plan: &IncidentPlan, now: Timestamp) -> Result<()> {
        for title in &plan.tasks {
            let new = NewTask {
                title: title.clone(),
                kind: TaskKind::Now,
                owner: String::new(),
                due_at: Some(now + TimeDelta::minutes(30)),
                state: TaskState::Open,
            };
            let owner = self.by(plan.operations).user_id;
            let task = incidents::tasks::add(tx, self.id(plan)?, &new, owner, &self.by(plan.commander), now).await?;
            self.tasks.entry(plan.number).or_default().push(task);
        }
        Ok(())
    }

    async fn finish_tasks(&mut self, tx: &Tx, plan: &IncidentPlan, now: Timestamp) -> Result<()> {
        let by = self.by(plan.operations);
        for task in self.tasks.remove(&plan.number).unwrap_or_default() {
            let done = NewTask {
                title: task.title.clone(),
                kind: task.kind,
                owner: String::new(),
                due_at: task.due_at,
                state: TaskState::Done,
            };
            incidents::tasks::edit(tx, self.id(plan)?, &task, &done, by.user_id, &by, now).await?;
        }
        Ok(())
    }

    async fn merge(&self, tx: &Tx, plan: &IncidentPlan, now: Timestamp) -> Result<()> {
        let Ending::Merged(original) = plan.ending else { return Ok(()) };
        let Some(into) = self.ids.get(&original) else { return Ok(()) };
        let reason = "The same failure, seen from the other end";
        incidents::merge(tx, self.id(plan)?, *into, reason, &self.by(plan.commander), now).await
    }

    async fn start_runbook(&mut self, tx: &Tx, plan: &IncidentPlan, now: Timestamp) -> Result<()> {
        let Some(slug) = plan.runbook else { return Ok(()) };
        let input = StartInput { runbook: slug.to_owned(), ..StartInput::default() };
        let known = [("service", plan.services.first().copied().unwrap_or_default()), ("environment", "production")];
        let known = known.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let run = runs::start(tx, self.id(plan)?, &input, known, &self.by(plan.operations), now).await?;
        self.runs.insert(plan.number, run.id);
        Ok(())
    }

    /// Does what comes next and chooses the first way that leads forward.
    async fn runbook_step(&mut self, tx: &Tx, plan: &IncidentPlan, now: Timestamp) -> Result<()> {
        let Some(run_id) = self.runs.get(&plan.number).copied() else { return Ok(()) };
        let view = runs::view(tx, self.id(plan)?, run_id).await?;
        let Some((place, step)) = view.progress.current.and_then(|i| Some((i, view.steps.get(i)?))) else {
            self.runs.remove(&plan.number);
            return Ok(());
        };
        let forward = step.branches.iter().position(|b| match b.target {
            Target::Step(target) => target > place,
            Target::End => true,
        });
        let skipped = matches!(step.kind, StepKind::Webhook | StepKind::Link);
        let input = RecordInput {
            step: step.id.clone(),
            outcome: if skipped { "skipped" } else { "done" }.to_owned(),
            branch: forward.map_or_else(String::new, |i| i.to_string()),
            ..RecordInput::default()
        };
        runs::record(tx, self.id(plan)?, run_id, &input, &self.by(plan.operations), now).await?;
        Ok(())
    }
}
