//! The actions on incidents. Each runs inside the caller's transaction, so that another room's rows
//! and the incident's commit together; the caller commits.
//!
//! These functions trust their caller about rights: pages and the API check the role first, and load
//! the incident through [`get_visible`], which hides private ones. Machines act as [`By::system`].

pub mod chat;
pub mod declare;
pub mod details;
pub mod events;
pub mod evidence;
pub mod impacts;
pub(super) mod index;
pub mod links;
pub mod lists;
pub mod merge;
pub mod milestones;
pub mod notice;
pub mod people;
pub mod status;
pub mod tasks;
pub mod templates;
pub mod timeline;
pub mod updates;

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

use super::model::IncidentId;
use super::model::record::Incident;
use super::store;
use super::store::lists::Viewer;

/// Who did something: a person, an API token, or a part of Faultline. The name is kept with what was
/// done, so that it can be read when the account is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    pub user_id: Option<i64>,
    pub name: String,
}

impl By {
    pub fn system(name: impl Into<String>) -> Self {
        Self { user_id: None, name: name.into() }
    }
}

/// The incident, if the viewer may know that it exists.
///
/// # Errors
/// `NotFound` in both other cases.
pub async fn get_visible(db: &Db, id: IncidentId, viewer: Viewer) -> Result<Incident> {
    let incident = store::head::find(db, id).await?.ok_or_else(|| Error::not_found(id))?;
    let hidden = incident.private && !viewer.all && !store::people::is_named(db, id, viewer.user_id).await?;
    if hidden { Err(Error::not_found(id)) } else { Ok(incident) }
}

/// Takes an incident for a change.
pub(crate) async fn lock(tx: &Tx, id: IncidentId, now: Timestamp) -> Result<Incident> {
    store::head::lock(tx, id, now).await?.ok_or_else(|| Error::not_found(id))
}

/// Tells live pages that the incident, and perhaps its place in lists, changed.
fn announce(tx: &Tx, id: IncidentId) {
    tx.announce(format!("incident:{}", id.0));
    tx.announce("incidents");
}
