//! Editing one section: as Markdown, with a preview that equals the page, and with both texts when
//! two people met.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::super::model::{SectionKey, SectionVersion};
use super::super::service::{self, Clash, Edit, Redraft, Saved, redrafted, review};
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
    /// What would come in if handwriting stays, and in how many places it stays against the record.
    merged: Vec<Line>,
    kept: usize,
}

async fn section_page(cx: &Cx, incident: Incident, key: SectionKey, form: SectionForm) -> Result<SectionPage> {
    let drafted = service::redraft(&cx.state.db, &incident, key, cx.now()).await?;
    let document = service::get(&cx.state.db, incident.id).await?;
    let standing = document.section(key);
    let merged = redrafted(standing, &drafted, Redraft::Merge);
    let body = standing.map(|s| s.body.as_str()).unwrap_or_default();
    Ok(SectionPage {
        shell: cx.shell(format!("{}: {}", incident.id, key.title())),
        redraft: difference::lines(body, &drafted),
        merged: difference::lines(body, &merged.text),
        kept: merged.conflicts,
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
pub(super) async fn clashed(cx: &Cx, incident: Incident, clash: Clash) -> Result<Response> {
    let form = SectionForm { body: clash.yours.clone(), base: clash.version, preview: false };
    let mut page = section_page(cx, incident, clash.key, form).await?;
    let lines = difference::lines(&clash.theirs, &clash.yours);
    page.clash = Some((clash, lines));
    render_with_status(StatusCode::CONFLICT, &page)
}

/// The editor again, with what was typed and what is wrong.
pub(super) async fn refused(
    cx: &Cx,
    incident: Incident,
    key: SectionKey,
    (body, base): (String, i64),
    errors: FieldErrors,
) -> Result<Response> {
    let mut page = section_page(cx, incident, key, SectionForm { body, base, preview: false }).await?;
    page.errors = errors;
    render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RegenerateForm {
    base: i64,
    /// `replace`, or what is new comes in beside the handwriting.
    how: String,
}

pub(super) async fn regenerate(
    cx: Cx,
    Path((id, key)): Path<(String, String)>,
    Form(form): Form<RegenerateForm>,
) -> Result<Response> {
    let (incident, key) = (incident_of(&cx, &id).await?, key_of(&key)?);
    let tx = cx.state.db.begin().await?;
    let how = if form.how == "replace" { Redraft::Replace } else { Redraft::Merge };
    let (saved, kept) = service::regenerate(&tx, &incident, (key, form.base), how, &by(cx.actor()?), cx.now()).await?;
    match saved {
        Saved::Done(document) => {
            tx.commit().await?;
            let kept = match kept {
                0 => String::new(),
                1 => " In 1 place your text stayed where the record says something else.".to_owned(),
                n => format!(" In {n} places your text stayed where the record says something else."),
            };
            let message = format!("“{}” was drafted anew; the earlier text is in its history.{kept}", key.title());
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
    let document = review::readable(&cx.state.db, &incident, cx.actor()?).await?;
    let all = service::versions(&cx.state.db, &document, key).await?;
    let before = all.iter().skip(1).map(|v| v.body.clone()).chain(std::iter::once(String::new()));
    let lines: Vec<Vec<Line>> = all.iter().zip(before).map(|(v, before)| difference::lines(&before, &v.body)).collect();
    let base = document.section(key).map_or(0, |s| s.version);
    let shell = cx.shell(format!("{}: history of {}", incident.id, key.title()));
    render(&VersionsPage { shell, incident, key, versions: all.into_iter().zip(lines).collect(), base })
}
