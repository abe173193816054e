//! The command line: parses, prepares the state, calls one command a file.

mod accounts;
mod bench_data;
mod check;
mod database;
pub mod demo;
pub mod deploy;
mod eval;
pub mod serve;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::clock::Clock;
use crate::config::{Config, Settings};
use crate::db::Db;
use crate::error::Result;
use crate::random::Random;
use crate::state::AppState;

/// Self-hosted incident management: from the first signal of a failure to the lesson learned.
#[derive(Parser)]
#[command(
    name = "faultline",
    version,
    propagate_version = true,
    after_help = "Example:\n  faultline serve --listen 0.0.0.0:8080"
)]
pub struct Cli {
    /// TOML file with the settings below, in snake_case
    #[arg(long, global = true, env = "FAULTLINE_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the web application (the default)
    #[command(after_help = "Example:\n  faultline serve --database-url sqlite:/var/lib/faultline/faultline.db")]
    Serve,
    /// Serve a year of a believable company from a temporary database
    #[command(after_help = "Example:\n  faultline demo --listen 127.0.0.1:8080")]
    Demo,
    /// Add many generated incidents to the database, to measure with; never to one that is in use
    #[command(after_help = "Example:\n  faultline bench-data 100000 --years 10 --database-url sqlite:bench.db")]
    BenchData {
        count: usize,
        /// Spread over so many years before now
        #[arg(long, default_value_t = 1)]
        years: i64,
    },
    /// Users
    #[command(subcommand)]
    User(accounts::UserCommand),
    /// API and ingest tokens
    #[command(subcommand)]
    Token(accounts::TokenCommand),
    /// Write a consistent copy of the database to a file
    #[command(after_help = "Example:\n  faultline backup /backups/faultline-2026-11-23.db")]
    Backup { file: PathBuf },
    /// Put a backup in the place of the database (stop the server first)
    #[command(after_help = "Example:\n  faultline restore /backups/faultline-2026-11-23.db")]
    Restore {
        file: PathBuf,
        /// Replace a database that already holds users
        #[arg(long)]
        force: bool,
    },
    /// Check configuration, database and migrations; or the runbooks
    #[command(after_help = "Examples:\n  faultline check\n  faultline check runbooks")]
    Check {
        #[command(subcommand)]
        what: Option<check::CheckCommand>,
    },
    /// Tell a running Faultline of a deployment or another change, from any pipeline
    Deploy(Box<deploy::Deploy>),
    /// Measure the suspect ranking on labelled failures
    #[command(subcommand)]
    Eval(eval::EvalCommand),
}

/// # Errors
/// What the command says, for standard error.
pub async fn run(cli: Cli) -> Result<()> {
    let config = Config::load(cli.settings, cli.config.as_deref())?;
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(config).await,
        Command::Demo => demo::run(config).await,
        Command::BenchData { count, years } => bench_data::run(&open(config).await?, count, years).await,
        Command::User(command) => accounts::user(&open(config).await?, command).await,
        Command::Token(command) => accounts::token(&open(config).await?, command).await,
        Command::Backup { file } => database::backup(&config, &file).await,
        Command::Restore { file, force } => database::restore(&config, &file, force).await,
        Command::Check { what } => check::run(config, what).await,
        Command::Deploy(deploy) => deploy::run(&deploy, &config.base_url).await,
        Command::Eval(command) => eval::run(command),
    }
}

/// The state of a command that works on the database and ends.
async fn open(config: Config) -> Result<AppState> {
    let db = Db::connect(&config.database_url).await?;
    Ok(AppState { db, clock: Clock::System, random: Random::System, config: Arc::new(config) })
}
