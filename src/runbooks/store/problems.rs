//! Files of the folder that cannot be used as they are.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::runbooks::model::Problem;
use crate::runbooks::model::record::FileProblems;

#[derive(sqlx::FromRow)]
struct Row {
    file: String,
    problems: String,
    has_errors: bool,
    seen_at: Timestamp,
}

pub async fn put(tx: &Tx, file: &str, hash: &str, problems: &[Problem], now: Timestamp) -> Result<()> {
    let has_errors = problems.iter().any(|p| p.is_error);
    tx.execute(
        "INSERT INTO runbook_problems (file, hash, problems, has_errors, seen_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (file) DO UPDATE SET hash = excluded.hash, problems = excluded.problems, \
         has_errors = excluded.has_errors, seen_at = excluded.seen_at",
        args![file, hash, serde_json::to_string(problems)?, has_errors, now],
    )
    .await?;
    Ok(())
}

pub async fn remove(tx: &Tx, file: &str) -> Result<()> {
    tx.execute("DELETE FROM runbook_problems WHERE file = $1", args![file]).await?;
    Ok(())
}

/// File and content of each file with errors, to tell what changed since; at most 5,000.
pub async fn hashes(db: &Db) -> Result<Vec<(String, String)>> {
    db.fetch_all("SELECT file, hash FROM runbook_problems ORDER BY file LIMIT 5000", args![]).await
}

/// Errors first; at most `limit`.
pub async fn list(db: &Db, limit: i64) -> Result<Vec<FileProblems>> {
    let rows = db
        .fetch_all::<Row>(
            "SELECT file, problems, has_errors, seen_at FROM runbook_problems \
             ORDER BY CASE WHEN has_errors THEN 0 ELSE 1 END, file LIMIT $1",
            args![limit],
        )
        .await?;
    rows.into_iter()
        .map(|r| {
            let problems = serde_json::from_str(&r.problems)?;
            Ok(FileProblems { file: r.file, problems, has_errors: r.has_errors, seen_at: r.seen_at })
        })
        .collect()
}
