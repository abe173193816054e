//! Rotations: the list, a team with its coming shifts, and its forms.

use askama::Template;
use axum::extract::{Form, Path};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::TimeDelta;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};
use crate::incidents;
use crate::oncall::ical::NamedShift;
use crate::oncall::model::input::{OverrideInput, TeamInput};
use crate::oncall::service::teams::{self as service, OnCall};
use crate::oncall::service::{Member, Team};
use crate::services;
use crate::web::{Cx, Shell, redirect_with_flash, render, render_with_status};

#[derive(Template)]
#[template(path = "oncall/list.html")]
struct ListPage {
    shell: Shell,
    on_call: Vec<OnCall>,
    /// Owner teams of the catalogue without a rotation.
    without: Vec<String>,
}

pub(super) async fn list(cx: Cx) -> Result<Response> {
    let db = &cx.state.db;
    let on_call = service::now_on_call(db, cx.now()).await?;
    let mut without = services::teams(db).await?;
    without.retain(|name| !on_call.iter().any(|t| t.team == *name));
    render(&ListPage { shell: cx.shell("On call").live(&["oncall"]), on_call, without })
}

#[derive(Template)]
#[template(path = "oncall/team.html")]
struct TeamPage {
    shell: Shell,
    team: Team,
    on_call: OnCall,
    shifts: Vec<NamedShift>,
    people: Vec<(String, String)>,
    form: OverrideInput,
    errors: FieldErrors,
}

impl TeamPage {
    fn members(&self) -> Vec<&Member> {
        self.team.rotation.members.iter().filter_map(|id| self.team.people.get(id)).collect()
    }

    fn name_of(&self, user: &i64) -> &str {
        self.team.people.get(user).map_or("", |p| p.name.as_str())
    }

    /// In the team's own zone.
    fn local(&self, at: &Timestamp) -> String {
        at.to_datetime().with_timezone(&self.team.rotation.zone).format("%a %-d %b, %H:%M").to_string()
    }

    fn is_now(&self, shift: &NamedShift) -> bool {
        shift.shift.from <= self.shell.now && self.shell.now < shift.shift.until
    }
}

/// How far ahead the page looks.
const AHEAD: TimeDelta = TimeDelta::days(42);

async fn page(cx: &Cx, id: i64, form: OverrideInput, errors: FieldErrors) -> Result<Response> {
    let (db, now) = (&cx.state.db, cx.now());
    let team = service::get(db, id, now).await?;
    let people = incidents::people::people(db).await?.into_iter().map(|a| (a.email, a.name)).collect();
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = TeamPage {
        shell: cx.shell(format!("On call: {}", team.name)).live(&["oncall"]),
        on_call: OnCall::of(&team, now),
        shifts: service::shifts(&team, now, now + AHEAD),
        team,
        people,
        form,
        errors,
    };
    render_with_status(status, &page)
}

pub(super) async fn show(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    page(&cx, id, OverrideInput::default(), FieldErrors::default()).await
}

pub(super) async fn swap(cx: Cx, Path(id): Path<i64>, Form(form): Form<OverrideInput>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    match service::swap(&tx, id, &form, cx.actor()?, cx.now()).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&path(id), "Swapped."))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            page(&cx, id, form, errors).await
        }
        Err(other) => Err(other),
    }
}

pub(super) async fn end_swap(cx: Cx, Path((id, swap)): Path<(i64, i64)>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    service::end_swap(&tx, id, swap, cx.actor()?, cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&path(id), "The override has ended."))
}

fn path(id: i64) -> String {
    format!("/oncall/teams/{id}")
}

#[derive(Template)]
#[template(path = "oncall/edit.html")]
struct EditPage {
    shell: Shell,
    team: Option<Team>,
    form: TeamInput,
    errors: FieldErrors,
    people: Vec<(String, String)>,
    teams: Vec<String>,
}

impl EditPage {
    /// What was chosen, and empty places for more.
    fn places(&self) -> Vec<String> {
        let mut places = self.form.members.clone();
        places.extend(std::iter::repeat_n(String::new(), 3));
        places
    }

