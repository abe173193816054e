//! Who is asking: the session cookie of a browser, or the bearer token of an API client.

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

use crate::accounts::{Actor, Scope, Sessions, service};
use crate::error::{Error, Result};
use crate::state::AppState;

/// The `__Host-` prefix makes browsers insist on https, this host and the whole site.
fn cookie_name(state: &AppState) -> &'static str {
    if state.config.is_https() { "__Host-faultline" } else { "faultline" }
}

/// The cookie that carries a session's secret.
pub fn session_cookie(state: &AppState, secret: String) -> Cookie<'static> {
    Cookie::build((cookie_name(state), secret))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(state.config.is_https())
        .permanent()
        .build()
}

pub fn clear_session_cookie(state: &AppState) -> Cookie<'static> {
    let mut cookie = session_cookie(state, String::new());
    cookie.make_removal();
    cookie
}

/// The session's secret in this request's cookies.
pub fn session_secret(state: &AppState, jar: &CookieJar) -> Option<String> {
    jar.get(cookie_name(state)).map(|c| c.value().to_owned())
}

/// The bearer token of a request.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Finds out who is asking and hands the [`Actor`] on; decides nothing.
pub async fn authenticate(
    State(state): State<AppState>,
    Extension(sessions): Extension<Sessions>,
    mut request: Request,
    next: Next,
) -> Response {
    match find_actor(&state, &sessions, request.headers(), request.uri().path()).await {
        Ok(Some(actor)) => {
            request.extensions_mut().insert(actor);
        }
        Ok(None) => {}
        Err(error) => return error.into_response(),
    }
    next.run(request).await
}

async fn find_actor(state: &AppState, sessions: &Sessions, headers: &HeaderMap, path: &str) -> Result<Option<Actor>> {
    // The public status page is the same for everybody and must not wait for a session to be looked up.
    let is_status_page = path == "/status" || path.starts_with("/status/");
    if path.starts_with("/static/") || path == "/healthz" || is_status_page {
        return Ok(None);
    }
    if path.starts_with("/api/v1/")
        && let Some(token) = bearer(headers)
    {
        let actor = service::find_by_token(state, token, Scope::Api).await?;
        return actor.map(Some).ok_or(Error::Unauthenticated);
    }
    match session_secret(state, &CookieJar::from_headers(headers)) {
        Some(secret) => sessions.find(state, &secret).await,
        None => Ok(None),
    }
}
