//! Milestones and every value that they ever had.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::incidents::model::record::{Milestone, MilestoneChange};
use crate::incidents::model::{IncidentId, MilestoneName, Source};

use super::word;

#[derive(sqlx::FromRow)]
struct Row {
    name: String,
    at: Option<Timestamp>,
    raw_at: Timestamp,
    source: String,
    author_name: String,
    reason: String,
    recorded_at: Timestamp,
}

/// In the order of the names. Cleared ones are among them.
pub async fn of(db: &Db, id: IncidentId) -> Result<Vec<Milestone>> {
    let rows = db.fetch_all::<Row>("SELECT name, at, raw_at, source, author_name, reason, recorded_at FROM incident_milestones WHERE incident_id = $1", args![id.0]).await?;
    let mut milestones = rows
        .into_iter()
        .map(|r| {
            Ok(Milestone {
                name: word(MilestoneName::parse, &r.name, "milestone")?,
                at: r.at,
                raw_at: r.raw_at,
                source: word(Source::parse, &r.source, "source")?,
                author: r.author_name,
                reason: r.reason,
                recorded_at: r.recorded_at,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    milestones.sort_by_key(|m| m.name);
    Ok(milestones)
}

/// Makes this the standing value and adds it to the history.
pub async fn put(tx: &Tx, id: IncidentId, change: &MilestoneChange, author_id: Option<i64>) -> Result<()> {
    // A clearing of what never had a value is no change; the action does not ask for it.
    let raw = change.at.unwrap_or(change.recorded_at);
    tx.execute(
        "INSERT INTO incident_milestones (incident_id, name, at, raw_at, source, author_id, author_name, reason, \
         recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (incident_id, name) DO UPDATE SET at = excluded.at, source = excluded.source, \
         author_id = excluded.author_id, author_name = excluded.author_name, reason = excluded.reason, \
         recorded_at = excluded.recorded_at",
        args![
            id.0,
            change.name.as_str(),
            change.at,
            raw,
            change.source.as_str(),
            author_id,
            &change.author,
            &change.reason,
            change.recorded_at
        ],
    )
    .await?;
    tx.execute(
        "INSERT INTO incident_milestone_history (incident_id, name, at, source, author_id, author_name, reason, \
         recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        args![
            id.0,
            change.name.as_str(),
            change.at,
            change.source.as_str(),
            author_id,
            &change.author,
            &change.reason,
            change.recorded_at
        ],
    )
    .await?;
    Ok(())
}

/// All values of all milestones, oldest first; at most 1,000.
pub async fn history(db: &Db, id: IncidentId) -> Result<Vec<MilestoneChange>> {
    #[derive(sqlx::FromRow)]
    struct Change {
        name: String,
        at: Option<Timestamp>,
        source: String,
        author_name: String,
        reason: String,
        recorded_at: Timestamp,
    }
    let rows = db
        .fetch_all::<Change>(
            "SELECT name, at, source, author_name, reason, recorded_at FROM incident_milestone_history \
         WHERE incident_id = $1 ORDER BY name, id LIMIT 1000",
            args![id.0],
        )
        .await?;
    rows.into_iter()
        .map(|r| {
            Ok(MilestoneChange {
                name: word(MilestoneName::parse, &r.name, "milestone")?,
                at: r.at,
                source: word(Source::parse, &r.source, "source")?,
                author: r.author_name,
                reason: r.reason,
                recorded_at: r.recorded_at,
            })
        })
        .collect()
}
