//! The doors through which machines send changes.

use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

use super::intake::receivable;
use super::model::ChangeSource;
use crate::error::Error;
use crate::inbox::signature::Scheme;
use crate::inbox::{Door, Inbox, Incoming, Kind, Refused};
use crate::state::AppState;
use crate::web::{Access, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .post("/ingest/changes/{source}", Access::Ingest, changes)
        .post("/ingest/changes/{source}/{token}", Access::Ingest, changes_by_path)
        .options("/ingest/changes/{source}", Access::Public, handshake)
        .options("/ingest/changes/{source}/{token}", Access::Public, handshake)
        .post("/v2/change/enqueue", Access::Ingest, pagerduty)
}

async fn changes(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    Path(source): Path<String>,
    incoming: Incoming,
) -> Result<Response, Refused> {
    take(&state, &inbox, &source, None, incoming).await
}

async fn changes_by_path(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    Path((source, token)): Path<(String, String)>,
    incoming: Incoming,
) -> Result<Response, Refused> {
    take(&state, &inbox, &source, Some(&token), incoming).await
}

/// How a source proves itself once a signing secret is set for it.
pub const fn scheme(source: ChangeSource) -> Option<Scheme> {
    match source {
        ChangeSource::Github => Some(Scheme::GitHub),
        ChangeSource::Gitlab => Some(Scheme::GitLab),
        ChangeSource::Sentry => Some(Scheme::Sentry),
        _ => None,
    }
}

async fn take(
    state: &AppState,
    inbox: &Inbox,
    name: &str,
    token: Option<&str>,
    incoming: Incoming,
) -> Result<Response, Refused> {
    let source = receivable(name);
    let door = Door::new(Kind::Changes, source.map_or("unknown", ChangeSource::as_str))
        .with_path_token(token)
        .signed(source.and_then(scheme));
    let delivery = incoming.receive(state, inbox, &door).await?;
    if source.is_none() {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
        let error = Error::not_found(format!("The source '{shown}'"));
        inbox.reject(delivery, &error).await;
        return Err(error.into());
    }
    let id = inbox.accept(delivery, 202).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "status": "accepted", "delivery": id }))).into_response())
}

/// CloudEvents' abuse protection: a sender asks whether we want its events before it sends any. The
/// token is checked with each event, so the answer may be given to everybody.
async fn handshake(headers: HeaderMap) -> Response {
    let mut response = StatusCode::OK.into_response();
    let answer = response.headers_mut();
    answer.insert("allow", HeaderValue::from_static("POST, OPTIONS"));
    if let Some(origin) = headers.get("webhook-request-origin") {
        answer.insert("webhook-allowed-origin", origin.clone());
        answer.insert("webhook-allowed-rate", HeaderValue::from_static("1000"));
    }
    response
}

fn routing_key(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    Some(value.get("routing_key")?.as_str()?.to_owned())
}

/// PagerDuty's change events: the routing key is an ingest token of ours.
async fn pagerduty(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    incoming: Incoming,
) -> Result<Response, Refused> {
    let door = Door::new(Kind::Changes, ChangeSource::Pagerduty.as_str()).with_body_token(routing_key);
    let delivery = incoming.receive(&state, &inbox, &door).await?;
    inbox.accept(delivery, 202).await?;
    let answer = json!({ "status": "success", "message": "Change event processed" });
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}
