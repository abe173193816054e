//! Evidence: the list with its form, one piece with what is kept of it, and the kept bytes.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Form, Query};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::error::{Error, FieldErrors, Result};
use crate::markdown::{self, SafeHtml};
use crate::web::{Rendered, Shell, redirect_with_flash, render, render_with_status};

use super::super::hooks::Progress;
use super::super::model::EvidenceKind;
use super::super::model::input::EvidenceInput;
use super::super::model::record::{Evidence, Incident, Snapshot};
use super::super::service;
use super::{At, complaints, view};

const PAGE: i64 = 100;
/// Characters of a kept text on its page; all of it is a link away.
const SHOWN_TEXT: usize = 100_000;

#[derive(Template)]
#[template(path = "incidents/evidence_list.html")]
struct EvidenceList {
    shell: Shell,
    incident: Incident,
    pieces: Vec<Evidence>,
    progress: BTreeMap<i64, Progress>,
    total: i64,
    next: Option<i64>,
    form: EvidenceInput,
    errors: FieldErrors,
}

impl EvidenceList {
    fn size_of(&self, piece: &Evidence) -> String {
        piece.kept_bytes.map(view::size).unwrap_or_default()
    }

    fn is_kind(&self, kind: &EvidenceKind) -> bool {
        EvidenceKind::parse(&self.form.kind).unwrap_or(EvidenceKind::Trace) == *kind
    }

    fn progress_of(&self, piece: &Evidence) -> Option<&Progress> {
        self.progress.get(&piece.id)
    }

    /// The complaint about whatever names the thing: one box stands for all kinds.
    fn reference_error(&self) -> Option<&str> {
        ["reference", "trace_id", "deployment_id", "alert_id", "url"].iter().find_map(|f| self.errors.of(f))
    }
}

#[derive(Default, Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: i64,
}

pub(super) async fn list(at: At, Query(query): Query<After>) -> Result<Response> {
    show_list(&at, query.after, EvidenceInput::default(), FieldErrors::default()).await
}

async fn show_list(at: &At, after: i64, form: EvidenceInput, errors: FieldErrors) -> Result<Response> {
    let mut pieces = service::evidence::page(at.db(), at.id(), after, PAGE + 1).await?;
    let size = usize::try_from(PAGE).unwrap_or_default();
    let more = pieces.len() > size;
    pieces.truncate(size);
    let ids: Vec<i64> = pieces.iter().map(|p| p.id).collect();
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = EvidenceList {
        shell: at.cx.shell(format!("{}: evidence", at.id())).live(&[&format!("incident:{}", at.id().0)]),
        progress: at.hooks.progress(at.db(), &ids).await?,
        incident: at.incident.clone(),
        next: pieces.last().filter(|_| more).map(|p| p.id),
        total: service::evidence::count(at.db(), at.id()).await?,
        pieces,
        form,
        errors,
    };
    render_with_status(status, &page)
}

pub(super) async fn create(at: At, Form(input): Form<EvidenceInput>) -> Result<Response> {
    let tx = at.begin().await?;
    match at.acting(&tx).add_evidence(at.id(), &input, &at.hooks).await {
        Ok(piece) => {
            tx.commit().await?;
            let kept = service::evidence::snapshot(at.db(), piece).await?.is_some();
            let said = if kept { "Attached and kept." } else { "Attached." };
            Ok(redirect_with_flash(&at.path(&format!("/evidence#piece-{piece}")), said))
        }
        Err(error) => {
            drop(tx);
            show_list(&at, 0, input, complaints(error)?).await
        }
    }
}

#[derive(Template)]
#[template(path = "incidents/evidence.html")]
struct EvidencePage {
    shell: Shell,
    incident: Incident,
    piece: Evidence,
    progress: Option<Progress>,
    note: SafeHtml,
    size: String,
    /// Drawn by the room that knows the kind; its template escaped it.
    drawn: Option<String>,
    text: Option<String>,
    is_image: bool,
}

impl EvidencePage {
    fn drawing(&self) -> Option<Rendered<'_>> {
        self.drawn.as_deref().map(Rendered::by_template)
    }
}

pub(super) async fn show(at: At) -> Result<Response> {
    let piece = service::evidence::get(at.db(), at.id(), at.part()?).await?;
    let snapshot = service::evidence::snapshot(at.db(), piece.id).await?;
    let source = at.hooks.evidence_source(piece.kind);
    let drawn = match (&snapshot, source) {
        (Some(snapshot), Some(source)) => source.draw(&piece, snapshot)?,
        _ => None,
    };
    render(&EvidencePage {
        shell: at.cx.shell(format!("{}: {}", at.id(), piece.title)).live(&[&format!("incident:{}", at.id().0)]),
        progress: at.hooks.progress(at.db(), &[piece.id]).await?.remove(&piece.id),
        incident: at.incident.clone(),
        note: markdown::render(&piece.note),
        size: piece.kept_bytes.map(view::size).unwrap_or_default(),
        is_image: snapshot.as_ref().is_some_and(|s| s.media_type.starts_with("image/")),
        text: snapshot.as_ref().filter(|_| drawn.is_none()).and_then(shown_text),
        drawn,
        piece,
    })
}

/// A kept text or JSON document, cut to what a page can bear.
fn shown_text(snapshot: &Snapshot) -> Option<String> {
    let is_text = snapshot.media_type.starts_with("text/") || snapshot.media_type.starts_with("application/json");
    is_text.then(|| String::from_utf8_lossy(&snapshot.body).chars().take(SHOWN_TEXT).collect())
}

/// The kept bytes. Only images are shown by the browser; all else is saved, whatever it claims to be.
pub(super) async fn raw(at: At) -> Result<Response> {
    let piece = service::evidence::get(at.db(), at.id(), at.part()?).await?;
    let nothing = || Error::not_found(format!("a kept copy of evidence {}", piece.id));
    let snapshot = service::evidence::snapshot(at.db(), piece.id).await?.ok_or_else(nothing)?;
    let is_image = matches!(snapshot.media_type.as_str(), "image/png" | "image/jpeg" | "image/gif" | "image/webp");
    let disposition = if is_image { "inline" } else { "attachment" };
    let media_type =
        HeaderValue::from_str(&snapshot.media_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [(CONTENT_TYPE, media_type), (CONTENT_DISPOSITION, HeaderValue::from_static(disposition))];
    Ok((headers, snapshot.body).into_response())
}

pub(super) async fn remove(at: At) -> Result<Response> {
    let tx = at.begin().await?;
    at.acting(&tx).remove_evidence(at.id(), at.part()?).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&at.path("/evidence"), "Removed from the evidence."))
}
