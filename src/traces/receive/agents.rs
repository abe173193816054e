//! Doors that speak what vendors' agents and SDKs send: Datadog's tracing libraries, Elastic APM agents,
//! Sentry SDKs.

use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::json;

use super::{Gate, Payload, all_or_some, take_in};
use crate::inbox::{Delivery, Door, Inbox, Incoming, Kind, Refused};
use crate::state::AppState;
use crate::traces::service::ingest::SpanStore;
use crate::traces::wire::{DecodedSpans, datadog, elastic, sentry};
use crate::web::{Access, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .put("/v0.4/traces", Access::Ingest, datadog_open)
        .post("/v0.4/traces", Access::Ingest, datadog_open)
        .put("/v0.3/traces", Access::Ingest, datadog_open)
        // Datadog's libraries can set no header: their agent's address ends in the token.
        .put("/datadog/{token}/v0.4/traces", Access::Ingest, datadog_with_token)
        .post("/datadog/{token}/v0.4/traces", Access::Ingest, datadog_with_token)
        .put("/datadog/{token}/v0.3/traces", Access::Ingest, datadog_with_token)
        .post("/intake/v2/events", Access::Ingest, receive_elastic)
        .post("/api/{project}/envelope/", Access::Ingest, receive_sentry)
}

async fn datadog_open(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    Extension(spans): Extension<SpanStore>,
    incoming: Incoming,
) -> Result<Json<serde_json::Value>, Refused> {
    let gate = Gate { state: &state, inbox: &inbox, spans: &spans };
    receive_datadog(&gate, incoming, Door::new(Kind::Traces, "datadog")).await
}

async fn datadog_with_token(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    Extension(spans): Extension<SpanStore>,
    Path(token): Path<String>,
    incoming: Incoming,
) -> Result<Json<serde_json::Value>, Refused> {
    let gate = Gate { state: &state, inbox: &inbox, spans: &spans };
    receive_datadog(&gate, incoming, Door::new(Kind::Traces, "datadog").with_path_token(Some(&token))).await
}

/// The answer sets sampling rates; everything is wanted.
async fn receive_datadog(
    gate: &Gate<'_>,
    incoming: Incoming,
    door: Door<'_>,
) -> Result<Json<serde_json::Value>, Refused> {
    let is_json = is_json(incoming.headers());
    let decode = move |d: &Delivery| {
        if is_json { datadog::decode_json(&d.body) } else { datadog::decode_msgpack(&d.body) }.map(Payload::from)
    };
    let (taken, ()) = take_in(gate, incoming, &door, decode).await?;
    all_or_some(&taken)?;
    Ok(Json(json!({ "rate_by_service": { "service:,env:": 1 } })))
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).is_some_and(|t| t.starts_with("application/json"))
}

/// 202 when every event was taken, else 400 with the refused ones; the others are kept all the same.
async fn receive_elastic(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    Extension(spans): Extension<SpanStore>,
    incoming: Incoming,
) -> Result<Response, Refused> {
    let gate = Gate { state: &state, inbox: &inbox, spans: &spans };
    let now = state.now().as_micros().saturating_mul(1_000);
    let decode = move |d: &Delivery| {
        let intake = elastic::decode(&d.body, now)?;
        let mut spans = DecodedSpans { records: intake.spans, ..DecodedSpans::default() };
        for (i, e) in intake.errors.iter().enumerate() {
            spans.reject(|| format!("event {i}"), &e.message);
        }
        Ok(Payload { spans, logs: intake.logs, extra: (intake.accepted, intake.errors) })
    };
    let (_, (accepted, errors)) = take_in(&gate, incoming, &Door::new(Kind::Traces, "elastic"), decode).await?;
    if errors.is_empty() {
        return Ok((StatusCode::ACCEPTED, Json(json!({ "accepted": accepted }))).into_response());
    }
    let errors: Vec<_> = errors.iter().map(|e| json!({ "message": e.message, "document": e.document })).collect();
    Ok((StatusCode::BAD_REQUEST, Json(json!({ "accepted": accepted, "errors": errors }))).into_response())
}

async fn receive_sentry(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    Extension(spans): Extension<SpanStore>,
    Path(project): Path<String>,
    incoming: Incoming,
) -> Result<Json<serde_json::Value>, Refused> {
    let gate = Gate { state: &state, inbox: &inbox, spans: &spans };
    let now = state.now().as_micros().saturating_mul(1_000);
    let decode = move |d: &Delivery| {
        let envelope = sentry::decode(&d.body, &project, now)?;
        Ok(Payload { spans: envelope.spans, logs: envelope.logs, extra: envelope.event_id })
    };
    let door = Door::new(Kind::Traces, "sentry").with_body_token(sentry_dsn_key);
    let (_, event_id) = take_in(&gate, incoming, &door, decode).await?;
    Ok(Json(json!({ "id": event_id })))
}

/// The public key in the `dsn` of an envelope's header, for SDKs that send no header of their own.
fn sentry_dsn_key(body: &[u8]) -> Option<String> {
    let first = body.split(|b| *b == b'\n').next()?;
    let header: serde_json::Value = serde_json::from_slice(first).ok()?;
    let dsn = url::Url::parse(header.get("dsn")?.as_str()?).ok()?;
    Some(dsn.username().to_owned()).filter(|key| !key.is_empty())
}
