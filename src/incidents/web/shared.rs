//! The content of an incident's page and of the list, made once for everybody who sees the same.
//!
//! In a large incident hundreds of people keep its page open, and the list beside it, and each change has all of
//! them ask again within a quarter of a second. What they get differs only by what they may do and which private
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

use crate::accounts::Actor;
use crate::clock::Timestamp;
use crate::db::{Db, Fresh};
use crate::error::{Error, Result};
use crate::web::{Rendered, Shell};

use super::super::model::IncidentId;
use super::super::service::people;
use super::super::store::lists::Viewer;
use super::content::Reader;

/// Contents kept, of some 20 to 150 kB each.
const MOST: usize = 64;
/// Accounts of which is remembered whether a private incident names them.
const MOST_NAMED: usize = 1_000;

/// The contents of one Faultline; cheap to clone.
#[derive(Clone)]
pub(super) struct Shared(Arc<Kept>);

struct Kept {
    contents: Fresh<Key, Arc<Content>>,
    named: Fresh<i64, bool>,
}

impl Default for Shared {
    fn default() -> Self {
        Self(Arc::new(Kept { contents: Fresh::new(MOST), named: Fresh::new(MOST_NAMED) }))
    }
}

/// What is shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Of {
    Incident(IncidentId),
    /// The list with the filters of this query.
    List(String),
}

/// Who asks for it.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub db: &'a Db,
    pub actor: &'a Actor,
    /// The database's count of changes before anything was read.
    pub changes: u64,
    pub now: Timestamp,
}

/// Two requests of one key may be given the same bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    of: Of,
    respond: bool,
    command: bool,
    sight: Sight,
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
    pub(super) async fn content<C: Template>(
        &self,
        of: Of,
        asking: Asking<'_>,
        gather: impl Future<Output = Result<C>>,
    ) -> Result<Arc<Content>> {
        let Reader { respond, command, .. } = Reader::of(asking.actor, asking.now);
        let key = Key { of, respond, command, sight: self.sight(asking).await? };
        // On the heap: those who wait for it need not hold the room for making it.
        let made = Box::pin(async { render(&gather.await?).map(Arc::new) });
        self.0.contents.get(key, asking.changes, asking.now, made).await
    }

    async fn sight(&self, Asking { db, actor, changes, now }: Asking<'_>) -> Result<Sight> {
        let viewer = Viewer::from(actor);
        if viewer.all {
            return Ok(Sight::All);
        }
        let find = people::is_named_anywhere(db, viewer.user_id);
        let is_named = self.0.named.get(viewer.user_id, changes, now, find).await?;
        Ok(if is_named { Sight::Of(viewer.user_id) } else { Sight::None })
    }
}

/// The page around a content.
#[derive(Template)]
#[template(path = "incidents/page.html")]
pub(super) struct SharedPage {
    pub shell: Shell,
    pub content: Arc<Content>,
}

impl SharedPage {
    fn content(&self) -> Rendered<'_> {
        self.content.markup()
    }
}

/// Rendered content, and its compressed form once somebody asked for that.
pub(super) struct Content {
    html: Bytes,
    gzip: OnceLock<Bytes>,
}

pub(super) fn render(content: &impl Template) -> Result<Content> {
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
