//! Collects the record of an incident from the rooms that hold its parts.

use crate::alerts;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::incidents::model::record::{Evidence, Incident, Task};
use crate::incidents::model::{MilestoneName, Role, TaskKind, TaskState};
use crate::incidents::{self, EvidenceKind};
use crate::runbooks::service::runs;
use crate::suspects;

use super::super::model::record::{
    AlertFact, ChangeFact, EvidenceFact, FollowUp, Record, RecordedTime, StepFact, StoryEntry, SuspectFact, Verdict,
};
use super::evidence as shown;

/// Bounds on what a draft is made from.
const MAX_STORY: i64 = 1_000;
const MAX_EVIDENCE: i64 = 500;
const MAX_TASKS: i64 = 500;
const MAX_ALERTS: i64 = 200;
const MAX_CHANGES: usize = 50;

/// What is known of the incident now.
pub async fn record(db: &Db, incident: &Incident, now: Timestamp) -> Result<Record> {
    let id = incident.id;
    let evidence = incidents::evidence::page(db, id, 0, MAX_EVIDENCE).await?;
    let times = incidents::milestones(db, id).await?;
    let roles = incidents::roles(db, id).await?;
    let services: Vec<String> = incidents::services(db, id).await?.into_iter().map(|s| s.slug).collect();
    let detected = times.iter().find(|m| m.name == MilestoneName::Detected).and_then(|m| m.at);
    Ok(Record {
        incident: id,
        title: incident.title.clone(),
        severity: incident.severity,
        kind: incident.kind,
        summary: incident.summary.clone(),
        traces: shown::traces(db, &evidence).await?,
        comparisons: shown::comparisons(db, incident, now).await?,
        unheeded: shown::unheeded(db, incident, &services, detected, now).await?,
        services,
        commander: roles.into_iter().find(|r| r.role == Role::Commander).map(|r| r.name),
        times: times
            .into_iter()
            .filter_map(|m| {
                Some(RecordedTime { name: m.name, at: m.at?, source: m.source, corrected: m.at != Some(m.raw_at) })
            })
            .collect(),
        alerts: alert_facts(db, incident, &evidence).await?,
        changes: changes(db, &evidence).await?,
        suspects: suspect_facts(db, incident).await?,
        story: story(db, incident).await?,
        steps: steps(db, incident).await?,
        follow_ups: follow_ups(db, incident).await?,
        evidence: evidence.iter().map(fact).collect(),
    })
}

/// What people said about suspects; and the clear suspects of the ranking on which nobody has said anything yet.
async fn suspect_facts(db: &Db, incident: &Incident) -> Result<Vec<SuspectFact>> {
    let ranking = suspects::find(db, incident.id).await?.map(|kept| kept.ranking).unwrap_or_default();
    let reasons = |s: &suspects::model::Suspect| s.reasons.iter().map(|r| r.text.clone()).collect::<Vec<_>>();
    let given = suspects::verdicts(db, incident.id).await?;
    let mut facts: Vec<SuspectFact> = given
        .iter()
        .map(|g| SuspectFact {
            kind: g.subject.kind.name().to_owned(),
            name: g.subject.name(),
            reasons: ranking.suspects.iter().find(|s| g.subject.is_about(s)).map(reasons).unwrap_or_default(),
            verdict: match g.verdict {
                suspects::verdict::Verdict::Caused => Verdict::Confirmed,
                suspects::verdict::Verdict::Fixed => Verdict::FixedBy,
                suspects::verdict::Verdict::NotIt => Verdict::Rejected,
            },
        })
        .collect();
    let open = ranking.suspects.iter().filter(|s| s.score >= suspects::ranking::CLEAR);
    let open = open.filter(|s| !given.iter().any(|g| g.subject.is_about(s)));
    facts.extend(open.map(|s| SuspectFact {
        kind: s.kind.name().to_owned(),
        name: s.title(),
        reasons: reasons(s),
        verdict: Verdict::Open,
    }));
    Ok(facts)
}

async fn story(db: &Db, incident: &Incident) -> Result<Vec<StoryEntry>> {
    let entries = incidents::timeline::story(db, incident.id, MAX_STORY).await?;
    Ok(entries.into_iter().map(|e| StoryEntry { at: e.occurred_at, text: e.text, kind: e.kind }).collect())
}

