//! Reviewing from the postmortem's page: reviewers, the checklist, comments, the audience.

use axum::extract::Path;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;
use serde_json::json;

use super::super::model::review::{CheckItem, CommentOutcome, ReviewVerdict};
use super::super::service::comments::{self, NewRemark};
use super::super::service::review::{self, AudienceInput};
use super::super::service::{self, Saved};
use super::page::{ActionForm, key_of, refused};
use super::section::clashed;
use super::{by, incident_of};
use crate::accounts;
use crate::audit;
use crate::error::{Error, Result};
use crate::incidents::Incident;
use crate::web::{Cx, redirect_with_flash};

fn back(incident: &Incident, anchor: &str, message: &str) -> Response {
    redirect_with_flash(&format!("{}/postmortem#{anchor}", incident.path()), message)
}

/// A form that is refused shows the page again; anything else goes on.
async fn answered(cx: &Cx, incident: Incident, done: Result<()>, anchor: &str, message: &str) -> Result<Response> {
    match done {
        Ok(()) => Ok(back(&incident, anchor, message)),
        Err(Error::Invalid(errors)) => refused(cx, incident, ActionForm::default(), errors).await,
        Err(other) => Err(other),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AskForm {
    /// An address.
    reviewer: String,
    /// Take them off the list instead.
    remove: String,
}

pub(super) async fn ask(cx: Cx, Path(id): Path<String>, Form(form): Form<AskForm>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let people = accounts::service::list_users(&cx.state.db).await?;
    let email = if form.remove.is_empty() { form.reviewer.trim() } else { form.remove.trim() };
    let Some(user) = people.iter().find(|u| u.email.eq_ignore_ascii_case(email) && u.disabled_at.is_none()) else {
        let error = Error::invalid("reviewer", format!("nobody has the address '{email}'"));
        return answered(&cx, incident, Err(error), "review", "").await;
    };
    let tx = cx.state.db.begin().await?;
    let message = if form.remove.is_empty() {
        review::ask(&tx, &incident, (user.id, &user.name), &by(cx.actor()?), cx.now()).await?;
        format!("{} is asked to review it.", user.name)
    } else {
        review::unask(&tx, &incident, user.id).await?;
        format!("{} is not asked any more.", user.name)
    };
    tx.commit().await?;
    Ok(back(&incident, "review", &message))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AnswerForm {
    verdict: String,
    note: String,
}

pub(super) async fn answer(cx: Cx, Path(id): Path<String>, Form(form): Form<AnswerForm>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let verdict = ReviewVerdict::parse(&form.verdict)
        .ok_or_else(|| Error::invalid("verdict", ReviewVerdict::unknown(&form.verdict)))?;
    let tx = cx.state.db.begin().await?;
    let done = review::answer(&tx, &incident, verdict, &form.note, &by(cx.actor()?), cx.now()).await;
    if done.is_ok() {
        tx.commit().await?;
    } else {
        drop(tx);
    }
    answered(&cx, incident, done, "review", "Your review is recorded.").await
}

/// Each ticked question is a field `item`.
pub(super) async fn tick(
    cx: Cx,
    Path(id): Path<String>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let ticked: Vec<CheckItem> =
        fields.iter().filter(|(n, _)| n == "item").filter_map(|(_, v)| CheckItem::parse(v)).collect();
    let tx = cx.state.db.begin().await?;
    review::tick(&tx, &incident, &ticked, &by(cx.actor()?), cx.now()).await?;
    tx.commit().await?;
    Ok(back(&incident, "review", "The checklist is saved."))
}

/// Fields `audience`, `words`, and one `section` for each public section.
pub(super) async fn set_audience(
    cx: Cx,
    Path(id): Path<String>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let field = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let input = AudienceInput {
        audience: field("audience"),
        sections: fields.iter().filter(|(n, _)| n == "section").map(|(_, v)| v.clone()).collect(),
        words: field("words"),
    };
    let (actor, now) = (cx.actor()?, cx.now());
    let tx = cx.state.db.begin().await?;
    let done = review::set_audience(&tx, &incident, &input, &by(actor), now).await;
    if done.is_ok() {
        let detail = json!({ "audience": input.audience });
        audit::record(&tx, now, actor, "postmortem.audience", ("incident", &incident.id.to_string()), &detail).await?;
        tx.commit().await?;
    } else {
        drop(tx);
    }
    answered(&cx, incident, done, "audience", "Its readers are set.").await
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CommentForm {
    comment: String,
    base: i64,
}

pub(super) async fn comment(
    cx: Cx,
    Path((id, key)): Path<(String, String)>,
    Form(form): Form<CommentForm>,
) -> Result<Response> {
    let (incident, section) = (incident_of(&cx, &id).await?, key_of(&key)?);
    let remark = NewRemark { section, body: form.comment, suggestion: None, base: form.base };
    let tx = cx.state.db.begin().await?;
    let done = comments::add(&tx, &incident, &remark, &by(cx.actor()?), cx.now()).await.map(drop);
    if done.is_ok() {
        tx.commit().await?;
    } else {
        drop(tx);
    }
    answered(&cx, incident, done, section.as_str(), "The comment is added.").await
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SettleForm {
    /// `settled`, `declined`, `open`, or `take`.
    press: String,
}

pub(super) async fn settle(
    cx: Cx,
    Path((id, comment)): Path<(String, i64)>,
    Form(form): Form<SettleForm>,
) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let (author, now) = (by(cx.actor()?), cx.now());
    let tx = cx.state.db.begin().await?;
    if form.press == "take" {
        return match comments::take(&tx, &incident, comment, &author, now).await? {
            Saved::Done(_) => {
                tx.commit().await?;
                Ok(back(&incident, "review", "The suggestion is taken over."))
            }
            Saved::Clash(clash) => {
                drop(tx);
                clashed(&cx, incident, clash).await
            }
        };
    }
    let outcome = CommentOutcome::parse(&form.press).filter(|o| *o != CommentOutcome::Taken);
    let outcome = outcome.ok_or_else(|| Error::invalid("press", CommentOutcome::unknown(&form.press)))?;
    let settled = comments::settle(&tx, &incident, comment, outcome, &author, now).await?;
    tx.commit().await?;
    Ok(back(&incident, settled.section.as_str(), "The comment is changed."))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SuggestForm {
    body: String,
    comment: String,
    base: i64,
}

/// The text of the editor as a suggestion instead of a new version.
pub(super) async fn suggest(
    cx: Cx,
    Path((id, key)): Path<(String, String)>,
    Form(form): Form<SuggestForm>,
) -> Result<Response> {
    let (incident, section) = (incident_of(&cx, &id).await?, key_of(&key)?);
    service::get(&cx.state.db, incident.id).await?;
    let remark = NewRemark { section, body: form.comment, suggestion: Some(form.body.clone()), base: form.base };
    let tx = cx.state.db.begin().await?;
    match comments::add(&tx, &incident, &remark, &by(cx.actor()?), cx.now()).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(back(&incident, section.as_str(), "The suggestion is added."))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            super::section::refused(&cx, incident, section, (form.body, form.base), errors).await
        }
        Err(other) => Err(other),
    }
}
