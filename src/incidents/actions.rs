//! What a signed-in person or an API token does to an incident, for pages and API alike: hides what
//! the actor may not see, checks what was sent, acts, and writes the audit row. All of it in the
//! caller's transaction; roles were checked by the route.

use serde_json::json;

use crate::accounts::{Actor, Role as AccountRole};
use crate::audit;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::{Error, Result};

use super::hooks::{Attached, Hooks, Resolved};
use super::model::input::{
    DeclareInput, EditEntryInput, EvidenceInput, MilestoneInput, NewEvidence, NewMilestone, PatchInput, StatusInput,
    TaskInput, TimelineInput,
};
use super::model::record::{Entry, Incident, Task};
use super::model::{EvidenceKind, IncidentId, MilestoneName, Role, Source, Status};
use super::service::evidence::{Attach, NewSnapshot};
use super::service::people::Person;
use super::service::{self, By, get_visible};
use super::store::lists::Viewer;

impl From<&Actor> for By {
    fn from(actor: &Actor) -> Self {
        Self { user_id: actor.user_id, name: actor.name.clone() }
    }
}

impl From<&Actor> for Viewer {
    /// Administrators see every private incident.
    fn from(actor: &Actor) -> Self {
        Self { all: actor.can(AccountRole::Admin), user_id: actor.user_id.unwrap_or_default() }
    }
}

/// One actor acting at one moment, in one transaction.
pub struct Acting<'a> {
    pub tx: &'a Tx,
    pub actor: &'a Actor,
    pub now: Timestamp,
}