    fn zones(&self) -> impl Iterator<Item = &'static str> {
        chrono_tz::TZ_VARIANTS.iter().map(|z| z.name())
    }

    fn severities(&self) -> [(&'static str, &'static str); 5] {
        [
            ("", "Nobody by itself"),
            ("SEV1", "SEV1 only"),
            ("SEV2", "SEV1 and SEV2"),
            ("SEV3", "SEV1 to SEV3"),
            ("SEV4", "Every incident"),
        ]
    }

    fn is_from(&self, severity: &str) -> bool {
        self.form.pages_from.trim().eq_ignore_ascii_case(severity)
    }
}

async fn edit_page(cx: &Cx, team: Option<Team>, form: TeamInput, errors: FieldErrors) -> Result<Response> {
    let db = &cx.state.db;
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let title = team.as_ref().map_or_else(|| "Set up a rotation".to_owned(), |t| format!("Rotation of {}", t.name));
    let people = incidents::people::people(db).await?.into_iter().map(|a| (a.email, a.name)).collect();
    let page = EditPage { shell: cx.shell(title), team, form, errors, people, teams: services::teams(db).await? };
    render_with_status(status, &page)
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NewQuery {
    team: String,
}

pub(super) async fn new(cx: Cx, axum::extract::Query(query): axum::extract::Query<NewQuery>) -> Result<Response> {
    let form = TeamInput {
        name: query.team,
        first_day: cx.now().format("%Y-%m-%d"),
        handover: "09:00".to_owned(),
        turn_days: "7".to_owned(),
        ack_minutes: "5".to_owned(),
        pages_from: "SEV2".to_owned(),
        zone: "UTC".to_owned(),
        ..TeamInput::default()
    };
    edit_page(&cx, None, form, FieldErrors::default()).await
}

pub(super) async fn create(cx: Cx, Form(pairs): Form<Vec<(String, String)>>) -> Result<Response> {
    let form = TeamInput::from_pairs(pairs);
    let tx = cx.state.db.begin().await?;
    match service::create(&tx, &form, cx.actor()?, cx.now()).await {
        Ok(team) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&path(team.id), "The rotation is set up."))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            edit_page(&cx, None, form, errors).await
        }
        Err(other) => Err(other),
    }
}

fn form_of(team: &Team) -> TeamInput {
    let email = |id: &i64| team.people.get(id).map(|p| p.email.clone());
    TeamInput {
        name: team.name.clone(),
        members: team.rotation.members.iter().filter_map(email).collect(),
        zone: team.rotation.zone.name().to_owned(),
        first_day: team.rotation.first_day.to_string(),
        handover: team.rotation.handover.format("%H:%M").to_string(),
        turn_days: team.rotation.turn_days.to_string(),
        ack_minutes: team.ack_minutes.to_string(),
        pages_from: team.pages_from.clone(),
        version: Some(team.version),
    }
}

pub(super) async fn edit(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let team = service::get(&cx.state.db, id, cx.now()).await?;
    let form = form_of(&team);
    edit_page(&cx, Some(team), form, FieldErrors::default()).await
}

pub(super) async fn update(cx: Cx, Path(id): Path<i64>, Form(pairs): Form<Vec<(String, String)>>) -> Result<Response> {
    let form = TeamInput::from_pairs(pairs);
    let tx = cx.state.db.begin().await?;
    let errors = match service::edit(&tx, id, &form, cx.actor()?, cx.now()).await {
        Ok(_) => {
            tx.commit().await?;
            return Ok(redirect_with_flash(&path(id), "Changed."));
        }
        Err(Error::Invalid(errors)) => errors,
        Err(Error::Conflict(message)) => {
            let mut errors = FieldErrors::default();
            errors.add("conflict", message);
            errors
        }
        Err(other) => return Err(other),
    };
    drop(tx);
    let team = service::get(&cx.state.db, id, cx.now()).await?;
    edit_page(&cx, Some(team), form, errors).await
}

#[derive(Deserialize)]
pub(super) struct RemoveForm {
    #[serde(default)]
    confirm: String,
}

pub(super) async fn remove(cx: Cx, Path(id): Path<i64>, Form(form): Form<RemoveForm>) -> Result<Response> {
    if form.confirm.is_empty() {
        return Err(Error::invalid("confirm", "tick the box: rotation, overrides and calendar addresses go"));
    }
    let tx = cx.state.db.begin().await?;
    service::remove(&tx, id, cx.actor()?, cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash("/oncall", "The rotation is gone."))
}
