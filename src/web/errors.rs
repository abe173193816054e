//! Errors at the edge: one type, an HTML face for people and a problem document for programs.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::RequestId;
use super::cx::Shell;
use crate::accounts::Actor;
use crate::error::Error;
use crate::state::AppState;

/// The error of a response whose face is still to be made.
#[derive(Clone)]
struct Pending(Arc<Error>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        let wait = match &self {
            Self::RateLimited { retry_after_s } => Some(*retry_after_s),
            Self::Unavailable(_) => Some(5),
            _ => None,
        };
        if let Some(seconds) = wait {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(Pending(Arc::new(self)));
        response
    }
}

/// `application/problem+json` (RFC 9457) with `errors` for single fields.
pub fn problem(error: &Error, request_id: &str) -> serde_json::Value {
    let fields = match error {
        Error::Invalid(fields) => serde_json::json!(fields.0),
        _ => serde_json::json!([]),
    };
    serde_json::json!({
        "type": "about:blank",
        "title": error.title(),
        "status": error.status(),
        "detail": error.public_message(),
        "request_id": request_id,
        "errors": fields,
    })
}

#[derive(Template)]
#[template(path = "errors/page.html")]
struct ErrorPage {
    shell: Shell,
    status: u16,
    message: String,
    unexpected: bool,
}

/// Gives every failed response its face, also those that axum's own extractors refused.
pub async fn render(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let asked = Asked::new(&request);
    let response = next.run(request).await;
    let status = response.status();
    let pending = response.extensions().get::<Pending>().cloned();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let error = match pending {
        Some(Pending(error)) => error,
        None if is_bare(&response) => Arc::new(bare_error(status, response).await),
        // A form shown again with its complaints, or an answer in a sender's own format.
        None => return response,
    };
    if status.is_server_error() {
        tracing::error!(%error, request_id = asked.request_id, "a request failed");
    }
    asked.answer(&state, &error, status)
}

/// Whether the body is a framework's plain text (or nothing), to be replaced by a page of ours.
fn is_bare(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_none_or(|t| t.to_str().is_ok_and(|t| t.starts_with("text/plain")))
}

async fn bare_error(status: StatusCode, response: Response) -> Error {
    const LONGEST: usize = 2000;
    let body = axum::body::to_bytes(response.into_body(), LONGEST).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body).into_owned();
    match status {
        StatusCode::NOT_FOUND => Error::not_found("This page"),
        StatusCode::METHOD_NOT_ALLOWED => Error::BadRequest("This address does not take that method.".into()),
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge { limit: crate::app::PAGE_BODY_LIMIT },
        StatusCode::FORBIDDEN => Error::Forbidden(
            "The request came from another site, or a proxy changed its Host or Origin header. Open the page again and retry.".into(),
        ),
        s if s.is_server_error() => Error::Internal(text),
        _ => Error::BadRequest(if text.is_empty() { "The request cannot be read.".into() } else { text }),
    }
}

/// What of the request the answer depends on.
struct Asked {
    path: String,
    method: Method,
    next: String,
    request_id: String,
    actor: Option<Actor>,
    wants_json: bool,
}

impl Asked {
    fn new(request: &Request) -> Self {
        let path = request.uri().path().to_owned();
        let machine = ["/api/", "/ingest/", "/v1/", "/v2/", "/intake/", "/metrics"].iter().any(|p| path.starts_with(p));
        Self {
            wants_json: machine || accepts_json(request.headers()),
            method: request.method().clone(),
            next: request.uri().path_and_query().map_or_else(|| path.clone(), ToString::to_string),
            request_id: request.extensions().get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default(),
            actor: request.extensions().get::<Actor>().cloned(),
            path,
        }
    }

    fn answer(&self, state: &AppState, error: &Error, status: StatusCode) -> Response {
        if self.wants_json {
            let body = problem(error, &self.request_id).to_string();
            return with_retry(error, (status, [(CONTENT_TYPE, "application/problem+json")], body).into_response());
        }
        if matches!(error, Error::Unauthenticated) && self.method == Method::GET {
            let next: String = url::form_urlencoded::byte_serialize(self.next.as_bytes()).collect();
            return Redirect::to(&format!("/login?next={next}")).into_response();
        }
        let page = ErrorPage {
            shell: Shell::for_error(state, self.actor.as_ref(), error.title(), &self.path, &self.request_id),
            status: status.as_u16(),
            message: error.public_message(),
            unexpected: status.is_server_error(),
        };
        let html = page.render().unwrap_or_else(|_| error.title().to_owned());
        with_retry(error, (status, Html(html)).into_response())
    }
}

fn with_retry(error: &Error, mut response: Response) -> Response {
    if let Error::RateLimited { retry_after_s } = error {
        response.headers_mut().insert(RETRY_AFTER, (*retry_after_s).into());
    } else if matches!(error, Error::Unavailable(_)) {
        response.headers_mut().insert(RETRY_AFTER, 5.into());
    }
    response
}

fn accepts_json(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|a| a.to_str().ok()).is_some_and(|a| a.contains("json") && !a.contains("text/html"))
}
