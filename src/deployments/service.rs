//! What happens when a change is reported, inside the caller's transaction; and reading changes.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::model::{ChangeEvent, ChangeKind, ChangeSource, Deployment, recognise_kind, same_environment};
use super::sources::DERIVED;
use super::store::health::Counted;
use super::store::{self, Filter, Report};
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::incidents::{IncidentId, Viewer};
use crate::search::{self, Doc, DocKind};
use crate::services;

/// A change without an id of its own that ended longer ago than this is another one when it is told again.
const SAME_CHANGE: TimeDelta = TimeDelta::minutes(10);

/// A version seen in spans within this time of a reported change of that version is that change.
const SEEN_NEAR: TimeDelta = TimeDelta::minutes(60);

/// What recording a report did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub id: i64,
    pub is_new: bool,
}

/// Records one report about a change: a new change, or one more word about a known one. The same report
/// twice changes nothing. The service joins the catalogue when it is not in it. A version that spans began to name is
/// one more word about a change that was reported, else a change of its own; an empty environment then means any.
pub async fn record(tx: &Tx, event: &ChangeEvent, now: Timestamp) -> Result<Recorded> {
    let slug = services::ensure_discovered(tx, &event.service, now).await?;
    let service_id =
        services::find_id(tx, &slug).await?.ok_or_else(|| Error::Internal(format!("service {slug} vanished")))?;
    let mut event = event.clone();
    if event.external_id.starts_with(DERIVED) {
        event.external_id = identify(tx, service_id, &event).await?;
    }
    if event.source == ChangeSource::Observed {
        if let Some(known) = near(tx, service_id, &event, false).await? {
            // While the reported one is under way it stays so: its pipeline knows better when it is over.
            event.status = if known.status.is_over() { event.status } else { known.status };
            return absorb(tx, service_id, known, &event.normalised(now), now).await;
        }
        event = event.normalised(now);
    } else if let Some(seen) = near(tx, service_id, &event, true).await?
        && store::lock(tx, event.source, &event.external_id, now).await?.is_none()
    {
        return adopt(tx, service_id, seen, &event, now).await;
    }
    if let Some(id) = store::insert(tx, service_id, &event, event.progress(), now).await? {
        store::add_report(tx, id, &event, now).await?;
        let mut fresh = get(tx, id).await?;
        settle_kind(tx, service_id, &mut fresh).await?;
        store::update(tx, &fresh, now).await?;
        store::health::want(tx, id, now).await?;
        announce(tx, &fresh).await?;
        return Ok(Recorded { id, is_new: true });
    }
    let id = store::lock(tx, event.source, &event.external_id, now)
        .await?
        .ok_or_else(|| Error::Conflict(format!("change {} was removed meanwhile", event.external_id)))?;
    absorb(tx, service_id, get(tx, id).await?, &event, now).await
}

async fn absorb(
    tx: &Tx,
    service_id: i64,
    mut known: Deployment,
    event: &ChangeEvent,
    now: Timestamp,
) -> Result<Recorded> {
    let before = known.clone();
    if store::add_report(tx, known.id, event, now).await? {
        known.absorb(event);
        settle_kind(tx, service_id, &mut known).await?;
    }
    if known != before {
        store::update(tx, &known, now).await?;
        if (known.at, known.finished_at) != (before.at, before.finished_at) {
            store::health::want(tx, known.id, now).await?;
        }
        announce(tx, &known).await?;
    }
    Ok(Recorded { id: known.id, is_new: false })
}

/// The id under which a change without one of its own is kept: that of the last change of the same
/// service, environment, version and kind while that is not long over, else a further one (the same
/// version can go live again).
async fn identify(tx: &Tx, service_id: i64, event: &ChangeEvent) -> Result<String> {
    let at = event.started_at.unwrap_or(event.reported_at);
    let further = || format!("{}|{}", event.external_id, at.to_rfc3339());
    let Some(id) = store::newest_unnamed(tx, service_id, event).await? else { return Ok(further()) };
    let known = get(tx, id).await?;
    let is_another = known.finished_at.is_some_and(|end| at - end > SAME_CHANGE)
        || (event.kind != known.kind && event.kind != ChangeKind::Deployment)
        || event.started_at.zip(known.started_at).is_some_and(|(told, stands)| told != stands);
    Ok(if is_another { further() } else { known.external_id })
}

