//! Uploading images and files, by the form on the evidence page and by pasting into the timeline box.

use axum::Json;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::error::{Error, Result};
use crate::web::redirect_with_flash;

use super::super::actions::files::markdown_of;
use super::filled::Filled;
use super::{At, evidence};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct FilesForm {
    pub note: String,
}

/// A script that asks for JSON gets the Markdown that shows what it uploaded.
pub(super) async fn create(at: At, headers: HeaderMap, form: Filled<FilesForm>) -> Result<Response> {
    let by_script = headers.get(ACCEPT).and_then(|a| a.to_str().ok()).is_some_and(|a| a.contains("application/json"));
    let tx = at.begin().await?;
    match at.acting(&tx).add_files(at.id(), &form.files, form.input.note.trim()).await {
        Ok(kept) => {
            tx.commit().await?;
            if by_script {
                let markdown: Vec<String> = kept.iter().map(|piece| markdown_of(at.id(), piece)).collect();
                return Ok(Json(json!({ "markdown": markdown.join("\n"), "evidence": kept })).into_response());
            }
            let first = kept.first().map_or(0, |piece| piece.id);
            Ok(redirect_with_flash(&at.path(&format!("/evidence#piece-{first}")), "Kept with the incident."))
        }
        Err(Error::Invalid(errors)) if !by_script => {
            drop(tx);
            evidence::show_upload_refused(&at, form.input.note, errors).await
        }
        Err(other) => Err(other),
    }
}
