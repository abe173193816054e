//! What a page handler gets ([`Cx`]) and what a page's template gets ([`Shell`]).

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};

use super::RequestId;
use super::assets;
use crate::accounts::{Actor, Role};
use crate::clock::Timestamp;
use crate::db::Mark;
use crate::error::{Error, Result};
use crate::state::AppState;

const FLASH: &str = "faultline-flash";

/// The context of one request to a page: one extractor instead of six.
pub struct Cx {
    pub state: AppState,
    actor: Option<Actor>,
    pub path: String,
    pub query: String,
    flash: Option<String>,
    request_id: String,
    /// Taken before anything is read, so that a live page misses nothing that comes after.
    mark: Mark,
}

impl FromRequestParts<AppState> for Cx {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let jar = CookieJar::from_headers(&parts.headers);
        let flash = jar.get(FLASH).map(|c| {
            url::form_urlencoded::parse(c.value().as_bytes()).map(|(k, _)| k.into_owned()).next().unwrap_or_default()
        });
        Ok(Self {
            state: state.clone(),
            actor: parts.extensions.get::<Actor>().cloned(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            flash: flash.filter(|f| !f.is_empty()),
            request_id: parts.extensions.get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default(),
            mark: state.db.mark(),
        })
    }
}

/// The signed-in person or token of a route that asks for a role.
impl FromRequestParts<AppState> for Actor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self> {
        parts.extensions.get::<Self>().cloned().ok_or(Error::Unauthenticated)
    }
}

impl Cx {
    /// # Errors
    /// `Unauthenticated` on a public page without a session.
    pub fn actor(&self) -> Result<&Actor> {
        self.actor.as_ref().ok_or(Error::Unauthenticated)
    }

    pub const fn maybe_actor(&self) -> Option<&Actor> {
        self.actor.as_ref()
    }

    pub fn now(&self) -> Timestamp {
        self.state.now()
    }

    /// The frame of a page with this title.
    pub fn shell(&self, title: impl Into<String>) -> Shell {
        let mut shell = Shell::for_error(&self.state, self.actor.as_ref(), &title.into(), &self.path, &self.request_id);
        shell.flash.clone_from(&self.flash);
        shell.live_since = self.mark.to_string();
        shell
    }
}

/// The frame around every page; `layouts/base.html` draws it.
#[derive(Clone, Debug)]
pub struct Shell {
    pub title: String,
    pub actor: Option<Actor>,
    /// Path of this page, for the navigation's mark and for coming back.
    pub path: String,
    pub flash: Option<String>,
    pub request_id: String,
    pub now: Timestamp,
    pub css: &'static str,
    pub js: &'static str,
    /// Topics of live updates that this page shows, separated by spaces.
    pub live: String,
    /// How old the page is, in this node's order of notices.
    pub live_since: String,
    /// Where the page asks for its parts when it refreshes itself; empty for itself.
    pub live_from: String,
}

/// One entry of the main navigation.
pub struct NavItem {
    pub href: &'static str,
    pub label: &'static str,
    pub current: bool,
}

impl Shell {
    pub(super) fn for_error(
        state: &AppState,
        actor: Option<&Actor>,
        title: &str,
        path: &str,
        request_id: &str,
    ) -> Self {
        Self {
            title: title.to_owned(),
            actor: actor.cloned(),
            path: path.to_owned(),
            flash: None,
            request_id: request_id.to_owned(),
            now: state.now(),
            css: assets::url("app.css"),
            js: assets::url("app.js"),
            live: String::new(),
            live_since: String::new(),
            live_from: String::new(),
        }
    }

    /// The stylesheet's address, for pages with a frame of their own.
    pub fn stylesheet() -> &'static str {
        assets::url("app.css")
    }

    /// Has the page refresh itself when one of these topics is announced.
    #[must_use]
    pub fn live(mut self, topics: &[&str]) -> Self {
        self.live = topics.join(" ");
        self
    }

    /// Has it ask there for its parts instead of for itself.
    #[must_use]
    pub fn live_from(mut self, path: String) -> Self {
        self.live_from = path;
        self
    }

    pub fn nav(&self) -> Vec<NavItem> {
        const ITEMS: [(&str, &str); 9] = [
            ("/incidents", "Incidents"),
            ("/alerts", "Alerts"),
            ("/deployments", "Deployments"),
            ("/traces", "Traces"),
            ("/services", "Services"),
            ("/oncall", "On call"),
            ("/runbooks", "Runbooks"),
            ("/postmortems", "Postmortems"),
            ("/reports", "Reports"),
        ];
        let is_current = |href: &str| self.path.strip_prefix(href).is_some_and(|r| r.is_empty() || r.starts_with('/'));
        ITEMS.into_iter().map(|(href, label)| NavItem { href, label, current: is_current(href) }).collect()
    }

    pub fn can(&self, role: Role) -> bool {
        self.actor.as_ref().is_some_and(|a| a.can(role))
    }

    pub fn can_respond(&self) -> bool {
        self.can(Role::Responder)
    }

    pub fn can_command(&self) -> bool {
        self.can(Role::Commander)
    }

    pub fn is_admin(&self) -> bool {
        self.can(Role::Admin)
    }
}

/// A page with status 200.
pub fn render(page: &impl Template) -> Result<Response> {
    render_with_status(StatusCode::OK, page)
}

/// A page with another status: 422 for a form shown again, 409 for a conflict.
pub fn render_with_status(status: StatusCode, page: &impl Template) -> Result<Response> {
    let html = page.render().map_err(|e| Error::Internal(format!("rendering: {e}")))?;
    let mut response = (status, Html(html)).into_response();
    // Whatever flash came with the request has been shown by this page.
    response.headers_mut().append(SET_COOKIE, flash_cookie("").to_string().parse().unwrap_or_else(|_| empty()));
    Ok(response)
}

fn empty() -> HeaderValue {
    HeaderValue::from_static("")
}

fn flash_cookie(message: &str) -> Cookie<'static> {
    let value: String = url::form_urlencoded::byte_serialize(message.as_bytes()).collect();
    let mut cookie = Cookie::build((FLASH, value)).path("/").http_only(true).same_site(SameSite::Lax).build();
    if message.is_empty() {
        cookie.make_removal();
    }
    cookie
}

/// 303 to another page of ours, after a form was carried out.
pub fn redirect(to: &str) -> Response {
    let location = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}

/// 303 with a sentence that the next page shows once.
pub fn redirect_with_flash(to: &str, message: &str) -> Response {
    let mut response = redirect(to);
    if let Ok(cookie) = flash_cookie(message).to_string().parse() {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
