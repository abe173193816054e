//! A postmortem as a file: Markdown, or one HTML document that needs nothing else and prints well.

use askama::Template;
use axum::extract::Path;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::super::model::actions::ActionItem;
use super::super::model::{self, SectionKey};
use super::super::service::actions as items;
use super::super::service::{gather, review};
use super::{by, incident_of, viewer};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::incidents::{Incident, MilestoneName};
use crate::markdown::{self, SafeHtml};
use crate::web::Cx;

fn file(name: &str, kind: &str, text: String) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(CONTENT_TYPE, format!("{kind}; charset=utf-8")), (CONTENT_DISPOSITION, disposition)], text).into_response()
}

/// The whole document as one Markdown file.
pub(super) async fn markdown(cx: Cx, Path(id): Path<String>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let document = review::readable(&cx.state.db, &incident, cx.actor()?).await?;
    let text = model::to_markdown(&format!("{}: {}", incident.id, incident.title), &document.plain_sections());
    Ok(file(&format!("{}-postmortem.md", incident.id), "text/markdown", text))
}

struct ExportedSection {
    key: SectionKey,
    html: SafeHtml,
}

/// One line of the head: a milestone or another fact.
struct Fact {
    name: String,
    value: String,
}

#[derive(Template)]
#[template(path = "postmortems/export.html")]
struct ExportPage {
    incident: Incident,
    address: String,
    state: String,
    facts: Vec<Fact>,
    sections: Vec<ExportedSection>,
    actions: Vec<ActionItem>,
    exported_at: Timestamp,
    exported_by: String,
}

/// One HTML file without a script, a font or an image from elsewhere; links lead back here.
pub(super) async fn html(cx: Cx, Path(id): Path<String>) -> Result<Response> {
    let incident = incident_of(&cx, &id).await?;
    let actor = cx.actor()?;
    let db = &cx.state.db;
    let document = review::readable(db, &incident, actor).await?;
    let base = &cx.state.config.base_url;
    let filter = items::Filter { incident: Some(incident.id), ..items::Filter::default() };
    let sections = document.sections.iter().filter(|s| !s.body.trim().is_empty());
    let page = ExportPage {
        address: format!("{base}{}", document.head.path()),
        state: document.head.state.label().to_owned(),
        facts: facts(&cx, &incident).await?,
        sections: sections
            .map(|s| ExportedSection {
                key: s.key,
                html: markdown::render_standalone(&s.body, &format!("{}-", s.key), base),
            })
            .collect(),
        actions: items::page(db, &filter, viewer(actor), 500).await?,
        exported_at: cx.now(),
        exported_by: by(actor).name,
        incident: incident.clone(),
    };
    let text = page.render().map_err(|e| Error::Internal(format!("rendering: {e}")))?;
    Ok(file(&format!("{}-postmortem.html", incident.id), "text/html", text))
}

async fn facts(cx: &Cx, incident: &Incident) -> Result<Vec<Fact>> {
    let record = gather::record(&cx.state.db, incident, cx.now()).await?;
    let mut facts = vec![
        Fact { name: "Severity".to_owned(), value: format!("{}: {}", record.severity, record.severity.meaning()) },
        Fact { name: "Services".to_owned(), value: record.services.join(", ") },
    ];
    if let Some(commander) = &record.commander {
        facts.push(Fact { name: "Commander".to_owned(), value: commander.clone() });
    }
    for name in MilestoneName::ALL {
        if let Some(at) = record.at(*name) {
            facts.push(Fact { name: name.label().to_owned(), value: format!("{} UTC", at.to_minute()) });
        }
    }
    facts.retain(|f| !f.value.is_empty());
    Ok(facts)
}
