//! An id for every request: in the log, in the answer's `x-request-id`, on the error page.

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use crate::state::AppState;

/// Twelve hex digits.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

pub async fn with_request_id(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let id = hex::encode(state.random.bytes::<6>());
    request.extensions_mut().insert(RequestId(id.clone()));
    // The path may hold an ingest token; the route's pattern never does.
    let path = request.extensions().get::<axum::extract::MatchedPath>().map(|p| p.as_str().to_owned());
    let span = tracing::info_span!("request", id, method = %request.method(), path = path.as_deref().unwrap_or("-"));
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
