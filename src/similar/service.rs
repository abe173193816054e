//! Finding what resembles an incident, or a declaration that is being written.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::db::Db;
use crate::error::Result;
use crate::incidents::{self, Incident, IncidentId, Viewer};
use crate::search::{self, DocKind, Reader};
use crate::suspects;

use super::model::{self, Features, Similar, rank};
use super::store::{self, Among, Head};

/// Candidates that are compared; those with the stronger traits come first.
const MAX_CANDIDATES: usize = 300;
/// Words of the title and services that are looked up.
const MAX_WORDS: usize = 8;
const MAX_SERVICES: usize = 10;
/// Newest incidents that one word of the title brings in.
const PER_WORD: i64 = 30;
/// An open incident that resembles a declaration less than this is another one.
const DUPLICATE: f64 = 0.13;

/// What ended an earlier incident, in words, with the page that tells more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    pub text: String,
    /// A path; empty for none.
    pub url: String,
}

/// An incident that resembles the one at hand, with why and with what fixed it.
#[derive(Clone, Debug)]
pub struct Resembling {
    pub head: Head,
    pub similar: Similar,
    pub fixes: Vec<Fix>,
}

/// The most similar incidents that the viewer may see, at most `limit`.
pub async fn of_incident(db: &Db, incident: &Incident, viewer: Viewer, limit: usize) -> Result<Vec<Resembling>> {
    let target = features_of_target(db, incident).await?;
    let among = Among { viewer, except: incident.id.0, open_only: false };
    resembling(db, &target, among, limit).await
}

/// Those of earlier results that the viewer may see now, as they stand now, at most `limit`: one query.
pub async fn seen_by(
    db: &Db,
    found: &[Resembling],
    incident: IncidentId,
    viewer: Viewer,
    limit: usize,
) -> Result<Vec<Resembling>> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let among = Among { viewer, except: incident.0, open_only: false };
    let ids: Vec<i64> = found.iter().map(|r| r.head.id.0).collect();
    let mut heads: BTreeMap<IncidentId, Head> =
        store::heads(db, &ids, among).await?.into_iter().map(|h| (h.id, h)).collect();
    let seen = found.iter().filter_map(|r| heads.remove(&r.head.id).map(|head| Resembling { head, ..r.clone() }));
    Ok(seen.take(limit).collect())
}

/// Open incidents that a declaration with this title and these services may repeat, at most `limit`.
pub async fn of_draft(
    db: &Db,
    title: &str,
    services: &[String],
    viewer: Viewer,
    limit: usize,
) -> Result<Vec<Resembling>> {
    let services = services.iter().cloned().collect();
    let target = Features { title: title.to_owned(), services, ..Features::default() };
    let among = Among { viewer, except: 0, open_only: true };
    let mut found = resembling(db, &target, among, limit).await?;
    found.retain(|r| r.similar.score >= DUPLICATE);
    Ok(found)
}

async fn resembling(db: &Db, target: &Features, among: Among, limit: usize) -> Result<Vec<Resembling>> {
    let named = candidates(db, target, among).await?;
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let heads = store::heads(db, &named, among).await?;
    let features = features(db, &heads).await?;
    let best = rank(target, &features, limit);
    let ids: Vec<i64> = best.iter().map(|s| s.id.0).collect();
    let mut fixes = fixes(db, &ids).await?;
    let mut heads: BTreeMap<IncidentId, Head> = heads.into_iter().map(|h| (h.id, h)).collect();
    Ok(best
        .into_iter()
        .filter_map(|similar| {
            let head = heads.remove(&similar.id)?;
            Some(Resembling { head, fixes: fixes.remove(&similar.id.0).unwrap_or_default(), similar })
        })
        .collect())
}

async fn features_of_target(db: &Db, incident: &Incident) -> Result<Features> {
    let id = incident.id;
    let services = incidents::services(db, id).await?.into_iter().map(|s| s.slug).collect();
    let mut target = Features { title: incident.title.clone(), services, ..Features::default() };
    target.alerts.extend(store::alerts(db, id.0).await?);
    for (_, kind, topic, title) in store::topics(db, &[id.0]).await? {
        add_topic(&mut target, &kind, topic, title);
    }
    let confirmed = store::verdicts(db, &[id.0]).await?.into_iter().filter(|v| v.verdict == "caused");
    target.causes.extend(confirmed.map(|v| v.service));
    if target.causes.is_empty()
        && let Some(kept) = suspects::find(db, id).await?
        && let Some(first) = kept.ranking.suspects.first().filter(|s| s.score >= suspects::ranking::CLEAR)
    {
        target.causes.insert(first.service.clone());
    }
    Ok(target)
}

