//! `/incidents/INC-n`: on one screen how bad, since when, who leads, what is suspected, what next.

use std::sync::Arc;

use axum::Extension;
use axum::extract::Form;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use crate::db::Db;
use crate::error::{FieldErrors, Result};
use crate::web::{Shell, redirect_with_flash, render, render_with_status};

use super::super::actions::links::LinkInput;
use super::super::model::impact::ImpactInput;
use super::super::model::input::{NextUpdateInput, StatusInput, TaskInput, TimelineInput};
use super::super::model::{IncidentId, Role};
use super::super::service;
use super::content::{self, Reader};
use super::shared::{self, Asking, Content, Of, Shared, SharedPage};
use super::{At, complaints};

/// The forms of the page as they were typed, and what was wrong with the one that was refused.
#[derive(Default)]
pub(super) struct Forms {
    pub refused: &'static str,
    pub errors: FieldErrors,
    pub status: StatusInput,
    pub entry: TimelineInput,
    pub task: TaskInput,
    pub role_email: String,
    pub impact: ImpactInput,
    pub link: LinkInput,
    pub next_update: NextUpdateInput,
}

impl Forms {
    /// The complaints about one form of the page.
    pub(super) fn of(&self, form: &str) -> FieldErrors {
        if self.refused == form { self.errors.clone() } else { FieldErrors::default() }
    }

    pub(super) fn is_refused(&self, form: &str) -> bool {
        self.refused == form
    }
}

pub(super) async fn show(at: At, Extension(shared): Extension<Shared>) -> Result<Response> {
    let shell = shell(&at);
    let content = content_of(&at, &shared).await?;
    render(&SharedPage { shell, content })
}

async fn content_of(at: &At, shared: &Shared) -> Result<Arc<Content>> {
    let asking = Asking { db: at.db(), actor: &at.actor, changes: at.changes, now: at.now() };
    let gather = Box::pin(content::gather(at, Reader::of(&at.actor, at.now()), Forms::default()));
    shared.content(Of::Incident(at.id()), asking, gather).await
}

/// The content alone, for a page that is open already: as small and as quick as can be, since everybody
/// who watches an incident asks for it within a moment after each change.
pub(super) async fn parts(at: At, Extension(shared): Extension<Shared>, headers: HeaderMap) -> Result<Response> {
    Ok(content_of(&at, &shared).await?.answer(&headers))
}

/// The page, with a refused form in it when there is one.
pub(super) async fn show_with(at: &At, forms: Forms) -> Result<Response> {
    let refused = !forms.errors.is_empty();
    let shell = shell(at);
    let content = Arc::new(shared::render(&content::gather(at, Reader::of(&at.actor, at.now()), forms).await?)?);
    let status = if refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    render_with_status(status, &SharedPage { shell, content })
}

fn shell(at: &At) -> Shell {
    at.cx
        .shell(format!("{} {}", at.id(), at.incident.title))
        .live(&[&format!("incident:{}", at.id().0)])
        .live_from(at.path("/parts"))
}

pub(super) async fn change_status(at: At, Form(input): Form<StatusInput>) -> Result<Response> {
    let tx = at.begin().await?;
    let outcome = at.acting(&tx).change_status(at.id(), &input, &at.hooks).await;
    match outcome {
        Ok(incident) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path(""), &format!("{} is now {}.", incident.id, incident.status)))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            show_with(&at, Forms { refused: "status", errors, status: input, ..Forms::default() }).await
        }
    }
}

#[derive(Deserialize)]
pub(super) struct RoleForm {
    #[serde(default)]
    role: String,
    #[serde(default)]
    email: String,
    /// Who held it when the page was read; `None` when the form does not say.
    holder: Option<String>,
}

pub(super) async fn assign_role(at: At, Form(form): Form<RoleForm>) -> Result<Response> {
    let role = Role::parse(&form.role).ok_or_else(|| crate::error::Error::BadRequest(Role::unknown(&form.role)))?;
    let tx = at.begin().await?;
    let outcome = match taken_meanwhile(&tx, at.id(), role, form.holder.as_deref()).await? {
        Some(complaint) => Err(complaint),
        None => at.acting(&tx).assign_role(at.id(), role, &form.email).await,
    };
    match outcome {
        Ok(()) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path("#roles"), &format!("{} is set.", role.label())))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            let refused = role.as_str();
            show_with(&at, Forms { refused, errors, role_email: form.email, ..Forms::default() }).await
        }
    }
}

/// Two people who take one role at once: the second is told who has it, instead of taking it away.
async fn taken_meanwhile(
    db: &Db,
    id: IncidentId,
    role: Role,
    read: Option<&str>,
) -> Result<Option<crate::error::Error>> {
    let Some(read) = read else { return Ok(None) };
    let holder = service::people::roles(db, id).await?.into_iter().find(|h| h.role == role);
    if holder.as_ref().map_or("", |h| h.email.as_str()) == read {
        return Ok(None);
    }
    let who = holder.map_or("nobody".to_owned(), |h| h.name);
    let told = format!("{} is {who} now: somebody changed it meanwhile", role.label());
    Ok(Some(crate::error::Error::invalid("email", told)))
}

pub(super) async fn promise_update(at: At, Form(input): Form<NextUpdateInput>) -> Result<Response> {
    let tx = at.begin().await?;
    match at.acting(&tx).promise_update(at.id(), &input).await {
        Ok(incident) => {
            tx.commit().await?;
            let said = match incident.next_update_due_at {
                Some(due) => format!("The next update is due at {} UTC.", due.to_minute()),
                None => "No next update is promised.".to_owned(),
            };
            Ok(redirect_with_flash(&at.path(""), &said))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            show_with(&at, Forms { refused: "next_update", errors, next_update: input, ..Forms::default() }).await
        }
    }
}
