//! The actions on runbooks and their runs. Each runs inside the caller's transaction; the caller
//! commits. Rights are checked by pages and API before they come here.

mod adopt;
pub mod calls;
pub mod edit;
pub mod folder;
pub mod lead;
pub mod measure;
pub mod overview;
pub mod runs;
pub mod suggest;
pub mod sync;

pub use adopt::adopt;

use crate::db::Db;
use crate::error::{Error, Result};

use super::model::record::{Runbook, Version};
use super::model::{self, ParsedRunbook};
use super::store;

/// # Errors
/// `NotFound` when no runbook has this slug.
pub async fn get(db: &Db, slug: &str) -> Result<Runbook> {
    store::runbooks::find(db, slug).await?.ok_or_else(|| Error::not_found(format!("The runbook '{slug}'")))
}

/// # Errors
/// `NotFound` when the runbook never had this version.
pub async fn get_version(db: &Db, runbook: &Runbook, number: i64) -> Result<Version> {
    store::runbooks::version(db, runbook.id, number)
        .await?
        .ok_or_else(|| Error::not_found(format!("Version {number} of the runbook '{}'", runbook.slug)))
}

/// Reads a stored text again. Only texts that could be read are stored, so a failure is a fault of ours.
pub fn parse_stored(source: &str) -> Result<ParsedRunbook> {
    model::parse(source).map_err(|problems| {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        Error::Internal(format!("a stored runbook cannot be read: {first}"))
    })
}
