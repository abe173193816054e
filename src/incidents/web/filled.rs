//! A filled-in form, with or without files: browsers send it as `multipart/form-data` when it has a
//! file box, and plainly otherwise.

use axum::body::Body;
use axum::extract::multipart::MultipartError;
use axum::extract::{Form, FromRequest, Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::state::AppState;

use super::super::model::upload::{MAX_FILE, Upload};

/// Largest body of a form with files, in bytes.
pub const UPLOAD_LIMIT: usize = 4 * MAX_FILE;

/// What was typed, and what was chosen.
pub struct Filled<T> {
    pub input: T,
    pub files: Vec<Upload>,
}

impl<T: DeserializeOwned> FromRequest<AppState> for Filled<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &AppState) -> Result<Self> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|t| t.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("multipart/form-data") {
            return Ok(Self { input: read(request).await?, files: Vec::new() });
        }
        let parts = Multipart::from_request(request, state)
            .await
            .map_err(|e| Error::BadRequest(format!("The form cannot be read: {e}")))?;
        let (pairs, files) = collect(parts).await?;
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let plain = Request::builder()
            .method(Method::POST)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .map_err(|e| Error::Internal(format!("a form was not put together: {e}")))?;
        Ok(Self { input: read(plain).await?, files })
    }
}

async fn read<T: DeserializeOwned>(request: Request) -> Result<T> {
    let Form(input) = Form::<T>::from_request(request, &()).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Error::TooLarge { limit: UPLOAD_LIMIT }
        } else {
            Error::BadRequest(format!("The form cannot be read: {rejection}"))
        }
    })?;
    Ok(input)
}

async fn collect(mut parts: Multipart) -> Result<(Vec<(String, String)>, Vec<Upload>)> {
    let (mut pairs, mut files) = (Vec::new(), Vec::new());
    while let Some(field) = parts.next_field().await.map_err(|e| broken(&e))? {
        let name = field.name().unwrap_or_default().to_owned();
        let Some(file_name) = field.file_name().map(str::to_owned) else {
            pairs.push((name, field.text().await.map_err(|e| broken(&e))?));
            continue;
        };
        let claimed = field.content_type().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(|e| broken(&e))?;
        // A file box that was left empty is sent without a name and without bytes.
        if !(file_name.is_empty() && bytes.is_empty()) {
            files.push(Upload::new(&file_name, &claimed, bytes.to_vec()));
        }
    }
    Ok((pairs, files))
}

fn broken(error: &MultipartError) -> Error {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Error::TooLarge { limit: UPLOAD_LIMIT };
    }
    Error::BadRequest(format!("The upload broke off: {error}"))
}
