//! The actions on logs: taking records in, reading them, forgetting.

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::services;
use crate::telemetry::TraceId;

use super::model::{LogFilter, LogLine, LogRecord};
use super::store;

/// Records of one transaction.
const BATCH: usize = 5_000;
/// Records of one trace that its page shows.
pub const MAX_OF_TRACE: i64 = 2_000;

/// Stores records; when it returns they are durable. Repeated ones do no harm. Tells how many were new.
pub async fn take_in(db: &Db, records: &[LogRecord], now: Timestamp) -> Result<u64> {
    let mut new = 0;
    for chunk in records.chunks(BATCH) {
        let tx = db.begin().await?;
        let (ids, new_services) = store::learn_services(&tx, chunk, now).await?;
        for name in &new_services {
            services::ensure_discovered(&tx, name, now).await?;
        }
        new += store::insert(&tx, chunk, &ids, now).await?;
        tx.commit().await?;
    }
    Ok(new)
}

/// A trace's records in order of time; at most [`MAX_OF_TRACE`].
pub async fn of_trace(db: &Db, trace: TraceId) -> Result<Vec<LogLine>> {
    store::of_trace(db, trace, MAX_OF_TRACE).await
}

/// One page of what matches, newest first; whether there is more.
pub async fn search(
    db: &Db,
    filter: &LogFilter,
    before: Option<(Timestamp, i64)>,
    limit: usize,
) -> Result<(Vec<LogLine>, bool)> {
    let wanted = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
    let mut lines = store::search(db, filter, before, wanted).await?;
    let more = lines.len() > limit;
    lines.truncate(limit);
    Ok((lines, more))
}

/// Services that sent records.
pub async fn services(db: &Db) -> Result<Vec<String>> {
    store::services(db).await
}

/// Deletes records older than `age`, a bite at a time; tells how many went.
pub async fn forget(db: &Db, now: Timestamp, age: TimeDelta) -> Result<u64> {
    const BITE: i64 = 5_000;
    const MAX_BITES: usize = 200;
    let mut gone = 0;
    for _ in 0..MAX_BITES {
        let tx = db.begin().await?;
        let n = store::delete_before(&tx, now - age, BITE).await?;
        tx.commit().await?;
        gone += n;
        if n == 0 {
            break;
        }
    }
    Ok(gone)
}
