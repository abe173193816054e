//! Windows of customer impact.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx};
use crate::error::Result;
use crate::incidents::model::IncidentId;
use crate::incidents::model::impact::{Impact, NewImpact};

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    what: String,
    affected: String,
    created_by_name: String,
    created_at: Timestamp,
    updated_by_name: String,
    updated_at: Timestamp,
    version: i64,
}

const SELECT: &str = "SELECT id, started_at, ended_at, what, affected, created_by_name, created_at, updated_by_name, \
    updated_at, version FROM incident_impacts WHERE incident_id = $1 AND removed_at IS NULL";

impl From<Row> for Impact {
    fn from(r: Row) -> Self {
        Self {
            id: r.id,
            started_at: r.started_at,
            ended_at: r.ended_at,
            what: r.what,
            affected: r.affected,
            created_by: r.created_by_name,
            created_at: r.created_at,
            updated_by: r.updated_by_name,
            updated_at: r.updated_at,
            version: r.version,
        }
    }
}

/// In order of time; at most 200.
pub async fn of(db: &Db, id: IncidentId) -> Result<Vec<Impact>> {
    let sql = format!("{SELECT} ORDER BY started_at, id LIMIT 200");
    Ok(db.fetch_all::<Row>(Sql::built(sql), args![id.0]).await?.into_iter().map(Impact::from).collect())
}

pub async fn find(db: &Db, id: IncidentId, impact: i64) -> Result<Option<Impact>> {
    let sql = format!("{SELECT} AND id = $2");
    Ok(db.fetch_optional::<Row>(Sql::built(sql), args![id.0, impact]).await?.map(Impact::from))
}

pub async fn insert(tx: &Tx, id: IncidentId, new: &NewImpact, by: &str, now: Timestamp) -> Result<i64> {
    tx.insert(
        "INSERT INTO incident_impacts (incident_id, started_at, ended_at, what, affected, created_by_name, created_at, \
         updated_by_name, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $6, $7) RETURNING id",
        args![id.0, new.started_at, new.ended_at, &new.what, &new.affected, by, now],
    )
    .await
}

/// `false` when another version than the given one stands.
pub async fn update(tx: &Tx, standing: &Impact, new: &NewImpact, by: &str, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE incident_impacts SET started_at = $1, ended_at = $2, what = $3, affected = $4, updated_by_name = $5, \
             updated_at = $6, version = version + 1 WHERE id = $7 AND version = $8",
            args![
                new.started_at,
                new.ended_at,
                &new.what,
                &new.affected,
                by,
                now,
                standing.id,
                standing.version
            ],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn remove(tx: &Tx, id: IncidentId, impact: i64, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE incident_impacts SET removed_at = $1 WHERE incident_id = $2 AND id = $3",
        args![now, id.0, impact],
    )
    .await?;
    Ok(())
}
