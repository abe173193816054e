//! What other rooms add to incidents. Incidents may not import them, so they register here, once, in
//! `app.rs`: panels of the incident page and of the dashboard, resolvers of evidence, and questions
//! that are asked before an incident is resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::web::Rendered;

use super::model::record::{Evidence, Incident, ServiceRef, Snapshot};
use super::model::{EvidenceKind, IncidentId, MilestoneTimes, Status};
use super::service::evidence::NewSnapshot;
use super::store::lists::Viewer;

/// What a panel may look at.
pub struct PanelContext<'a> {
    pub db: &'a Db,
    pub now: Timestamp,
    pub viewer: Viewer,
    /// Whether forms make sense for who looks: a responder or more.
    pub may_respond: bool,
    pub incident: &'a Incident,
    pub services: &'a [ServiceRef],
    pub times: &'a MilestoneTimes,
}

/// Where a panel stands on the incident page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The wide column, above the timeline.
    Main,
    /// The narrow column.
    Side,
}

/// A rendered panel.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    pub title: String,
    /// How many things are in it, shown beside the title.
    pub count: Option<i64>,
    /// The page with all of it, as a path; empty for none.
    pub link: String,
    /// Markup from a template of the registering room; its escaping is that room's.
    pub html: String,
    /// One line for the head of the page: what is suspected.
    pub suspicion: Option<String>,
    /// One line for the head of the page: what to do next.
    pub next_step: Option<String>,
}

impl Panel {
    /// For the page to print.
    pub fn markup(&self) -> Rendered<'_> {
        Rendered::by_template(&self.html)
    }
}

/// A part of the incident page that belongs to another room. The id is the URL's fragment.
pub trait IncidentPanel: Send + Sync {
    fn id(&self) -> &'static str;
    fn place(&self) -> Place;
    /// Panels stand in this order: alerts 10, suspects 20, runbooks 30, postmortem 40, status page 50.
    fn order(&self) -> i32;
    /// `None` when there is nothing to show and nothing to do.
    fn render<'a>(&'a self, context: &'a PanelContext<'a>) -> BoxFuture<'a, Result<Option<Panel>>>;
}

/// A part of the dashboard that belongs to another room.
pub trait DashboardPanel: Send + Sync {
    fn id(&self) -> &'static str;
    fn order(&self) -> i32;
    fn render<'a>(&'a self, db: &'a Db, viewer: Viewer, now: Timestamp) -> BoxFuture<'a, Result<Option<Panel>>>;
}

/// What a reference turned out to name.
#[derive(Clone, Debug)]
pub struct Resolved {
    pub title: String,
    /// The normal form of the reference.
    pub reference: String,
    pub url: String,
    pub topic: String,
    pub occurred_at: Option<Timestamp>,
    pub snapshot: Option<NewSnapshot>,
}

/// A piece that a person attached, as its source is told of it.
pub struct Attached<'a> {
    pub incident: IncidentId,
    pub evidence_id: i64,
    /// The normal form, and what was typed or pasted.
    pub reference: &'a str,
    pub pasted: &'a str,
    /// A copy is kept already.
    pub is_kept: bool,
    pub by: &'a str,
}

/// How far a piece is whose copy must be fetched from somewhere.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Progress {
    pub line: String,
    /// More is to come by itself.
    pub is_open: bool,
    pub is_failed: bool,
    /// A path to post to for another try.
    #[serde(skip)]
    pub retry: Option<String>,
}

/// Turns a reference of one kind (trace, deployment, alert) into evidence, and draws what was kept.
pub trait EvidenceSource: Send + Sync {
    fn kind(&self) -> EvidenceKind;
    /// # Errors
    /// `Invalid` (field `reference`) when it names nothing of the kind.
    fn resolve<'a>(&'a self, db: &'a Db, reference: &'a str) -> BoxFuture<'a, Result<Resolved>>;
    /// Told in the transaction that attached a piece; for what must be fetched before it can be kept.
    fn attached<'a>(&'a self, _: &'a Tx, _: &'a Attached<'a>, _: Timestamp) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
    /// Of the pieces with these ids, how far those are that had to be fetched.
    fn progress<'a>(&'a self, _: &'a Db, _: &'a [i64]) -> BoxFuture<'a, Result<BTreeMap<i64, Progress>>> {
        Box::pin(std::future::ready(Ok(BTreeMap::new())))
    }
    /// Markup of the kept snapshot, from a template; `None` to show it as text.
    fn draw(&self, evidence: &Evidence, snapshot: &Snapshot) -> Result<Option<String>>;
}

/// Something that stands against resolving now, as a question ("3 alerts still fire. Resolve all the
/// same?").
pub trait ResolveQuestion: Send + Sync {
    fn ask<'a>(&'a self, db: &'a Db, incident: &'a Incident) -> BoxFuture<'a, Result<Option<String>>>;
}

/// An open incident that a declaration may repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PossibleDuplicate {
    pub id: IncidentId,
    pub title: String,
    pub status: Status,
    /// Why it may be the same, in words.
    pub reasons: Vec<String>,
}

/// Looks for open incidents that a declaration may repeat, among those that the viewer may see.
pub trait DuplicateCheck: Send + Sync {
    fn find<'a>(
        &'a self,
        db: &'a Db,
        title: &'a str,
        services: &'a [String],
        viewer: Viewer,
    ) -> BoxFuture<'a, Result<Vec<PossibleDuplicate>>>;
}

