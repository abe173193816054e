//! A call before it is sent: shown in full, and sent by the second press.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;

use super::super::model::calls::Prepared;
use super::super::model::variables::fill_markdown;
use super::super::service::{calls, runs};
use super::{by, incident_of};
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::Incident;
use crate::markdown;
use crate::outbound::Policy;
use crate::web::{Cx, Shell, redirect_with_flash, render, render_with_status};

#[derive(Template)]
#[template(path = "runbooks/call.html")]
struct CallPage {
    shell: Shell,
    incident: Incident,
    run_path: String,
    step_id: String,
    title: String,
    /// `None` when it cannot be sent, for the reasons in `errors`.
    request: Option<Prepared>,
    errors: FieldErrors,
}

pub(super) fn policy(cx: &Cx) -> Result<Policy> {
    Policy::parse(&cx.state.config.outbound_allow).map_err(|e| Error::invalid("outbound_allow", e))
}

/// What would be sent, and the question whether to.
pub(super) async fn confirm(cx: Cx, Path((id, run, step)): Path<(String, i64, String)>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let view = runs::view(&cx.state.db, incident.id, run).await?;
    let title = view.steps.iter().find(|s| s.id == step).map(|s| fill_markdown(&s.title, &view.values).text);
    let mut page = CallPage {
        shell: cx.shell(format!("{}: send a call?", incident.id)),
        run_path: view.run.path(),
        title: markdown::plain_text(&title.unwrap_or_default(), 300),
        step_id: step.clone(),
        request: None,
        errors: FieldErrors::default(),
        incident,
    };
    match calls::request_of(&view, &step, &policy(&cx)?) {
        Ok((_, request)) => {
            page.request = Some(request);
            render(&page)
        }
        Err(Error::Invalid(errors)) => {
            page.errors = errors;
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}

/// The answer comes later: the page goes back to the run at once.
pub(super) async fn send(cx: Cx, Path((id, run, step)): Path<(String, i64, String)>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let policy = policy(&cx)?;
    let tx = cx.state.db.begin().await?;
    calls::ask(&tx, incident.id, (run, &step), &policy, &by(cx.actor()?), cx.now()).await?;
    tx.commit().await?;
    let to = format!("{}/runs/{run}#step-{step}", incident.path());
    Ok(redirect_with_flash(&to, "Sent. The answer is recorded when it comes."))
}
