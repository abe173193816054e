//! What people say of suspects: one click on the incident's page, or on the change's own.

use crate::accounts::{Actor, Role};
use crate::audit;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::deployments::{self, Deployment, evidence};
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::{self, Append, Attach, By, EntryKind, EvidenceKind, Incident, IncidentId, Viewer};

use super::count;
use crate::suspects::model::SuspectKind;
use crate::suspects::store::{self, AboutRow};
use crate::suspects::verdict::{Given, Subject, Verdict};

/// What was sent with a verdict.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct VerdictInput {
    pub kind: String,
    pub service: String,
    pub operation: String,
    pub version: String,
    /// A deployment's number.
    pub deployment: String,
    pub verdict: String,
}

impl VerdictInput {
    /// # Errors
    /// `Invalid` with every field that is wrong.
    pub fn normalize(&self) -> Result<(Subject, Verdict)> {
        let mut errors = FieldErrors::default();
        let kind = SuspectKind::parse(&self.kind);
        if kind.is_none() {
            errors.add("kind", "is service, operation or deployment");
        }
        let verdict = Verdict::parse(&self.verdict);
        if verdict.is_none() {
            errors.add("verdict", "is caused, fixed or not_it");
        }
        let service = self.service.trim();
        if service.is_empty() || service.chars().count() > 200 {
            errors.add("service", "is needed, with at most 200 characters");
        }
        if self.operation.chars().count() > 500 || self.version.chars().count() > 200 {
            errors.add("operation", "is too long");
        }
        let deployment_id = match self.deployment.trim() {
            "" => None,
            text => text.parse().ok().filter(|n: &i64| *n > 0).or_else(|| {
                errors.add("deployment", "is a deployment's number");
                None
            }),
        };
        match (kind, verdict) {
            (Some(kind), Some(verdict)) if errors.is_empty() => Ok((
                Subject {
                    kind,
                    service: service.to_owned(),
                    operation: self.operation.trim().to_owned(),
                    version: self.version.trim().to_owned(),
                    deployment_id,
                },
                verdict,
            )),
            _ => Err(Error::Invalid(errors)),
        }
    }
}

/// Somebody says what a suspect has to do with the incident: kept, and told on the timeline.
///
/// # Errors
/// `Forbidden` under the role of a responder.
pub async fn give_verdict(
    db: &Db,
    incident: &Incident,
    (subject, verdict): (Subject, Verdict),
    actor: &Actor,
    now: Timestamp,
) -> Result<()> {
    actor.require(Role::Responder)?;
    let kept = store::find(db, incident.id).await?;
    let ranking = kept.map(|k| k.ranking).unwrap_or_default();
    let place = ranking.services().position(|s| s.service == subject.service);
    let score = ranking.services().find(|s| s.service == subject.service).map_or(0.0, |s| s.score);
    let title = subject.title();
    let given = Given {
        subject,
        verdict,
        service_rank: place.map(|p| count(p + 1)),
        score,
        by_user_id: actor.user_id,
        by_name: actor.name.clone(),
        at: now,
    };
    let tx = db.begin().await?;
    store::give(&tx, incident.id, &given).await?;
    let text = match verdict {
        Verdict::NotIt => format!("Ruled out as the cause: {title}"),
        other => format!("Confirmed: {} {title}", other.label().to_lowercase()),
    };
    let link = given
        .subject
        .deployment_id
        .map_or_else(|| format!("{}/suspects", incident.path()), |id| format!("/deployments/{id}"));
    let entry = match verdict {
        Verdict::NotIt => Append::activity(EntryKind::Suspect, text, now),
        Verdict::Caused | Verdict::Fixed => Append::story(EntryKind::Suspect, text, now),
    };
    let by = By { user_id: actor.user_id, name: actor.name.clone() };
    incidents::append_timeline(&tx, incident.id, &entry.linked(link), &by, now).await?;
    if let (Verdict::Caused | Verdict::Fixed, Some(id)) = (verdict, given.subject.deployment_id) {
        attach(&tx, incident.id, id, &by, now).await?;
    }
    let detail = serde_json::json!({ "suspect": title, "verdict": verdict });
    audit::record(&tx, now, actor, "suspect.verdict", ("incident", &incident.id.to_string()), &detail).await?;
    tx.commit().await
}

/// The change that was confirmed stays with the incident, whole. One that is gone meanwhile is not attached.
async fn attach(tx: &Tx, incident: IncidentId, id: i64, by: &By, now: Timestamp) -> Result<()> {
    let Some(change) = deployments::find(tx, id).await? else { return Ok(()) };
    let what = evidence::resolved(&change)?;
    let attach = Attach {
        kind: EvidenceKind::Deployment,
        title: what.title,
        note: String::new(),
        reference: what.reference,
        url: what.url,
        topic: what.topic,
        occurred_at: what.occurred_at,
        snapshot: what.snapshot,
    };
    incidents::add_evidence(tx, incident, &attach, by, now).await.map(drop)
}

/// What a change has to do with an incident.
#[derive(Clone, Debug)]
pub struct About {
    pub incident: IncidentId,
    pub title: String,
    /// `None` while it is only attached.
    pub verdict: Option<Verdict>,
    pub by_name: String,
}

/// The incidents that a change is attached to or spoken of in, as far as the viewer may see them, newest first.
pub async fn about_change(db: &Db, change: &Deployment, viewer: Viewer) -> Result<Vec<About>> {
    let rows = store::about_change(db, change.id, viewer).await?;
    let about = |r: AboutRow| About {
        incident: IncidentId(r.id),
        title: r.title,
        verdict: r.verdict.as_deref().and_then(Verdict::parse),
        by_name: r.by_name.unwrap_or_default(),
    };
    Ok(rows.into_iter().map(about).collect())
}

/// Somebody says on a change's page what it has to do with an incident.
///
/// # Errors
/// `Invalid` by field for an incident that the actor does not see and for unknown words.
pub async fn say_of_change(
    db: &Db,
    change: &Deployment,
    incident: &str,
    verdict: &str,
    actor: &Actor,
    now: Timestamp,
) -> Result<IncidentId> {
    actor.require(Role::Responder)?;
    let unknown = || Error::invalid("incident", format!("there is no incident '{}'", incident.trim()));
    let id = IncidentId::parse(incident).ok_or_else(unknown)?;
    let verdict = Verdict::parse(verdict).ok_or_else(|| Error::invalid("verdict", "is caused, fixed or not_it"))?;
    let found = incidents::get_visible(db, id, deployments::viewer_of(actor)).await.map_err(|e| match e {
        Error::NotFound(_) => unknown(),
        other => other,
    })?;
    let subject = Subject {
        kind: SuspectKind::Deployment,
        service: change.service.clone(),
        operation: String::new(),
        version: change.version.clone(),
        deployment_id: Some(change.id),
    };
    give_verdict(db, &found, (subject, verdict), actor, now).await?;
    Ok(id)
}
