//! What needs somebody's attention, whatever the measures say.

use super::model::compute::Share;
use super::model::scope::Scope;
use super::store::attention as store;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::incidents::Viewer;

#[derive(Clone, Debug)]
pub struct Attention {
    pub overdue: Vec<store::Overdue>,
    pub overdue_total: i64,
    pub unwritten: Vec<store::Unwritten>,
    pub unwritten_total: i64,
    pub stale: Vec<store::StaleRunbook>,
    pub stale_total: i64,
    /// Of the follow-ups that fell due in the period: done by then.
    pub on_time: Share,
}

/// Shown of each list.
const MOST_SHOWN: i64 = 6;

/// # Errors
/// What the database says.
pub async fn attention(db: &Db, scope: &Scope, viewer: Viewer, now: Timestamp) -> Result<Attention> {
    let (overdue, overdue_total) = store::overdue(db, viewer, now, MOST_SHOWN).await?;
    let (unwritten, unwritten_total) = store::unwritten(db, scope, viewer, MOST_SHOWN).await?;
    let (stale, stale_total) = store::stale_runbooks(db, now, MOST_SHOWN).await?;
    let on_time = store::on_time(db, scope, viewer, now).await?;
    Ok(Attention { overdue, overdue_total, unwritten, unwritten_total, stale, stale_total, on_time })
}
