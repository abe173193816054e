//! Collecting a whole incident from the tables of all rooms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::document::{
    Body, Call, Entry, EntryVersion, Evidence, Kept, Milestone, OwnedTask, Piece, Postmortem, Report, ReviewCheck, Run,
    RunOfBook, Section, SectionVersion, StepRecord, Tag, Task, TimelineEntry, Verdict, Whole,
};
use super::links::{Parts, outward};
use super::record::{all_of, below, ids_of};
use super::store;
use crate::alerts;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::incidents::{self, Incident};

/// Kept evidence that one export holds, in bytes before it is written as JSON.
pub const MAX_EVIDENCE: i64 = 64 * 1024 * 1024;
/// Alerts of the incident that are written beside those that are attached to it.
const MAX_ALERTS: i64 = 1_000;

/// Everything that belongs to the incident. The caller has checked that who asks may see it.
///
/// A postmortem for responders only is left out unless they ask.
///
/// # Errors
/// `Conflict` when it is larger than an export may be.
pub async fn whole(db: &Db, incident: &Incident, for_responder: bool, base: &str) -> Result<Whole> {
    let id = incident.id.0;
    let size = store::kept_bytes(db, id).await?;
    if size > MAX_EVIDENCE {
        let message = format!(
            "its kept evidence is {} MB; an export holds {} MB. Remove what does not matter from the evidence first",
            size / 1_048_576,
            MAX_EVIDENCE / 1_048_576
        );
        return Err(Error::Conflict(message));
    }
    let parts = Parts {
        evidence: ids_of::<Evidence>(db, id).await?,
        runs: ids_of::<Run>(db, id).await?,
        timeline: ids_of::<Entry>(db, id).await?,
    };
    let from = Source { own: incident.path(), base, parts };
    let origin = store::origin(db, id).await?;
    let links = origin.as_ref().map(store::Origin::links).transpose()?.unwrap_or_default();
    Ok(Whole {
        external_id: external_id(db, incident.id, base).await?,
        head: store::head(db, id).await?,
        merged_into: linked(db, incident.merged_into, base).await?.or(links.merged_into),
        parent: linked(db, incident.parent, base).await?.or(links.parent),
        services: store::services(db, id).await?,
        milestones: sorted(all_of::<Milestone>(db, id).await?, |m| m.name.clone()),
        milestone_history: all_of(db, id).await?,
        status_changes: all_of(db, id).await?,
        roles: store::roles(db, id).await?,
        access: store::access(db, id).await?,
        timeline: timeline(db, id, &from).await?,
        evidence: evidence(db, id, &from).await?,
        tasks: tasks(db, id).await?,
        runs: runs(db, id, &from).await?,
        suspects: store::ranking(db, id).await?,
        verdicts: all_of::<Verdict>(db, id).await?.into_iter().map(rounded).collect(),
        postmortem: postmortem(db, id).await?.filter(|p| for_responder || p.head.audience != "private"),
        impacts: all_of(db, id).await?,
        classes: all_of(db, id).await?,
        duties: all_of(db, id).await?,
    })
}

/// Where addresses of the incident are read from.
struct Source<'a> {
    own: String,
    base: &'a str,
    parts: Parts,
}

impl Source<'_> {
    fn link(&self, link: &str) -> String {
        outward(link, &self.own, self.base, &self.parts)
    }
}

fn sorted<T, K: Ord>(mut rows: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    rows.sort_by_key(key);
    rows
}

/// The key that it was imported under, else its address here.
pub async fn external_id(db: &Db, id: incidents::IncidentId, base: &str) -> Result<String> {
    Ok(store::origin(db, id.0).await?.map_or_else(|| own_address(id, base), |o| o.external_id))
}

/// What an incident that was born here is called elsewhere.
pub fn own_address(id: incidents::IncidentId, base: &str) -> String {
    format!("{}/incidents/{id}", base.trim_end_matches('/'))
}

async fn linked(db: &Db, to: Option<incidents::IncidentId>, base: &str) -> Result<Option<String>> {
    match to {
        Some(id) => external_id(db, id, base).await.map(Some),
        None => Ok(None),
    }
}

async fn timeline(db: &Db, id: i64, from: &Source<'_>) -> Result<Vec<TimelineEntry>> {
    let mut versions = below::<EntryVersion, Entry>(db, id).await?;
    let entries = all_of::<Entry>(db, id).await?;
    Ok(entries
        .into_iter()
        .zip(&from.parts.timeline)
        .map(|(entry, row)| TimelineEntry {
            entry: Entry { link: from.link(&entry.link), ..entry },
            versions: versions.remove(row).unwrap_or_default(),
        })
        .collect())
}