async fn steps(db: &Db, incident: &Incident) -> Result<Vec<StepFact>> {
    let mut facts = Vec::new();
    for view in runs::views_of_incident(db, incident.id).await? {
        // What stands counts; a step that was reopened and done again is told once.
        let standing = view
            .progress
            .steps
            .iter()
            .zip(&view.steps)
            .filter_map(|(place, step)| Some((view.records.get(place.record?)?, step)));
        facts.extend(standing.map(|(record, step)| StepFact {
            runbook: view.run.runbook_title.clone(),
            runbook_slug: view.run.runbook_slug.clone(),
            step: step.title.clone(),
            outcome: record.outcome.as_str().to_owned(),
            at: record.at,
            note: record.note.clone(),
        }));
    }
    facts.sort_by_key(|f| f.at);
    Ok(facts)
}

/// The action items: the incident's tasks for afterwards.
pub async fn follow_ups(db: &Db, incident: &Incident) -> Result<Vec<FollowUp>> {
    let tasks = action_items(db, incident).await?;
    Ok(tasks
        .into_iter()
        .filter(|t| t.state != TaskState::Cancelled)
        .map(|t| FollowUp {
            title: t.title,
            owner: t.owner,
            due: t.due_at.map(|at| at.to_datetime().date_naive()),
            is_done: t.state == TaskState::Done,
        })
        .collect())
}

async fn action_items(db: &Db, incident: &Incident) -> Result<Vec<Task>> {
    let tasks = incidents::tasks::page(db, incident.id, 0, MAX_TASKS).await?;
    Ok(tasks.into_iter().filter(|t| t.kind == TaskKind::FollowUp).collect())
}

/// Alerts that belong to the incident; those that were only attached as evidence stand in for them.
async fn alert_facts(db: &Db, incident: &Incident, evidence: &[Evidence]) -> Result<Vec<AlertFact>> {
    let filter = alerts::store::Filter { incident: Some(incident.id.0), ..alerts::store::Filter::default() };
    let found = alerts::store::list(db, &filter, MAX_ALERTS).await?;
    if found.is_empty() {
        return Ok(evidence.iter().filter_map(attached_alert).collect());
    }
    Ok(found
        .into_iter()
        .map(|a| AlertFact {
            title: a.title,
            service: Some(a.service).filter(|s| !s.is_empty()),
            source: a.source,
            first_seen: a.state.first_seen.max(a.state.started_at),
            last_seen: a.state.last_seen,
            count: a.signal_count,
        })
        .collect())
}

fn attached_alert(e: &Evidence) -> Option<AlertFact> {
    let at = e.occurred_at.unwrap_or(e.added_at);
    (e.kind == EvidenceKind::Alert).then(|| AlertFact {
        title: e.title.clone(),
        service: Some(e.topic.clone()).filter(|t| !t.is_empty()),
        source: "attached".to_owned(),
        first_seen: at,
        last_seen: at,
        count: 1,
    })
}

/// Attached changes, as they were when they were attached.
async fn changes(db: &Db, evidence: &[Evidence]) -> Result<Vec<ChangeFact>> {
    let mut facts = Vec::new();
    for e in evidence.iter().filter(|e| e.kind == EvidenceKind::Deployment).take(MAX_CHANGES) {
        let kept = incidents::evidence::snapshot(db, e.id).await?;
        let body = kept.and_then(|k| serde_json::from_slice::<serde_json::Value>(&k.body).ok()).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        let or = |value: String, other: &str| if value.is_empty() { other.to_owned() } else { value };
        facts.push(ChangeFact {
            service: or(text("service"), &e.topic),
            version: or(text("version"), &e.title),
            environment: or(text("environment"), "an unknown environment"),
            kind: or(text("kind"), "deployment"),
            at: e.occurred_at.unwrap_or(e.added_at),
            link: e.url.clone(),
        });
    }
    Ok(facts)
}

fn fact(e: &Evidence) -> EvidenceFact {
    EvidenceFact { kind: e.kind.label().to_owned(), title: e.title.clone(), link: e.url.clone() }
}
