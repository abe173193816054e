//! The addresses that Slack calls.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::accounts::{Actor, Role};
use crate::error::{Error, Result};
use crate::incidents::hooks::Hooks;
use crate::notifications::Courier;
use crate::state::AppState;
use crate::web::{Access, Routes};

use super::commands::{Asked, Command, whisper};
use super::interactions::{self, Pressed};
use super::store;
use super::verify::verify;

pub(super) fn routes() -> Routes {
    Routes::new().post("/slack/commands", Access::Public, command).post(
        "/slack/interactions",
        Access::Public,
        interaction,
    )
}

/// # Errors
/// `NotFound` without a signing secret; `Forbidden` for what is not signed by Slack, just now.
fn check(state: &AppState, headers: &HeaderMap, body: &[u8]) -> Result<()> {
    let secret = state.config.slack_signing_secret.as_deref().ok_or_else(|| Error::not_found("That page"))?;
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let (at, given) = (header("x-slack-request-timestamp"), header("x-slack-signature"));
    verify(secret, at, given, body, state.now()).map_err(|refusal| {
        tracing::warn!(%refusal, "a request to the Slack app was refused");
        Error::Forbidden(format!("This request is not taken: {refusal}."))
    })
}

/// The value of a form's field.
fn field(body: &[u8], name: &str) -> String {
    let found = url::form_urlencoded::parse(body).find(|(n, _)| n == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The account that acts for a Slack user, with the role that it has now.
async fn actor(state: &AppState, slack_user_id: &str) -> Result<Option<Actor>> {
    let Some(person) = store::find(&state.db, slack_user_id).await?.filter(|p| p.disabled_at.is_none()) else {
        return Ok(None);
    };
    let role: Role = person.role.parse()?;
    Ok(Some(Actor { user_id: Some(person.user_id), token_id: None, name: person.name, role }))
}

fn stranger(slack_user_id: &str) -> Value {
    let id: String = slack_user_id.chars().filter(|c| c.is_ascii_alphanumeric()).take(20).collect();
    whisper(&format!(
        "Faultline does not know you yet. Ask an administrator to add your Slack user id {id} at Settings, Slack app."
    ))
}

/// What the asker reads when it did not work; faults of ours only go to the log.
fn sorry(error: &Error) -> Value {
    if matches!(error, Error::Internal(_) | Error::Unavailable(_)) {
        tracing::error!(%error, "a Slack command failed");
    }
    let text = match error {
        Error::Invalid(errors) => errors.0.iter().map(|e| e.message.as_str()).collect::<Vec<_>>().join("; "),
        other => other.public_message(),
    };
    whisper(&super::commands::escape(&text))
}

async fn command(
    State(state): State<AppState>,
    Extension(hooks): Extension<Hooks>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    check(&state, &headers, &body)?;
    let slack_user_id = field(&body, "user_id");
    let answer = match (actor(&state, &slack_user_id).await?, Command::parse(&field(&body, "text"))) {
        (None, _) => stranger(&slack_user_id),
        (_, Err(explanation)) => whisper(&super::commands::escape(&explanation)),
        (Some(actor), Ok(command)) => {
            let asked = Asked { state: &state, actor: &actor, hooks: &hooks };
            asked.carry_out(command).await.unwrap_or_else(|error| sorry(&error))
        }
    };
    Ok(Json(answer).into_response())
}

async fn interaction(
    State(state): State<AppState>,
    Extension(hooks): Extension<Hooks>,
    Extension(courier): Extension<Courier>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    check(&state, &headers, &body)?;
    let pressed: Pressed = serde_json::from_str(&field(&body, "payload"))
        .map_err(|e| Error::BadRequest(format!("The payload cannot be read: {e}")))?;
    let Some(action) = pressed.ours() else { return Ok(StatusCode::OK.into_response()) };
    let message = match actor(&state, &pressed.user.id).await? {
        None => stranger(&pressed.user.id),
        Some(actor) => {
            let asked = Asked { state: &state, actor: &actor, hooks: &hooks };
            match interactions::press(&asked, action).await {
                Ok(said) => {
                    serde_json::json!({ "response_type": "in_channel", "replace_original": false, "text": said })
                }
                Err(error) => sorry(&error),
            }
        }
    };
    interactions::answer(courier, pressed.response_url.clone(), message);
    Ok(StatusCode::OK.into_response())
}
