//! A postmortem as it is read: all sections, what a reviewer would remark, its action items.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;
use serde_json::json;

use super::super::model::actions::ActionItem;
use super::super::model::lint::Finding;
use super::super::model::review::{Audience, CheckItem, Checked, Comment, CommentOutcome};
use super::super::model::rules::CauseKind;
use super::super::model::{SectionKey, State, StoredSection};
use super::super::service::actions::{self as items, Recurring};
use super::super::service::review::{self, Review};
use super::super::service::{self, Document, duties};
use super::{by, incident_of, viewer};
use crate::accounts::{self, Role};
use crate::audit;
use crate::clock::Timestamp;
use crate::difference::{self, Line};
use crate::error::{Error, FieldErrors, Result};
use crate::fields;
use crate::incidents::Incident;
use crate::markdown::{self, SafeHtml};
use crate::web::{Cx, Shell, redirect_with_flash, render, render_with_status};

/// Action items of one incident that its postmortem shows.
const MAX_ACTIONS: i64 = 500;

/// A section ready to be shown.
pub(super) struct Shown {
    pub section: StoredSection,
    pub html: SafeHtml,
    pub findings: Vec<Finding>,
    pub comments: Vec<ShownComment>,
}

/// A comment ready to be shown.
pub(super) struct ShownComment {
    pub comment: Comment,
    pub html: SafeHtml,
    /// What its suggestion would change in the text that stands.
    pub lines: Vec<Line>,
}

impl ShownComment {
    fn is_open(&self) -> bool {
        self.comment.outcome == CommentOutcome::Open
    }
}

fn shown(section: &StoredSection, findings: &[Finding], review: &Review) -> Shown {
    let comments = review.comments.iter().filter(|c| c.section == section.key);
    Shown {
        html: markdown::render_document(&section.body, &format!("{}-", section.key)).html,
        findings: findings.iter().filter(|f| f.section == Some(section.key)).cloned().collect(),
        comments: comments
            .map(|c| ShownComment {
                html: markdown::render(&c.body),
                lines: c.suggestion.as_ref().map(|s| difference::lines(&section.body, s)).unwrap_or_default(),
                comment: c.clone(),
            })
            .collect(),
        section: section.clone(),
    }
}

/// What was typed for a new action item.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ActionForm {
    pub title: String,
    pub owner: String,
    pub due_at: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub priority: String,
    pub link: String,
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
    actions: Vec<ActionItem>,
    recurring: Recurring,
    people: Vec<accounts::model::User>,
    pub form: ActionForm,
    pub errors: FieldErrors,
    may_edit: bool,
    review: Review,
    cause: Option<CauseKind>,
    tags: Vec<String>,
    due_at: Option<Timestamp>,
}

impl ShowPage {
    fn causes(&self) -> &'static [CauseKind] {
        CauseKind::ALL
    }

    fn is_cause(&self, cause: &CauseKind) -> bool {
        self.cause == Some(*cause)
    }

    fn is_late(&self) -> bool {
        self.document.head.state != State::Published && self.due_at.is_some_and(|due| due < self.shell.now)
    }

    fn is_reviewer(&self) -> bool {
        self.review.is_reviewer(self.shell.actor.as_ref().and_then(|a| a.user_id))
    }

    fn questions(&self) -> &'static [CheckItem] {
        CheckItem::ALL
    }

    fn checked(&self, item: &CheckItem) -> Option<&Checked> {
        self.review.checks.iter().find(|c| c.item == *item)
    }

    fn audiences(&self) -> &'static [Audience] {
        Audience::ALL
    }

    fn is_public(&self, key: &SectionKey) -> bool {
        self.document.head.public_sections.contains(key)
    }

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
    let document = if review::may_read(&document.head, cx.actor()?) {
        document
    } else {
        return Err(Error::not_found(format!("A postmortem of {}", incident.id)));
    };
    let review = review::of(db, document.head.id).await?;
    let people = accounts::service::list_users(db).await?;
    let names: Vec<String> = people.iter().map(|p| p.name.clone()).collect();
    let findings = service::findings(db, &incident, &document, &names, cx.now()).await?;
    let sections = document.sections.iter().map(|section| shown(section, &findings, &review)).collect();
    let (cause, tags) = service::library::about(db, document.head.id).await?;
    let due_at = duties::duty(db, incident.id).await?.and_then(|(due, _)| due);
    let actor = cx.actor()?;
    let viewer = viewer(actor);
    let of_incident = items::Filter { incident: Some(incident.id), ..items::Filter::default() };
    Ok(Some(ShowPage {
        shell: cx.shell(format!("Postmortem of {}", incident.id)),
        sections,
        general: findings.iter().filter(|f| f.section.is_none()).cloned().collect(),
        remarks: findings.len(),
        actions: items::page(db, &of_incident, viewer, MAX_ACTIONS).await?,
        recurring: items::recurring(db, &incident, viewer).await?,
        people: people.into_iter().filter(|p| p.disabled_at.is_none()).collect(),
        form: ActionForm::default(),
        errors: FieldErrors::default(),
        may_edit: actor.can(Role::Responder) && document.head.state != State::Published,
        incident,
        document,
        review,
        cause: CauseKind::parse(&cause),
        tags,
        due_at,
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
    /// Although the review is not through.
    #[serde(default, deserialize_with = "fields::flag")]
    confirm: bool,
}

pub(super) async fn change_state(cx: Cx, Path(id): Path<String>, Form(form): Form<StateForm>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let to = State::parse(&form.state).ok_or_else(|| Error::invalid("state", State::unknown(&form.state)))?;
    let (actor, now) = (cx.actor()?, cx.now());
    let from = service::get(&cx.state.db, incident.id).await?.head.state;
    actor.require(service::role_for(from, to))?;
    let tx = cx.state.db.begin().await?;
    let by = by(actor);
    let mut checked = Ok(());
    if to == State::Published {
        checked = service::check_review(&tx, &incident, form.confirm, &by, now).await;
    }
    let done = match checked {
        Ok(()) => service::change_state(&tx, &incident, to, &by, now).await,
        Err(refused) => Err(refused),
    };
    match done {
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

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AboutForm {
    cause: String,
    /// Separated by commas.
    tags: String,
}

pub(super) async fn set_about(cx: Cx, Path(id): Path<String>, Form(form): Form<AboutForm>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let tx = cx.state.db.begin().await?;
    match service::set_about(&tx, &incident, &form.cause, &form.tags, cx.now()).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&format!("{}/postmortem#about", incident.path()), "Kept for the library."))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            refused(&cx, incident, ActionForm::default(), errors).await
        }
        Err(other) => Err(other),
    }
}

/// A section's key out of an address.
///
/// # Errors
/// `NotFound` for another word.
pub(super) fn key_of(text: &str) -> Result<SectionKey> {
    SectionKey::parse(text).ok_or_else(|| Error::not_found(format!("The section '{text}'")))
}
