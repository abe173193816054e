//! The door for log records: OTLP.

use axum::Extension;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::error::{Error, Result};
use crate::inbox::{Delivery, Door, Inbox, Incoming, Kind, Refused};
use crate::state::AppState;
use crate::telemetry::otlp::{self, Encoding, Signal};

use super::service;
use super::wire::{self, DecodedLogs};

pub(super) async fn receive_otlp(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    incoming: Incoming,
) -> Response {
    let encoding = encoding_of(incoming.headers());
    let (status, body, retry) = match take_in(&state, &inbox, incoming, encoding).await {
        Ok(refused) => {
            let body = otlp::success(encoding.unwrap_or(Encoding::Json), Signal::Logs, refused.0, &refused.1);
            (StatusCode::OK, body, None)
        }
        Err(refused) => {
            let status = refused.status();
            let body = otlp::failure(encoding.unwrap_or(Encoding::Json), status.as_u16(), &refused.detail);
            (status, body, refused.retry_after_s())
        }
    };
    let kind = encoding.unwrap_or(Encoding::Json).content_type();
    let mut response = (status, [(CONTENT_TYPE, kind)], body).into_response();
    if let Some(seconds) = retry {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn encoding_of(headers: &HeaderMap) -> Option<Encoding> {
    Encoding::from_content_type(headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()))
}

/// How many records were refused, and why.
async fn take_in(
    state: &AppState,
    inbox: &Inbox,
    incoming: Incoming,
    encoding: Option<Encoding>,
) -> Result<(usize, String), Refused> {
    let delivery = incoming.receive(state, inbox, &Door::new(Kind::Logs, "otlp")).await?;
    let (delivery, decoded) = tokio::task::spawn_blocking(move || {
        let decoded = decode(&delivery, encoding);
        (delivery, decoded)
    })
    .await
    .map_err(|e| Error::Internal(format!("decoding logs: {e}")))?;
    let decoded = match decoded {
        Ok(decoded) => decoded,
        Err(error) => {
            inbox.reject(delivery, &error).await;
            return Err(error.into());
        }
    };
    service::take_in(&state.db, &decoded.records, state.now()).await?;
    let message = decoded.message();
    if decoded.rejected_count() > 0 {
        inbox.reject(delivery, &Error::BadRequest(message.clone())).await;
    }
    Ok((decoded.rejected_count(), message))
}

fn decode(delivery: &Delivery, encoding: Option<Encoding>) -> Result<DecodedLogs> {
    match encoding {
        Some(Encoding::Protobuf) => wire::decode_proto(prost::bytes::Bytes::copy_from_slice(&delivery.body)),
        Some(Encoding::Json) => wire::decode_json(&delivery.body),
        None => Err(Error::BadRequest(otlp::WRONG_TYPE.to_owned())),
    }
}
