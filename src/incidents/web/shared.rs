//! The content of an incident page, made once for everybody who sees the same.
//!
//! In a large incident hundreds of people keep its page open, and each change has all of them ask again
//! within a quarter of a second. What they get differs only by what they may do and which private
//! incidents they may see, so it is made once for each such group of readers and handed to all of them,
//! until anything is committed or a second has passed. Whoever asks after a commit sees it: the content is
//! found by the database's count of changes when the request came.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use askama::Template;
use axum::body::Bytes;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use quick_cache::sync::Cache;

use crate::error::{Error, Result};
use crate::web::Rendered;

use super::super::service::people;
use super::super::store::lists::Viewer;
use super::At;
use super::content::{self, IncidentContent, Reader};
use super::page::Forms;

/// Contents kept, of some 20 to 150 kB each; newer ones push the older out.
const MOST: usize = 64;
/// Microseconds for which words such as "12 min so far" may be old.
const FRESH: i64 = 1_000_000;

/// The contents of one Faultline; cheap to clone.
#[derive(Clone)]
pub(super) struct Shared(Arc<Cache<Key, Arc<Content>>>);

impl Default for Shared {
    fn default() -> Self {
        Self(Arc::new(Cache::new(MOST)))
    }
}

/// Two requests of one key may be given the same bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    incident: i64,
    respond: bool,
    command: bool,
    sight: Sight,
    /// The database's count of changes.
    changes: u64,
    second: i64,
}

/// Which private incidents a reader sees.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Sight {
    All,
    None,
    /// Those that name this account.
    Of(i64),
}

impl Shared {
    /// The content for who asks; made now unless somebody made the same a moment ago. Whoever comes
    /// while it is being made waits for it.
    pub(super) async fn content(&self, at: &At) -> Result<Arc<Content>> {
        let reader = Reader::of(&at.actor, at.now());
        let key = Key {
            incident: at.id().0,
            respond: reader.respond,
            command: reader.command,
            sight: sight(at).await?,
            changes: at.changes,
            second: reader.now.as_micros().div_euclid(FRESH),
        };
        // On the heap: those who wait for it need not hold the room for making it.
        let made = Box::pin(async { render(&content::gather(at, reader, Forms::default()).await?).map(Arc::new) });
        self.0.get_or_insert_async(&key, made).await
    }
}

async fn sight(at: &At) -> Result<Sight> {
    let viewer = Viewer::from(&at.actor);
    if viewer.all {
        return Ok(Sight::All);
    }
    let is_named = people::is_named_anywhere(at.db(), viewer.user_id).await?;
    Ok(if is_named { Sight::Of(viewer.user_id) } else { Sight::None })
}

/// Rendered content, and its compressed form once somebody asked for that.
pub(super) struct Content {
    html: Bytes,
    gzip: OnceLock<Bytes>,
}

pub(super) fn render(content: &IncidentContent) -> Result<Content> {
    let html = content.render().map_err(|e| Error::Internal(format!("rendering: {e}")))?;
    Ok(Content { html: html.into(), gzip: OnceLock::new() })
}

impl Content {
    pub(super) fn markup(&self) -> Rendered<'_> {
        // Rendered from a template, so it is UTF-8.
        Rendered::by_template(std::str::from_utf8(&self.html).unwrap_or_default())
    }

    /// The content as an answer of its own, compressed for who takes that.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        let vary = HeaderValue::from_static("accept-encoding");
        let takes_gzip = headers.get(ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).is_some_and(takes_gzip);
        if !takes_gzip {
            return ([(CONTENT_TYPE, html), (VARY, vary)], self.html.clone()).into_response();
        }
        let body = self.gzip.get_or_init(|| compressed(&self.html)).clone();
        let gzip = HeaderValue::from_static("gzip");
        ([(CONTENT_TYPE, html), (VARY, vary), (CONTENT_ENCODING, gzip)], body).into_response()
    }
}

/// Whether an `Accept-Encoding` names gzip and does not refuse it.
fn takes_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|one| {
        let mut words = one.split(';').map(str::trim);
        words.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"))
            && !words.any(|w| w.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0))
    })
}

fn compressed(html: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(html.len() / 4), Compression::default());
    // Writing to memory does not fail; were it to, an empty answer would be refused by the page.
    let _ = encoder.write_all(html);
    encoder.finish().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_whoever_takes_it() {
        for (accepted, takes) in [
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZIP;q=0.8", true),
            ("identity", false),
            ("gzip;q=0", false),
            ("gzip; q=0.0, br", false),
            ("", false),
        ] {
            assert_eq!(takes_gzip(accepted), takes, "{accepted}");
        }
    }
}
