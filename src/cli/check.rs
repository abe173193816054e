//! `faultline check`: is everything in place to start?

use crate::accounts::service;
use crate::config::Config;
use crate::db::Db;
use crate::error::Result;

/// Prints what it found; fails on the first thing that would keep the server from starting.
pub async fn run(config: Config) -> Result<()> {
    println!("configuration  ok  {config:?}");
    let db = Db::connect(&config.database_url).await?;
    db.ping().await?;
    println!("database       ok  {} ({:?})", config.database_url, db.engine());
    let (sqlite, _) = Db::migration_numbers();
    println!("migrations     ok  {} applied", sqlite.len());
    if service::needs_setup(&db).await? {
        println!("users          none yet: the first start prints a set-up code");
    }
    db.close().await;
    Ok(())
}
