//! The SQL of reports, apart from the ledger's.

pub(super) mod alerts;
pub(super) mod answers;
pub(super) mod attention;
pub(super) mod changes;
pub(super) mod choices;
pub(super) mod frozen;
pub(super) mod learning;

use std::collections::HashMap;

use crate::db::{Db, Where};
use crate::error::Result;
use crate::incidents::{Viewer, visible};

/// Titles of those incidents that the viewer may see.
pub async fn titles(db: &Db, viewer: Viewer, mut numbers: Vec<i64>) -> Result<HashMap<i64, String>> {
    numbers.sort_unstable();
    numbers.dedup();
    let mut found = HashMap::with_capacity(numbers.len());
    for some in numbers.chunks(500) {
        let mut w = Where::new();
        visible(&mut w, viewer);
        w.and_any("i.id", some.iter().copied());
        let (sql, args) = w.statement("SELECT i.id, i.title FROM incidents i", "");
        found.extend(db.fetch_all::<(i64, String)>(sql, args).await?);
    }
    Ok(found)
}

/// What the filter fields offer: slugs of services and names of teams, at most 500 each.
pub async fn filter_choices(db: &Db) -> Result<(Vec<String>, Vec<String>)> {
    let slugs: Vec<(String,)> = db.fetch_all("SELECT slug FROM services ORDER BY slug LIMIT 500", vec![]).await?;
    let teams: Vec<(String,)> = db
        .fetch_all(
            "SELECT DISTINCT owner_team FROM services WHERE owner_team <> '' ORDER BY owner_team LIMIT 500",
            vec![],
        )
        .await?;
    Ok((slugs.into_iter().map(|r| r.0).collect(), teams.into_iter().map(|r| r.0).collect()))
}
