//! The pages under `/reports`. All filters are in the URL.

mod behind;
mod definition;
mod embed;
mod frozen;
pub(super) mod overview;
mod settings;
mod sheets;

use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::model::scope::ScopeQuery;
use crate::web::Routes;

pub fn routes() -> Routes {
    overview::routes()
        .merge(behind::routes())
        .merge(sheets::routes())
        .merge(frozen::routes())
        .merge(settings::routes())
        .merge(embed::routes())
}

/// The query of every report page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReportQuery {
    #[serde(flatten)]
    pub scope: ScopeQuery,
    pub measure: String,
    /// The group whose incidents are listed.
    pub key: String,
    /// `over=target`: only those of them that took longer than their target.
    pub over: String,
    pub page: String,
}

/// A file to keep.
fn attachment(name: &str, kind: &'static str, text: String) -> Response {
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""))
        .unwrap_or(HeaderValue::from_static("attachment"));
    ([(CONTENT_TYPE, HeaderValue::from_static(kind)), (CONTENT_DISPOSITION, disposition)], text).into_response()
}

fn csv(name: &str, text: String) -> Response {
    attachment(name, "text/csv; charset=utf-8; header=present", text)
}
