//! `faultline check`: is everything in place to start?

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::accounts::service;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::runbooks::model::lint;
use crate::runbooks::service::folder;
use crate::services;

/// More services than a catalogue has.
const MAX_SERVICES: i64 = 20_000;

#[derive(Debug, clap::Subcommand)]
pub enum CheckCommand {
    /// Check a folder of runbooks: front matter, steps, owners, review dates, links
    #[command(
        after_help = "Examples:\n  faultline check runbooks\n  faultline check runbooks docs/runbooks --catalogue"
    )]
    Runbooks {
        /// The folder; the configured one without it
        folder: Option<PathBuf>,
        /// Ask the database whether the services are known
        #[arg(long)]
        catalogue: bool,
    },
}

/// # Errors
/// What the check found wrong.
pub async fn run(config: Config, what: Option<CheckCommand>) -> Result<()> {
    match what {
        None => installation(config).await,
        Some(CheckCommand::Runbooks { folder, catalogue }) => {
            let known = if catalogue { Some(known_services(&config).await?) } else { None };
            runbooks(folder.as_deref().unwrap_or(&config.runbooks), known.as_ref())
        }
    }
}

async fn known_services(config: &Config) -> Result<BTreeSet<String>> {
    let db = Db::connect(&config.database_url).await?;
    let all = services::page(&db, &services::Filter::default(), MAX_SERVICES).await?;
    let slugs = all.into_iter().map(|s| s.slug).collect();
    db.close().await;
    Ok(slugs)
}

/// Prints `file:line: field: message` for each remark, as compilers do; fails when one is an error.
fn runbooks(path: &Path, services: Option<&BTreeSet<String>>) -> Result<()> {
    if !path.is_dir() {
        return Err(Error::invalid("folder", format!("{} is no folder", path.display())));
    }
    let files = folder::read(path).map_err(|e| Error::invalid("folder", format!("{}: {e}", path.display())))?;
    let texts: Vec<lint::File<'_>> = files
        .iter()
        .map(|f| lint::File { name: &f.name, slug: f.slug(), text: f.content.as_deref().map_err(String::as_str) })
        .collect();
    let remarks = lint::lint(&texts, services, Clock::System.now());
    for remark in &remarks {
        let level = if remark.problem.is_error { "error" } else { "warning" };
        let p = &remark.problem;
        println!("{}:{}: {level}: {}: {}", path.join(&remark.file).display(), p.line, p.field, p.message);
    }
    let errors = remarks.iter().filter(|r| r.problem.is_error).count();
    println!("{} runbooks, {errors} errors, {} warnings", files.len(), remarks.len() - errors);
    if errors > 0 { Err(Error::invalid("runbooks", format!("{errors} errors"))) } else { Ok(()) }
}

/// Prints what it found; fails on the first thing that would keep the server from starting.
async fn installation(config: Config) -> Result<()> {
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
