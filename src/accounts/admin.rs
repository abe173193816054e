//! Settings pages for administrators: users and tokens.

use askama::Template;
use axum::extract::{Form, Path};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::model::{NewUser, Role, Token, User};
use super::service;
use crate::error::{Error, FieldErrors, Result};
use crate::web::{Access, Cx, Routes, Shell, redirect, redirect_with_flash, render, render_with_status};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/settings", Access::VIEWER, settings)
        .get("/settings/users", Access::ADMIN, list_users)
        .post("/settings/users", Access::ADMIN, create_user)
        .post("/settings/users/{id}", Access::ADMIN, update_user)
        .get("/settings/tokens", Access::ADMIN, list_tokens)
        .post("/settings/tokens", Access::ADMIN, create_token)
        .post("/settings/tokens/{id}/revoke", Access::ADMIN, revoke_token)
}

async fn settings(cx: Cx) -> Result<Response> {
    Ok(redirect(if cx.actor()?.can(Role::Admin) { "/settings/users" } else { "/settings/profile" }))
}

#[derive(Template)]
#[template(path = "accounts/users.html")]
struct UsersPage {
    shell: Shell,
    users: Vec<User>,
    form: UserForm,
    errors: FieldErrors,
}

#[derive(Default, Deserialize)]
struct UserForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    role: String,
}

async fn users_page(cx: &Cx, form: UserForm, errors: FieldErrors) -> Result<UsersPage> {
    Ok(UsersPage { shell: cx.shell("Users"), users: service::list_users(&cx.state.db).await?, form, errors })
}

async fn list_users(cx: Cx) -> Result<Response> {
    let form = UserForm { role: "responder".into(), ..UserForm::default() };
    render(&users_page(&cx, form, FieldErrors::default()).await?)
}

async fn create_user(cx: Cx, Form(form): Form<UserForm>) -> Result<Response> {
    let made = match form.role.parse() {
        Ok(role) => {
            let user =
                NewUser { email: form.email.clone(), name: form.name.clone(), password: form.password.clone(), role };
            service::add_user(&cx.state, cx.actor()?, user).await
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(_) => Ok(redirect_with_flash("/settings/users", "User added.")),
        Err(Error::Invalid(errors)) => {
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &users_page(&cx, form, errors).await?)
        }
        Err(other) => Err(other),
    }
}

#[derive(Deserialize)]
struct UserChange {
    role: String,
    #[serde(default)]
    disabled: Option<String>,
}

async fn update_user(cx: Cx, Path(id): Path<i64>, Form(form): Form<UserChange>) -> Result<Response> {
    let changed = match form.role.parse() {
        Ok(role) => service::update_user(&cx.state, cx.actor()?, id, role, form.disabled.is_some()).await,
        Err(error) => Err(error),
    };
    match changed {
        Ok(()) => Ok(redirect_with_flash("/settings/users", "User changed.")),
        Err(Error::Invalid(errors)) => {
            let page = users_page(&cx, UserForm::default(), errors).await?;
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "accounts/tokens.html")]
struct TokensPage {
    shell: Shell,
    tokens: Vec<Token>,
    form: TokenForm,
    errors: FieldErrors,
    /// The new token's secret: shown on this answer alone.
    secret: Option<String>,
}

#[derive(Default, Deserialize)]
struct TokenForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    role: String,
}

async fn tokens_page(cx: &Cx, form: TokenForm, errors: FieldErrors, secret: Option<String>) -> Result<TokensPage> {
    Ok(TokensPage {
        shell: cx.shell("Tokens"),
        tokens: service::list_tokens(&cx.state.db).await?,
        form,
        errors,
        secret,
    })
}

async fn list_tokens(cx: Cx) -> Result<Response> {
    let form = TokenForm { scope: "ingest".into(), role: "responder".into(), ..TokenForm::default() };
    render(&tokens_page(&cx, form, FieldErrors::default(), None).await?)
}

async fn create_token(cx: Cx, Form(form): Form<TokenForm>) -> Result<Response> {
    let made = match (form.scope.parse(), form.role.parse()) {
        (Ok(scope), Ok(role)) => service::add_token(&cx.state, cx.actor()?, &form.name, scope, role).await,
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    match made {
        Ok((_, secret)) => render(&tokens_page(&cx, TokenForm::default(), FieldErrors::default(), Some(secret)).await?),
        Err(Error::Invalid(errors)) => {
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &tokens_page(&cx, form, errors, None).await?)
        }
        Err(other) => Err(other),
    }
}

async fn revoke_token(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    service::revoke_token(&cx.state, cx.actor()?, id).await?;
    Ok(redirect_with_flash("/settings/tokens", "Token revoked; what used it is refused from now on."))
}
