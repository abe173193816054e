//! Pages take turns: when 500 people look at one incident and it changes, their browsers all ask at once. So
//! many pages half made would fill the memory and keep each other, and the live updates, waiting.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::Semaphore;

/// Pages that are made at the same time: twice as many as there are readers of an embedded database, so that
/// one is rendered while another waits for rows.
const AT_ONCE: usize = 16;

/// The turns of one router. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// First come, first served. What changes something, comes from machines or stays open never waits here.
pub async fn in_turn(State(turns): State<Turns>, request: Request, next: Next) -> Response {
    const NEVER_WAITS: [&str; 6] = ["/live", "/healthz", "/readyz", "/metrics", "/static/", "/ingest/"];
    let path = request.uri().path();
    let waits = request.method() == Method::GET && !NEVER_WAITS.iter().any(|p| path.starts_with(p));
    // The semaphore is never closed; if it were, pages would be made without waiting.
    let _turn = if waits { turns.0.acquire().await.ok() } else { None };
    next.run(request).await
}
