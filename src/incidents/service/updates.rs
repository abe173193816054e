//! The next update that was promised: whose time has come without one.

use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::Result;

use super::super::model::record::Incident;
use super::super::store;

/// Open incidents whose next update is overdue and was not reminded of; each due time is given once, however
/// many nodes ask. The caller tells of them in the same transaction.
pub async fn take_overdue(tx: &Tx, now: Timestamp, limit: i64) -> Result<Vec<Incident>> {
    let mut overdue = Vec::new();
    for id in store::head::take_overdue(tx, now, limit).await? {
        overdue.extend(store::head::find(tx, id).await?);
    }
    Ok(overdue)
}
