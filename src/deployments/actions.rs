//! What people and programs with a role do with changes, in the caller's transaction: rights checked,
//! written down in the audit log.

use serde_json::json;

use super::evidence::resolved;
use super::input::DeploymentInput;
use super::service::{self, Recorded};
use crate::accounts::{Actor, Role};
use crate::audit;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::incidents::{self, Attach, By, EvidenceKind, IncidentId, Viewer};

/// Reports a change by hand or by API.
///
/// # Errors
/// `Forbidden`; `Invalid` by field.
pub async fn report(tx: &Tx, actor: &Actor, input: &DeploymentInput, now: Timestamp) -> Result<Recorded> {
    actor.require(Role::Responder)?;
    let event = input.normalize(now).map_err(Error::Invalid)?;
    let recorded = service::record(tx, &event, now).await?;
    let detail = json!({ "service": event.service, "version": event.version, "status": event.status });
    audit::record(tx, now, actor, "deployment.report", ("deployment", &recorded.id.to_string()), &detail).await?;
    Ok(recorded)
}

/// Attaches a change to an incident as evidence.
///
/// # Errors
/// `Forbidden`; `NotFound` for an unknown change; `Invalid` (field `incident`) for an incident that the
/// actor does not see.
pub async fn attach(tx: &Tx, actor: &Actor, id: i64, incident: &str, now: Timestamp) -> Result<IncidentId> {
    actor.require(Role::Responder)?;
    let change = service::get(tx, id).await?;
    let unknown = || Error::invalid("incident", format!("there is no incident '{}'", incident.trim()));
    let incident_id = IncidentId::parse(incident).ok_or_else(unknown)?;
    incidents::get_visible(tx, incident_id, viewer_of(actor)).await.map_err(|e| match e {
        Error::NotFound(_) => unknown(),
        other => other,
    })?;
    let what = resolved(&change)?;
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
    let by = By { user_id: actor.user_id, name: actor.name.clone() };
    incidents::add_evidence(tx, incident_id, &attach, &by, now).await?;
    let detail = json!({ "deployment": id });
    audit::record(tx, now, actor, "evidence.add", ("incident", &incident_id.to_string()), &detail).await?;
    Ok(incident_id)
}

/// Which private incidents an actor sees: administrators all, others those that name them.
pub fn viewer_of(actor: &Actor) -> Viewer {
    Viewer { all: actor.can(Role::Admin), user_id: actor.user_id.unwrap_or_default() }
}
