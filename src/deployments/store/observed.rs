//! The SQL of what services run.

use crate::args;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::deployments::observe::{Known, Running};
use crate::error::Result;

/// Waits until no other node reads the queue; held to the end of the transaction.
pub async fn take_turn(tx: &Tx, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE sighting_turn SET taken_at = $1 WHERE id = 1", args![now]).await.map(drop)
}

pub async fn known(tx: &Tx, service: &str, environment: &str) -> Result<Known> {
    let rows: Vec<(String, Timestamp, i64, i64)> = tx
        .fetch_all(
            "SELECT version, last_at, calls, silent FROM running_versions WHERE service = $1 AND environment = $2 \
             ORDER BY version LIMIT 100",
            args![service, environment],
        )
        .await?;
    let running = |(version, last_at, calls, silent)| Running { version, last_at, calls, silent };
    Ok(Known(rows.into_iter().map(running).collect()))
}

/// Replaces what is known.
pub async fn keep(tx: &Tx, service: &str, environment: &str, known: &Known) -> Result<()> {
    tx.execute("DELETE FROM running_versions WHERE service = $1 AND environment = $2", args![service, environment])
        .await?;
    for r in &known.0 {
        tx.execute(
            "INSERT INTO running_versions (service, environment, version, last_at, calls, silent) VALUES ($1, $2, $3, $4, $5, $6)",
            args![service, environment, &r.version, r.last_at, r.calls, r.silent],
        )
        .await?;
    }
    Ok(())
}
