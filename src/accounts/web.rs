//! Pages for everybody: set-up, sign-in, sign-out, one's own profile.

use askama::Template;
use axum::extract::{Form, Path, Query};
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use serde::Deserialize;

use super::attempts::{self, Place};
use super::model::{NewUser, Role, Session};
use super::service;
use crate::error::{Error, FieldErrors, Result};
use crate::web::{
    Access, Cx, Routes, Shell, clear_session_cookie, redirect, redirect_with_flash, render, render_with_status,
    session_cookie, session_secret,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/setup", Access::Public, setup_form)
        .post("/setup", Access::Public, setup)
        .get("/login", Access::Public, login_form)
        .post("/login", Access::Public, login)
        .post("/logout", Access::VIEWER, logout)
        .get("/settings/profile", Access::VIEWER, profile)
        .post("/settings/profile/password", Access::VIEWER, change_password)
        .post("/settings/profile/sessions/{id}/revoke", Access::VIEWER, revoke_session)
}

fn agent(headers: &HeaderMap) -> &str {
    headers.get(USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or("unknown")
}

#[derive(Template)]
#[template(path = "accounts/setup.html")]
struct SetupPage {
    shell: Shell,
    form: SetupForm,
    errors: FieldErrors,
}

#[derive(Default, Deserialize)]
struct SetupForm {
    #[serde(default)]
    code: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
}

async fn setup_form(cx: Cx) -> Result<Response> {
    if !service::needs_setup(&cx.state.db).await? {
        return Ok(redirect("/login"));
    }
    render(&SetupPage {
        shell: cx.shell("Set up Faultline"),
        form: SetupForm::default(),
        errors: FieldErrors::default(),
    })
}

async fn setup(cx: Cx, place: Place, headers: HeaderMap, Form(form): Form<SetupForm>) -> Result<Response> {
    attempts::admit("set-up", place)?;
    let user = NewUser {
        email: form.email.clone(),
        name: form.name.clone(),
        password: form.password.clone(),
        role: Role::Admin,
    };
    match service::set_up(&cx.state, &form.code, user).await {
        Ok(user_id) => {
            let secret = service::open_session(&cx.state, user_id, agent(&headers)).await?;
            let answer = redirect_with_flash("/", "Welcome. You are the first administrator.");
            Ok((CookieJar::new().add(session_cookie(&cx.state, secret)), answer).into_response())
        }
        Err(Error::Invalid(errors)) => render_with_status(
            StatusCode::UNPROCESSABLE_ENTITY,
            &SetupPage { shell: cx.shell("Set up Faultline"), form, errors },
        ),
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "accounts/login.html")]
struct LoginPage {
    shell: Shell,
    email: String,
    next: String,
    errors: FieldErrors,
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

/// Only paths of ours: never another host.
fn safe_next(next: &str) -> &str {
    let is_path = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']);
    if is_path { next } else { "/" }
}

async fn login_form(cx: Cx, Query(query): Query<Next>) -> Result<Response> {
    if service::needs_setup(&cx.state.db).await? {
        return Ok(redirect("/setup"));
    }
    if cx.maybe_actor().is_some() {
        return Ok(redirect(safe_next(&query.next)));
    }
    let page = LoginPage {
        shell: cx.shell("Sign in"),
        email: String::new(),
        next: query.next,
        errors: FieldErrors::default(),
    };
    render(&page)
}

#[derive(Deserialize)]
struct LoginForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

async fn login(cx: Cx, place: Place, headers: HeaderMap, Form(form): Form<LoginForm>) -> Result<Response> {
    attempts::admit(&form.email, place)?;
    match service::sign_in(&cx.state, &form.email, form.password, agent(&headers)).await {
        Ok(secret) => {
            let jar = CookieJar::new().add(session_cookie(&cx.state, secret));
            Ok((jar, redirect(safe_next(&form.next))).into_response())
        }
        Err(Error::Invalid(errors)) => render_with_status(
            StatusCode::UNPROCESSABLE_ENTITY,
            &LoginPage { shell: cx.shell("Sign in"), email: form.email, next: form.next, errors },
        ),
        Err(other) => Err(other),
    }
}

async fn logout(cx: Cx, jar: CookieJar) -> Result<Response> {
    if let Some(secret) = session_secret(&cx.state, &jar) {
        service::sign_out(&cx.state, &secret).await?;
    }
    Ok((CookieJar::new().add(clear_session_cookie(&cx.state)), redirect("/login")).into_response())
}

#[derive(Template)]
#[template(path = "accounts/profile.html")]
struct ProfilePage {
    shell: Shell,
    sessions: Vec<Session>,
    errors: FieldErrors,
}

async fn profile_page(cx: &Cx, errors: FieldErrors) -> Result<ProfilePage> {
    let sessions = match cx.actor()?.user_id {
        Some(id) => service::list_sessions(&cx.state.db, id).await?,
        None => vec![],
    };
    Ok(ProfilePage { shell: cx.shell("Your profile"), sessions, errors })
}

async fn profile(cx: Cx) -> Result<Response> {
    render(&profile_page(&cx, FieldErrors::default()).await?)
}

#[derive(Deserialize)]
struct PasswordForm {
    #[serde(default)]
    current: String,
    #[serde(default)]
    password: String,
}

async fn change_password(cx: Cx, place: Place, headers: HeaderMap, Form(form): Form<PasswordForm>) -> Result<Response> {
    let actor = cx.actor()?.clone();
    attempts::admit(&format!("password of {:?}", actor.user_id), place)?;
    match service::change_password(&cx.state, &actor, form.current, form.password).await {
        Ok(()) => {
            let user_id = actor.user_id.ok_or(Error::Unauthenticated)?;
            let secret = service::open_session(&cx.state, user_id, agent(&headers)).await?;
            let answer = redirect_with_flash("/settings/profile", "Password changed; all other sessions have ended.");
            Ok((CookieJar::new().add(session_cookie(&cx.state, secret)), answer).into_response())
        }
        Err(Error::Invalid(errors)) => {
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &profile_page(&cx, errors).await?)
        }
        Err(other) => Err(other),
    }
}

async fn revoke_session(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    service::revoke_session(&cx.state, cx.actor()?, id).await?;
    Ok(redirect_with_flash("/settings/profile", "That session has ended."))
}

#[cfg(test)]
mod tests {
    use super::safe_next;

    #[test]
    fn coming_back_never_leaves_the_site() {
        assert_eq!(safe_next("/incidents?q=a"), "/incidents?q=a");
        for bad in ["//evil.example", "https://evil.example", "/\\evil.example", "", "javascript:alert(1)", "/\t/evil"]
        {
            assert_eq!(safe_next(bad), "/", "{bad}");
        }
    }
}
