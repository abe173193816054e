//! The newest change of each of several services.

use crate::clock::Timestamp;
use crate::db::{Db, Where};
use crate::error::Result;

/// What a list of services shows of one's newest change.
#[derive(sqlx::FromRow)]
pub struct Latest {
    pub service_id: i64,
    pub id: i64,
    pub version: String,
    pub at: Timestamp,
}

/// One query for all, each found by the index on service and time. Services without a change are left out.
pub async fn latest(db: &Db, services: impl IntoIterator<Item = i64>) -> Result<Vec<Latest>> {
    let mut w = Where::new();
    w.and_any("s.id", services);
    let (sql, args) = w.statement(
        "SELECT s.id AS service_id, d.id, d.version, d.at FROM services s JOIN deployments d ON d.id = \
         (SELECT n.id FROM deployments n WHERE n.service_id = s.id ORDER BY n.at DESC, n.id DESC LIMIT 1)",
        "",
    );
    db.fetch_all(sql, args).await
}
