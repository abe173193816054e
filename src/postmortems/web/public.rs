//! The public text of a postmortem: chosen sections, without names, addresses and marked words. The
//! preview that authors see is made by the same function.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;

use super::super::model::redaction::{leaks, redact};
use super::super::model::review::Audience;
use super::super::model::{SectionKey, State};
use super::super::service::{self, Document};
use super::incident_of;
use crate::accounts;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::incidents::{Incident, IncidentId, Viewer, get_visible};
use crate::markdown::{self, SafeHtml};
use crate::web::{Cx, Shell, render};

/// Longest plain text that is looked through for what had to go, in characters.
const MAX_CHECKED: usize = 1_000_000;

/// A section for the public; `None` when it cannot be made safe.
struct PublicSection {
    key: SectionKey,
    html: Option<SafeHtml>,
}

#[derive(Template)]
#[template(path = "postmortems/public.html")]
struct PublicPage {
    shell: Shell,
    title: String,
    severity: String,
    services: Vec<String>,
    published_at: Option<Timestamp>,
    sections: Vec<PublicSection>,
    /// The postmortem's own page, when this is only a preview.
    preview_of: Option<String>,
}

async fn page(cx: &Cx, incident: &Incident, document: &Document, is_preview: bool) -> Result<PublicPage> {
    let people: Vec<String> = accounts::service::list_users(&cx.state.db).await?.into_iter().map(|u| u.name).collect();
    let words = &document.head.redactions;
    let title = redact(&incident.title, &people, words);
    let sections = document
        .sections
        .iter()
        .filter(|s| document.head.public_sections.contains(&s.key) && !s.body.trim().is_empty())
        .map(|s| {
            let text = redact(&s.body, &people, words);
            let is_safe = !leaks(&markdown::plain_text(&text, MAX_CHECKED), &people, words);
            let html = is_safe.then(|| markdown::render_without_links(&text, &format!("{}-", s.key)));
            PublicSection { key: s.key, html }
        })
        .collect();
    let services = crate::incidents::services(&cx.state.db, incident.id).await?;
    Ok(PublicPage {
        shell: cx.shell(format!("Postmortem: {title}")),
        title,
        severity: incident.severity.to_string(),
        services: services.iter().map(|s| redact(&s.name, &people, words)).collect(),
        published_at: document.head.published_at,
        sections,
        preview_of: is_preview.then(|| document.head.path()),
    })
}

/// As the public would read it, for those who write it.
pub(super) async fn preview(cx: Cx, Path(id): Path<String>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let document = service::get(&cx.state.db, incident.id).await?;
    render(&page(&cx, &incident, &document, true).await?)
}

/// For everybody. Only what is published, public, and not of a private incident; anything else does not exist.
pub(super) async fn show(cx: Cx, Path(id): Path<String>) -> Result<Response> {
    let missing = || Error::not_found(format!("The postmortem '{id}'"));
    let parsed = IncidentId::parse(&id).ok_or_else(missing)?;
    let incident = get_visible(&cx.state.db, parsed, Viewer { all: false, user_id: 0 }).await.map_err(|_| missing())?;
    let document = service::find(&cx.state.db, incident.id).await?.ok_or_else(missing)?;
    let head = &document.head;
    if head.audience != Audience::Public || head.state != State::Published || incident.private {
        return Err(missing());
    }
    render(&page(&cx, &incident, &document, false).await?)
}
