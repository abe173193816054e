//! Checks that play a user: a failure after a deployment says so as the source of the detection, and a pass
//! after the mitigation is evidence of the recovery.

use chrono::TimeDelta;

use super::evidence_of;
use crate::alerts::model::Origin;
use crate::alerts::store::Alert;
use crate::clock::{Timestamp, human_duration};
use crate::db::{Db, Tx};
use crate::deployments::{self, Deployment, evidence};
use crate::error::Result;
use crate::incidents::{
    self, Append, Attach, By, EntryKind, EvidenceKind, IncidentId, MilestoneName, NewMilestone, NewSnapshot, Source,
    Viewer, add_evidence, append_timeline, offer_milestone,
};
use crate::services;

/// A check that fails this long after a change of its service is told as failing after it.
const SOON_AFTER: TimeDelta = TimeDelta::hours(1);
/// A change that the check names may be older.
const NAMED_WITHIN: TimeDelta = TimeDelta::days(7);

fn is_check(alert: &Alert) -> bool {
    alert.origin == Origin::Check.as_str()
}

/// The change that a failing check ran against: the one it names, else the last of its service within the hour.
pub(super) async fn change_before(db: &Db, alert: &Alert) -> Result<Option<Deployment>> {
    if !is_check(alert) || alert.service.is_empty() {
        return Ok(None);
    }
    let Some(service) = services::find_id(db, &alert.service).await? else { return Ok(None) };
    let start = alert.state.started_at;
    let filter = deployments::Filter {
        services: vec![service],
        environment: Some(alert.environment.to_lowercase()).filter(|e| !e.is_empty()),
        from: Some(start - NAMED_WITHIN),
        to: Some(start),
        ..deployments::Filter::default()
    };
    let changes = deployments::page(db, &filter, 50).await?;
    let named = alert.deployment.as_str();
    let is_named = |d: &&Deployment| {
        !named.is_empty()
            && (d.version == named
                || d.external_id == named
                || d.id.to_string() == named
                || (named.len() >= 7 && d.commit.starts_with(named)))
    };
    let found = changes.iter().find(is_named).or_else(|| changes.first().filter(|d| start - d.at <= SOON_AFTER));
    Ok(found.cloned())
}

/// Why the incident counts as detected, in words: the alert's source, and for a check what it is and what it followed.
pub(super) fn detected_by(alert: &Alert, change: Option<&Deployment>) -> String {
    if !is_check(alert) {
        return format!("start of the alert \"{}\" at {}", alert.title, alert.source);
    }
    match change {
        Some(change) => {
            let apart = human_duration(alert.state.started_at - change.at);
            format!("the check \"{}\" failed {apart} after the deployment of {}", alert.rule, change.headline())
        }
        None => format!("the check \"{}\" failed", alert.rule),
    }
}

/// Keeps the change with the incident.
pub(super) async fn attach_change(
    tx: &Tx,
    incident: IncidentId,
    change: &Deployment,
    by: &By,
    now: Timestamp,
) -> Result<()> {
    let what = evidence::resolved(change)?;
    let attach = Attach {
        kind: EvidenceKind::Deployment,
        title: what.title,
        note: "A check failed after it.".to_owned(),
        reference: what.reference,
        url: what.url,
        topic: what.topic,
        occurred_at: what.occurred_at,
        snapshot: what.snapshot,
    };
    add_evidence(tx, incident, &attach, by, now).await.map(drop)
}

/// A check of an open incident passes. After the mitigation that is evidence of the recovery, and the impact is taken
/// to have ended then unless somebody said otherwise.
pub async fn passed(tx: &Tx, alert: &Alert, now: Timestamp) -> Result<()> {
    let (true, Some(id), Some(at)) = (is_check(alert), alert.incident_id.map(IncidentId), alert.state.ended_at) else {
        return Ok(());
    };
    let incident = incidents::get_visible(tx, id, Viewer { all: true, user_id: 0 }).await?;
    let mitigated = incidents::times(tx, id).await?.get(MilestoneName::Mitigated);
    if !incident.status.is_open() || mitigated.is_none_or(|t| at < t) {
        return Ok(());
    }
    let by = By::system("Faultline");
    let text = format!("The check \"{}\" passes again, after the mitigation", alert.rule);
    let entry = Append::story(EntryKind::Alert, &text, at)
        .linked(format!("/alerts/{}", alert.id))
        .keyed(format!("passed:{}:{}", alert.id, alert.episode_count));
    append_timeline(tx, id, &entry, &by, now).await?;
    let attach = Attach {
        title: format!("Passed: {}", alert.rule),
        note: "Evidence of the recovery.".to_owned(),
        reference: format!("{}-passed-{}", alert.id, alert.episode_count),
        occurred_at: Some(at),
        snapshot: Some(NewSnapshot::json(&crate::alerts::view::json(alert, None))),
        ..evidence_of(alert)
    };
    add_evidence(tx, id, &attach, &by, now).await?;
    let milestone = NewMilestone { name: MilestoneName::ImpactEnded, at, source: Source::Alert, reason: text };
    offer_milestone(tx, id, &milestone, &by, now).await.map(drop)
}
