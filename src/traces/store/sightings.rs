//! A queue of which versions answered calls, for the room that makes deployments of what it sees.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Rows, Tx, Value};
use crate::error::Result;

/// One version of a service in one environment, answering calls within one minute.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Sighting {
    /// As spans name it.
    pub service: String,
    /// Empty when spans do not tell.
    pub environment: String,
    pub version: String,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub calls: i64,
}

/// Adds to the queue; what is queued of the same minute grows.
pub async fn add(tx: &Tx, sightings: Vec<Sighting>) -> Result<()> {
    let mut rows = Rows::new(
        "INSERT INTO trace_sightings (service, environment, version, minute_at, first_at, last_at, calls)",
        7,
        "ON CONFLICT (service, environment, version, minute_at) DO UPDATE SET calls = trace_sightings.calls + excluded.calls, \
         first_at = CASE WHEN excluded.first_at < trace_sightings.first_at THEN excluded.first_at ELSE trace_sightings.first_at END, \
         last_at = CASE WHEN excluded.last_at > trace_sightings.last_at THEN excluded.last_at ELSE trace_sightings.last_at END",
    );
    for s in sightings {
        let minute = s.first_at.as_micros().div_euclid(60_000_000) * 60_000_000;
        rows.push([
            Value::from(s.service),
            Value::from(s.environment),
            Value::from(s.version),
            Value::from(minute),
            Value::from(s.first_at),
            Value::from(s.last_at),
            Value::from(s.calls),
        ]);
    }
    tx.insert_rows(rows).await.map(drop)
}

/// Takes the oldest out of the queue, in order of time.
pub async fn take(tx: &Tx, limit: i64) -> Result<Vec<Sighting>> {
    let mut taken: Vec<Sighting> = tx
        .fetch_all(
            "DELETE FROM trace_sightings WHERE id IN (SELECT id FROM trace_sightings ORDER BY minute_at, id LIMIT $1) \
             RETURNING service, environment, version, first_at, last_at, calls",
            args![limit],
        )
        .await?;
    taken.sort_by(|a, b| (a.first_at, &a.service, &a.version).cmp(&(b.first_at, &b.service, &b.version)));
    Ok(taken)
}