impl Acting<'_> {
    fn by(&self) -> By {
        By::from(self.actor)
    }

    async fn see(&self, id: IncidentId) -> Result<Incident> {
        get_visible(self.tx, id, self.actor.into()).await
    }

    async fn audit(&self, action: &'static str, id: IncidentId, detail: &serde_json::Value) -> Result<()> {
        audit::record(self.tx, self.now, self.actor, action, ("incident", &id.to_string()), detail).await
    }

    /// # Errors
    /// `Invalid` with every complaint.
    pub async fn declare(&self, input: &DeclareInput) -> Result<IncidentId> {
        let new = input.normalize(self.now, Source::Person).map_err(Error::Invalid)?;
        let id = service::declare::declare(self.tx, &new, &self.by(), self.now).await?;
        self.audit("incident.declare", id, &json!({ "title": new.title, "severity": new.severity })).await?;
        Ok(id)
    }

    /// # Errors
    /// `Conflict` with the question when something stands against resolving (alerts still fire) and
    /// it was not confirmed; see also [`service::status::change_status`].
    pub async fn change_status(&self, id: IncidentId, input: &StatusInput, hooks: &Hooks) -> Result<Incident> {
        let incident = self.see(id).await?;
        let change = input.normalize(self.now).map_err(Error::Invalid)?;
        let is_end = matches!(change.to, Status::Resolved | Status::Closed) && incident.status.is_open();
        if is_end && !change.confirmed {
            let questions = hooks.questions(self.tx, &incident).await?;
            if !questions.is_empty() {
                return Err(Error::Conflict(format!("{} Confirm to go on.", questions.join(" "))));
            }
        }
        let changed = service::status::change_status(self.tx, id, &change, &self.by(), self.now).await?;
        let detail = json!({ "from": incident.status, "to": changed.status, "reason": change.reason });
        self.audit("incident.status", id, &detail).await?;
        Ok(changed)
    }

    /// # Errors
    /// See [`service::details::change_details`].
    pub async fn change_details(&self, id: IncidentId, input: &PatchInput) -> Result<Incident> {
        self.see(id).await?;
        let patch = input.normalize().map_err(Error::Invalid)?;
        if patch.private.is_some() {
            self.actor.require(AccountRole::Commander)?;
        }
        let changed = service::details::change_details(self.tx, id, &patch, &self.by(), self.now).await?;
        let detail = json!({ "severity": patch.severity, "private": patch.private, "reason": patch.reason });
        self.audit("incident.change", id, &detail).await?;
        Ok(changed)
    }

    /// # Errors
    /// See [`service::milestones::set_milestone`].
    pub async fn set_milestone(&self, id: IncidentId, name: MilestoneName, input: &MilestoneInput) -> Result<()> {
        self.see(id).await?;
        let set = input.normalize(name, self.now).map_err(Error::Invalid)?;
        let new = NewMilestone { name, at: set.at, source: Source::Person, reason: set.reason };
        service::milestones::set_milestone(self.tx, id, &new, &self.by(), self.now).await?;
        self.audit("incident.milestone.set", id, &json!({ "name": name, "at": new.at, "reason": new.reason })).await
    }

    /// # Errors
    /// See [`service::milestones::clear_milestone`].
    pub async fn clear_milestone(&self, id: IncidentId, name: MilestoneName, input: &MilestoneInput) -> Result<()> {
        self.see(id).await?;
        let reason = input.normalize_clear().map_err(Error::Invalid)?;
        service::milestones::clear_milestone(self.tx, id, name, &reason, &self.by(), self.now).await?;
        self.audit("incident.milestone.clear", id, &json!({ "name": name, "reason": reason })).await
    }

    pub async fn post_entry(&self, id: IncidentId, input: &TimelineInput) -> Result<Entry> {
        self.see(id).await?;
        let new = input.normalize(self.now).map_err(Error::Invalid)?;
        let entry = service::timeline::post(self.tx, id, &new, &self.by(), self.now).await?;
        self.audit("incident.timeline.add", id, &json!({ "entry": entry.id })).await?;
        Ok(entry)
    }

    /// # Errors
    /// See [`service::timeline::edit`].
    pub async fn edit_entry(&self, id: IncidentId, entry: i64, input: &EditEntryInput) -> Result<Entry> {
        self.see(id).await?;
        let entry = service::timeline::edit(self.tx, id, entry, input, &self.by(), self.now).await?;
        self.audit("incident.timeline.edit", id, &json!({ "entry": entry.id })).await?;
        Ok(entry)
    }

    /// Strikes an entry out, or takes that back.
    pub async fn strike_entry(&self, id: IncidentId, entry: i64, strike: bool) -> Result<Entry> {
        self.see(id).await?;
        let (by, action) = (self.by(), if strike { "incident.timeline.strike" } else { "incident.timeline.restore" });
        let entry = if strike {
            service::timeline::strike(self.tx, id, entry, &by, self.now).await?
        } else {
            service::timeline::restore(self.tx, id, entry, &by, self.now).await?
        };
        self.audit(action, id, &json!({ "entry": entry.id })).await?;
        Ok(entry)
    }

    /// Attaches a thing: what its room knows of it is kept with the incident.
    ///
    /// # Errors
    /// `Invalid` when the reference names nothing.
    pub async fn add_evidence(&self, id: IncidentId, input: &EvidenceInput, hooks: &Hooks) -> Result<i64> {
        self.see(id).await?;
        let new = input.normalize(self.now).map_err(Error::Invalid)?;
        let (kind, pasted) = (new.kind, new.reference.clone());
        let attach = self.resolve(new, hooks).await?;
        let evidence = service::evidence::add_evidence(self.tx, id, &attach, &self.by(), self.now).await?;
        if let Some(source) = hooks.evidence_source(kind) {
            let is_kept = service::evidence::snapshot(self.tx, evidence).await?.is_some();
            let reference = &attach.reference;
            let by = &self.actor.name;
            let piece = Attached { incident: id, evidence_id: evidence, reference, pasted: &pasted, is_kept, by };
            source.attached(self.tx, &piece, self.now).await?;
        }
        self.audit("incident.evidence.add", id, &json!({ "evidence": evidence, "kind": attach.kind })).await?;
        Ok(evidence)
    }

    async fn resolve(&self, new: NewEvidence, hooks: &Hooks) -> Result<Attach> {
        let resolved = match (new.kind, hooks.evidence_source(new.kind)) {
            (_, Some(source)) => source.resolve(self.tx, &new.reference).await?,
            (EvidenceKind::Log, None) => excerpt(&new, self.now),
            (_, None) => Resolved {
                title: new.reference.clone(),
                reference: new.reference.clone(),
                url: new.url.clone(),
                topic: String::new(),
                occurred_at: None,
                snapshot: None,
            },
        };
        Ok(Attach {
            kind: new.kind,
            title: if new.title.is_empty() { resolved.title } else { new.title },
            note: new.note,
            reference: resolved.reference,
            url: if resolved.url.is_empty() { new.url } else { resolved.url },
            topic: resolved.topic,
            occurred_at: new.occurred_at.or(resolved.occurred_at),
            snapshot: resolved.snapshot,
        })
    }

    pub async fn remove_evidence(&self, id: IncidentId, evidence: i64) -> Result<()> {
        self.see(id).await?;
        service::evidence::remove(self.tx, id, evidence, &self.by(), self.now).await?;
        self.audit("incident.evidence.remove", id, &json!({ "evidence": evidence })).await
    }

    pub async fn add_task(&self, id: IncidentId, input: &TaskInput) -> Result<Task> {
        self.see(id).await?;
        let new = input.normalize(self.now).map_err(Error::Invalid)?;
        let owner = self.owner(&new.owner).await?;
        let task = service::tasks::add(self.tx, id, &new, owner, &self.by(), self.now).await?;
        self.audit("incident.task.add", id, &json!({ "task": task.id })).await?;
        Ok(task)
    }

    /// What is left out of the input stays.
    pub async fn edit_task(&self, id: IncidentId, task: i64, input: &TaskPatch) -> Result<Task> {
        self.see(id).await?;
        let standing = service::tasks::get(self.tx, id, task).await?;
        if input.version.is_some_and(|read| read != standing.version) {
            return Err(Error::Conflict("somebody else changed this task meanwhile".to_owned()));
        }
        let new = input.over(&standing).normalize(self.now).map_err(Error::Invalid)?;
        let owner = self.owner(&new.owner).await?;
        let changed = service::tasks::edit(self.tx, id, &standing, &new, owner, &self.by(), self.now).await?;
        self.audit("incident.task.change", id, &json!({ "task": task, "state": changed.state })).await?;
        Ok(changed)
    }

    async fn owner(&self, email: &str) -> Result<Option<i64>> {
        if email.is_empty() {
            return Ok(None);
        }
        Ok(Some(service::people::person(self.tx, "owner", email).await?.user_id))
    }

    /// An empty address takes the role from its holder; `me` gives it to the actor.
    pub async fn assign_role(&self, id: IncidentId, role: Role, email: &str) -> Result<()> {
        self.see(id).await?;
        let person = match email.trim() {
            "" => None,
            "me" => Some(self.myself()?),
            email => Some(service::people::person(self.tx, "email", email).await?),
        };
        service::people::assign_role(self.tx, id, role, person.as_ref(), &self.by(), self.now).await?;
        self.audit("incident.role", id, &json!({ "role": role, "to": person.map(|p| p.name) })).await
    }

    fn myself(&self) -> Result<Person> {
        let user_id = self.actor.user_id.ok_or_else(|| Error::invalid("email", "a token cannot hold a role"))?;
        Ok(Person { user_id, name: self.actor.name.clone() })
    }

    /// Lets a person see a private incident, or not any more.
    pub async fn change_access(&self, id: IncidentId, email: &str, allow: bool) -> Result<()> {
        self.see(id).await?;
        let person = service::people::person(self.tx, "email", email).await?;
        if allow {
            service::people::grant_access(self.tx, id, &person, &self.by(), self.now).await?;
        } else {
            service::people::revoke_access(self.tx, id, &person, &self.by(), self.now).await?;
        }
        self.audit("incident.access", id, &json!({ "person": person.name, "allow": allow })).await
    }

    /// # Errors
    /// See [`service::merge::merge`]; `Invalid` (field `into`) for an incident that is not to be seen.
    pub async fn merge(&self, id: IncidentId, into: &str, reason: &str) -> Result<IncidentId> {
        self.see(id).await?;
        let unknown = || Error::invalid("into", format!("'{}' is not an incident", into.trim()));
        let target = IncidentId::parse(into).ok_or_else(unknown)?;
        match self.see(target).await {
            Ok(_) => {}
            Err(Error::NotFound(_)) => return Err(unknown()),
            Err(other) => return Err(other),
        }
        service::merge::merge(self.tx, id, target, reason, &self.by(), self.now).await?;
        self.audit("incident.merge", id, &json!({ "into": target, "reason": reason })).await?;
        Ok(target)
    }

    pub async fn unmerge(&self, id: IncidentId, reason: &str) -> Result<Incident> {
        self.see(id).await?;
        let incident = service::merge::unmerge(self.tx, id, reason, &self.by(), self.now).await?;
        self.audit("incident.unmerge", id, &json!({ "reason": reason })).await?;
        Ok(incident)
    }
}

