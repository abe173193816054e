//! The doors through which machines send alerts and check results.

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

use super::guide;
use super::ingest::MAPPED;
use super::sources::{Source, pagerduty, read};
use crate::error::Error;
use crate::inbox::{Delivery, Door, Inbox, Incoming, Kind, Refused};
use crate::state::AppState;
use crate::web::{Access, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .post("/ingest/alerts/{source}", Access::Ingest, alerts)
        .post("/ingest/alerts/{source}/{token}", Access::Ingest, alerts_by_path)
        .post("/ingest/checks/{source}", Access::Ingest, checks)
        .post("/ingest/checks/{source}/{token}", Access::Ingest, checks_by_path)
        .post("/api/v2/alerts", Access::Ingest, prometheus)
        .post("/v2/enqueue", Access::Ingest, pagerduty_events)
}

async fn alerts(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    Path(source): Path<String>,
    incoming: Incoming,
) -> Result<Response, Refused> {
    take(&state, &inbox, Kind::Alerts, &source, None, incoming).await
}

async fn alerts_by_path(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    Path((source, token)): Path<(String, String)>,
    incoming: Incoming,
) -> Result<Response, Refused> {
    take(&state, &inbox, Kind::Alerts, &source, Some(&token), incoming).await
}

async fn checks(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    Path(source): Path<String>,
    incoming: Incoming,
) -> Result<Response, Refused> {
    take(&state, &inbox, Kind::Checks, &source, None, incoming).await
}

async fn checks_by_path(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    Path((source, token)): Path<(String, String)>,
    incoming: Incoming,
) -> Result<Response, Refused> {
    take(&state, &inbox, Kind::Checks, &source, Some(&token), incoming).await
}

/// Names that the last part but one of the path may have.
fn known(kind: Kind, name: &str) -> Option<Source> {
    match kind {
        Kind::Checks => match name {
            "junit" => Some(Source::JUnit),
            "generic" => Some(Source::Check),
            _ => None,
        },
        _ => Source::parse(name).filter(|s| !matches!(s, Source::JUnit | Source::Check)),
    }
}

async fn take(
    state: &AppState,
    inbox: &Inbox,
    kind: Kind,
    name: &str,
    token: Option<&str>,
    incoming: Incoming,
) -> Result<Response, Refused> {
    let source = known(kind, name);
    let is_known = source.is_some() || (kind == Kind::Alerts && name == MAPPED);
    let door = Door::new(kind, if is_known { name } else { "unknown" })
        .with_path_token(token)
        .signed(source.and_then(guide::scheme));
    let delivery = incoming.receive(state, inbox, &door).await?;
    if !is_known {
        let error = Error::NotFound(format!("The source '{}'", read::clean(name, 40)));
        inbox.reject(delivery, &error).await;
        return Err(error.into());
    }
    accepted(inbox, delivery).await
}

async fn accepted(inbox: &Inbox, delivery: Delivery) -> Result<Response, Refused> {
    let id = inbox.accept(delivery, 202).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "status": "accepted", "delivery": id }))).into_response())
}

/// The Alertmanager API: Prometheus expects 200 and no body.
async fn prometheus(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    incoming: Incoming,
) -> Result<StatusCode, Refused> {
    let door = Door::new(Kind::Alerts, Source::Prometheus.as_str());
    let delivery = incoming.receive(&state, &inbox, &door).await?;
    inbox.accept(delivery, 200).await?;
    Ok(StatusCode::OK)
}

fn routing_key(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    Some(value.get("routing_key")?.as_str()?.to_owned())
}

/// PagerDuty's Events API v2: the routing key is an ingest token of ours.
async fn pagerduty_events(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    incoming: Incoming,
) -> Result<Response, Refused> {
    let door = Door::new(Kind::Alerts, Source::PagerDuty.as_str()).with_body_token(routing_key);
    let delivery = incoming.receive(&state, &inbox, &door).await?;
    let key =
        serde_json::from_slice::<Value>(&delivery.body).ok().and_then(|b| pagerduty::dedup_key(&b).ok().flatten());
    inbox.accept(delivery, 202).await?;
    let answer = json!({ "status": "success", "message": "Event processed", "dedup_key": key });
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}
