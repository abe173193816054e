//! A postmortem as it is read: all sections, what a reviewer would remark, its action items.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::Form;
use serde::Deserialize;
use serde_json::json;

use super::super::model::lint::Finding;
use super::super::model::{self, SectionKey, State, StoredSection};
use super::super::service::{self, Document, gather};
use super::{by, incident_of};
use crate::accounts::{self, Role};
use crate::audit;
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::Incident;
use crate::incidents::record::Task;
use crate::markdown::{self, SafeHtml};
use crate::web::{Cx, Shell, redirect_with_flash, render, render_with_status};

/// A section ready to be shown.
pub(super) struct Shown {
    pub section: StoredSection,
    pub html: SafeHtml,
    pub findings: Vec<Finding>,
}

/// What was typed for a new action item.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ActionForm {
    pub title: String,
    pub owner: String,
    pub due_at: String,
}

#[derive(Template)]
#[template(path = "postmortems/show.html")]
pub(super) struct ShowPage {
    shell: Shell,
    incident: Incident,
    document: Document,
    sections: Vec<Shown>,
    /// Remarks that belong to no section.
    general: Vec<Finding>,
    remarks: usize,
    actions: Vec<Task>,
    people: Vec<accounts::model::User>,
    pub form: ActionForm,
    pub errors: FieldErrors,
    may_edit: bool,
}

impl ShowPage {
    fn buttons(&self) -> Vec<State> {
        let from = self.document.head.state;
        from.next().into_iter().filter(|to| self.shell.can(service::role_for(from, *to))).collect()
    }
}

#[derive(Template)]
#[template(path = "postmortems/none.html")]
struct NonePage {
    shell: Shell,
    incident: Incident,
}

pub(super) async fn show(cx: Cx, Path(id): Path<String>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    match show_page(&cx, incident.clone()).await? {
        Some(page) => render(&page),
        None => render(&NonePage { shell: cx.shell(format!("Postmortem of {}", incident.id)), incident }),
    }
}

/// `None` when nothing was drafted.
pub(super) async fn show_page(cx: &Cx, incident: Incident) -> Result<Option<ShowPage>> {
    let db = &cx.state.db;
    let Some(document) = service::find(db, incident.id).await? else { return Ok(None) };
    let people = accounts::service::list_users(db).await?;
    let names: Vec<String> = people.iter().map(|p| p.name.clone()).collect();
    let findings = service::findings(db, &incident, &document, &names).await?;
    let sections = document
        .sections
        .iter()
        .map(|section| Shown {
            html: markdown::render_document(&section.body, &format!("{}-", section.key)).html,
            findings: findings.iter().filter(|f| f.section == Some(section.key)).cloned().collect(),
            section: section.clone(),
        })
        .collect();
    let actor = cx.actor()?;
    Ok(Some(ShowPage {
        shell: cx.shell(format!("Postmortem of {}", incident.id)),
        sections,
        general: findings.iter().filter(|f| f.section.is_none()).cloned().collect(),
        remarks: findings.len(),
        actions: gather::action_items(db, &incident).await?,
        people: people.into_iter().filter(|p| p.disabled_at.is_none()).collect(),
        form: ActionForm::default(),
        errors: FieldErrors::default(),
        may_edit: actor.can(Role::Responder) && document.head.state != State::Published,
        incident,
        document,
    }))
}

pub(super) async fn draft(cx: Cx, Path(id): Path<String>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let (actor, now) = (cx.actor()?, cx.now());
    let tx = cx.state.db.begin().await?;
    let document = service::draft(&tx, &incident, &by(actor), now).await?;
    audit::record(&tx, now, actor, "postmortem.draft", ("incident", &incident.id.to_string()), &json!({})).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&document.head.path(), "Drafted from the record."))
}

#[derive(Deserialize)]
pub(super) struct StateForm {
    #[serde(default)]
    state: String,
}

pub(super) async fn change_state(cx: Cx, Path(id): Path<String>, Form(form): Form<StateForm>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let to = State::parse(&form.state).ok_or_else(|| Error::invalid("state", State::unknown(&form.state)))?;
    let (actor, now) = (cx.actor()?, cx.now());
    let from = service::get(&cx.state.db, incident.id).await?.head.state;
    actor.require(service::role_for(from, to))?;
    let tx = cx.state.db.begin().await?;
    match service::change_state(&tx, &incident, to, &by(actor), now).await {
        Ok(document) => {
            let detail = json!({ "state": to });
            audit::record(&tx, now, actor, "postmortem.state", ("incident", &incident.id.to_string()), &detail).await?;
            tx.commit().await?;
            Ok(redirect_with_flash(&document.head.path(), &format!("The postmortem is {}.", to.label().to_lowercase())))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            refused(&cx, incident, ActionForm::default(), errors).await
        }
        Err(other) => Err(other),
    }
}

/// The page again, with what was typed and what is wrong.
pub(super) async fn refused(cx: &Cx, incident: Incident, form: ActionForm, errors: FieldErrors) -> Result<Response> {
    let id = incident.id;
    let mut page = show_page(cx, incident).await?.ok_or_else(|| Error::not_found(format!("A postmortem of {id}")))?;
    page.form = form;
    page.errors = errors;
    render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// The whole document as one Markdown file.
pub(super) async fn export_markdown(cx: Cx, Path(id): Path<String>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let document = service::get(&cx.state.db, incident.id).await?;
    let text = model::to_markdown(&format!("{}: {}", incident.id, incident.title), &document.plain_sections());
    let name = format!("attachment; filename=\"{}-postmortem.md\"", incident.id);
    Ok(([(CONTENT_TYPE, "text/markdown; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)], text).into_response())
}

/// A section's key out of an address.
///
/// # Errors
/// `NotFound` for another word.
pub(super) fn key_of(text: &str) -> Result<SectionKey> {
    SectionKey::parse(text).ok_or_else(|| Error::not_found(format!("The section '{text}'")))
}
