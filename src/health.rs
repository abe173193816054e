//! Whether Faultline lives, is ready, and how it does, for probes and Prometheus.

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use crate::error::{Error, Result};
use crate::reports;
use crate::state::AppState;
use crate::web::{Access, Routes};

pub fn routes() -> Routes {
    Routes::new().get("/healthz", Access::Public, alive).get("/readyz", Access::Public, ready).get(
        "/metrics",
        Access::Public,
        metrics,
    )
}

async fn alive() -> &'static str {
    "ok\n"
}

async fn ready(State(state): State<AppState>) -> Result<&'static str> {
    state.db.ping().await.map_err(|e| Error::Unavailable(e.to_string()))?;
    Ok("ready\n")
}

/// Prometheus text for who brings the token of `FAULTLINE_METRICS_TOKEN`; closed when none is set.
async fn metrics(
    State(state): State<AppState>,
    Extension(ledger): Extension<reports::Ledger>,
    headers: HeaderMap,
) -> Result<Response> {
    let expected = state.config.metrics_token.as_deref().ok_or(Error::Unauthenticated)?;
    let given = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    let matches: bool = given.is_some_and(|g| g.as_bytes().ct_eq(expected.as_bytes()).into());
    if !matches {
        return Err(Error::Unauthenticated);
    }
    let up = i32::from(state.db.ping().await.is_ok());
    let mut text = format!(
        "# HELP faultline_build_info Version of this binary.\n# TYPE faultline_build_info gauge\n\
         faultline_build_info{{version=\"{}\"}} 1\n\
         # HELP faultline_database_up Whether the database answers.\n# TYPE faultline_database_up gauge\n\
         faultline_database_up {up}\n",
        env!("CARGO_PKG_VERSION"),
    );
    if up == 1 {
        text.push_str(&reports::gauges::text(&state, &ledger).await?);
    }
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
