//! The application put together: every room's routes behind one stack of layers. The same in
//! production and in tests.

mod facts;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tower_http::csrf::CsrfLayer;

use crate::inbox::{Inbox, Kind, Limit};
use crate::state::AppState;
use crate::traces::SpanStore;
use crate::web::{self, Routes};
use crate::{
    accounts, alerts, deployments, health, inbox, incidents, logs, notifications, oncall, openapi, portable,
    postmortems, relay, reports, runbooks, search, services, similar, slack, status_page, suspects, trace_sources,
    traces,
};

/// Largest form or JSON body of a person's page, in bytes; machine deliveries have their own bound.
pub const PAGE_BODY_LIMIT: usize = 2 * 1024 * 1024;

/// All routes of all rooms.
pub fn routes() -> Routes {
    Routes::new()
        .merge(web::asset_routes())
        .merge(health::routes())
        .merge(accounts::routes())
        .merge(services::routes())
        .merge(incidents::routes())
        .merge(inbox::routes())
        .merge(notifications::routes())
        .merge(alerts::routes())
        .merge(deployments::routes())
        .merge(traces::routes())
        .merge(trace_sources::routes())
        .merge(logs::routes())
        .merge(suspects::routes())
        .merge(runbooks::routes())
        .merge(postmortems::routes())
        .merge(similar::routes())
        .merge(portable::routes())
        .merge(status_page::routes())
        .merge(oncall::routes())
        .merge(reports::routes())
        .merge(openapi::routes())
        .merge(search::routes())
        .merge(slack::routes())
}

/// What the requests and the jobs of a process share, each made once. Two inboxes would work as well, but what
/// the door of one read of a delivery, the worker of the other would fetch and read again.
#[derive(Clone)]
pub struct Shared {
    /// Deliveries that arrive through the router are processed by its `run`, here or on another node.
    pub inbox: Inbox,
    pub ledger: reports::Ledger,
}

impl Shared {
    pub fn new(state: &AppState) -> Self {
        Self { inbox: inbox(state), ledger: reports::Ledger::new() }
    }
}

/// The inbox of this node, with every room's processor.
fn inbox(state: &AppState) -> Inbox {
    let per_second = state.config.ingest_rate;
    let limit = Limit { per_second, burst: per_second.saturating_mul(5) };
    let inbox = Inbox::new(state.db.clone(), state.clock.clone(), limit);
    inbox.register(Kind::Alerts, Arc::new(alerts::ingest::AlertProcessor));
    inbox.register(Kind::Checks, Arc::new(alerts::ingest::AlertProcessor));
    inbox.register(
        Kind::Changes,
        Arc::new(deployments::ChangesProcessor::new(vec![Box::new(postmortems::ClosedByMerge)])),
    );
    inbox
}

/// What carries notifications out. A configuration that it cannot use was refused at the start; should one
/// come through all the same, nothing is sent.
pub fn courier(state: &AppState) -> notifications::Courier {
    notifications::Courier::new(&state.config).unwrap_or_else(|error| {
        tracing::error!(%error, "notifications cannot be sent");
        notifications::Courier::none(&state.config)
    })
}

/// What the rooms add to the incident page and the dashboard: `.panel(…)`, `.dashboard(…)`,
/// `.evidence(…)`, `.question(…)`.
pub fn incident_hooks(state: &AppState) -> incidents::hooks::Hooks {
    let runbooks = runbooks::RunbookPanel { sources: runbook_sources(), base_url: state.config.base_url.clone() };
    incidents::hooks::HooksBuilder::default()
        .panel(oncall::IncidentOnCall)
        .panel(alerts::hooks::AlertsPanel)
        .panel(deployments::RecentChanges)
        .panel(traces::BlastRadius)
        .panel(suspects::panel::SuspectsPanel)
        .panel(runbooks)
        .panel(similar::SimilarPanel::default())
        .panel(postmortems::PostmortemPanel)
        .panel(reports::ClassesPanel)
        .panel(status_page::StatusPanel)
        .dashboard(alerts::hooks::LooseAlerts)
        .dashboard(relay::hooks::SilentChannels)
        .dashboard(oncall::NowOnCall)
        .evidence(alerts::hooks::AlertEvidence)
        .evidence(deployments::evidence::DeploymentEvidence)
        .evidence(trace_sources::RemoteTraces)
        .question(alerts::hooks::FiringQuestion)
        .duplicates(similar::PossibleDuplicates)
        .build()
}

