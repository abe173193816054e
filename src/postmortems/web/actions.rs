//! Action items: the incident's tasks for afterwards, added and settled from the postmortem.

use axum::extract::Path;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::page::{ActionForm, refused};
use super::{by, incident_of};
use crate::accounts;
use crate::db::Db;
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::model::TaskState;
use crate::incidents::model::input::{NewTask, TaskInput};
use crate::incidents::{self, Incident};
use crate::web::{Cx, redirect_with_flash};

/// The account with this address; `None` for an empty one.
async fn owner_id(db: &Db, email: &str) -> Result<Option<i64>> {
    if email.is_empty() {
        return Ok(None);
    }
    let users = accounts::service::list_users(db).await?;
    let found = users.iter().find(|u| u.email.eq_ignore_ascii_case(email) && u.disabled_at.is_none());
    found.map(|u| Some(u.id)).ok_or_else(|| Error::invalid("owner", format!("nobody has the address '{email}'")))
}

pub(super) async fn add(cx: Cx, Path(id): Path<String>, Form(form): Form<ActionForm>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    match add_item(&cx, &incident, &form).await {
        Ok(()) => {
            Ok(redirect_with_flash(&format!("{}/postmortem#actions", incident.path()), "The action item is added."))
        }
        Err(Error::Invalid(errors)) => refused(&cx, incident, form, errors).await,
        Err(other) => Err(other),
    }
}

async fn add_item(cx: &Cx, incident: &Incident, form: &ActionForm) -> Result<()> {
    let input = TaskInput {
        title: form.title.clone(),
        kind: "follow_up".to_owned(),
        owner: form.owner.clone(),
        due_at: day(&form.due_at),
        state: String::new(),
    };
    let new: NewTask = input.normalize(cx.now()).map_err(Error::Invalid)?;
    let owner = owner_id(&cx.state.db, &new.owner).await?;
    let tx = cx.state.db.begin().await?;
    incidents::tasks::add(&tx, incident.id, &new, owner, &by(cx.actor()?), cx.now()).await?;
    tx.commit().await
}

/// A date field sends a day; it is due at the day's end.
fn day(typed: &str) -> String {
    let typed = typed.trim();
    if typed.len() == 10 && typed.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        format!("{typed}T23:59")
    } else {
        typed.to_owned()
    }
}

#[derive(Deserialize)]
pub(super) struct UpdateForm {
    /// `open`, `done` or `cancelled`.
    #[serde(default)]
    state: String,
}

pub(super) async fn update(
    cx: Cx,
    Path((id, task)): Path<(String, i64)>,
    Form(form): Form<UpdateForm>,
) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let task = incidents::tasks::get(&cx.state.db, incident.id, task).await?;
    let Some(state) = TaskState::parse(&form.state) else {
        let mut errors = FieldErrors::default();
        errors.add("state", TaskState::unknown(&form.state));
        return Err(Error::Invalid(errors));
    };
    let new = NewTask {
        title: task.title.clone(),
        kind: task.kind,
        owner: task.owner_email.clone().unwrap_or_default(),
        due_at: task.due_at,
        state,
    };
    let owner = match &task.owner_email {
        Some(email) => {
            accounts::service::list_users(&cx.state.db).await?.into_iter().find(|u| u.email == *email).map(|u| u.id)
        }
        None => None,
    };
    let tx = cx.state.db.begin().await?;
    incidents::tasks::edit(&tx, incident.id, &task, &new, owner, &by(cx.actor()?), cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&format!("{}/postmortem#actions", incident.path()), "The action item is changed."))
}
