//! What can be asked of reports. They only read; nothing here writes.

use crate::clock::Timestamp;
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

/// What needs somebody's attention, whatever the measures say.
pub struct Attention {
    pub overdue: Vec<store::attention::Overdue>,
    pub overdue_total: i64,
    pub unwritten: Vec<store::attention::Unwritten>,
    /// Who noticed first: source, incidents, share in percent.
    pub noticed_by: Vec<(String, i64, i64)>,
}

/// Shown of each list.
const MOST_SHOWN: i64 = 6;

/// # Errors
/// What the database says.
pub async fn attention(db: &Db, scope: &Scope, viewer: Viewer, now: Timestamp) -> Result<Attention> {
    let (overdue, overdue_total) = store::attention::overdue(db, viewer, now, MOST_SHOWN).await?;
    let noticed = store::attention::noticed_by(db, scope, viewer).await?;
    let all: i64 = noticed.iter().map(|(_, n)| n).sum();
    Ok(Attention {
        overdue,
        overdue_total,
        unwritten: store::attention::unwritten(db, scope, viewer, MOST_SHOWN).await?,
        noticed_by: noticed.into_iter().map(|(source, n)| (source, n, (n * 100 + all / 2) / all.max(1))).collect(),
    })
}
