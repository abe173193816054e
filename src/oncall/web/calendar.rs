//! Calendar files by secret address, for calendars that can send no token.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::oncall::service::{Feed, Team, teams as service};
use crate::state::AppState;
use crate::web::{Cx, Shell, redirect_with_flash, render_with_status};

#[derive(Template)]
#[template(path = "oncall/calendars.html")]
struct CalendarsPage {
    shell: Shell,
    feeds: Vec<Feed>,
    teams: Vec<Team>,
    /// The address just made; never shown again.
    made: Option<String>,
}

impl CalendarsPage {
    fn name_of(&self, feed: &Feed) -> String {
        match feed.team_id {
            None => "My own shifts".to_owned(),
            Some(id) => self.teams.iter().find(|t| t.id == id).map_or_else(String::new, |t| t.name.clone()),
        }
    }
}

async fn page(cx: &Cx, made: Option<String>) -> Result<Response> {
    let db = &cx.state.db;
    let status = if made.is_some() { StatusCode::CREATED } else { StatusCode::OK };
    let page = CalendarsPage {
        shell: cx.shell("Calendars of on-call shifts"),
        feeds: service::feeds_of(db, cx.actor()?).await?,
        teams: service::all(db, cx.now()).await?,
        made,
    };
    render_with_status(status, &page)
}

pub(super) async fn list(cx: Cx) -> Result<Response> {
    page(&cx, None).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CreateForm {
    /// Number of the team; empty for one's own shifts.
    team: String,
}

pub(super) async fn create(cx: Cx, Form(form): Form<CreateForm>) -> Result<Response> {
    let team = match form.team.trim() {
        "" => None,
        text => Some(text.parse().map_err(|_| Error::invalid("team", "is not one that has a rotation"))?),
    };
    let tx = cx.state.db.begin().await?;
    let (_, token) = service::add_feed(&tx, team, cx.actor()?, &cx.state.random, cx.now()).await?;
    tx.commit().await?;
    page(&cx, Some(format!("{}/calendar/{token}/oncall.ics", cx.state.config.base_url))).await
}

pub(super) async fn revoke(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    service::revoke_feed(&tx, id, cx.actor()?, cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash("/oncall/calendars", "The address does not work any more."))
}

/// Whoever knows the address reads the shifts, and nothing else.
pub(super) async fn file(State(state): State<AppState>, Path(token): Path<String>) -> Result<Response> {
    let url = url::Url::parse(&state.config.base_url).ok();
    let host = url.as_ref().and_then(|u| u.host_str()).unwrap_or("faultline").to_owned();
    let text = service::calendar(&state.db, &token, &host, state.now()).await?;
    let text = text.ok_or_else(|| Error::not_found("This calendar"))?;
    let headers = [(CONTENT_TYPE, "text/calendar; charset=utf-8"), (CACHE_CONTROL, "private, max-age=300")];
    Ok((headers, text).into_response())
}
