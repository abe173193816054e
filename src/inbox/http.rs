//! The door for machines: reads a request, finds out whether its sender may send, and makes a
//! [`Delivery`] of it. Whatever is refused is listed in the inbox with the reason.
//!
//! ```ignore
//! async fn receive(State(state): State<AppState>, Extension(inbox): Extension<Inbox>, incoming: Incoming)
//!     -> Result<StatusCode, Refused> {
//!     let delivery = incoming.receive(&state, &inbox, &Door::new(Kind::Changes, "gitlab")).await?;
//!     inbox.accept(delivery, 202).await?;
//!     Ok(StatusCode::ACCEPTED)
//! }
//! ```
//!
//! A sender proves itself by an ingest token (in `Authorization` as Bearer, Basic or ApiKey, at the
//! end of the path, in a header or query of its own system, or in the body for PagerDuty), or, once
//! signing secrets are set for its source, by a valid signature, which then is required.

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use futures::StreamExt;

use super::body;
use super::model::{Delivery, Kind, is_kept_header};
use super::replay;
use super::service::Inbox;
use super::signature::{self, Scheme};
use super::store;
use crate::error::Error;
use crate::state::AppState;

/// Finds a token in a body.
pub type FindToken = fn(&[u8]) -> Option<String>;

/// Which door a request came to.
#[derive(Clone, Debug)]
pub struct Door<'a> {
    pub kind: Kind,
    pub source: &'a str,
    /// The token at the end of the path, for senders that can set no header.
    pub path_token: Option<&'a str>,
    /// How the source signs, if it can.
    pub scheme: Option<Scheme>,
    /// Finds the token in the body, for protocols that carry it there.
    pub body_token: Option<FindToken>,
}

impl<'a> Door<'a> {
    pub const fn new(kind: Kind, source: &'a str) -> Self {
        Self { kind, source, path_token: None, scheme: None, body_token: None }
    }

    #[must_use]
    pub const fn with_path_token(mut self, token: Option<&'a str>) -> Self {
        self.path_token = token;
        self
    }

    #[must_use]
    pub const fn signed(mut self, scheme: Option<Scheme>) -> Self {
        self.scheme = scheme;
        self
    }

    #[must_use]
    pub const fn with_body_token(mut self, find: FindToken) -> Self {
        self.body_token = Some(find);
        self
    }
}

/// A refusal, with a sentence for the sender's log.
#[derive(Debug)]
pub struct Refused {
    pub error: Error,
    pub detail: String,
}

impl Refused {
    fn unauthenticated(detail: &str) -> Self {
        Self { error: Error::Unauthenticated, detail: detail.to_owned() }
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.answer().status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
    }

    /// A fault of ours becomes 503 for a machine: it must send again, and many do not after a 500.
    fn answer(&self) -> Error {
        match &self.error {
            Error::Internal(_) | Error::Unavailable(_) => Error::Unavailable(String::new()),
            Error::Unauthenticated => Error::Unauthenticated,
            Error::RateLimited { retry_after_s } => Error::RateLimited { retry_after_s: *retry_after_s },
            Error::TooLarge { limit } => Error::TooLarge { limit: *limit },
            Error::Forbidden(text) => Error::Forbidden(text.clone()),
            Error::BadRequest(text) => Error::BadRequest(text.clone()),
            Error::NotFound(text) => Error::NotFound(text.clone()),
            Error::Conflict(text) => Error::Conflict(text.clone()),
            Error::Invalid(errors) => Error::Invalid(errors.clone()),
        }
    }

    /// Seconds after which to send again; `None` when that would not help.
    pub fn retry_after_s(&self) -> Option<u64> {
        match &self.error {
            Error::RateLimited { retry_after_s } => Some(*retry_after_s),
            Error::Internal(_) | Error::Unavailable(_) => Some(5),
            _ => None,
        }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let detail = error.public_message();
        Self { error, detail }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        if let Error::Internal(cause) = &self.error {
            tracing::error!(%cause, "a delivery could not be taken");
        }
        let answer = self.answer();
        let detail = match &self.error {
            Error::Internal(_) | Error::Unavailable(_) => {
                "The delivery could not be taken just now; please send it again."
            }
            _ => &self.detail,
        };
        let problem = serde_json::json!({
            "type": "about:blank", "title": answer.title(), "status": answer.status(), "detail": detail,
        });
        let mut response =
            (self.status(), [(CONTENT_TYPE, "application/problem+json")], problem.to_string()).into_response();
        if let Some(seconds) = self.retry_after_s() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if response.status() == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"Faultline ingest\""));
        }
        response
    }
}

