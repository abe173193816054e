//! The whole timeline, single entries with their history, writing and striking.

use askama::Template;
use axum::extract::{Form, Query};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::error::{FieldErrors, Result};
use crate::markdown::{self, SafeHtml};
use crate::web::{Cursor, Shell, redirect_with_flash, render, render_with_status};

use super::super::model::input::{EditEntryInput, TimelineInput};
use super::super::model::record::{Entry, EntryVersion, Incident};
use super::super::model::{EntryKind, Layer};
use super::super::service;
use super::super::store::timeline::Filter;
use super::page::{Forms, show_with};
use super::view::EntryView;
use super::{At, complaints};

/// Entries of one page.
const PAGE: i64 = 100;

#[derive(Default, Deserialize)]
pub(super) struct TimelineQuery {
    #[serde(default)]
    layer: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    cursor: String,
}

#[derive(Template)]
#[template(path = "incidents/timeline.html")]
struct TimelinePage {
    shell: Shell,
    incident: Incident,
    entries: Vec<EntryView>,
    total: i64,
    layer: Option<Layer>,
    kind: Option<EntryKind>,
    next: Option<String>,
    is_first_page: bool,
}

impl TimelinePage {
    fn layer_is(&self, layer: &Layer) -> bool {
        self.layer == Some(*layer)
    }

    fn kind_is(&self, kind: &EntryKind) -> bool {
        self.kind == Some(*kind)
    }
}

/// Oldest first: it is read as a story.
pub(super) async fn list(at: At, Query(query): Query<TimelineQuery>) -> Result<Response> {
    let cursor = Cursor::from_param(Some(&query.cursor))?;
    let filter = Filter {
        layer: Layer::parse(&query.layer),
        kind: EntryKind::parse(&query.kind),
        beyond: cursor.map(|c| (Timestamp::from_micros(c.sort), c.id)),
        newest_first: false,
    };
    let mut entries = service::timeline::page(at.db(), at.id(), &filter, PAGE + 1).await?;
    let size = usize::try_from(PAGE).unwrap_or_default();
    let more = entries.len() > size;
    entries.truncate(size);
    let next = entries.last().filter(|_| more).map(|e| next_url(&at, &filter, e));
    render(&TimelinePage {
        shell: at.cx.shell(format!("{}: timeline", at.id())),
        incident: at.incident.clone(),
        total: service::timeline::count(at.db(), at.id(), &filter).await?,
        entries: entries.into_iter().map(EntryView::new).collect(),
        layer: filter.layer,
        kind: filter.kind,
        next,
        is_first_page: cursor.is_none(),
    })
}

fn next_url(at: &At, filter: &Filter, last: &Entry) -> String {
    let cursor = Cursor { sort: last.occurred_at.as_micros(), id: last.id }.encode();
    let layer = filter.layer.map_or("", Layer::as_str);
    let kind = filter.kind.map_or("", EntryKind::as_str);
    at.path(&format!("/timeline?layer={layer}&kind={kind}&cursor={cursor}"))
}

pub(super) async fn create(at: At, Form(input): Form<TimelineInput>) -> Result<Response> {
    let tx = at.begin().await?;
    match at.acting(&tx).post_entry(at.id(), &input).await {
        Ok(entry) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path(&format!("#entry-{}", entry.id)), "Added to the timeline."))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            show_with(&at, Forms { refused: "entry", errors, entry: input, ..Forms::default() }).await
        }
    }
}

#[derive(Template)]
#[template(path = "incidents/entry.html")]
struct EntryPage {
    shell: Shell,
    incident: Incident,
    view: EntryView,
    versions: Vec<(EntryVersion, SafeHtml)>,
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
        versions: versions.into_iter().map(|v| (v.clone(), markdown::render(&v.text))).collect(),
        view: EntryView::new(entry),
        form,
        errors,
    };
    render_with_status(status, &page)
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
