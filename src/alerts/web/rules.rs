//! `/alerts/rules`: the grouping rules in their order, and trying one before it bites.

use askama::Template;
use axum::extract::{Form, Path};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::alerts::grouping::{Rule, RuleInput, rule};
use crate::alerts::service::rules::{self, Trial};
use crate::alerts::store::grouping::{self as stored, StoredRule};
use crate::error::{Error, FieldErrors, Result};
use crate::web::{Access, Cx, Routes, Shell, redirect_with_flash, render, render_with_status};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/alerts/rules", Access::VIEWER, list)
        .get("/alerts/rules/new", Access::COMMANDER, new)
        .post("/alerts/rules", Access::COMMANDER, create)
        .get("/alerts/rules/{id}", Access::COMMANDER, edit)
        .post("/alerts/rules/{id}", Access::COMMANDER, update)
        .post("/alerts/rules/{id}/do", Access::COMMANDER, act)
}

#[derive(Template)]
#[template(path = "alerts/rules.html")]
struct ListPage {
    shell: Shell,
    rules: Vec<StoredRule>,
    defaults: Vec<Rule>,
}

async fn list(cx: Cx) -> Result<Response> {
    let rules = stored::rules(&cx.state.db).await?;
    render(&ListPage { shell: cx.shell("Grouping rules"), rules, defaults: rule::defaults() })
}

#[derive(Template)]
#[template(path = "alerts/rule.html")]
struct FormPage {
    shell: Shell,
    /// 0 for a new rule.
    id: i64,
    form: RuleInput,
    errors: FieldErrors,
    trial: Option<Trial>,
}

impl FormPage {
    const TARGETS: [(&str, &str); 3] =
        [("open", "open an incident"), ("attach", "join an open incident, open none"), ("list", "only list")];
    const GROUPINGS: [(&str, &str); 4] = [
        ("connected", "same service or directly connected services"),
        ("service", "same service"),
        ("labels", "same values of labels"),
        ("everything", "everything that matches together"),
    ];

    fn action(&self) -> String {
        if self.id == 0 { "/alerts/rules".to_owned() } else { format!("/alerts/rules/{}", self.id) }
    }
}

async fn new(cx: Cx) -> Result<Response> {
    let form = RuleInput::suggested();
    render(&FormPage { shell: cx.shell("New grouping rule"), id: 0, form, errors: FieldErrors::default(), trial: None })
}

async fn edit(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let found = stored::rules(&cx.state.db).await?.into_iter().find(|r| r.rule.id == id);
    let found = found.ok_or_else(|| Error::not_found("That rule"))?;
    let form = RuleInput::of(&found.rule);
    render(&FormPage { shell: cx.shell("Grouping rule"), id, form, errors: FieldErrors::default(), trial: None })
}

#[derive(Debug, Deserialize)]
struct Submitted {
    #[serde(flatten)]
    input: RuleInput,
    /// `try` or `save`.
    #[serde(rename = "do", default)]
    action: String,
}

async fn create(cx: Cx, Form(form): Form<Submitted>) -> Result<Response> {
    submit(cx, 0, form).await
}

async fn update(cx: Cx, Path(id): Path<i64>, Form(form): Form<Submitted>) -> Result<Response> {
    submit(cx, id, form).await
}

async fn submit(cx: Cx, id: i64, form: Submitted) -> Result<Response> {
    let now = cx.now();
    let title = if id == 0 { "New grouping rule" } else { "Grouping rule" };
    let outcome = if form.action == "try" {
        tried(&cx, id, &form.input).await.map(Some)
    } else {
        saved(&cx, id, &form.input, now).await.map(|()| None)
    };
    match outcome {
        Ok(None) => Ok(redirect_with_flash("/alerts/rules", "Saved. It holds for alerts from now on.")),
        Ok(trial) => {
            render(&FormPage { shell: cx.shell(title), id, form: form.input, errors: FieldErrors::default(), trial })
        }
        Err(Error::Invalid(errors)) => render_with_status(
            StatusCode::UNPROCESSABLE_ENTITY,
            &FormPage { shell: cx.shell(title), id, form: form.input, errors, trial: None },
        ),
        Err(other) => Err(other),
    }
}

async fn tried(cx: &Cx, id: i64, input: &RuleInput) -> Result<Trial> {
    let rule = input.normalize(id)?;
    rules::try_rule(&cx.state.db, &rule, cx.now()).await
}

async fn saved(cx: &Cx, id: i64, input: &RuleInput, now: crate::clock::Timestamp) -> Result<()> {
    let tx = cx.state.db.begin().await?;
    rules::save(&tx, id, input, cx.actor()?, now).await?;
    tx.commit().await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ActForm {
    #[serde(rename = "do")]
    action: String,
}

async fn act(cx: Cx, Path(id): Path<i64>, Form(form): Form<ActForm>) -> Result<Response> {
    let (actor, now) = (cx.actor()?, cx.now());
    let tx = cx.state.db.begin().await?;
    let done = match form.action.as_str() {
        "up" => rules::move_up(&tx, id, actor, now).await.map(|()| "Moved up."),
        "on" => rules::set_enabled(&tx, id, true, actor, now).await.map(|()| "Switched on."),
        "off" => rules::set_enabled(&tx, id, false, actor, now).await.map(|()| "Switched off."),
        "delete" => rules::delete(&tx, id, actor, now).await.map(|()| "Deleted."),
        _ => Err(Error::invalid("do", "is none of the buttons")),
    }?;
    tx.commit().await?;
    Ok(redirect_with_flash("/alerts/rules", done))
}
