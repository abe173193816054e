//! What can be asked of reports. They only read; nothing here writes.

use crate::db::Db;
use crate::error::Result;
use crate::incidents::Viewer;

use super::model::compute::{Record, Report, compute};
use super::model::measures::Measure;
use super::model::scope::Scope;
use super::store;

/// The incidents that a scope is about, loaded once for all its breakdowns.
pub struct Material {
    pub records: Vec<Record>,
}

/// Loads what the viewer may see, and nothing else.
///
/// # Errors
/// What the database says.
pub async fn load(db: &Db, scope: &Scope, viewer: Viewer) -> Result<Material> {
    Ok(Material { records: store::records(db, scope, viewer).await? })
}

impl Material {
    pub fn report(&self, scope: &Scope, measures: &[Measure]) -> Report {
        compute(&self.records, scope, measures)
    }
}

/// What the filter fields offer: slugs of services and names of teams, at most 500 each.
///
/// # Errors
/// What the database says.
pub async fn choices(db: &Db) -> Result<(Vec<String>, Vec<String>)> {
    store::choices(db).await
}
