//! Subscribing, confirming and leaving. Links in mails only show a page with a button: programs that
//! follow links in mails, to check them, must neither confirm nor unsubscribe for their owner.

use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::pages::nothing;
use super::view::Frame;
use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};
use crate::notifications::Courier;
use crate::outbound::Policy;
use crate::state::AppState;
use crate::status_page::service::subscribers::{self as service, Asked, Kind};
use crate::status_page::store::public;
use crate::status_page::store::subscribers::Subscriber;
use crate::web::{Access, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/status/subscribe", Access::Public, form)
        .post("/status/subscribe", Access::Public, subscribe)
        .get("/status/confirm/{token}", Access::Public, ask_confirm)
        .post("/status/confirm/{token}", Access::Public, confirm)
        .get("/status/unsubscribe/{token}", Access::Public, ask_leave)
        .post("/status/unsubscribe/{token}", Access::Public, leave)
}

/// How many may subscribe on this node: each address is asked at most once in a quarter of an hour
/// anyway; this keeps the form from being used to send mail to the whole world.
#[derive(Clone, Default)]
pub struct Doorman(Arc<Mutex<i64>>);

/// One subscription each two seconds, and so many at once after a pause.
const STEP_MICROS: i64 = 2_000_000;
const BURST: i64 = 120;

impl Doorman {
    /// # Errors
    /// `RateLimited` with the seconds to wait.
    fn admit(&self, now: Timestamp) -> Result<()> {
        let mut full_at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.as_micros();
        let next = (*full_at).max(now) + STEP_MICROS;
        let over = next - now - STEP_MICROS * BURST;
        if over > 0 {
            return Err(Error::RateLimited { retry_after_s: over.unsigned_abs().div_ceil(1_000_000).max(1) });
        }
        *full_at = next;
        Ok(())
    }
}

#[derive(Template)]
#[template(path = "status_page/public_subscribe.html")]
struct SubscribePage {
    frame: Frame,
    has_mail: bool,
    form: SubscribeForm,
    errors: FieldErrors,
    asked: Option<Asked>,
}

impl SubscribePage {
    fn is_webhook(&self) -> bool {
        !self.has_mail || self.form.kind == "webhook"
    }

    fn secret(&self) -> Option<&str> {
        match &self.asked {
            Some(Asked::Webhook { secret }) => Some(secret),
            _ => None,
        }
    }
}

/// What is typed or belongs to one person is kept by nobody on the way.
fn answer(status: StatusCode, template: &impl Template) -> Result<Response> {
    let html = template.render().map_err(|e| Error::Internal(format!("rendering: {e}")))?;
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((status, headers, html).into_response())
}