/// A request to a door, its body not read yet.
pub struct Incoming {
    parts: Parts,
    body: Body,
}

impl<S: Send + Sync> FromRequest<S> for Incoming {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let (parts, body) = request.into_parts();
        Ok(Self { parts, body })
    }
}

/// Who the sender turned out to be.
struct Sender {
    /// For the rate limit.
    key: String,
    name: String,
}

/// Refused deliveries of unknown senders that are listed, a sender key of their own.
const STRANGERS: &str = "strangers";
/// How much of a stranger's body is kept, in bytes.
const KEPT_OF_STRANGERS: usize = 4 << 10;

impl Incoming {
    pub const fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// Reads and authenticates the request.
    ///
    /// # Errors
    /// [`Refused`], which was then listed in the inbox: 401 without a valid token, 403 with a wrong or
    /// old signature, 413 over the limit before or after decompression, 400 in a broken or unknown
    /// encoding. 429 over the sender's rate and 503 without a database are not listed.
    pub async fn receive(self, state: &AppState, inbox: &Inbox, door: &Door<'_>) -> Result<Delivery, Refused> {
        let Self { parts, body } = self;
        let limit = door.kind.body_limit().min(state.config.max_delivery_bytes);
        let token = token_of(&parts, door);
        let known = match &token {
            Some(token) => inbox.known().sender(state, token).await?,
            None => None,
        };
        if let Some(actor) = &known {
            inbox.limit(&format!("token {}", actor.token_id.unwrap_or_default()))?;
        }
        let mut delivery = empty_delivery(&parts, door, token.as_deref(), inbox);
        let raw = match read_body(body, limit).await {
            Ok(raw) => raw,
            Err((start, error)) => {
                delivery.body = start;
                return Err(refuse(inbox, delivery, known.is_some(), error.into()).await);
            }
        };
        let encodings = text_of(&parts.headers, CONTENT_ENCODING.as_str()).to_owned();
        let sender = match &known {
            Some(actor) => Some(Sender { key: String::new(), name: actor.name.clone() }),
            None => body_sender(state, inbox, door, &raw).await?,
        };
        let settings = inbox.known().settings(state, door.kind, door.source).await?;
        let sender = match check_signature(door, &settings.secret_list(), &parts.headers, &raw, sender, state) {
            Ok(sender) => sender,
            Err(refused) => {
                delivery.body = raw;
                return Err(refuse(inbox, delivery, false, refused).await);
            }
        };
        if !sender.key.is_empty() {
            inbox.limit(&sender.key)?;
        }
        if let Some(mark) = replay::mark(door.scheme, &settings.secret_list(), &parts.headers) {
            let seen = store::signature_seen(&state.db, door.kind, door.source, &mark).await?;
            if let Some(at) = seen.filter(|at| state.now() - *at > replay::REPEATS_WITHIN) {
                delivery.body = raw;
                let detail =
                    format!("this signed delivery was accepted at {} already; a replay is refused", at.to_rfc3339());
                let refused = Refused { error: Error::Forbidden(detail.clone()), detail };
                return Err(refuse(inbox, delivery, false, refused).await);
            }
            delivery.headers.insert(replay::MARK.to_owned(), mark);
        }
        delivery.token_name = sender.name;
        let start = raw.get(..raw.len().min(body::KEPT_OF_REFUSED)).unwrap_or_default().to_vec();
        match body::decompress(raw, &encodings, limit) {
            Ok(body) => delivery.body = body,
            Err(error) => {
                delivery.body = start;
                return Err(refuse(inbox, delivery, true, error.into()).await);
            }
        }
        let secret = token.or_else(|| door.body_token.and_then(|find| find(&delivery.body)));
        if let Some(secret) = secret.filter(|_| door.body_token.is_some()) {
            delivery.body = body::redact(&delivery.body, &secret);
        }
        Ok(delivery)
    }
}

/// Lists a refused delivery, as long as strangers do not flood the list, and passes the refusal on.
async fn refuse(inbox: &Inbox, mut delivery: Delivery, is_known: bool, refused: Refused) -> Refused {
    if !is_known {
        delivery.body.truncate(KEPT_OF_STRANGERS);
        if inbox.limit(STRANGERS).is_err() {
            return refused;
        }
    }
    inbox.reject_as(delivery, refused.error.status(), &refused.detail).await;
    refused
}

