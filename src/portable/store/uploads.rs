//! Files between their upload and the import.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;

/// Keeps an uploaded file for a day, for whoever uploaded it.
pub async fn insert_upload(tx: &Tx, key: &str, user_id: i64, name: &str, body: Vec<u8>, now: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM import_uploads WHERE created_at < $1", args![now - chrono::TimeDelta::days(1)]).await?;
    tx.execute(
        "INSERT INTO import_uploads (key, user_id, name, body, created_at) VALUES ($1, $2, $3, $4, $5)",
        args![key, user_id, name, body, now],
    )
    .await
    .map(drop)
}

/// Name and content.
pub async fn upload(db: &Db, key: &str, user_id: i64) -> Result<Option<(String, Vec<u8>)>> {
    db.fetch_optional("SELECT name, body FROM import_uploads WHERE key = $1 AND user_id = $2", args![key, user_id])
        .await
}

pub async fn delete_upload(tx: &Tx, key: &str) -> Result<()> {
    tx.execute("DELETE FROM import_uploads WHERE key = $1", args![key]).await.map(drop)
}
