//! The doors for spans: OTLP and Zipkin here, those of vendors' agents and SDKs in [`agents`].
//!
//! Walkthrough of a delivery: [`take_in`] asks the store for room, lets the inbox authenticate and read
//! the request, decodes it on a blocking thread, commits the spans, and only then answers. A delivery
//! that cannot be read, and the refused part of one that can, is listed in the inbox with its reason.

use axum::Extension;
use axum::extract::State;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::error::{Error, Result};
use crate::inbox::{Delivery, Door, Inbox, Incoming, Kind, Refused};
use crate::logs::model::LogRecord;
use crate::state::AppState;
use crate::telemetry::otlp::{self, Encoding, Signal};
use crate::web::{Access, Routes};

use super::batch;
use super::service::ingest::SpanStore;
use super::store::counts::Counts;
use super::wire::{DecodedSpans, otlp_json, otlp_proto, zipkin};

mod agents;

pub fn routes() -> Routes {
    Routes::new()
        .post("/v1/traces", Access::Ingest, receive_otlp)
        .post("/api/v2/spans", Access::Ingest, receive_zipkin)
        .merge(agents::routes())
}

/// What every door for spans needs.
pub(super) struct Gate<'a> {
    pub state: &'a AppState,
    pub inbox: &'a Inbox,
    pub spans: &'a SpanStore,
}

/// What became of a delivery.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken {
    pub accepted: usize,
    pub rejected: usize,
    /// Why some were refused; empty when none were.
    pub message: String,
}

/// How long the body says it is (1 MiB when it does not say), and whether it is compressed.
fn size_of(headers: &HeaderMap) -> (usize, bool) {
    let header = |name| headers.get(name).and_then(|v| v.to_str().ok());
    let length = header(CONTENT_LENGTH).and_then(|l| l.parse().ok()).unwrap_or(1 << 20);
    (length, header(CONTENT_ENCODING).is_some_and(|e| !e.eq_ignore_ascii_case("identity")))
}

/// What a decoder makes of a delivery; `extra` is what its protocol's answer needs.
pub(super) struct Payload<T> {
    pub spans: DecodedSpans,
    pub logs: Vec<LogRecord>,
    pub extra: T,
}

impl From<DecodedSpans> for Payload<()> {
    fn from(spans: DecodedSpans) -> Self {
        Self { spans, logs: Vec::new(), extra: () }
    }
}

/// Reads, decodes and commits one delivery.
pub(super) async fn take_in<T: Send + 'static>(
    gate: &Gate<'_>,
    incoming: Incoming,
    door: &Door<'_>,
    decode: impl FnOnce(&Delivery) -> Result<Payload<T>> + Send + 'static,
) -> Result<(Taken, T), Refused> {
    let (length, compressed) = size_of(incoming.headers());
    let _room = gate.spans.admit(length, compressed).inspect_err(|_| {
        gate.spans.count(door.source, Counts { turned_away: 1, ..Counts::default() });
    })?;
    let delivery = incoming.receive(gate.state, gate.inbox, door).await?;
    let now = gate.state.now();
    let (delivery, decoded) = gate
        .spans
        .decode(move || {
            let decoded = decode(&delivery).and_then(|mut payload| {
                let records = std::mem::take(&mut payload.spans.records);
                Ok((records.len(), batch::prepare(records, now)?, payload))
            });
            Ok((delivery, decoded))
        })
        .await?;
    let (spans, parts, payload) = match decoded {
        Ok(ready) => ready,
        Err(error) => {
            gate.inbox.reject(delivery, &error).await;
            gate.spans.count(door.source, Counts { deliveries: 1, unread: 1, ..Counts::default() });
            gate.spans.write_counts().await;
            return Err(error.into());
        }
    };
    let counted = counts_of(spans + payload.logs.len(), payload.spans.rejected_count());
    gate.spans.count(door.source, counted);
    let is_all_refused = parts.is_empty();
    if let Err(error) = gate.spans.write(parts).await {
        gate.spans.count(door.source, counted.negated());
        gate.spans.count(door.source, Counts { turned_away: 1, ..Counts::default() });
        return Err(error.into());
    }
    if is_all_refused {
        gate.spans.write_counts().await;
    }
    if !payload.logs.is_empty() {
        crate::logs::service::take_in(&gate.state.db, &payload.logs, now).await?;
    }
    let decoded = payload.spans;
    let taken =
        Taken { accepted: spans + payload.logs.len(), rejected: decoded.rejected_count(), message: decoded.message() };
    if taken.rejected > 0 {
        gate.inbox.reject(delivery, &Error::BadRequest(taken.message.clone())).await;
    }
    Ok((taken, payload.extra))
}

fn counts_of(accepted: usize, refused: usize) -> Counts {
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    Counts { deliveries: 1, accepted: number(accepted), refused: number(refused), ..Counts::default() }
}

async fn receive_otlp(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    Extension(spans): Extension<SpanStore>,
    incoming: Incoming,
) -> Response {
    let encoding = encoding_of(incoming.headers());
    let decode = move |d: &Delivery| match encoding {
        Some(Encoding::Protobuf) => {
            otlp_proto::decode(prost::bytes::Bytes::copy_from_slice(&d.body)).map(Payload::from)
        }
        Some(Encoding::Json) => otlp_json::decode(&d.body).map(Payload::from),
        None => Err(Error::BadRequest(otlp::WRONG_TYPE.to_owned())),
    };
    let gate = Gate { state: &state, inbox: &inbox, spans: &spans };
    let outcome = take_in(&gate, incoming, &Door::new(Kind::Traces, "otlp"), decode).await;
    answer_otlp(encoding.unwrap_or(Encoding::Json), Signal::Traces, outcome.map(|(t, ())| (t.rejected, t.message)))
}

fn encoding_of(headers: &HeaderMap) -> Option<Encoding> {
    Encoding::from_content_type(headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()))
}

/// The answer in the request's own encoding.
fn answer_otlp(encoding: Encoding, signal: Signal, outcome: Result<(usize, String), Refused>) -> Response {
    let (status, body, retry) = match outcome {
        Ok((rejected, message)) => (StatusCode::OK, otlp::success(encoding, signal, rejected, &message), None),
        Err(refused) => {
            let status = refused.status();
            (status, otlp::failure(encoding, status.as_u16(), &refused.detail), refused.retry_after_s())
        }
    };
    let mut response = (status, [(CONTENT_TYPE, encoding.content_type())], body).into_response();
    if let Some(seconds) = retry {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn receive_zipkin(
    State(state): State<AppState>,
    Extension(inbox): Extension<Inbox>,
    Extension(spans): Extension<SpanStore>,
    incoming: Incoming,
) -> Result<StatusCode, Refused> {
    let gate = Gate { state: &state, inbox: &inbox, spans: &spans };
    let decode = |d: &Delivery| zipkin::decode(&d.body).map(Payload::from);
    let (taken, ()) = take_in(&gate, incoming, &Door::new(Kind::Traces, "zipkin"), decode).await?;
    all_or_some(&taken)?;
    Ok(StatusCode::ACCEPTED)
}

/// Protocols without a partial answer: a delivery of which nothing could be taken is a bad request.
pub(super) fn all_or_some(taken: &Taken) -> Result<()> {
    if taken.accepted == 0 && taken.rejected > 0 {
        return Err(Error::BadRequest(taken.message.clone()));
    }
    Ok(())
}