fn empty_delivery(parts: &Parts, door: &Door<'_>, token: Option<&str>, inbox: &Inbox) -> Delivery {
    let mut path: String = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    for secret in [token, door.path_token].into_iter().flatten().filter(|t| !t.is_empty()) {
        path = path.replace(secret, "…");
    }
    let headers: BTreeMap<String, String> = parts
        .headers
        .iter()
        .filter(|(name, _)| is_kept_header(name.as_str()))
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.chars().take(500).collect())))
        .collect();
    Delivery {
        id: 0,
        kind: door.kind,
        source: door.source.to_owned(),
        received_at: inbox.clock().now(),
        token_name: String::new(),
        path: path.chars().take(2_000).collect(),
        content_type: text_of(&parts.headers, CONTENT_TYPE.as_str()).chars().take(200).collect(),
        headers,
        body: Vec::new(),
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

/// The body, or how it began and why it was refused.
async fn read_body(body: Body, limit: usize) -> Result<Vec<u8>, (Vec<u8>, Error)> {
    let mut read = Vec::new();
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => read.extend_from_slice(&chunk),
            Err(e) => return Err((read, Error::BadRequest(format!("the body broke off: {e}")))),
        }
        if read.len() > limit {
            return Err((read, Error::TooLarge { limit }));
        }
    }
    Ok(read)
}

/// The token, wherever the sender's system lets it be put.
fn token_of(parts: &Parts, door: &Door<'_>) -> Option<String> {
    let headers = &parts.headers;
    let own = |name: &str| Some(text_of(headers, name)).filter(|t| !t.is_empty()).map(ToOwned::to_owned);
    if let Some(token) = door.path_token.filter(|t| !t.is_empty()) {
        return Some(token.to_owned());
    }
    if let Some((scheme, value)) = text_of(headers, AUTHORIZATION.as_str()).split_once(' ') {
        let value = value.trim();
        return match scheme.to_ascii_lowercase().as_str() {
            "bearer" | "apikey" | "token" => Some(value.to_owned()),
            "basic" => basic(value),
            _ => None,
        };
    }
    own("x-api-key")
        .or_else(|| own("x-gitlab-token"))
        .or_else(|| own("x-honeycomb-webhook-token"))
        .or_else(|| sentry_key(text_of(headers, "x-sentry-auth")))
        .or_else(|| {
            let query = parts.uri.query().unwrap_or_default();
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(k, _)| k == "token" || k == "sentry_key").map(|(_, v)| v.into_owned())
        })
}

/// The password of Basic authentication, else the user name.
fn basic(value: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(value).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(if password.is_empty() { user } else { password }.to_owned())
}

/// `Sentry sentry_version=7, sentry_key=…`.
fn sentry_key(header: &str) -> Option<String> {
    let fields = header.strip_prefix("Sentry ").unwrap_or(header).split(',');
    fields.filter_map(|f| f.trim().split_once('=')).find(|(k, _)| *k == "sentry_key").map(|(_, v)| v.trim().to_owned())
}

async fn body_sender(state: &AppState, inbox: &Inbox, door: &Door<'_>, raw: &[u8]) -> Result<Option<Sender>, Refused> {
    let Some(token) = door.body_token.and_then(|find| find(raw)) else { return Ok(None) };
    let actor = inbox.known().sender(state, &token).await?;
    Ok(actor.map(|a| Sender { key: format!("token {}", a.token_id.unwrap_or_default()), name: a.name }))
}

fn check_signature(
    door: &Door<'_>,
    secrets: &[String],
    headers: &HeaderMap,
    raw: &[u8],
    sender: Option<Sender>,
    state: &AppState,
) -> Result<Sender, Refused> {
    if let (Some(scheme), false) = (door.scheme, secrets.is_empty()) {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let signed_at = scheme.time_header().and_then(header);
        return match signature::verify(scheme, secrets, raw, header(scheme.header()), signed_at, state.now()) {
            Ok(()) => Ok(sender.unwrap_or_else(|| {
                let name = format!("{} (signed)", door.source);
                Sender { key: name.clone(), name }
            })),
            Err(signature::Refusal::Missing) => {
                let detail = format!("signing secrets are set for {}, but {} is missing", door.source, scheme.header());
                Err(Refused::unauthenticated(&detail))
            }
            Err(refusal) => Err(Error::Forbidden(refusal.to_string()).into()),
        };
    }
    sender.ok_or_else(|| {
        Refused::unauthenticated(
            "no valid ingest token: send Authorization: Bearer flt_…, or put the token at the end of the path",
        )
    })
}
