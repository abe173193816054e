//! Action items on the postmortem: added and settled there, and incidents that happened again.

use axum::extract::Path;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;
use serde_json::json;

use super::super::service::actions::{self, ItemInput};
use super::page::{ActionForm, refused};
use super::{by, incident_of, viewer};
use crate::audit;
use crate::error::{Error, Result};
use crate::incidents::{IncidentId, get_visible};
use crate::web::{Cx, redirect_with_flash};

impl ActionForm {
    fn input(&self) -> ItemInput {
        ItemInput {
            title: Some(self.title.clone()),
            owner: Some(self.owner.clone()),
            due_at: Some(self.due_at.clone()),
            state: None,
            kind: Some(self.kind.clone()),
            priority: Some(self.priority.clone()),
            link: Some(self.link.clone()),
        }
    }
}

pub(super) async fn add(cx: Cx, Path(id): Path<String>, Form(form): Form<ActionForm>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let tx = cx.state.db.begin().await?;
    match actions::add(&tx, &incident, &form.input(), &by(cx.actor()?), cx.now()).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&format!("{}/postmortem#actions", incident.path()), "The action item is added."))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            refused(&cx, incident, form, errors).await
        }
        Err(other) => Err(other),
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
    let item = actions::get(&cx.state.db, task, viewer(cx.actor()?)).await?;
    if item.incident != incident.id {
        return Err(Error::not_found(format!("The action item AI-{task}")));
    }
    let input = ItemInput { state: Some(form.state), ..ItemInput::default() };
    let tx = cx.state.db.begin().await?;
    actions::edit(&tx, &item, &input, &by(cx.actor()?), cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&format!("{}/postmortem#actions", incident.path()), "The action item is changed."))
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RecurrenceForm {
    earlier: String,
}

pub(super) async fn recurs(cx: Cx, Path(id): Path<String>, Form(form): Form<RecurrenceForm>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let (actor, now) = (cx.actor()?, cx.now());
    let done = async {
        let earlier = IncidentId::parse(form.earlier.trim())
            .ok_or_else(|| Error::invalid("earlier", "must be the number of an incident, such as INC-3"))?;
        let missing = |_| Error::invalid("earlier", format!("there is no incident '{earlier}'"));
        let earlier = get_visible(&cx.state.db, earlier, viewer(actor)).await.map_err(missing)?;
        let tx = cx.state.db.begin().await?;
        let reopened = actions::recurs(&tx, &incident, &earlier, &by(actor), now).await?;
        let detail = json!({ "earlier": earlier.id, "reopened": reopened });
        audit::record(&tx, now, actor, "incident.recurs", ("incident", &incident.id.to_string()), &detail).await?;
        tx.commit().await?;
        Ok(format!("{} happened before, as {}. Action items opened again: {reopened}.", incident.id, earlier.id))
    };
    match done.await {
        Ok(message) => Ok(redirect_with_flash(&format!("{}/postmortem#recurrence", incident.path()), &message)),
        Err(Error::Invalid(errors)) => refused(&cx, incident.clone(), ActionForm::default(), errors).await,
        Err(other) => Err(other),
    }
}
