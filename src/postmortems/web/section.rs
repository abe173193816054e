//! Editing one section: as Markdown, with a preview that equals the page, and with both texts when
//! two people met.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::super::model::{SectionKey, SectionVersion};
use super::super::service::{self, Clash, Edit, Saved};
use super::page::key_of;
use super::{by, incident_of};
use crate::difference::{self, Line};
use crate::error::{Error, FieldErrors, Result};
use crate::fields;
use crate::incidents::Incident;
use crate::markdown::{self, SafeHtml};
use crate::web::{Cx, Shell, redirect_with_flash, render, render_with_status};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SectionForm {
    body: String,
    /// The version that the edit started from.
    base: i64,
    /// Pressed: show it, do not save it.
    #[serde(deserialize_with = "fields::flag")]
    preview: bool,
}

#[derive(Template)]
#[template(path = "postmortems/section.html")]
struct SectionPage {
    shell: Shell,
    incident: Incident,
    key: SectionKey,
    form: SectionForm,
    errors: FieldErrors,
    preview: Option<SafeHtml>,
    clash: Option<(Clash, Vec<Line>)>,
    /// What the record would give now, when it differs.
    redraft: Vec<Line>,
}

async fn section_page(cx: &Cx, incident: Incident, key: SectionKey, form: SectionForm) -> Result<SectionPage> {
    let drafted = service::redraft(&cx.state.db, &incident, key).await?;
    Ok(SectionPage {
        shell: cx.shell(format!("{}: {}", incident.id, key.title())),
        redraft: difference::lines(&form.body.replace("\r\n", "\n"), &drafted),
        incident,
        key,
        form,
        errors: FieldErrors::default(),
        preview: None,
        clash: None,
    })
}

pub(super) async fn edit(cx: Cx, Path((id, key)): Path<(String, String)>) -> Result<Response> {
    let (incident, key) = (incident_of(&cx, &id).await?, key_of(&key)?);
    let document = service::get(&cx.state.db, incident.id).await?;
    let section = document.section(key);
    let form = SectionForm {
        body: section.map(|s| s.body.clone()).unwrap_or_default(),
        base: section.map_or(0, |s| s.version),
        preview: false,
    };
    render(&section_page(&cx, incident, key, form).await?)
}

pub(super) async fn save(
    cx: Cx,
    Path((id, key)): Path<(String, String)>,
    Form(form): Form<SectionForm>,
) -> Result<Response> {
    let (incident, key) = (incident_of(&cx, &id).await?, key_of(&key)?);
    if form.preview {
        let html = markdown::render_document(&form.body, &format!("{key}-")).html;
        let mut page = section_page(&cx, incident, key, form).await?;
        page.preview = Some(html);
        return render(&page);
    }
    let edit = Edit { key, body: form.body.clone(), base: form.base };
    let tx = cx.state.db.begin().await?;
    match service::save(&tx, &incident, &edit, &by(cx.actor()?), cx.now()).await {
        Ok(Saved::Done(document)) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&format!("{}#{key}", document.head.path()), &format!("“{}” is saved.", key.title())))
        }
        Ok(Saved::Clash(clash)) => {
            drop(tx);
            clashed(&cx, incident, clash).await
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            let mut page = section_page(&cx, incident, key, form).await?;
            page.errors = errors;
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}

/// Both texts; saving again is then on top of what stands now.
async fn clashed(cx: &Cx, incident: Incident, clash: Clash) -> Result<Response> {
    let form = SectionForm { body: clash.yours.clone(), base: clash.version, preview: false };
    let mut page = section_page(cx, incident, clash.key, form).await?;
    let lines = difference::lines(&clash.theirs, &clash.yours);
    page.clash = Some((clash, lines));
    render_with_status(StatusCode::CONFLICT, &page)
}

#[derive(Deserialize)]
pub(super) struct RegenerateForm {
    #[serde(default)]
    base: i64,
}

pub(super) async fn regenerate(
    cx: Cx,
    Path((id, key)): Path<(String, String)>,
    Form(form): Form<RegenerateForm>,
) -> Result<Response> {
    let (incident, key) = (incident_of(&cx, &id).await?, key_of(&key)?);
    let tx = cx.state.db.begin().await?;
    match service::regenerate(&tx, &incident, key, form.base, &by(cx.actor()?), cx.now()).await? {
        Saved::Done(document) => {
            tx.commit().await?;
            let message = format!("“{}” was drafted anew; the earlier text is in its history.", key.title());
            Ok(redirect_with_flash(&format!("{}#{key}", document.head.path()), &message))
        }
        Saved::Clash(clash) => {
            drop(tx);
            clashed(&cx, incident, clash).await
        }
    }
}

#[derive(Template)]
#[template(path = "postmortems/versions.html")]
struct VersionsPage {
    shell: Shell,
    incident: Incident,
    key: SectionKey,
    versions: Vec<(SectionVersion, Vec<Line>)>,
    base: i64,
}

pub(super) async fn versions(cx: Cx, Path((id, key)): Path<(String, String)>) -> Result<Response> {
    let (incident, key) = (incident_of(&cx, &id).await?, key_of(&key)?);
    let document = service::get(&cx.state.db, incident.id).await?;
    let all = service::versions(&cx.state.db, &document, key).await?;
    let before = all.iter().skip(1).map(|v| v.body.clone()).chain(std::iter::once(String::new()));
    let lines: Vec<Vec<Line>> = all.iter().zip(before).map(|(v, before)| difference::lines(&before, &v.body)).collect();
    let base = document.section(key).map_or(0, |s| s.version);
    let shell = cx.shell(format!("{}: history of {}", incident.id, key.title()));
    render(&VersionsPage { shell, incident, key, versions: all.into_iter().zip(lines).collect(), base })
}
