//! One entry of the timeline: its history, and the forms that change it.

use askama::Template;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::difference::{self, Line};
use crate::error::{FieldErrors, Result};
use crate::web::{Shell, redirect_with_flash, render_with_status};

use super::super::model::input::EditEntryInput;
use super::super::model::record::{Entry, EntryVersion, Incident};
use super::super::service;
use super::view::EntryView;
use super::{At, complaints};

#[derive(Template)]
#[template(path = "incidents/entry.html")]
struct EntryPage {
    shell: Shell,
    incident: Incident,
    view: EntryView,
    /// Newest first, each with what its successor changed in the text.
    versions: Vec<(EntryVersion, Vec<Line>)>,
    form: EditEntryInput,
    errors: FieldErrors,
}

impl EntryPage {
    /// What the box holds: what was typed, else what stands.
    fn text(&self) -> &str {
        self.form.text.as_deref().unwrap_or(&self.view.entry.text)
    }

    fn occurred_at(&self) -> String {
        self.form.occurred_at.clone().unwrap_or_else(|| self.view.entry.occurred_at.to_input())
    }

    fn is_story(&self) -> bool {
        self.form.story.unwrap_or(self.view.is_story())
    }

    /// The version that the form starts from: after a conflict the one whose text is shown beside.
    fn version(&self) -> i64 {
        self.view.entry.version
    }

    /// Somebody else's text, to show beside what was typed.
    fn is_conflict(&self) -> bool {
        self.errors.has("conflict")
    }
}

pub(super) async fn show(at: At) -> Result<Response> {
    show_entry(&at, EditEntryInput::default(), FieldErrors::default()).await
}

async fn show_entry(at: &At, form: EditEntryInput, errors: FieldErrors) -> Result<Response> {
    let entry = service::timeline::get(at.db(), at.id(), at.part()?).await?;
    let versions = service::timeline::versions(at.db(), entry.id).await?;
    let status = match (errors.is_empty(), errors.has("conflict")) {
        (true, _) => StatusCode::OK,
        (false, true) => StatusCode::CONFLICT,
        (false, false) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let page = EntryPage {
        shell: at.cx.shell(format!("{}: entry of {}", at.id(), entry.occurred_at.to_minute())),
        incident: at.incident.clone(),
        versions: with_changes(versions, &entry),
        view: EntryView::new(entry),
        form,
        errors,
    };
    render_with_status(status, &page)
}

/// Each version beside the lines that the next one changed.
fn with_changes(versions: Vec<EntryVersion>, standing: &Entry) -> Vec<(EntryVersion, Vec<Line>)> {
    let mut next = standing.text.clone();
    versions
        .into_iter()
        .map(|version| {
            let lines = difference::lines(&version.text, &next);
            next.clone_from(&version.text);
            (version, lines)
        })
        .collect()
}

pub(super) async fn update(at: At, Form(input): Form<EditEntryInput>) -> Result<Response> {
    let entry = at.part()?;
    let tx = at.begin().await?;
    match at.acting(&tx).edit_entry(at.id(), entry, &input).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path(&format!("/timeline/{entry}")), "Changed; what stood before is kept."))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            show_entry(&at, input, errors).await
        }
    }
}

pub(super) async fn strike(at: At) -> Result<Response> {
    set_strike(at, true).await
}

pub(super) async fn restore(at: At) -> Result<Response> {
    set_strike(at, false).await
}

async fn set_strike(at: At, strike: bool) -> Result<Response> {
    let entry = at.part()?;
    let tx = at.begin().await?;
    at.acting(&tx).strike_entry(at.id(), entry, strike).await?;
    tx.commit().await?;
    let told = if strike { "Struck out." } else { "Restored." };
    Ok(redirect_with_flash(&at.path(&format!("/timeline/{entry}")), told))
}

/// Moves an entry from one layer to the other, and comes back to where it was clicked.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LayerForm {
    story: bool,
    /// `timeline` when it was clicked there.
    from: String,
}

pub(super) async fn set_layer(at: At, Form(form): Form<LayerForm>) -> Result<Response> {
    let entry = at.part()?;
    let tx = at.begin().await?;
    let edit = EditEntryInput { story: Some(form.story), ..EditEntryInput::default() };
    at.acting(&tx).edit_entry(at.id(), entry, &edit).await?;
    tx.commit().await?;
    let back = match form.from.as_str() {
        "timeline" => at.path(&format!("/timeline?entry={entry}#entry-{entry}")),
        _ => at.path(&format!("#entry-{entry}")),
    };
    let told = if form.story { "It is part of the story now." } else { "It is activity now." };
    Ok(redirect_with_flash(&back, told))
}
