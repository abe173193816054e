//! Reading the whole timeline, and writing on it.

use askama::Template;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};
use crate::web::{Cursor, Shell, redirect_with_flash, render, render_with_status};

use super::super::actions::write::Written;
use super::super::model::input::TimelineInput;
use super::super::model::record::{Entry, Incident};
use super::super::model::upload::Upload;
use super::super::model::{EntryKind, Layer};
use super::super::service;
use super::super::store::timeline::Filter;
use super::filled::Filled;
use super::page::{Forms, show_with};
use super::view::EntryView;
use super::{At, complaints};

/// Entries of one page.
const PAGE: i64 = 100;
/// Entries before the one that a link asks for.
const BEFORE: i64 = 50;

/// The filters as a URL holds them; empty ones do not filter.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TimelineQuery {
    layer: String,
    kind: String,
    q: String,
    /// `newest` for the newest first.
    order: String,
    cursor: String,
    /// Shows the page around this entry.
    entry: Option<i64>,
}

impl TimelineQuery {
    fn filter(&self) -> Result<Filter> {
        let cursor = Cursor::from_param(Some(&self.cursor))?;
        Ok(Filter {
            layer: Layer::parse(&self.layer),
            kind: EntryKind::parse(&self.kind),
            text: self.q.trim().to_owned(),
            beyond: cursor.map(|c| (Timestamp::from_micros(c.sort), c.id)),
            newest_first: self.order == "newest",
        })
    }

    /// These filters with another place to continue at.
    fn url(&self, at: &At, cursor: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let fields =
            [("layer", &*self.layer), ("kind", &self.kind), ("q", &self.q), ("order", &self.order), ("cursor", cursor)];
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        at.path(&format!("/timeline?{}", query.finish()))
    }
}

#[derive(Template)]
#[template(path = "incidents/timeline.html")]
struct TimelinePage {
    shell: Shell,
    incident: Incident,
    entries: Vec<EntryView>,
    total: i64,
    query: TimelineQuery,
    next: Option<String>,
    beginning: String,
    is_first_page: bool,
}

impl TimelinePage {
    fn layer_is(&self, layer: &Layer) -> bool {
        self.query.layer == layer.as_str()
    }

    fn kind_is(&self, kind: &EntryKind) -> bool {
        self.query.kind == kind.as_str()
    }

    fn newest_first(&self) -> bool {
        self.query.order == "newest"
    }
}

/// Oldest first unless asked otherwise: it is read as a story.
pub(super) async fn list(at: At, Query(query): Query<TimelineQuery>) -> Result<Response> {
    let filter = query.filter()?;
    let (entries, more) = match query.entry {
        Some(entry) => around(&at, entry).await?,
        None => cut(service::timeline::page(at.db(), at.id(), &filter, PAGE + 1).await?),
    };
    let next = entries.last().filter(|_| more).map(|e| query.url(&at, &place(e)));
    render(&TimelinePage {
        shell: at.cx.shell(format!("{}: timeline", at.id())).live(&[&format!("incident:{}", at.id().0)]),
        incident: at.incident.clone(),
        total: service::timeline::count(at.db(), at.id(), &filter).await?,
        entries: entries.into_iter().map(EntryView::new).collect(),
        next,
        beginning: query.url(&at, ""),
        is_first_page: query.cursor.is_empty() && query.entry.is_none(),
        query,
    })
}

fn place(entry: &Entry) -> String {
    Cursor { sort: entry.occurred_at.as_micros(), id: entry.id }.encode()
}

/// The row too many only tells that there are more.
fn cut(mut entries: Vec<Entry>) -> (Vec<Entry>, bool) {
    let size = usize::try_from(PAGE).unwrap_or_default();
    let more = entries.len() > size;
    entries.truncate(size);
    (entries, more)
}

/// The entry with what came before and after it, oldest first.
async fn around(at: &At, entry: i64) -> Result<(Vec<Entry>, bool)> {
    let entry = service::timeline::get(at.db(), at.id(), entry).await?;
    let beyond = Some((entry.occurred_at, entry.id));
    let earlier = Filter { beyond, newest_first: true, ..Filter::default() };
    let mut entries = service::timeline::page(at.db(), at.id(), &earlier, BEFORE).await?;
    entries.reverse();
    entries.push(entry);
    let later = Filter { beyond, ..Filter::default() };
    entries.extend(service::timeline::page(at.db(), at.id(), &later, PAGE + 1).await?);
    Ok(cut(entries))
}

/// Inserting between two entries, on a page that shows both.
#[derive(Template)]
#[template(path = "incidents/entry_new.html")]
struct NewEntryPage {
    shell: Shell,
    incident: Incident,
    before: Option<EntryView>,
    after: Option<EntryView>,
    form: TimelineInput,
    errors: FieldErrors,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NewQuery {
    after: Option<i64>,
}

pub(super) async fn new(at: At, Query(query): Query<NewQuery>) -> Result<Response> {
    let form = TimelineInput { after: query.after, ..TimelineInput::default() };
    show_new(&at, form, FieldErrors::default()).await
}

async fn show_new(at: &At, mut form: TimelineInput, errors: FieldErrors) -> Result<Response> {
    let before = match form.after {
        Some(entry) => Some(service::timeline::get(at.db(), at.id(), entry).await?),
        None => None,
    };
    let after = match &before {
        Some(entry) => {
            let later = Filter { beyond: Some((entry.occurred_at, entry.id)), ..Filter::default() };
            service::timeline::page(at.db(), at.id(), &later, 1).await?.pop()
        }
        None => None,
    };
    if form.occurred_at.is_empty()
        && let Some(entry) = &before
    {
        let until = after.as_ref().map_or(at.now(), |e| e.occurred_at).max(entry.occurred_at);
        let between = entry.occurred_at.saturating_add((until - entry.occurred_at) / 2);
        form.occurred_at = between.format("%Y-%m-%d %H:%M:%S");
    }
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = NewEntryPage {
        shell: at.cx.shell(format!("{}: new entry", at.id())),
        incident: at.incident.clone(),
        before: before.map(EntryView::new),
        after: after.map(EntryView::new),
        form,
        errors,
    };
    render_with_status(status, &page)
}

pub(super) async fn create(at: At, form: Filled<TimelineInput>) -> Result<Response> {
    let Filled { input, files } = form;
    match write(&at, &input, &files).await {
        Ok(Written::Entry(entry)) if input.after.is_some() => {
            let there = at.path(&format!("/timeline?entry={0}#entry-{0}", entry.id));
            Ok(redirect_with_flash(&there, "Added to the timeline."))
        }
        Ok(Written::Entry(entry)) => {
            Ok(redirect_with_flash(&at.path(&format!("#entry-{}", entry.id)), "Added to the timeline."))
        }
        Ok(Written::Done { said, part }) => Ok(redirect_with_flash(&at.path(part), &said)),
        Err(error) => {
            let mut errors = complaints(error)?;
            if !files.is_empty() && !errors.has("file") {
                errors.add("file", "must be chosen again: a browser does not keep it");
            }
            if input.after.is_some() {
                return show_new(&at, input, errors).await;
            }
            show_with(&at, Forms { refused: "entry", errors, entry: input, ..Forms::default() }).await
        }
    }
}

async fn write(at: &At, input: &TimelineInput, files: &[Upload]) -> Result<Written, Error> {
    let tx = at.begin().await?;
    let written = at.acting(&tx).write(at.id(), input, files, &at.hooks).await?;
    tx.commit().await?;
    Ok(written)
}