/// The change of the same version about that time, as it was reported or (`observed`) as it was only seen.
async fn near(tx: &Tx, service_id: i64, event: &ChangeEvent, observed: bool) -> Result<Option<Deployment>> {
    let Some(version) = &event.version else { return Ok(None) };
    let at = event.started_at.unwrap_or(event.reported_at);
    let around = (at - SEEN_NEAR, at + SEEN_NEAR);
    store::near(tx, service_id, &same_environment(&event.environment), version, around, observed).await
}

/// A change that was only seen so far is now reported: the report names it and says how far it is; what was seen
/// stays with it.
async fn adopt(tx: &Tx, service_id: i64, seen: Deployment, event: &ChangeEvent, now: Timestamp) -> Result<Recorded> {
    store::adopt(tx, seen.id, event).await?;
    store::add_report(tx, seen.id, event, now).await?;
    let mut known = get(tx, seen.id).await?;
    let told = event.progress();
    known.absorb(event);
    (known.status, known.status_at, known.finished_at) = (told.status, told.status_at, told.finished_at);
    settle_kind(tx, service_id, &mut known).await?;
    store::update(tx, &known, now).await?;
    store::health::want(tx, known.id, now).await?;
    announce(tx, &known).await?;
    Ok(Recorded { id: known.id, is_new: false })
}

/// A plain deployment of a version that was live before is a rollback.
async fn settle_kind(tx: &Tx, service_id: i64, change: &mut Deployment) -> Result<()> {
    let earlier = store::versions_before(tx, service_id, &change.environment, change.at, change.id).await?;
    let version = Some(change.version.as_str()).filter(|v| !v.is_empty());
    change.kind = recognise_kind(change.kind, version, earlier.iter().map(String::as_str));
    Ok(())
}

async fn announce(tx: &Tx, change: &Deployment) -> Result<()> {
    tx.announce("deployments");
    let text = [
        change.title.as_str(),
        change.author.as_str(),
        change.commit.as_str(),
        change.kind.as_str(),
        change.status.as_str(),
    ]
    .join(" ");
    search::upsert(
        tx,
        Doc {
            kind: DocKind::Deployment,
            id: change.id.to_string(),
            title: change.headline(),
            text,
            url: format!("/deployments/{}", change.id),
            private_incident: None,
            at: change.at,
        },
    )
    .await
}

/// # Errors
/// `NotFound`.
pub async fn get(db: &Db, id: i64) -> Result<Deployment> {
    store::find(db, id).await?.ok_or_else(|| Error::not_found(format!("deployment {id}")))
}

pub async fn find(db: &Db, id: i64) -> Result<Option<Deployment>> {
    store::find(db, id).await
}

/// Newest first; see [`Filter`].
pub async fn page(db: &Db, filter: &Filter, limit: i64) -> Result<Vec<Deployment>> {
    store::page(db, filter, limit).await
}

pub async fn count(db: &Db, filter: &Filter, at_most: i64) -> Result<i64> {
    store::count(db, filter, at_most).await
}

/// What was reported about a change, in order.
pub async fn reports(db: &Db, id: i64) -> Result<Vec<Report>> {
    store::reports(db, id).await
}

pub async fn environments(db: &Db) -> Result<Vec<String>> {
    store::environments(db).await
}

/// The id of a change's service in the catalogue.
pub async fn service_id(db: &Db, change: &Deployment) -> Result<i64> {
    services::find_id(db, &change.service)
        .await?
        .ok_or_else(|| Error::Internal(format!("service {} of deployment {} vanished", change.service, change.id)))
}

/// An incident that has a change as evidence.
#[derive(Clone, Debug)]
pub struct LinkedIncident {
    pub id: IncidentId,
    pub title: String,
    pub status: String,
}

/// The incidents that have these changes as evidence and that the viewer may see, newest first, by change.
pub async fn linked_incidents(db: &Db, ids: &[i64], viewer: Viewer) -> Result<HashMap<i64, Vec<LinkedIncident>>> {
    let mut of: HashMap<i64, Vec<LinkedIncident>> = HashMap::new();
    if ids.is_empty() {
        return Ok(of);
    }
    for r in store::linked_incidents(db, ids, viewer).await? {
        let Ok(change) = r.reference.parse() else { continue };
        let incident = LinkedIncident { id: IncidentId(r.id), title: r.title, status: r.status };
        of.entry(change).or_default().push(incident);
    }
    Ok(of)
}

/// What was counted around changes, by change.
pub async fn health(db: &Db, ids: &[i64]) -> Result<HashMap<i64, Counted>> {
    if ids.is_empty() { Ok(HashMap::new()) } else { store::health::of(db, ids.iter().copied()).await }
}
