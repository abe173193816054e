//! `faultline backup` and `faultline restore`: one consistent file of the whole database.
//!
//! SQLite copies itself while it is in use. For PostgreSQL its own tools do this better than we could;
//! the commands say so.

use std::path::Path;

use crate::args;
use crate::config::Config;
use crate::db::{Db, DbUrl};
use crate::error::{Error, Result};

const USE_PG_DUMP: &str = "PostgreSQL has its own tools for this: pg_dump --format=custom, and pg_restore --clean";

/// # Errors
/// `Invalid` when the file exists or the database is PostgreSQL.
pub async fn backup(config: &Config, file: &Path) -> Result<()> {
    let Some(source) = config.database_url.file() else { return Err(Error::invalid("database_url", USE_PG_DUMP)) };
    if !source.exists() {
        return Err(Error::invalid("database_url", format!("{} does not exist", source.display())));
    }
    if file.exists() {
        return Err(Error::invalid("file", format!("{} exists already", file.display())));
    }
    let db = Db::connect_unmigrated(&config.database_url, 1).await?;
    db.vacuum_into(file).await?;
    db.close().await;
    eprintln!("wrote {}", file.display());
    Ok(())
}

/// # Errors
/// `Invalid` when the backup is no Faultline database, or the present one is in use and `force` is not given.
pub async fn restore(config: &Config, file: &Path, force: bool) -> Result<()> {
    let Some(target) = config.database_url.file() else { return Err(Error::invalid("database_url", USE_PG_DUMP)) };
    if !file.exists() {
        return Err(Error::invalid("file", format!("{} does not exist", file.display())));
    }
    if target.exists() && !force {
        return Err(Error::invalid("database_url", format!("{} exists; --force replaces it", target.display())));
    }
    let incoming = target.with_extension("restoring");
    std::fs::copy(file, &incoming).map_err(|e| Error::invalid("file", format!("{}: {e}", file.display())))?;
    if let Err(error) = check_is_ours(&incoming).await {
        let _ = std::fs::remove_file(&incoming);
        return Err(error);
    }
    for suffix in ["-wal", "-shm"] {
        // A journal of the replaced database must not be played into the new one.
        let _ = std::fs::remove_file(format!("{}{suffix}", target.display()));
        let _ = std::fs::remove_file(format!("{}{suffix}", incoming.display()));
    }
    std::fs::rename(&incoming, &target).map_err(|e| Error::invalid("database_url", e.to_string()))?;
    eprintln!("restored {} into {}", file.display(), target.display());
    Ok(())
}

async fn check_is_ours(file: &Path) -> Result<()> {
    let not_ours = |e: Error| Error::invalid("file", format!("is not a backup of Faultline: {e}"));
    let db = Db::connect_unmigrated(&DbUrl::sqlite_file(file), 1).await.map_err(not_ours)?;
    db.fetch_scalar::<i64>("SELECT COUNT(*) FROM users", args![]).await.map_err(not_ours)?;
    // Brings an older backup to this version's schema.
    db.migrate().await?;
    db.close().await;
    Ok(())
}