fn add_topic(features: &mut Features, kind: &str, topic: String, title: String) {
    if kind == "alert" {
        features.alerts.insert(topic, title);
    } else {
        features.changed_services.insert(topic);
    }
}

/// Incidents that share at least one trait, the stronger traits first.
async fn candidates(db: &Db, target: &Features, among: Among) -> Result<Vec<i64>> {
    let mut named: Vec<i64> = Vec::new();
    if !target.alerts.is_empty() {
        named.extend(store::of_topics(db, "alert", target.alerts.keys().map(String::as_str), among).await?);
    }
    if !target.causes.is_empty() {
        named.extend(store::of_causes(db, target.causes.iter().map(String::as_str), among).await?);
    }
    if !target.changed_services.is_empty() {
        let changed = target.changed_services.iter().map(String::as_str);
        named.extend(store::of_topics(db, "deployment", changed, among).await?);
    }
    let reader = Reader { all: among.viewer.all, user_id: among.viewer.user_id };
    for word in model::words(&target.title).iter().take(MAX_WORDS) {
        let docs = search::titled(db, DocKind::Incident, word, reader, PER_WORD).await?;
        named.extend(docs.iter().filter_map(|d| IncidentId::parse(&d.id)).map(|id| id.0));
    }
    for slug in target.services.iter().take(MAX_SERVICES) {
        named.extend(store::of_service(db, slug, among).await?);
    }
    let mut seen = BTreeSet::new();
    named.retain(|id| *id != among.except && seen.insert(*id));
    named.truncate(MAX_CANDIDATES);
    Ok(named)
}

async fn features(db: &Db, heads: &[Head]) -> Result<Vec<(IncidentId, Features)>> {
    let ids: Vec<i64> = heads.iter().map(|h| h.id.0).collect();
    let mut all: BTreeMap<i64, Features> =
        heads.iter().map(|h| (h.id.0, Features { title: h.title.clone(), ..Features::default() })).collect();
    for (id, slug) in store::services(db, &ids).await? {
        all.entry(id).or_default().services.insert(slug);
    }
    for (id, kind, topic, title) in store::topics(db, &ids).await? {
        add_topic(all.entry(id).or_default(), &kind, topic, title);
    }
    for verdict in store::verdicts(db, &ids).await?.into_iter().filter(|v| v.verdict == "caused") {
        all.entry(verdict.incident_id).or_default().causes.insert(verdict.service);
    }
    Ok(all.into_iter().map(|(id, f)| (IncidentId(id), f)).collect())
}

/// What fixed each of these incidents: what people confirmed, runbooks that were followed, the reason that was given
/// when it ended, and what was to be done about it later.
async fn fixes(db: &Db, ids: &[i64]) -> Result<BTreeMap<i64, Vec<Fix>>> {
    let mut all: BTreeMap<i64, Vec<Fix>> = BTreeMap::new();
    if ids.is_empty() {
        return Ok(all);
    }
    for v in store::verdicts(db, ids).await?.into_iter().filter(|v| v.verdict == "fixed") {
        let what = format!("{} {}", v.service, v.version);
        let text = format!("Fixed by {}, as {} confirmed", what.trim_end(), v.by_name);
        let url = v.deployment_id.map(|id| format!("/deployments/{id}")).unwrap_or_default();
        all.entry(v.incident_id).or_default().push(Fix { text, url });
    }
    for run in store::runs(db, ids).await?.into_iter().filter(|r| r.steps_done > 0) {
        let ended = if run.state == "completed" { ", to its end" } else { "" };
        let steps = if run.steps_done == 1 { "1 step".to_owned() } else { format!("{} steps", run.steps_done) };
        let text = format!("Runbook: {} ({steps} done{ended})", run.title);
        let url = format!("/incidents/{}/runs/{}", IncidentId(run.incident_id), run.run_id);
        all.entry(run.incident_id).or_default().push(Fix { text, url });
    }
    for (id, status, reason) in store::endings(db, ids).await? {
        let word = if status == "resolved" { "Resolved" } else { "Mitigated" };
        all.entry(id).or_default().push(Fix { text: format!("{word}: {reason}"), url: String::new() });
    }
    for (id, follow_ups, open) in store::follow_ups(db, ids).await? {
        let text = format!("{follow_ups} follow-up{}, {open} still open", if follow_ups == 1 { "" } else { "s" });
        let url = format!("/incidents/{}#tasks", IncidentId(id));
        all.entry(id).or_default().push(Fix { text, url });
    }
    Ok(all)
}
