//! An incident that opens by itself: what it is called, when it began, who is told.

use super::{checks, evidence_of};
use crate::alerts::grouping::{Group, Rule, Target};
use crate::alerts::model::AlertSeverity;
use crate::alerts::store::Alert;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::incidents::{
    self, Append, By, DeclareInput, EntryKind, IncidentId, MilestoneName, Source, Status, add_evidence, append_timeline,
};
use crate::notifications::{self, Event, EventKind};

/// Of a storm, so many alerts are kept whole as evidence; the rest are listed with the incident.
const KEPT_AS_EVIDENCE: usize = 5;

/// Opens an incident for a group. Impact and detection are the start of its first alert.
pub(super) async fn open(
    tx: &Tx,
    group: &Group,
    rule: &Rule,
    new: &[&Alert],
    earlier: Option<IncidentId>,
    by: &By,
    now: Timestamp,
) -> Result<IncidentId> {
    let first = new.first().ok_or_else(|| Error::Internal("a group without alerts became an incident".to_owned()))?;
    let severity = match rule.target {
        Target::Open(Some(n)) => n,
        _ => group.worst.unwrap_or(AlertSeverity::Warning).sev_number(),
    };
    let start = group.first_at.min(now).to_rfc3339();
    let input = DeclareInput {
        title: first.title.chars().take(crate::fields::MAX_TITLE).collect(),
        severity: format!("SEV{severity}"),
        services: group.services.iter().take(20).cloned().collect(),
        summary: first.description.chars().take(2_000).collect(),
        status: Status::Triage.as_str().to_owned(),
        impact_started_at: start.clone(),
        detected_at: start,
        ..DeclareInput::default()
    };
    let mut declare = input.normalize(now, Source::Alert).map_err(Error::Invalid)?;
    let change = checks::change_before(tx, first).await?;
    // Nobody typed the time of the declaration either.
    for milestone in &mut declare.milestones {
        milestone.source = Source::Alert;
        if milestone.name == MilestoneName::Detected {
            milestone.reason = checks::detected_by(first, change.as_ref());
        }
    }
    let incident = incidents::declare(tx, &declare, by, now).await?;
    for alert in new.iter().take(KEPT_AS_EVIDENCE) {
        add_evidence(tx, incident, &evidence_of(alert), by, now).await?;
    }
    let text = match group.members {
        1 => format!("Opened by {}: {}", by.name, first.title),
        n => format!("Opened by {} with {n} alerts, the first: {}", by.name, first.title),
    };
    let entry = Append::activity(EntryKind::Alert, text, now).linked(format!("/alerts?incident={incident}"));
    append_timeline(tx, incident, &entry, by, now).await?;
    if let Some(change) = &change {
        checks::attach_change(tx, incident, change, by, now).await?;
    }
    call_roles(tx, incident, rule, now).await?;
    for slug in &rule.runbooks {
        let entry = Append::activity(EntryKind::Runbook, format!("Runbook for this kind of alert: {slug}"), now);
        append_timeline(tx, incident, &entry.linked(format!("/runbooks/{slug}")), by, now).await?;
    }
    if let Some(earlier) = earlier {
        link(tx, incident, earlier, by, now).await?;
    }
    Ok(incident)
}

/// Names each of two incidents on the other's timeline.
async fn link(tx: &Tx, later: IncidentId, earlier: IncidentId, by: &By, now: Timestamp) -> Result<()> {
    for (on, other, text) in [
        (later, earlier, format!("Follows {earlier}, resolved within the last day, on the same service")),
        (earlier, later, format!("Alerts came again after the resolution: {later}")),
    ] {
        let entry = Append::activity(EntryKind::Link, text, now).linked(format!("/incidents/{other}"));
        append_timeline(tx, on, &entry, by, now).await?;
    }
    Ok(())
}

/// Channels whose rules name one of the roles are told that it is wanted.
async fn call_roles(tx: &Tx, id: IncidentId, rule: &Rule, now: Timestamp) -> Result<()> {
    if rule.notify.is_empty() {
        return Ok(());
    }
    let everyone = incidents::Viewer { all: true, user_id: 0 };
    let incident = incidents::get_visible(tx, id, everyone).await?;
    let services = incidents::services(tx, id).await?.into_iter().map(|s| s.slug).collect();
    let event = Event {
        severity: Some(incident.severity.as_str().to_owned()),
        status: Some(incident.status.as_str().to_owned()),
        services,
        roles: rule.notify.clone(),
        text: Some(format!("Rule '{}' calls {}.", rule.name, rule.notify.join(", "))),
        private: incident.private,
        once_key: Some(format!("called:{id}")),
        ..Event::new(EventKind::IncidentCalled, id.to_string(), &incident.title, now)
    };
    notifications::queue(tx, event).await
}
