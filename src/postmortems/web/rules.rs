//! `/settings/postmortems`: which incidents need a postmortem, by when, and what its draft asks for.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Form;
use serde_json::json;

use super::super::model::SectionKey;
use super::super::model::rules::{Rule, RuleInput};
use super::super::service::duties;
use super::by;
use crate::audit;
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::Severity;
use crate::web::{Cx, Shell, redirect_with_flash, render, render_with_status};

#[derive(Template)]
#[template(path = "postmortems/rules.html")]
struct RulesPage {
    shell: Shell,
    rules: Vec<Rule>,
    /// The rule that is edited; `None` while a new one is typed.
    editing: Option<i64>,
    form: RuleInput,
    errors: FieldErrors,
    severities: &'static [Severity],
    sections: &'static [SectionKey],
}

async fn page(cx: &Cx, editing: Option<i64>, form: RuleInput, errors: FieldErrors) -> Result<Response> {
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = RulesPage {
        shell: cx.shell("Postmortem rules"),
        rules: duties::rules(&cx.state.db).await?,
        editing,
        form,
        errors,
        severities: Severity::ALL,
        sections: SectionKey::ALL,
    };
    if status == StatusCode::OK { render(&page) } else { render_with_status(status, &page) }
}

pub(super) async fn list(cx: Cx) -> Result<Response> {
    page(&cx, None, RuleInput { required: true, ..RuleInput::default() }, FieldErrors::default()).await
}

pub(super) async fn edit(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let rule = duties::rule(&cx.state.db, id).await?;
    page(&cx, Some(id), RuleInput::of(&rule), FieldErrors::default()).await
}

/// Fields by their names; `severity` once for each, `guidance.<section>` for each section.
fn input_of(fields: &[(String, String)]) -> RuleInput {
    let field = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let guidance: BTreeMap<String, String> =
        fields.iter().filter_map(|(n, v)| Some((n.strip_prefix("guidance.")?.to_owned(), v.clone()))).collect();
    RuleInput {
        name: field("name"),
        position: field("position"),
        severities: fields.iter().filter(|(n, _)| n == "severity").map(|(_, v)| v.clone()).collect(),
        teams: field("teams"),
        required: !field("required").is_empty(),
        due_days: field("due_days"),
        gap_minutes: field("gap_minutes"),
        guidance,
    }
}

async fn save(cx: &Cx, id: i64, input: &RuleInput) -> Result<()> {
    let rule = Rule { id, ..input.normalize().map_err(Error::Invalid)? };
    let (actor, now) = (cx.actor()?, cx.now());
    let tx = cx.state.db.begin().await?;
    duties::save(&tx, &rule, &by(actor), now).await?;
    audit::record(&tx, now, actor, "postmortem.rule", ("postmortem_rule", &rule.name), &json!({ "id": id })).await?;
    tx.commit().await
}

pub(super) async fn create(cx: Cx, Form(fields): Form<Vec<(String, String)>>) -> Result<Response> {
    let input = input_of(&fields);
    match save(&cx, 0, &input).await {
        Ok(()) => Ok(redirect_with_flash("/settings/postmortems", "The rule is added.")),
        Err(Error::Invalid(errors)) => page(&cx, None, input, errors).await,
        Err(other) => Err(other),
    }
}

pub(super) async fn update(cx: Cx, Path(id): Path<i64>, Form(fields): Form<Vec<(String, String)>>) -> Result<Response> {
    duties::rule(&cx.state.db, id).await?;
    let input = input_of(&fields);
    match save(&cx, id, &input).await {
        Ok(()) => Ok(redirect_with_flash("/settings/postmortems", "The rule is changed.")),
        Err(Error::Invalid(errors)) => page(&cx, Some(id), input, errors).await,
        Err(other) => Err(other),
    }
}

pub(super) async fn remove(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let rule = duties::rule(&cx.state.db, id).await?;
    let (actor, now) = (cx.actor()?, cx.now());
    let tx = cx.state.db.begin().await?;
    duties::remove(&tx, id).await?;
    audit::record(&tx, now, actor, "postmortem.rule_removed", ("postmortem_rule", &rule.name), &json!({})).await?;
    tx.commit().await?;
    Ok(redirect_with_flash("/settings/postmortems", "The rule is removed."))
}
