//! Setting up the Slack app: which Slack user acts as which account.

use askama::Template;
use axum::Json;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounts::Actor;
use crate::audit;
use crate::error::{Error, FieldErrors, Result};
use crate::fields;
use crate::incidents;
use crate::state::AppState;
use crate::web::{Access, ApiJson, Cx, Routes, Shell, redirect_with_flash, render, render_with_status};

use super::store::{self, SlackPerson};

const HOME: &str = "/settings/slack";

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(HOME, Access::ADMIN, list)
        .post(HOME, Access::ADMIN, add)
        .post("/settings/slack/{slack_user_id}/remove", Access::ADMIN, remove)
        .get("/api/v1/slack/people", Access::ADMIN, api_list)
        .put("/api/v1/slack/people/{slack_user_id}", Access::ADMIN, api_put)
        .delete("/api/v1/slack/people/{slack_user_id}", Access::ADMIN, api_remove)
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PersonInput {
    #[serde(deserialize_with = "fields::text")]
    slack_user_id: String,
    #[serde(deserialize_with = "fields::text")]
    email: String,
}

impl PersonInput {
    /// The Slack id, checked.
    fn normalize(&self) -> Result<String> {
        let id = self.slack_user_id.trim().to_uppercase();
        let is_one = (3..=30).contains(&id.len())
            && id.starts_with(['U', 'W'])
            && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if is_one {
            Ok(id)
        } else {
            Err(Error::invalid(
                "slack_user_id",
                "must be a Slack member id, like U02ABCDEF: it is in the profile's menu",
            ))
        }
    }
}

async fn put(state: &AppState, actor: &Actor, input: &PersonInput) -> Result<SlackPerson> {
    let id = input.normalize()?;
    let now = state.now();
    let tx = state.db.begin().await?;
    let person = incidents::people::person(&tx, "email", &input.email).await?;
    store::put(&tx, &id, person.user_id, &actor.name, now).await?;
    audit::record(&tx, now, actor, "slack.person.put", ("slack_user", &id), &json!({ "account": person.name })).await?;
    let stored = store::find(&tx, &id).await?.ok_or_else(|| Error::Internal("a Slack user was not kept".to_owned()))?;
    tx.commit().await?;
    Ok(stored)
}

async fn take_off(state: &AppState, actor: &Actor, id: &str) -> Result<()> {
    let tx = state.db.begin().await?;
    if !store::remove(&tx, id).await? {
        return Err(Error::not_found("That Slack user"));
    }
    audit::record(&tx, state.now(), actor, "slack.person.remove", ("slack_user", id), &json!({})).await?;
    tx.commit().await
}

#[derive(Template)]
#[template(path = "slack/people.html")]
struct PeoplePage {
    shell: Shell,
    people: Vec<SlackPerson>,
    accounts: Vec<String>,
    form: PersonInput,
    errors: FieldErrors,
    is_set_up: bool,
    base_url: String,
}

async fn page(cx: &Cx, form: PersonInput, errors: FieldErrors) -> Result<PeoplePage> {
    let db = &cx.state.db;
    Ok(PeoplePage {
        shell: cx.shell("Slack app"),
        people: store::all(db).await?,
        accounts: incidents::people::people(db).await?.into_iter().map(|a| a.email).collect(),
        form,
        errors,
        is_set_up: cx.state.config.slack_signing_secret.is_some(),
        base_url: cx.state.config.base_url.clone(),
    })
}

async fn list(cx: Cx) -> Result<Response> {
    render(&page(&cx, PersonInput::default(), FieldErrors::default()).await?)
}

async fn add(cx: Cx, Form(form): Form<PersonInput>) -> Result<Response> {
    match put(&cx.state, cx.actor()?, &form).await {
        Ok(person) => Ok(redirect_with_flash(HOME, &format!("{} acts as {}.", person.slack_user_id, person.name))),
        Err(Error::Invalid(errors)) => {
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page(&cx, form, errors).await?)
        }
        Err(other) => Err(other),
    }
}

async fn remove(cx: Cx, Path(id): Path<String>) -> Result<Response> {
    take_off(&cx.state, cx.actor()?, &id).await?;
    Ok(redirect_with_flash(HOME, "Removed; commands of this Slack user are not taken any more."))
}

async fn api_list(State(state): State<AppState>) -> Result<Json<Value>> {
    let people = store::all(&state.db).await?;
    Ok(Json(json!({ "total": people.len(), "items": people, "next_cursor": null })))
}

async fn api_put(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<String>,
    ApiJson(input): ApiJson<PersonInput>,
) -> Result<Json<SlackPerson>> {
    let input = PersonInput { slack_user_id: id, ..input };
    Ok(Json(put(&state, &actor, &input).await?))
}

async fn api_remove(State(state): State<AppState>, actor: Actor, Path(id): Path<String>) -> Result<StatusCode> {
    take_off(&state, &actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