/// All that was registered. Cheap to clone.
#[derive(Clone, Default)]
pub struct Hooks {
    panels: Arc<Vec<Box<dyn IncidentPanel>>>,
    dashboard: Arc<Vec<Box<dyn DashboardPanel>>>,
    evidence: Arc<Vec<Box<dyn EvidenceSource>>>,
    questions: Arc<Vec<Box<dyn ResolveQuestion>>>,
    duplicates: Arc<Vec<Box<dyn DuplicateCheck>>>,
}

/// Collects what rooms register.
#[derive(Default)]
pub struct HooksBuilder {
    panels: Vec<Box<dyn IncidentPanel>>,
    dashboard: Vec<Box<dyn DashboardPanel>>,
    evidence: Vec<Box<dyn EvidenceSource>>,
    questions: Vec<Box<dyn ResolveQuestion>>,
    duplicates: Vec<Box<dyn DuplicateCheck>>,
}

impl HooksBuilder {
    #[must_use]
    pub fn panel(mut self, panel: impl IncidentPanel + 'static) -> Self {
        self.panels.push(Box::new(panel));
        self
    }

    #[must_use]
    pub fn dashboard(mut self, panel: impl DashboardPanel + 'static) -> Self {
        self.dashboard.push(Box::new(panel));
        self
    }

    #[must_use]
    pub fn evidence(mut self, source: impl EvidenceSource + 'static) -> Self {
        self.evidence.push(Box::new(source));
        self
    }

    #[must_use]
    pub fn question(mut self, question: impl ResolveQuestion + 'static) -> Self {
        self.questions.push(Box::new(question));
        self
    }

    #[must_use]
    pub fn duplicates(mut self, check: impl DuplicateCheck + 'static) -> Self {
        self.duplicates.push(Box::new(check));
        self
    }

    pub fn build(mut self) -> Hooks {
        self.panels.sort_by_key(|p| p.order());
        self.dashboard.sort_by_key(|p| p.order());
        Hooks {
            panels: Arc::new(self.panels),
            dashboard: Arc::new(self.dashboard),
            evidence: Arc::new(self.evidence),
            questions: Arc::new(self.questions),
            duplicates: Arc::new(self.duplicates),
        }
    }
}

/// A panel with its place and id, as the page shows it.
pub struct Shown {
    pub id: &'static str,
    pub place: Place,
    pub panel: Panel,
}

impl Hooks {
    /// Every panel that has something to show. One that fails is left out and logged: a broken part
    /// must not take the page of a running incident with it.
    ///
    /// They are made side by side: give a context whose database gathers what they ask.
    pub async fn panels(&self, context: &PanelContext<'_>) -> Vec<Shown> {
        let made = join_all(self.panels.iter().map(|hook| hook.render(context))).await;
        let mut shown = Vec::new();
        for (hook, made) in self.panels.iter().zip(made) {
            match made {
                Ok(Some(panel)) => shown.push(Shown { id: hook.id(), place: hook.place(), panel }),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(panel = hook.id(), incident = %context.incident.id, %error, "panel failed")
                }
            }
        }
        shown
    }

    /// Like [`Hooks::panels`], for the dashboard.
    pub async fn dashboard(&self, db: &Db, viewer: Viewer, now: Timestamp) -> Vec<Shown> {
        let mut shown = Vec::new();
        for hook in self.dashboard.iter() {
            match hook.render(db, viewer, now).await {
                Ok(Some(panel)) => shown.push(Shown { id: hook.id(), place: Place::Main, panel }),
                Ok(None) => {}
                Err(error) => tracing::error!(panel = hook.id(), %error, "dashboard panel failed"),
            }
        }
        shown
    }

    pub fn evidence_source(&self, kind: EvidenceKind) -> Option<&dyn EvidenceSource> {
        self.evidence.iter().find(|s| s.kind() == kind).map(AsRef::as_ref)
    }

    /// Open incidents that a declaration may repeat. A check that fails is left out and logged: it must not stand in
    /// the way of declaring.
    pub async fn possible_duplicates(
        &self,
        db: &Db,
        title: &str,
        services: &[String],
        viewer: Viewer,
    ) -> Vec<PossibleDuplicate> {
        let mut all = Vec::new();
        if title.trim().is_empty() {
            return all;
        }
        for check in self.duplicates.iter() {
            match check.find(db, title, services, viewer).await {
                Ok(found) => all.extend(found),
                Err(error) => tracing::error!(%error, "looking for duplicates failed"),
            }
        }
        all
    }

    /// How far pieces are whose copies are fetched, of all kinds.
    pub async fn progress(&self, db: &Db, pieces: &[i64]) -> Result<BTreeMap<i64, Progress>> {
        let mut all = BTreeMap::new();
        for source in self.evidence.iter() {
            all.extend(source.progress(db, pieces).await?);
        }
        Ok(all)
    }

    /// All questions that stand against resolving now.
    pub async fn questions(&self, db: &Db, incident: &Incident) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for question in self.questions.iter() {
            all.extend(question.ask(db, incident).await?);
        }
        Ok(all)
    }
}
