//! Incidents that happened again.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx, Where};
use crate::error::Result;
use crate::incidents::{self, IncidentId, Viewer};

/// `false` when it was said before.
pub async fn insert(
    tx: &Tx,
    incident: IncidentId,
    earlier: IncidentId,
    reopened: i64,
    by: &str,
    now: Timestamp,
) -> Result<bool> {
    let changed = tx
        .execute(
            "INSERT INTO incident_recurrences (incident_id, earlier_id, reopened, said_by_name, said_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (incident_id, earlier_id) DO NOTHING",
            args![incident.0, earlier.0, reopened, by, now],
        )
        .await?;
    Ok(changed == 1)
}

#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Recurrence {
    /// The other incident.
    pub incident_id: i64,
    pub title: String,
    pub reopened: i64,
    pub said_by_name: String,
    pub said_at: Timestamp,
}

impl Recurrence {
    pub fn incident(&self) -> IncidentId {
        IncidentId(self.incident_id)
    }
}

/// What this incident repeats; oldest first, of those that the viewer may see.
pub async fn earlier(db: &Db, incident: IncidentId, viewer: Viewer) -> Result<Vec<Recurrence>> {
    let mut w = Where::new();
    w.and("r.incident_id = ?", incident.0);
    incidents::visible(&mut w, viewer);
    let (sql, args) = w.statement(
        "SELECT r.earlier_id AS incident_id, i.title, r.reopened, r.said_by_name, r.said_at \
         FROM incident_recurrences r JOIN incidents i ON i.id = r.earlier_id",
        "ORDER BY r.earlier_id LIMIT 50",
    );
    db.fetch_all(sql, args).await
}

/// What repeated this incident.
pub async fn later(db: &Db, incident: IncidentId, viewer: Viewer) -> Result<Vec<Recurrence>> {
    let mut w = Where::new();
    w.and("r.earlier_id = ?", incident.0);
    incidents::visible(&mut w, viewer);
    let (sql, args) = w.statement(
        "SELECT r.incident_id, i.title, r.reopened, r.said_by_name, r.said_at \
         FROM incident_recurrences r JOIN incidents i ON i.id = r.incident_id",
        "ORDER BY r.incident_id LIMIT 50",
    );
    db.fetch_all(sql, args).await
}
