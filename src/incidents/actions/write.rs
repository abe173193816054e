//! The timeline box: an ordinary entry, or a `/` command that does what a form would do.

use crate::error::{Error, FieldErrors, Result};

use super::super::hooks::Hooks;
use super::super::model::IncidentId;
use super::super::model::command::{self, Command};
use super::super::model::input::{NextUpdateInput, PatchInput, StatusInput, TaskInput, TimelineInput};
use super::super::model::record::Entry;
use super::super::model::upload::Upload;
use super::Acting;

/// What came of a text in the box.
#[derive(Debug)]
pub enum Written {
    Entry(Entry),
    /// A command was carried out: what to say of it, and the part of the page that shows it.
    Done {
        said: String,
        part: &'static str,
    },
}

impl Acting<'_> {
    /// # Errors
    /// `Invalid`, with what is wrong with a command in the field `text`; `Conflict` with the question
    /// when something stands against resolving and it was not confirmed.
    pub async fn write(
        &self,
        id: IncidentId,
        input: &TimelineInput,
        files: &[Upload],
        hooks: &Hooks,
    ) -> Result<Written> {
        let Some(command) = command::parse(&input.text, self.now) else {
            let plain = TimelineInput { text: command::plain(&input.text).to_owned(), ..input.clone() };
            return Ok(Written::Entry(self.post_with_files(id, &plain, files).await?));
        };
        let command = command.map_err(|message| Error::invalid("text", message))?;
        if let Command::At { at, text } = command {
            let entry = TimelineInput { text, occurred_at: at.to_rfc3339(), ..input.clone() };
            return Ok(Written::Entry(self.post_with_files(id, &entry, files).await?));
        }
        if !files.is_empty() {
            return Err(Error::invalid("text", "is a command, which takes no file: attach it to an entry"));
        }
        self.carry_out(id, command, input, hooks).await.map_err(in_the_box)
    }

    async fn carry_out(
        &self,
        id: IncidentId,
        command: Command,
        input: &TimelineInput,
        hooks: &Hooks,
    ) -> Result<Written> {
        let done = |said: String, part| Written::Done { said, part };
        Ok(match command {
            Command::Status { to, reason } => {
                let change = StatusInput {
                    status: to.as_str().to_owned(),
                    reason,
                    at: input.occurred_at.clone(),
                    confirm: input.confirm,
                };
                let incident = self.change_status(id, &change, hooks).await?;
                done(format!("{id} is now {}.", incident.status), "")
            }
            Command::Severity { to, reason } => {
                let patch = PatchInput { severity: Some(to.as_str().to_owned()), reason, ..PatchInput::default() };
                self.change_details(id, &patch).await?;
                done(format!("{id} is now {to}."), "")
            }
            Command::Assign { role, who } => {
                self.assign_role(id, role, &who).await?;
                done(format!("{} is set.", role.label()), "#roles")
            }
            Command::Task { kind, title } => {
                let task = TaskInput { title, kind: kind.as_str().to_owned(), ..TaskInput::default() };
                let task = self.add_task(id, &task).await?;
                done(format!("{} added: {}", kind.label(), task.title), "#tasks")
            }
            Command::Update { due } => {
                let incident = self.promise_update(id, &NextUpdateInput { due }).await?;
                let said = match incident.next_update_due_at {
                    Some(due) => format!("The next update is due at {} UTC.", due.to_minute()),
                    None => "No next update is promised.".to_owned(),
                };
                done(said, "")
            }
            Command::At { at, text } => {
                let entry = TimelineInput { text, occurred_at: at.to_rfc3339(), ..input.clone() };
                Written::Entry(self.post_entry(id, &entry).await?)
            }
        })
    }
}

/// Whatever field an action complains about, the box is the only one that was filled in.
fn in_the_box(error: Error) -> Error {
    let Error::Invalid(complaints) = error else { return error };
    let mut errors = FieldErrors::default();
    for complaint in complaints.0 {
        match complaint.field.as_str() {
            "occurred_at" => errors.add("occurred_at", complaint.message),
            "title" | "reason" if complaint.message.starts_with("has ") => {
                errors.add("text", format!("the {} {}", complaint.field, complaint.message));
            }
            _ => errors.add("text", complaint.message),
        }
    }
    Error::Invalid(errors)
}
