//! Files of `static/`, embedded in the binary and served under names that change with their content.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use super::{Access, Routes};
use crate::error::Error;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Static;

/// File name → `/static/<hash>/<name>`.
static URLS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    Static::iter()
        .filter_map(|name| {
            let file = Static::get(&name)?;
            let hash = hex::encode(&file.metadata.sha256_hash()[..6]);
            Some((name.to_string(), format!("/static/{hash}/{name}")))
        })
        .collect()
});

/// The address of a file of `static/`; an unknown name gives a path that answers 404.
pub fn url(name: &str) -> &'static str {
    URLS.get(name).map_or("/static/missing", String::as_str)
}

async fn show(Path((_, name)): Path<(String, String)>) -> Result<Response, Error> {
    let file = Static::get(&name).ok_or_else(|| Error::not_found("This file"))?;
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    };
    // The name holds the content's hash, so a copy never goes stale.
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, file.data.into_owned()).into_response())
}

pub fn routes() -> Routes {
    Routes::new().get("/static/{hash}/{*name}", Access::Public, show)
}