/// `PATCH …/tasks/{id}` and the buttons of a task: what is left out stays.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct TaskPatch {
    pub title: Option<String>,
    pub kind: Option<String>,
    pub owner: Option<String>,
    pub due_at: Option<String>,
    pub state: Option<String>,
    pub version: Option<i64>,
}

impl TaskPatch {
    fn over(&self, standing: &Task) -> TaskInput {
        let stands = |typed: &Option<String>, value: String| typed.clone().unwrap_or(value);
        TaskInput {
            title: stands(&self.title, standing.title.clone()),
            kind: stands(&self.kind, standing.kind.as_str().to_owned()),
            owner: stands(&self.owner, standing.owner_email.clone().unwrap_or_default()),
            due_at: stands(&self.due_at, standing.due_at.map(Timestamp::to_rfc3339).unwrap_or_default()),
            state: stands(&self.state, standing.state.as_str().to_owned()),
        }
    }
}

/// A pasted excerpt is its own snapshot; its first line names it.
fn excerpt(new: &NewEvidence, now: Timestamp) -> Resolved {
    let first: String = new.text.lines().next().unwrap_or_default().chars().take(120).collect();
    Resolved {
        title: if first.is_empty() { "Log excerpt".to_owned() } else { first },
        // Two excerpts are never one piece of evidence, unless they are pasted at the same moment.
        reference: format!("excerpt:{}", now.as_micros()),
        url: new.url.clone(),
        topic: String::new(),
        occurred_at: new.occurred_at,
        snapshot: Some(NewSnapshot {
            media_type: "text/plain; charset=utf-8".to_owned(),
            body: new.text.clone().into_bytes(),
        }),
    }
}
