//! Handing out the kept bytes of evidence, for pages and API alike. They came from outside: whatever
//! they are, they must not run as a page of ours.

use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::db::Db;
use crate::error::{Error, Result};

use super::model::record::Evidence;
use super::model::{EvidenceKind, IncidentId};
use super::service;

/// Nothing is loaded, nothing runs, and the document has an origin of its own.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// # Errors
/// `NotFound` when the incident has no such piece, or when only its reference is known.
pub async fn answer(db: &Db, id: IncidentId, piece: i64) -> Result<Response> {
    let piece = service::evidence::get(db, id, piece).await?;
    let nothing = || Error::not_found(format!("a kept copy of evidence {}", piece.id));
    let snapshot = service::evidence::snapshot(db, piece.id).await?.ok_or_else(nothing)?;
    let is_image = matches!(snapshot.media_type.as_str(), "image/png" | "image/jpeg" | "image/gif" | "image/webp");
    let media_type =
        HeaderValue::from_str(&snapshot.media_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [
        (CONTENT_TYPE, media_type),
        (CONTENT_DISPOSITION, disposition(&piece, is_image)),
        (CONTENT_SECURITY_POLICY, SANDBOX),
        // What is kept never changes; only the browser of who may see it keeps it for a while.
        (CACHE_CONTROL, HeaderValue::from_static("private, max-age=600")),
    ];
    Ok((headers, snapshot.body).into_response())
}

/// `attachment; filename*=UTF-8''…` for uploads; what Faultline took itself has no name.
fn disposition(piece: &Evidence, is_image: bool) -> HeaderValue {
    let how = if is_image { "inline" } else { "attachment" };
    let named = matches!(piece.kind, EvidenceKind::Image | EvidenceKind::File);
    let text =
        if named { format!("{how}; filename*=UTF-8''{}", percent_encoded(&piece.title)) } else { how.to_owned() };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

/// Everything but letters, digits and `-._` becomes `%XX` (RFC 8187).
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}
