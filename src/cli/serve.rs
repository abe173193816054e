//! `faultline serve`: listen until told to stop, then finish what is under way.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing_subscriber::EnvFilter;

use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::random::Random;
use crate::state::AppState;
use crate::{
    accounts, alerts, app, deployments, notifications, oncall, postmortems, relay, reports, runbooks, status_page,
    suspects, trace_sources, traces,
};

/// How long requests that are under way may take after the signal to stop.
const LAST_ANSWERS: std::time::Duration = std::time::Duration::from_secs(5);

/// # Errors
/// When the database cannot be opened or the address is taken.
pub async fn run(config: Config) -> Result<()> {
    init_log(&config)?;
    tracing::info!(?config, version = env!("CARGO_PKG_VERSION"), "starting");
    let db = Db::connect(&config.database_url).await?;
    let state = AppState { db, clock: Clock::System, random: Random::System, config: Arc::new(config) };
    serve(state).await
}

/// Serves an already opened state until SIGINT or SIGTERM.
pub async fn serve(state: AppState) -> Result<()> {
    let listener = TcpListener::bind(state.config.listen)
        .await
        .map_err(|e| Error::invalid("listen", format!("{}: {e}", state.config.listen)))?;
    let base_url = state.config.base_url.clone();
    tracing::info!("listening on {base_url}");
    if let Some(code) = accounts::service::new_setup_code(&state).await? {
        tracing::info!("no users yet: open {base_url}/setup and enter the one-time code {code}");
    }
    let db = state.db.clone();
    let shared = app::Shared::new(&state);
    let jobs = Jobs::start(&state, &shared)?;
    let service = app::router_with(state, shared).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop_signal());
    tokio::select! {
        outcome = serving => outcome.map_err(|e| Error::Internal(format!("serving: {e}")))?,
        // Open streams of live updates would hold the process for ever; browsers open them again.
        () = async { stop_signal().await; tokio::time::sleep(LAST_ANSWERS).await } => {}
    }
    jobs.stop().await;
    db.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// What the process does by itself.
struct Jobs {
    /// Each of them does its work in transactions and can be left off anywhere.
    rounds: Vec<JoinHandle<()>>,
    notifications: notifications::worker::Worker,
}

impl Jobs {
    fn start(state: &AppState, shared: &app::Shared) -> Result<Self> {
        let courier = notifications::Courier::new(&state.config).map_err(|e| Error::invalid("config", e))?;
        let outbound = status_page::jobs::outbound(state)?;
        let rounds = vec![
            tokio::spawn(shared.inbox.clone().run()),
            alerts::jobs::spawn(state.clone()),
            relay::jobs::spawn(state.clone()),
            traces::jobs::spawn(state.clone()),
            trace_sources::jobs::spawn(state.clone())?,
            deployments::jobs::spawn(state.clone()),
            suspects::jobs::spawn(state.clone()),
            runbooks::jobs::spawn(state.clone()),
            postmortems::jobs::spawn(state.clone()),
            oncall::jobs::spawn(state.clone()),
            oncall::jobs::spawn_connections(state.clone(), outbound.clone()),
            status_page::jobs::spawn(state.clone(), outbound, courier.clone()),
            reports::jobs::spawn(state.clone(), shared.ledger.clone()),
        ];
        let notifications = notifications::worker::spawn(state.clone(), courier);
        Ok(Self { rounds, notifications })
    }

    /// Leaves off, so that nothing asks a database that is closed.
    async fn stop(self) {
        for round in &self.rounds {
            round.abort();
        }
        self.notifications.stop(LAST_ANSWERS).await;
        for round in self.rounds {
            // An aborted job says so; that is what was wanted.
            let _ = round.await;
        }
    }
}

pub(super) fn init_log(config: &Config) -> Result<()> {
    let filter =
        EnvFilter::try_new(&config.log).map_err(|e| Error::invalid("log", format!("'{}': {e}", config.log)))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let outcome = if config.log_json { builder.json().try_init() } else { builder.try_init() };
    outcome.map_err(|e| Error::Internal(format!("starting the log: {e}")))
}

async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without a handler there is nothing to wait for but the terminal.
    let _ = interrupt.await;
}
