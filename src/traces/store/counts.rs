//! What came in and what was refused, by hour and door.

use std::collections::BTreeMap;

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;

/// Deliveries through one door, and the spans and records in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub deliveries: i64,
    pub accepted: i64,
    pub refused: i64,
    /// Deliveries of which nothing could be read.
    pub unread: i64,
    /// Deliveries that were asked to come again.
    pub turned_away: i64,
}

impl Counts {
    pub const fn add(&mut self, other: Self) {
        self.deliveries += other.deliveries;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.unread += other.unread;
        self.turned_away += other.turned_away;
    }

    /// What takes the same away again.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self {
            deliveries: -self.deliveries,
            accepted: -self.accepted,
            refused: -self.refused,
            unread: -self.unread,
            turned_away: -self.turned_away,
        }
    }
}

/// Adds counts to an hour's.
pub async fn add(tx: &Tx, hour: Timestamp, counts: &BTreeMap<String, Counts>) -> Result<()> {
    for (source, c) in counts {
        tx.execute(
            "INSERT INTO trace_ingest_hours (hour_at, source, deliveries, accepted, refused, unread, turned_away) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (hour_at, source) DO UPDATE SET \
             deliveries = trace_ingest_hours.deliveries + excluded.deliveries, \
             accepted = trace_ingest_hours.accepted + excluded.accepted, \
             refused = trace_ingest_hours.refused + excluded.refused, \
             unread = trace_ingest_hours.unread + excluded.unread, \
             turned_away = trace_ingest_hours.turned_away + excluded.turned_away",
            args![hour, source, c.deliveries, c.accepted, c.refused, c.unread, c.turned_away],
        )
        .await?;
    }
    Ok(())
}

/// Counts since `from`, by door.
pub async fn since(db: &Db, from: Timestamp) -> Result<BTreeMap<String, Counts>> {
    let rows: Vec<(String, i64, i64, i64, i64, i64)> = db
        .fetch_all(
            "SELECT source, CAST(SUM(deliveries) AS BIGINT), CAST(SUM(accepted) AS BIGINT), CAST(SUM(refused) AS BIGINT), \
             CAST(SUM(unread) AS BIGINT), CAST(SUM(turned_away) AS BIGINT) FROM trace_ingest_hours \
             WHERE hour_at >= $1 GROUP BY source ORDER BY source",
            args![from],
        )
        .await?;
    let counts = rows.into_iter().map(|(source, deliveries, accepted, refused, unread, turned_away)| {
        (source, Counts { deliveries, accepted, refused, unread, turned_away })
    });
    Ok(counts.collect())
}

pub async fn forget(tx: &Tx, before: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM trace_ingest_hours WHERE hour_at < $1", args![before]).await
}
