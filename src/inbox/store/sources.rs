//! What people set for a source: signing secrets and the mapping of a house format.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::inbox::model::Kind;

/// The secrets and the mapping set for a source.
#[derive(Clone, Debug, Default, sqlx::FromRow)]
pub struct SourceSettings {
    pub secrets: String,
    pub mapping: String,
}

impl SourceSettings {
    pub fn secret_list(&self) -> Vec<String> {
        self.secrets.lines().map(str::trim).filter(|s| !s.is_empty()).map(ToOwned::to_owned).collect()
    }
}

pub async fn settings(db: &Db, kind: Kind, source: &str) -> Result<SourceSettings> {
    let row = db
        .fetch_optional(
            "SELECT secrets, mapping FROM inbox_sources WHERE kind = $1 AND source = $2",
            args![kind.as_str(), source],
        )
        .await?;
    Ok(row.unwrap_or_default())
}

/// The topic of notices that a source's settings are others.
pub const DOORS: &str = "doors";

pub async fn save_settings(
    tx: &Tx,
    kind: Kind,
    source: &str,
    set: &SourceSettings,
    now: Timestamp,
    by: &str,
) -> Result<()> {
    tx.announce(DOORS);
    tx.execute(
        "INSERT INTO inbox_sources (kind, source, secrets, mapping, updated_at, updated_by) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (kind, source) DO UPDATE SET secrets = excluded.secrets, mapping = excluded.mapping, \
         updated_at = excluded.updated_at, updated_by = excluded.updated_by",
        args![kind.as_str(), source, &set.secrets, &set.mapping, now, by],
    )
    .await
    .map(drop)
}
