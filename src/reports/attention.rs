//! What needs somebody's attention, whatever the measures say.

use super::model::compute::Share;
use super::model::scope::Scope;
use super::service::Desk;
use super::store::attention as store;
use crate::clock::Timestamp;
use crate::error::Result;

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
pub async fn attention(desk: &Desk, scope: &Scope, now: Timestamp) -> Result<Attention> {
    let (db, viewer) = (desk.db(), desk.viewer);
    let (overdue, overdue_total) = store::overdue(db, viewer, now, MOST_SHOWN).await?;
    let (unwritten, written) = store::unwritten(db, scope, viewer, MOST_SHOWN).await?;
    let (stale, stale_total) = store::stale_runbooks(db, now, MOST_SHOWN).await?;
    let on_time = store::on_time(db, scope, viewer, now).await?;
    // All less those that have one: the former are many and counted once, the latter are few.
    let unwritten_total = (severe(desk, scope).await? - written).max(0);
    Ok(Attention { overdue, overdue_total, unwritten, unwritten_total, stale, stale_total, on_time })
}

async fn severe(desk: &Desk, scope: &Scope) -> Result<i64> {
    let count = store::severe(desk.db(), scope, desk.viewer);
    if desk.viewer.all {
        // Who may see a private incident can change while the incident does not; whoever sees all sees all.
        return Ok(*desk.told(("severe", scope.from, scope.to), count).await?);
    }
    count.await
}
