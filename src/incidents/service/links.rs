//! Linking incidents: parent and parts, causes, duplicates that are not merged, and others.

use futures::future::join_all;

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

use super::super::model::link::Relation;
use super::super::model::record::Incident;
use super::super::model::{EntryKind, IncidentId};
use super::super::store;
use super::super::store::lists::Viewer;
use super::timeline::{Append, append_timeline};
use super::{By, announce, get_visible, lock};

/// Levels of parents that are walked.
const DEEPEST: usize = 20;

/// Another incident and what it is to this one.
#[derive(Clone, Debug)]
pub struct Linked {
    /// Names it when it is taken away: a link's number, `parent`, or a part's id.
    pub key: String,
    /// Read after "this incident is".
    pub label: &'static str,
    pub relation: Relation,
    pub incident: Incident,
}

/// What the viewer may see of it: links to incidents that are hidden from them are left out.
pub async fn of(db: &Db, incident: &Incident, viewer: Viewer) -> Result<Vec<Linked>> {
    let id = incident.id;
    let mut wanted: Vec<(String, &'static str, Relation, IncidentId)> = Vec::new();
    if let Some(parent) = incident.parent {
        wanted.push(("parent".to_owned(), Relation::Parent.label(), Relation::Parent, parent));
    }
    let (children, links) = tokio::try_join!(store::links::children(db, id), store::links::of(db, id))?;
    for child in children {
        wanted.push((child.id.to_string(), Relation::Child.label(), Relation::Child, child.id));
    }
    for link in links {
        let own = link.from == id;
        let label = if own { link.relation.label() } else { link.relation.reverse_label() };
        wanted.push((link.id.to_string(), label, link.relation, if own { link.to } else { link.from }));
    }
    let mut shown = Vec::with_capacity(wanted.len());
    let found = join_all(wanted.iter().map(|(.., other)| get_visible(db, *other, viewer))).await;
    for ((key, label, relation, _), found) in wanted.into_iter().zip(found) {
        match found {
            Ok(incident) => shown.push(Linked { key, label, relation, incident }),
            Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(shown)
}

/// # Errors
/// `Invalid` (field `other`) for itself, for what is linked already, and for a parent that is a part
/// of this one.
pub async fn link(
    tx: &Tx,
    id: IncidentId,
    other: IncidentId,
    relation: Relation,
    by: &By,
    now: Timestamp,
) -> Result<()> {
    if id == other {
        return Err(Error::invalid("other", "is the same incident"));
    }
    // Always in one order, so that two crossing links wait instead of locking each other out.
    let (first, second) = (lock(tx, id.min(other), now).await?, lock(tx, id.max(other), now).await?);
    let (own, far) = if first.id == id { (first, second) } else { (second, first) };
    match relation {
        Relation::Parent => set_parent(tx, own.clone(), Some(&far)).await?,
        Relation::Child => set_parent(tx, far.clone(), Some(&own)).await?,
        Relation::Related | Relation::CausedBy | Relation::Duplicate => {
            if !store::links::insert(tx, (id, other, relation), &by.name, now).await? {
                return Err(Error::invalid("other", format!("{other} is linked already")));
            }
        }
    }
    tell(tx, &own, &far, format!("This incident is {} {other}", relation.label()), by, now).await?;
    tell(tx, &far, &own, format!("This incident is {} {id}", relation.reverse_label()), by, now).await
}

/// Takes a link away, by its key in [`Linked`].
///
/// # Errors
/// `NotFound` when the incident has no such link.
pub async fn unlink(tx: &Tx, id: IncidentId, key: &str, by: &By, now: Timestamp) -> Result<()> {
    let own = lock(tx, id, now).await?;
    let unknown = || Error::not_found(format!("link '{key}' of {id}"));
    let other = if key == "parent" {
        let parent = own.parent.ok_or_else(unknown)?;
        set_parent(tx, own.clone(), None).await?;
        parent
    } else if key.to_ascii_uppercase().starts_with("INC-") {
        let child = IncidentId::parse(key).ok_or_else(unknown)?;
        let child = store::head::find(tx, child).await?.filter(|c| c.parent == Some(id)).ok_or_else(unknown)?;
        let child_id = child.id;
        set_parent(tx, child, None).await?;
        child_id
    } else {
        let link = store::links::of(tx, id).await?.into_iter().find(|l| l.id.to_string() == key).ok_or_else(unknown)?;
        store::links::remove(tx, link.id).await?;
        if link.from == id { link.to } else { link.from }
    };
    let far = store::head::find(tx, other).await?.ok_or_else(unknown)?;
    tell(tx, &own, &far, format!("No longer linked to {other}"), by, now).await?;
    tell(tx, &far, &own, format!("No longer linked to {id}"), by, now).await
}

async fn set_parent(tx: &Tx, mut child: Incident, parent: Option<&Incident>) -> Result<()> {
    if let Some(parent) = parent {
        if child.parent == Some(parent.id) {
            return Err(Error::invalid("other", format!("{} is a part of {} already", child.id, parent.id)));
        }
        if let Some(standing) = child.parent {
            return Err(Error::invalid("other", format!("{} is a part of {standing} already", child.id)));
        }
        let mut above = parent.parent;
        for _ in 0..DEEPEST {
            let Some(next) = above else { break };
            if next == child.id {
                return Err(Error::invalid("other", format!("{} is itself a part of {}", parent.id, child.id)));
            }
            above = store::head::find(tx, next).await?.and_then(|i| i.parent);
        }
    }
    child.parent = parent.map(|p| p.id);
    store::head::save(tx, &child).await
}

/// Writes on one timeline about the other incident; the number of a private one is not told to those
/// who read a public one.
async fn tell(tx: &Tx, own: &Incident, far: &Incident, text: String, by: &By, now: Timestamp) -> Result<()> {
    if !far.private || own.private {
        let entry = Append::activity(EntryKind::Link, text, now).linked(far.path());
        append_timeline(tx, own.id, &entry, by, now).await?;
    }
    announce(tx, own.id);
    Ok(())
}
