//! Kept copies of the public pages. The page that everybody opens during an outage must cost next to
//! nothing, and must still answer when the database is too busy: then it shows the last copy.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use sha2::{Digest, Sha256};

use super::store::public;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::state::AppState;

/// A copy is made again after this even when nothing was published: maintenance begins by the clock.
const MAX_AGE: TimeDelta = TimeDelta::seconds(15);
/// How long the question whether something changed may take, and making a page.
const ASK: Duration = Duration::from_millis(500);
const MAKE: Duration = Duration::from_secs(5);
/// Copies kept at once; above it all are dropped, so that odd addresses fill no memory.
const MOST: usize = 200;

/// A page as it is sent.
#[derive(Clone, Debug)]
pub struct Content {
    pub status: StatusCode,
    pub kind: &'static str,
    pub body: Bytes,
}

impl Content {
    pub fn html(body: String) -> Self {
        Self { status: StatusCode::OK, kind: "text/html; charset=utf-8", body: body.into() }
    }
}

struct Copy {
    content: Content,
    etag: HeaderValue,
    revision: i64,
    made_at: Timestamp,
}

/// One for the router of a node. Cheap to clone.
#[derive(Clone, Default)]
pub struct PublicCache(Arc<RwLock<HashMap<String, Arc<Copy>>>>);

impl PublicCache {
    fn find(&self, key: &str) -> Option<Arc<Copy>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: &str, copy: Arc<Copy>) {
        let mut copies = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if copies.len() >= MOST {
            copies.clear();
        }
        copies.insert(key.to_owned(), copy);
    }

    /// The page under a key: the kept copy when nothing changed since, else what `make` makes. When the
    /// database does not answer in time, the last copy, however old.
    ///
    /// # Errors
    /// `Unavailable` when there is no copy to fall back on.
    pub async fn serve<F>(&self, state: &AppState, headers: &HeaderMap, key: &str, make: F) -> Result<Response>
    where
        F: Future<Output = Result<Content>>,
    {
        let kept = self.find(key);
        let head = within(ASK, public::head(&state.db)).await;
        let now = state.now();
        if let (Some(copy), Ok(head)) = (&kept, &head)
            && copy.revision == head.revision
            && (now - copy.made_at).abs() < MAX_AGE
        {
            return Ok(copy.answer(headers));
        }
        let made = match head {
            Ok(head) => within(MAKE, make).await.map(|content| (head.revision, content)),
            Err(error) => Err(error),
        };
        match (made, kept) {
            (Ok((revision, content)), _) => {
                let copy = Arc::new(Copy { etag: etag(&content.body), content, revision, made_at: now });
                if copy.content.status == StatusCode::OK {
                    self.keep(key, copy.clone());
                }
                Ok(copy.answer(headers))
            }
            (Err(error @ (Error::Unavailable(_) | Error::Internal(_))), Some(copy)) => {
                tracing::warn!(%error, key, "the status page shows its last copy");
                Ok(copy.answer(headers))
            }
            (Err(error), _) => Err(error),
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = || Error::Unavailable("the database did not answer in time".into());
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late()))
}

/// Weak, because the body may be compressed on its way.
fn etag(body: &[u8]) -> HeaderValue {
    let text = format!("W/\"{}\"", hex::encode(&Sha256::digest(body)[..12]));
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("W/\"0\""))
}

impl Copy {
    fn answer(&self, asked: &HeaderMap) -> Response {
        let known = asked.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let etag = self.etag.to_str().unwrap_or_default();
        let is_known = known.split(',').any(|tag| tag.trim() == etag || tag.trim() == "*");
        let mut response = if is_known && self.content.status == StatusCode::OK {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            (self.content.status, [(header::CONTENT_TYPE, self.content.kind)], self.content.body.clone())
                .into_response()
        };
        let headers = response.headers_mut();
        let caching = if self.content.status == StatusCode::OK {
            "public, max-age=15, stale-while-revalidate=60, stale-if-error=86400"
        } else {
            "no-store"
        };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
        headers.insert(header::ETAG, self.etag.clone());
        // Everybody may read it, scripts of other sites too: that is what a status page is for.
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
        response
    }
}