/// What the rooms know of an incident that runbooks ask for: conditions' facts, variables' values.
pub fn runbook_sources() -> runbooks::hooks::Sources {
    runbooks::hooks::Sources::new(vec![
        Box::new(facts::AlertFacts),
        Box::new(facts::RuleFacts),
        Box::new(facts::SuspectFacts),
    ])
}

/// What the rooms add to a service's page and to the catalogue's list.
pub fn service_hooks() -> services::hooks::Hooks {
    services::hooks::Hooks::new(
        vec![
            Box::new(oncall::ServiceOnCall),
            Box::new(incidents::ServiceIncidents),
            Box::new(deployments::ServiceChanges),
            Box::new(alerts::hooks::ServiceAlerts),
            Box::new(traces::ServiceTraces),
        ],
        vec![
            Box::new(incidents::OpenIncidents),
            Box::new(alerts::columns::FiringAlerts),
            Box::new(deployments::LastChange),
        ],
    )
}

/// What the rooms add to a change's page.
pub fn change_hooks() -> deployments::hooks::Hooks {
    deployments::hooks::Hooks::new(vec![Box::new(suspects::panel::ChangeVerdicts)])
}

/// The service that answers every request.
pub fn router(state: AppState) -> Router {
    let shared = Shared::new(&state);
    router_with(state, shared)
}

/// The same beside jobs of this process.
pub fn router_with(state: AppState, shared: Shared) -> Router {
    // Streams of live updates must not wait in a compressor's buffer.
    let compress = DefaultPredicate::new().and(NotForContentType::new("text/event-stream"));
    // The outermost first. One layer to the router, which boxes and clones what it wraps for every request.
    let around = ServiceBuilder::new()
        .layer(from_fn_with_state(state.clone(), web::with_request_id))
        // Level 3: a few percent larger than the default, for half of its time.
        .layer(CompressionLayer::new().quality(CompressionLevel::Precise(3)).compress_when(compress))
        .layer(from_fn_with_state(state.clone(), web::secure))
        .layer(from_fn_with_state(state.clone(), web::render_errors))
        .layer(CatchPanicLayer::new())
        .layer(Extension(accounts::Sessions::default()))
        .layer(from_fn_with_state(state.clone(), web::authenticate))
        .layer(csrf(&state))
        .layer(Extension(status_page::Doorman::default()))
        .layer(Extension(status_page::PublicCache::default()))
        .layer(Extension(shared.ledger))
        .layer(Extension(change_hooks()))
        .layer(Extension(service_hooks()))
        .layer(Extension(runbook_sources()))
        .layer(Extension(incident_hooks(&state)))
        .layer(DefaultBodyLimit::max(PAGE_BODY_LIMIT))
        .layer(Extension(SpanStore::new(state.db.clone(), state.clock.clone())))
        .layer(Extension(courier(&state)))
        .layer(Extension(shared.inbox));
    routes().into_router().layer(around).with_state(state)
}

/// Cross-origin changes are refused by Sec-Fetch-Site and Origin; machines send neither.
fn csrf(state: &AppState) -> CsrfLayer {
    let layer = CsrfLayer::new();
    let origin = url::Url::parse(&state.config.base_url).map(|u| u.origin().ascii_serialization());
    match origin.map(|o| CsrfLayer::new().add_trusted_origin(o)) {
        Ok(Ok(trusting)) => trusting,
        _ => layer,
    }
}
