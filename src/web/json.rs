//! JSON bodies in, and answers that are given once however often a creation is sent.

use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::accounts::Actor;
use crate::args;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::state::AppState;

/// A JSON body; what cannot be read is named by field.
pub struct ApiJson<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for ApiJson<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &AppState) -> Result<Self> {
        let bytes = axum::body::Bytes::from_request(request, state).await.map_err(|e| {
            if e.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Error::TooLarge { limit: crate::app::PAGE_BODY_LIMIT }
            } else {
                Error::BadRequest(e.to_string())
            }
        })?;
        parse(&bytes).map(Self)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // Twice: first whether it is JSON at all (400), then whether its fields fit (422).
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|e| Error::BadRequest(format!("The body is not JSON: {e}")))?;
    serde_json::from_value(value).map_err(|e| {
        let message = e.to_string();
        let field = message.split('`').nth(1).unwrap_or("body").to_owned();
        Error::invalid(&field, message)
    })
}

/// The `Idempotency-Key` of a creation: the first answer is kept for a day and given again.
pub struct Idempotent {
    key: Option<String>,
    actor: String,
    request: String,
}

#[derive(sqlx::FromRow)]
struct Kept {
    request: String,
    status: i64,
    body: String,
}

impl Idempotent {
    /// `request` is what the creation was asked to do (method, path and body), to tell a retry from a
    /// key that was used for something else.
    pub fn new(headers: &HeaderMap, actor: &Actor, request: &str) -> Self {
        let key = headers.get("idempotency-key").and_then(|v| v.to_str().ok()).filter(|k| !k.is_empty());
        let actor = match (actor.user_id, actor.token_id) {
            (Some(id), _) => format!("user {id}"),
            (_, Some(id)) => format!("token {id}"),
            _ => "system".to_owned(),
        };
        Self {
            key: key.map(|k| k.chars().take(200).collect()),
            actor,
            request: hex::encode(Sha256::digest(request.as_bytes())),
        }
    }

    /// The answer of an earlier request with this key. Ask inside the creation's transaction, so that
    /// two retries at once do not both create.
    ///
    /// # Errors
    /// `Conflict` when the key stands for another request.
    pub async fn earlier(&self, tx: &Tx) -> Result<Option<Response>> {
        let Some(key) = &self.key else { return Ok(None) };
        let kept: Option<Kept> = tx
            .fetch_optional(
                "SELECT request, status, body FROM idempotency_keys WHERE actor = $1 AND key = $2",
                args![&self.actor, key],
            )
            .await?;
        let Some(kept) = kept else { return Ok(None) };
        if kept.request != self.request {
            return Err(Error::Conflict("This Idempotency-Key was used for another request.".into()));
        }
        let status =
            u16::try_from(kept.status).ok().and_then(|s| StatusCode::from_u16(s).ok()).unwrap_or(StatusCode::OK);
        Ok(Some((status, [(CONTENT_TYPE, "application/json")], kept.body).into_response()))
    }

    /// Keeps the answer with the creation, in its transaction; gives it back as a response.
    pub async fn keep(
        &self,
        tx: &Tx,
        now: crate::clock::Timestamp,
        status: StatusCode,
        body: &serde_json::Value,
    ) -> Result<Response> {
        let text = body.to_string();
        if let Some(key) = &self.key {
            let day_ago = now - chrono::TimeDelta::days(1);
            tx.execute("DELETE FROM idempotency_keys WHERE created_at < $1", args![day_ago]).await?;
            tx.execute(
                "INSERT INTO idempotency_keys (actor, key, request, status, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
                args![&self.actor, key, &self.request, i64::from(status.as_u16()), &text, now],
            )
            .await?;
        }
        Ok((status, [(CONTENT_TYPE, "application/json")], text).into_response())
    }
}
