//! Tasks: adding, ticking off, changing.

use askama::Template;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::Response;

use crate::error::{FieldErrors, Result};
use crate::web::{Shell, redirect_with_flash, render_with_status};

use super::super::actions::TaskPatch;
use super::super::model::input::TaskInput;
use super::super::model::record::{Incident, Task};
use super::super::model::{TaskKind, TaskState};
use super::super::service;
use super::super::store::people::Account;
use super::page::{Forms, show_with};
use super::{At, complaints};

pub(super) async fn create(at: At, Form(input): Form<TaskInput>) -> Result<Response> {
    let tx = at.begin().await?;
    match at.acting(&tx).add_task(at.id(), &input).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path("#tasks"), "Task added."))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            show_with(&at, Forms { refused: "task", errors, task: input, ..Forms::default() }).await
        }
    }
}

#[derive(Template)]
#[template(path = "incidents/task.html")]
struct TaskPage {
    shell: Shell,
    incident: Incident,
    task: Task,
    form: TaskPatch,
    errors: FieldErrors,
    people: Vec<Account>,
}

impl TaskPage {
    fn title(&self) -> &str {
        self.form.title.as_deref().unwrap_or(&self.task.title)
    }

    fn owner(&self) -> String {
        self.form.owner.clone().or_else(|| self.task.owner_email.clone()).unwrap_or_default()
    }

    fn due_at(&self) -> String {
        let standing = || self.task.due_at.map(crate::clock::Timestamp::to_input).unwrap_or_default();
        self.form.due_at.clone().unwrap_or_else(standing)
    }

    fn is_kind(&self, kind: &TaskKind) -> bool {
        self.form.kind.as_deref().and_then(TaskKind::parse).unwrap_or(self.task.kind) == *kind
    }

    fn is_state(&self, state: &TaskState) -> bool {
        self.form.state.as_deref().and_then(TaskState::parse).unwrap_or(self.task.state) == *state
    }
}

pub(super) async fn show(at: At) -> Result<Response> {
    show_task(&at, TaskPatch::default(), FieldErrors::default()).await
}

async fn show_task(at: &At, form: TaskPatch, errors: FieldErrors) -> Result<Response> {
    let task = service::tasks::get(at.db(), at.id(), at.part()?).await?;
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = TaskPage {
        shell: at.cx.shell(format!("{}: {}", at.id(), task.title)),
        incident: at.incident.clone(),
        people: service::people::people(at.db()).await?,
        task,
        form,
        errors,
    };
    render_with_status(status, &page)
}

pub(super) async fn update(at: At, Form(input): Form<TaskPatch>) -> Result<Response> {
    let task = at.part()?;
    let tx = at.begin().await?;
    match at.acting(&tx).edit_task(at.id(), task, &input).await {
        Ok(task) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path("#tasks"), &format!("Task is {}.", task.state)))
        }
        Err(error) => {
            drop(tx);
            show_task(&at, input, complaints(error)?).await
        }
    }
}
