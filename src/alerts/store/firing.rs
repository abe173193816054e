//! How many alerts fire, by service.

use crate::db::{Db, Where};
use crate::error::Result;

/// Slug and number of firing alerts that are no noise, in one query by the index on service and status.
pub async fn firing_by_service<'a>(db: &Db, slugs: impl IntoIterator<Item = &'a str>) -> Result<Vec<(String, i64)>> {
    let mut w = Where::new();
    w.and_any("service", slugs);
    w.and_raw("status = 'firing' AND noise_at IS NULL");
    let (sql, args) = w.statement("SELECT service, COUNT(*) FROM alerts", "GROUP BY service");
    db.fetch_all(sql, args).await
}
