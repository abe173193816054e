//! Finished answers in the database.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::args;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::{Error, Result};

/// Rows that are kept, the newest.
const MOST: i64 = 64;
/// Of zstd; answers are written once and read often.
const LEVEL: i32 = 3;

fn key(key: u64) -> i64 {
    i64::from_ne_bytes(key.to_ne_bytes())
}

/// A kept answer; none as well when it cannot be read, for it can be computed.
pub async fn find<T: DeserializeOwned>(db: &Db, of: u64) -> Result<Option<T>> {
    let row: Option<(Vec<u8>,)> =
        db.fetch_optional("SELECT body FROM report_answers WHERE id = $1", args![key(of)]).await?;
    Ok(row.and_then(|(body,)| {
        let bytes = zstd::stream::decode_all(body.as_slice()).ok()?;
        rmp_serde::from_slice(&bytes).inspect_err(|error| tracing::warn!(%error, "a kept answer is damaged")).ok()
    }))
}

pub async fn put<T: Serialize>(db: &Db, of: u64, answer: &T, now: Timestamp) -> Result<()> {
    let fault = |e: &dyn std::fmt::Display| Error::Internal(format!("keeping an answer: {e}"));
    let bytes = rmp_serde::to_vec(answer).map_err(|e| fault(&e))?;
    let body = zstd::bulk::compress(&bytes, LEVEL).map_err(|e| fault(&e))?;
    let tx = db.begin().await?;
    tx.execute(
        "INSERT INTO report_answers (id, made_at, body) VALUES ($1, $2, $3) \
         ON CONFLICT (id) DO UPDATE SET made_at = excluded.made_at, body = excluded.body",
        args![key(of), now, body],
    )
    .await?;
    tx.execute(
        "DELETE FROM report_answers WHERE id IN (SELECT id FROM report_answers ORDER BY made_at DESC, id LIMIT 1000 OFFSET $1)",
        args![MOST],
    )
    .await?;
    tx.commit().await
}