/// The frame, when the page is public at all.
async fn frame(state: &AppState, title: &str) -> Result<Option<Frame>> {
    let head = public::head(&state.db).await?;
    Ok(head.is_public.then(|| Frame::new(&head.title, title, &state.config.base_url)))
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct SubscribeForm {
    kind: String,
    address: String,
}

async fn form(State(state): State<AppState>, Extension(courier): Extension<Courier>) -> Result<Response> {
    let Some(frame) = frame(&state, "Get updates").await? else { return nothing(&state).await };
    let page = SubscribePage {
        frame,
        has_mail: courier.has_mail(),
        form: SubscribeForm::default(),
        errors: FieldErrors::default(),
        asked: None,
    };
    answer(StatusCode::OK, &page)
}

async fn subscribe(
    State(state): State<AppState>,
    Extension(courier): Extension<Courier>,
    Extension(doorman): Extension<Doorman>,
    Form(form): Form<SubscribeForm>,
) -> Result<Response> {
    let Some(frame) = frame(&state, "Get updates").await? else { return nothing(&state).await };
    let has_mail = courier.has_mail();
    let kind = match form.kind.as_str() {
        "webhook" => Some(Kind::Webhook),
        "email" | "" if has_mail => Some(Kind::Email),
        _ => None,
    };
    let mut page = SubscribePage { frame, has_mail, form, errors: FieldErrors::default(), asked: None };
    let Some(kind) = kind else {
        page.errors.add("kind", "Choose one of the ways that are offered.");
        return answer(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    doorman.admit(state.now())?;
    let policy = Policy::parse(&state.config.outbound_allow)
        .map_err(|e| Error::Internal(format!("FAULTLINE_OUTBOUND_ALLOW: {e}")))?;
    let tx = state.db.begin().await?;
    match service::subscribe(&tx, kind, &page.form.address, &policy, (&state.random, state.now())).await {
        Ok(asked) => {
            tx.commit().await?;
            page.asked = Some(asked);
            answer(StatusCode::ACCEPTED, &page)
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            page.errors = errors;
            answer(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "status_page/public_answer.html")]
struct AnswerPage {
    frame: Frame,
    text: &'static str,
    /// Where the button leads, and what it says.
    button: Option<(String, &'static str)>,
}

async fn known(state: &AppState, token: &str) -> Result<Option<Subscriber>> {
    match service::by_token(&state.db, token).await {
        Ok(subscriber) => Ok(Some(subscriber)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

async fn ask_confirm(State(state): State<AppState>, Path(token): Path<String>) -> Result<Response> {
    let Some(frame) = frame(&state, "Confirm").await? else { return nothing(&state).await };
    let Some(subscriber) = known(&state, &token).await? else { return nothing(&state).await };
    let page = if subscriber.confirmed_at.is_some() {
        AnswerPage { frame, text: "You are subscribed.", button: None }
    } else {
        let button = Some((format!("/status/confirm/{token}"), "Yes, send me updates"));
        AnswerPage { frame, text: "You are about to be told whatever is published on this status page.", button }
    };
    answer(StatusCode::OK, &page)
}

async fn confirm(State(state): State<AppState>, Path(token): Path<String>) -> Result<Response> {
    let Some(frame) = frame(&state, "Confirmed").await? else { return nothing(&state).await };
    if known(&state, &token).await?.is_none() {
        return nothing(&state).await;
    }
    let tx = state.db.begin().await?;
    service::confirm(&tx, &token, state.now()).await?;
    tx.commit().await?;
    answer(StatusCode::OK, &AnswerPage { frame, text: "You are subscribed.", button: None })
}

async fn ask_leave(State(state): State<AppState>, Path(token): Path<String>) -> Result<Response> {
    let Some(frame) = frame(&state, "Unsubscribe").await? else { return nothing(&state).await };
    if known(&state, &token).await?.is_none() {
        return answer(StatusCode::OK, &AnswerPage { frame, text: "You are not subscribed.", button: None });
    }
    let button = Some((format!("/status/unsubscribe/{token}"), "Unsubscribe"));
    answer(StatusCode::OK, &AnswerPage { frame, text: "You will not be told any more.", button })
}

/// Also what a mail program sends when its own button is pressed (RFC 8058).
async fn leave(State(state): State<AppState>, Path(token): Path<String>) -> Result<Response> {
    let tx = state.db.begin().await?;
    service::unsubscribe(&tx, &token).await?;
    tx.commit().await?;
    let frame = Frame::new(&public::head(&state.db).await?.title, "Unsubscribed", &state.config.base_url);
    answer(StatusCode::OK, &AnswerPage { frame, text: "You are not subscribed any more.", button: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_subscriptions_is_stopped_and_passes() {
        let (doorman, now) = (Doorman::default(), Timestamp::from_secs(1_000));
        let admitted = (0..500).filter(|_| doorman.admit(now).is_ok()).count();
        assert_eq!(admitted, 120);
        assert!(matches!(doorman.admit(now), Err(Error::RateLimited { retry_after_s: 2 })));
        assert!(doorman.admit(now + chrono::TimeDelta::seconds(2)).is_ok());
    }
}