async fn evidence(db: &Db, id: i64, from: &Source<'_>) -> Result<Vec<Piece>> {
    let mut all = Vec::new();
    for (evidence, row) in all_of::<Evidence>(db, id).await?.into_iter().zip(&from.parts.evidence) {
        let kept = incidents::kept(db, *row).await?.map(|s| kept(s.media_type, s.taken_at, s.body));
        all.push(Piece { evidence: moved(evidence, from), kept });
    }
    let attached: std::collections::BTreeSet<String> =
        all.iter().filter(|p| p.evidence.kind == "alert").map(|p| p.evidence.reference.clone()).collect();
    let filter = alerts::store::Filter { incident: Some(id), ..alerts::store::Filter::default() };
    let mut alerts = alerts::store::list(db, &filter, MAX_ALERTS).await?;
    alerts.sort_by_key(|a| a.id);
    for alert in alerts {
        let attach = alerts::service::evidence_of(&alert);
        let evidence = Evidence {
            kind: attach.kind.as_str().to_owned(),
            title: attach.title,
            note: attach.note,
            reference: attach.reference,
            url: attach.url,
            topic: attach.topic,
            occurred_at: attach.occurred_at,
            added_at: alert.state.first_seen,
            added_by_name: "Alerts".to_owned(),
            removed_at: None,
        };
        let evidence = moved(evidence, from);
        if !attached.contains(&evidence.reference) {
            let kept = attach.snapshot.map(|s| kept(s.media_type, alert.state.first_seen, s.body));
            all.push(Piece { evidence, kept });
        }
    }
    Ok(all)
}

/// Numbers of alerts and deployments mean others elsewhere; their old addresses do not.
fn moved(evidence: Evidence, from: &Source<'_>) -> Evidence {
    let is_number = !evidence.reference.is_empty() && evidence.reference.bytes().all(|b| b.is_ascii_digit());
    let folder = match evidence.kind.as_str() {
        "alert" if is_number => Some("alerts"),
        "deployment" if is_number => Some("deployments"),
        _ => None,
    };
    let reference = match folder {
        Some(folder) => from.link(&format!("/{folder}/{}", evidence.reference)),
        None => evidence.reference,
    };
    Evidence { reference, url: from.link(&evidence.url), ..evidence }
}

fn kept(media_type: String, taken_at: Timestamp, body: Vec<u8>) -> Kept {
    let body = match String::from_utf8(body) {
        // PostgreSQL's text has no NUL, and neither have texts; what has one is data.
        Ok(text) if !text.contains('\0') => Body::Text(text),
        Ok(text) => Body::Base64(STANDARD.encode(text)),
        Err(e) => Body::Base64(STANDARD.encode(e.as_bytes())),
    };
    Kept { media_type, taken_at, body }
}

async fn tasks(db: &Db, id: i64) -> Result<Vec<OwnedTask>> {
    let mut owners = store::task_owners(db, id).await?;
    let mut actions = store::actions(db, id).await?;
    let ids = ids_of::<Task>(db, id).await?;
    let tasks = all_of::<Task>(db, id).await?;
    Ok(tasks
        .into_iter()
        .zip(ids)
        .map(|(task, row)| OwnedTask { task, owner: owners.remove(&row), action: actions.remove(&row) })
        .collect())
}

async fn runs(db: &Db, id: i64, from: &Source<'_>) -> Result<Vec<RunOfBook>> {
    let mut records = below::<StepRecord, Run>(db, id).await?;
    let mut calls = below::<Call, Run>(db, id).await?;
    let mut books = store::runbooks(db, id).await?;
    let mut all = Vec::new();
    for (run, row) in all_of::<Run>(db, id).await?.into_iter().zip(&from.parts.runs) {
        let lost = || Error::Internal(format!("run {row} has no runbook"));
        let runbook = books.remove(row).ok_or_else(lost)?;
        let mut calls = calls.remove(row).unwrap_or_default();
        // One that still waits would be made again, elsewhere.
        calls.retain(|c| c.ended_at.is_some());
        all.push(RunOfBook { run, runbook, records: records.remove(row).unwrap_or_default(), calls });
    }
    Ok(all)
}

async fn postmortem(db: &Db, id: i64) -> Result<Option<Report>> {
    let Some(head) = all_of::<Postmortem>(db, id).await?.into_iter().next() else { return Ok(None) };
    let row = ids_of::<Postmortem>(db, id).await?.first().copied().unwrap_or_default();
    let versions = all_of::<SectionVersion>(db, row).await?;
    Ok(Some(Report {
        head,
        sections: sorted(all_of::<Section>(db, row).await?, |s| s.section.clone()),
        versions: sorted(versions, |v| (v.section.clone(), v.version)),
        tags: sorted(all_of::<Tag>(db, row).await?, |t| t.tag.clone()),
        checks: sorted(all_of::<ReviewCheck>(db, row).await?, |c| c.item.clone()),
        comments: all_of(db, row).await?,
        reviewers: store::reviewers(db, row).await?,
    }))
}

/// Scores to nine places: more than anybody reads, and the same number after any number of round trips.
pub fn round(number: f64) -> f64 {
    (number * 1e9).round() / 1e9
}

fn rounded(verdict: Verdict) -> Verdict {
    Verdict { score: round(verdict.score), ..verdict }
}
