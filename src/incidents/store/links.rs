//! Links between incidents.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx};
use crate::error::Result;
use crate::incidents::model::IncidentId;
use crate::incidents::model::link::Relation;
use crate::incidents::model::record::Incident;

use super::head::{COLUMNS, IncidentRow};
use super::word;

/// A link as it is kept: `from` was linked to `to`.
#[derive(Clone, Debug)]
pub struct Link {
    pub id: i64,
    pub from: IncidentId,
    pub to: IncidentId,
    pub relation: Relation,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    incident_id: i64,
    other_id: i64,
    kind: String,
}

impl Row {
    fn into_link(self) -> Result<Link> {
        Ok(Link {
            id: self.id,
            from: IncidentId(self.incident_id),
            to: IncidentId(self.other_id),
            relation: word(Relation::parse, &self.kind, "relation")?,
        })
    }
}

/// Links from and to the incident, oldest first; at most 100.
pub async fn of(db: &Db, id: IncidentId) -> Result<Vec<Link>> {
    let rows = db
        .fetch_all::<Row>(
            "SELECT id, incident_id, other_id, kind FROM incident_links WHERE incident_id = $1 OR other_id = $1 \
             ORDER BY id LIMIT 100",
            args![id.0],
        )
        .await?;
    rows.into_iter().map(Row::into_link).collect()
}

/// `false` when the two are linked already, from either side.
pub async fn insert(tx: &Tx, link: (IncidentId, IncidentId, Relation), by: &str, now: Timestamp) -> Result<bool> {
    let (from, to, relation) = link;
    let changed = tx
        .execute(
            "INSERT INTO incident_links (incident_id, other_id, kind, created_by_name, created_at) \
             SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS \
             (SELECT 1 FROM incident_links x WHERE x.incident_id = $2 AND x.other_id = $1) \
             ON CONFLICT (incident_id, other_id) DO NOTHING",
            args![from.0, to.0, relation.as_str(), by, now],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn remove(tx: &Tx, link: i64) -> Result<()> {
    tx.execute("DELETE FROM incident_links WHERE id = $1", args![link]).await?;
    Ok(())
}

/// Incidents that are a part of this one, oldest first; at most 100.
pub async fn children(db: &Db, id: IncidentId) -> Result<Vec<Incident>> {
    let sql = format!("SELECT {COLUMNS} FROM incidents i WHERE i.parent_id = $1 ORDER BY i.id LIMIT 100");
    let rows = db.fetch_all::<IncidentRow>(Sql::built(sql), args![id.0]).await?;
    rows.into_iter().map(IncidentRow::into_incident).collect()
}
