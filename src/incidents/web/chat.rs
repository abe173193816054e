//! `/incidents/INC-n/timeline/import`: a chat export becomes entries, after a look at what it would add.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::error::{FieldErrors, Result};
use crate::markdown;
use crate::web::{Shell, redirect_with_flash, render, render_with_status};

use super::super::actions::chat::{ChatInput, Preview};
use super::super::model::record::Incident;
use super::filled::Filled;
use super::{At, complaints};

/// Messages shown of a preview; the count tells of the rest.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "incidents/chat_import.html")]
struct ImportPage {
    shell: Shell,
    incident: Incident,
    form: ChatInput,
    errors: FieldErrors,
    preview: Option<Preview>,
}

impl ImportPage {
    fn shown(&self) -> usize {
        SHOWN
    }

    fn excerpt(&self, text: &str) -> String {
        markdown::plain_text(text, 200)
    }
}

pub(super) async fn form(at: At) -> Result<Response> {
    render(&page(&at, ChatInput::default(), FieldErrors::default(), None))
}

fn page(at: &At, form: ChatInput, errors: FieldErrors, preview: Option<Preview>) -> ImportPage {
    let shell = at.cx.shell(format!("{}: import a chat", at.id()));
    ImportPage { shell, incident: at.incident.clone(), form, errors, preview }
}

pub(super) async fn import(at: At, filled: Filled<ChatInput>) -> Result<Response> {
    let Filled { mut input, files } = filled;
    let tx = at.begin().await?;
    match at.acting(&tx).import_chat(at.id(), &input, &files).await {
        Ok(preview) if input.confirm => {
            tx.commit().await?;
            let told = format!("{} messages are on the timeline now.", preview.new_ones());
            Ok(redirect_with_flash(&at.path("/timeline?kind=import"), &told))
        }
        Ok(preview) => {
            drop(tx);
            // The confirming form sends back what was read, also when it came as files.
            input.export = as_export(&preview);
            render(&page(&at, input, FieldErrors::default(), Some(preview)))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page(&at, input, errors, None))
        }
    }
}

/// What was read, in the export's own form and without the rest of it.
fn as_export(preview: &Preview) -> String {
    let messages: Vec<_> = preview
        .entries
        .iter()
        .map(|(entry, _)| {
            serde_json::json!({
                "type": "message",
                "ts": entry.key.trim_start_matches("slack:"),
                "username": entry.author,
                // Read as Slack's markup again, so its three characters are escaped again.
                "text": entry.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            })
        })
        .collect();
    serde_json::Value::from(messages).to_string()
}
