//! Writing an exported incident into this installation: the same incident, under a number of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::check::check;
use super::document::{Body, Document, Kept, Person, Whole};
use super::links::{Parts, inward};
use super::record::{insert_all, insert_id};
use super::store::{self, Links, NewOrigin};
use crate::accounts::{self, Actor};
use crate::audit;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::incidents::{self, By, IncidentId, NewSnapshot};
use crate::{postmortems, runbooks, services};

/// What became of a file or a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopted {
    Added(IncidentId),
    /// Here already. `differs`: the file says something else than what was imported.
    Known {
        id: IncidentId,
        differs: bool,
    },
}

/// The incident that is known under this external id, if there is one: imported, or born here.
pub async fn known(db: &Db, external_id: &str, base: &str) -> Result<Option<store::Known>> {
    if let Some(origin) = store::find_origin(db, external_id).await? {
        return Ok(Some(store::Known { id: IncidentId(origin.incident_id), digest: origin.digest }));
    }
    let own = external_id.strip_prefix(&format!("{}/incidents/", base.trim_end_matches('/')));
    let Some(id) = own.and_then(IncidentId::parse) else { return Ok(None) };
    let is_here = store::exists(db, id.0).await?;
    Ok(is_here.then_some(store::Known { id, digest: String::new() }))
}

/// SHA-256 of what a file says of an incident.
pub fn digest_of(whole: &Whole) -> Result<String> {
    Ok(hex::encode(Sha256::digest(serde_json::to_vec(whole)?)))
}

/// Writes it, unless it is here already. Nobody is notified, and its own times and authors stand.
///
/// # Errors
/// `Invalid` with every complaint about the file.
pub async fn adopt(tx: &Tx, document: &Document, actor: &Actor, base: &str, now: Timestamp) -> Result<Adopted> {
    check(document).map_err(Error::Invalid)?;
    let whole = &document.incident;
    let digest = digest_of(whole)?;
    if let Some(known) = known(tx, &whole.external_id, base).await? {
        let differs = !known.digest.is_empty() && known.digest != digest;
        return Ok(Adopted::Known { id: known.id, differs });
    }
    let id = store::insert_head(tx, &whole.head).await?;
    let incident = IncidentId(id);
    for slug in &whole.services {
        services::ensure_discovered(tx, slug, now).await?;
        store::add_service(tx, id, slug).await?;
    }
    write_course(tx, id, whole, now).await?;
    let parts = write_parts(tx, id, whole, now).await?;
    write_links(tx, incident, whole, &parts).await?;
    write_causes(tx, id, whole).await?;
    write_report(tx, id, whole, now).await?;
    let origin = Link { base, digest: &digest, by: &actor.name, now };
    write_origin(tx, id, whole, &origin).await?;
    incidents::reindex(tx, incident).await?;
    postmortems::reindex(tx, incident).await?;
    let detail = serde_json::json!({ "external_id": whole.external_id, "from": document.exported.from });
    audit::record(tx, now, actor, "incident.import", ("incident", &incident.to_string()), &detail).await?;
    tx.announce("incidents");
    Ok(Adopted::Added(incident))
}

/// The account of a person; one that cannot sign in is made for an unknown address, so that roles and access stay
/// with whom they were given.
async fn account(tx: &Tx, person: &Person, now: Timestamp) -> Result<i64> {
    match store::user_of(tx, &person.email).await? {
        Some(id) => Ok(id),
        None => accounts::service::add_person(tx, now, &person.email, &person.name, accounts::Role::Viewer).await,
    }
}

async fn write_course(tx: &Tx, id: i64, whole: &Whole, now: Timestamp) -> Result<()> {
    insert_all(tx, &whole.milestones, id).await?;
    insert_all(tx, &whole.milestone_history, id).await?;
    insert_all(tx, &whole.status_changes, id).await?;
    for role in &whole.roles {
        let user = account(tx, &role.person, now).await?;
        store::insert_role(tx, id, role, user).await?;
    }
    for access in &whole.access {
        let user = account(tx, &access.person, now).await?;
        store::insert_access(tx, id, user, access.added_at).await?;
    }
    for task in &whole.tasks {
        let owner = match &task.owner {
            Some(person) => Some(account(tx, person, now).await?),
            None => None,
        };
        let row = insert_id(tx, &task.task, id, &[("owner_id", owner.into())]).await?;
        if let Some(action) = &task.action {
            store::insert_action(tx, row, action).await?;
        }
    }
    Ok(())
}

/// Timeline, evidence and runs; gives their new ids.
async fn write_parts(tx: &Tx, id: i64, whole: &Whole, now: Timestamp) -> Result<Parts> {
    let mut parts = Parts::default();
    for entry in &whole.timeline {
        let row = insert_id(tx, &entry.entry, id, &[]).await?;
        insert_all(tx, &entry.versions, row).await?;
        parts.timeline.push(row);
    }
    for piece in &whole.evidence {
        let row = insert_id(tx, &piece.evidence, id, &[]).await?;
        if let Some(kept) = &piece.kept {
            incidents::keep_snapshot(tx, row, &snapshot(kept)?, kept.taken_at).await?;
        }
        parts.evidence.push(row);
    }
    let by = By::system("Import");
    for run in &whole.runs {
        let (book, version) = runbooks::service::adopt(tx, &run.runbook.slug, &run.runbook.source, &by, now).await?;
        let row = insert_id(tx, &run.run, id, &[("runbook_id", book.into()), ("version", version.into())]).await?;
        insert_all(tx, &run.records, row).await?;
        insert_all(tx, &run.calls, row).await?;
        parts.runs.push(row);
    }
    Ok(parts)
}

/// The postmortem with what was said about it, and what else is known of the incident.
async fn write_report(tx: &Tx, id: i64, whole: &Whole, now: Timestamp) -> Result<()> {
    insert_all(tx, &whole.impacts, id).await?;
    insert_all(tx, &whole.classes, id).await?;
    insert_all(tx, &whole.duties, id).await?;
    let Some(report) = &whole.postmortem else { return Ok(()) };
    let row = insert_id(tx, &report.head, id, &[]).await?;
    insert_all(tx, &report.sections, row).await?;
    insert_all(tx, &report.versions, row).await?;
    insert_all(tx, &report.tags, row).await?;
    insert_all(tx, &report.checks, row).await?;
    insert_all(tx, &report.comments, row).await?;
    for reviewer in &report.reviewers {
        let user = account(tx, &reviewer.person, now).await?;
        store::insert_reviewer(tx, row, reviewer, user).await?;
    }
    Ok(())
}

fn snapshot(kept: &Kept) -> Result<NewSnapshot> {
    let body = match &kept.body {
        Body::Text(text) => text.clone().into_bytes(),
        Body::Base64(text) => {
            STANDARD.decode(text).map_err(|e| Error::invalid("evidence", format!("cannot be decoded: {e}")))?
        }
    };
    Ok(NewSnapshot { media_type: kept.media_type.clone(), body })
}

/// Addresses of parts, now that their ids are known.
async fn write_links(tx: &Tx, id: IncidentId, whole: &Whole, parts: &Parts) -> Result<()> {
    let own = format!("/incidents/{id}");
    for (entry, row) in whole.timeline.iter().zip(&parts.timeline) {
        let link = inward(&entry.entry.link, &own, parts);
        if link != entry.entry.link {
            store::set_entry_link(tx, *row, &link).await?;
        }
    }
    for (piece, row) in whole.evidence.iter().zip(&parts.evidence) {
        let url = inward(&piece.evidence.url, &own, parts);
        if url != piece.evidence.url {
            store::set_evidence_url(tx, *row, &url).await?;
        }
    }
    Ok(())
}

async fn write_causes(tx: &Tx, id: i64, whole: &Whole) -> Result<()> {
    if let Some(ranking) = &whole.suspects {
        store::insert_ranking(tx, id, ranking).await?;
    }
    insert_all(tx, &whole.verdicts, id).await?;
    Ok(())
}

struct Link<'a> {
    base: &'a str,
    digest: &'a str,
    by: &'a str,
    now: Timestamp,
}

/// Where it came from, and the incidents that it names: those that are here are linked, the others remembered.
async fn write_origin(tx: &Tx, id: i64, whole: &Whole, origin: &Link<'_>) -> Result<()> {
    let mut links = Links::default();
    let mut found = [None, None];
    for (place, named) in [&whole.merged_into, &whole.parent].into_iter().enumerate() {
        let Some(external_id) = named else { continue };
        match known(tx, external_id, origin.base).await? {
            Some(known) => found[place] = Some(known.id.0),
            None if place == 0 => links.merged_into = Some(external_id.clone()),
            None => links.parent = Some(external_id.clone()),
        }
    }
    store::set_links(tx, id, found[0], found[1]).await?;
    let new = NewOrigin {
        incident: id,
        external_id: &whole.external_id,
        digest: origin.digest,
        links: &links,
        by: origin.by,
        now: origin.now,
    };
    if store::insert_origin(tx, &new).await? {
        Ok(())
    } else {
        Err(Error::Conflict("the same incident is being imported by somebody else".to_owned()))
    }
}
