//! The pages: upload, dry run with the mapping of columns, import; and what is downloaded.

use std::collections::HashMap;

use askama::Template;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, Form, Multipart, Path, Query};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::stream;

use super::document::Document;
use super::list::{Stream, csv_header, csv_rows};
use super::service::{self, Content, Line, Options, Verdict};
use super::table::{Field, Mapping};
use super::{html, store};
use crate::accounts::Actor;
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::hooks::Hooks;
use crate::incidents::{self, Incident, IncidentId, ListQuery};
use crate::state::AppState;
use crate::web::{Access, Cx, Routes, Shell, redirect, redirect_with_flash, render, render_with_status};

/// Largest file that is uploaded, in bytes; the command line takes larger ones.
pub(super) const MAX_UPLOAD: usize = 96 * 1024 * 1024;
/// Rows that one request imports; the command line takes more.
const MAX_ROWS: usize = 5_000;
/// Rows that the dry run shows.
const SHOWN: usize = 200;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/incidents/import", Access::COMMANDER, form)
        .post("/incidents/import", Access::COMMANDER, upload)
        .map_router(|r| r.layer(DefaultBodyLimit::max(MAX_UPLOAD)))
        .get("/incidents/import/{upload}", Access::COMMANDER, dry_run)
        .post("/incidents/import/{upload}", Access::COMMANDER, import)
        .get("/incidents/export.csv", Access::VIEWER, list_csv)
        .get("/incidents/export.jsonl", Access::VIEWER, list_json)
        .get("/incidents/{id}/export", Access::VIEWER, choose)
        .get("/incidents/{id}/export.html", Access::VIEWER, one_html)
        .get("/incidents/{id}/export.json", Access::VIEWER, one_json)
}

#[derive(Template)]
#[template(path = "portable/import.html")]
struct UploadPage {
    shell: Shell,
    errors: FieldErrors,
    text: String,
}

async fn form(cx: Cx) -> Result<Response> {
    render(&UploadPage { shell: cx.shell("Import incidents"), errors: FieldErrors::default(), text: String::new() })
}

fn complain(cx: &Cx, message: impl Into<String>, text: String) -> Result<Response> {
    let mut errors = FieldErrors::default();
    errors.add("file", message);
    let page = UploadPage { shell: cx.shell("Import incidents"), errors, text };
    render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

fn user(cx: &Cx) -> Result<i64> {
    // A token has no pages; it imports by the API.
    cx.actor()?.user_id.ok_or(Error::Unauthenticated)
}

async fn upload(cx: Cx, mut fields: Multipart) -> Result<Response> {
    let broken = |e: MultipartError| match e.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge { limit: MAX_UPLOAD },
        _ => Error::BadRequest(format!("The upload broke off: {e}")),
    };
    let (mut name, mut body, mut text) = (String::new(), Vec::new(), String::new());
    while let Some(field) = fields.next_field().await.map_err(broken)? {
        match field.name() {
            Some("file") => {
                name = field.file_name().unwrap_or_default().chars().take(200).collect();
                body = field.bytes().await.map_err(broken)?.to_vec();
            }
            Some("text") => text = field.text().await.map_err(broken)?,
            _ => {}
        }
    }
    if body.is_empty() {
        (name, body) = ("pasted text".to_owned(), text.clone().into_bytes());
    }
    let content = match Content::read(&body) {
        Ok(content) => content,
        Err(message) => return complain(&cx, message, text),
    };
    if content.is_empty() {
        return complain(&cx, "holds no incident", text);
    }
    if content.len() > MAX_ROWS {
        let message = format!(
            "holds {} incidents; a page imports {MAX_ROWS} at once. Use: faultline import incidents FILE",
            content.len()
        );
        return complain(&cx, message, text);
    }
    let key = hex::encode(cx.state.random.bytes::<16>());
    let packed = zstd::bulk::compress(&body, 3).map_err(|e| Error::Internal(format!("packing an upload: {e}")))?;
    let tx = cx.state.db.begin().await?;
    store::insert_upload(&tx, &key, user(&cx)?, &name, packed, cx.now()).await?;
    tx.commit().await?;
    Ok(redirect(&format!("/incidents/import/{key}")))
}

/// One column of the file: what it means, and an example.
struct Column {
    place: usize,
    name: String,
    example: String,
    field: Option<Field>,
}

impl Column {
    fn is(&self, field: &Field) -> bool {
        self.field == Some(*field)
    }
}

#[derive(Template)]
#[template(path = "portable/dry_run.html")]
struct DryRunPage {
    shell: Shell,
    key: String,
    file: String,
    columns: Vec<Column>,
    options: Options,
    errors: FieldErrors,
    lines: Vec<Line>,
    shown: Vec<Line>,
}

impl DryRunPage {
    fn fields(&self) -> &'static [Field] {
        Field::ALL
    }

    fn to_add(&self) -> usize {
        self.lines.iter().filter(|l| matches!(l.verdict, Verdict::Add)).count()
    }

    fn known(&self) -> usize {
        self.lines.iter().filter(|l| matches!(l.verdict, Verdict::Known { .. })).count()
    }

    fn bad(&self) -> usize {
        self.lines.iter().filter(|l| l.problems().is_some()).count()
    }

    /// The column of the file that a field is taken from, to name it beside a complaint.
    fn column_of(&self, field: &str) -> Option<&str> {
        let column = self.columns.iter().find(|c| c.field.is_some_and(|f| f.as_str() == field));
        column.map(|c| c.name.as_str()).filter(|name| *name != field)
    }
}

/// The uploaded file with the mapping that the request chose, else the guessed one.
struct Uploaded {
    key: String,
    file: String,
    content: Content,
    mapping: Mapping,
    options: Options,
}

async fn uploaded(cx: &Cx, key: &str, chosen: &HashMap<String, String>) -> Result<Uploaded> {
    let gone = || Error::not_found("This upload, which is kept for a day");
    let (file, packed) = store::upload(&cx.state.db, key, user(cx)?).await?.ok_or_else(gone)?;
    let fault = |e: std::io::Error| Error::Internal(format!("unpacking an upload: {e}"));
    let body = zstd::bulk::decompress(&packed, MAX_UPLOAD).map_err(fault)?;
    let content = Content::read(&body).map_err(|e| Error::Internal(format!("an upload {e}")))?;
    let mut mapping = content.guess();
    if chosen.keys().any(|k| k.starts_with("column")) {
        for (place, field) in mapping.iter_mut().enumerate() {
            *field = chosen.get(&format!("column{place}")).and_then(|word| Field::parse(word));
        }
    }
    let is_on = |name: &str| chosen.get(name).is_some_and(|v| !v.is_empty());
    let options = Options { skip_bad: is_on("skip"), add_services: is_on("add_services") };
    Ok(Uploaded { key: key.to_owned(), file, content, mapping, options })
}

async fn dry_run(cx: Cx, Path(key): Path<String>, Query(chosen): Query<HashMap<String, String>>) -> Result<Response> {
    let uploaded = uploaded(&cx, &key, &chosen).await?;
    show_dry_run(&cx, uploaded, FieldErrors::default()).await
}

async fn show_dry_run(cx: &Cx, up: Uploaded, mut errors: FieldErrors) -> Result<Response> {
    let (db, base) = (&cx.state.db, &cx.state.config.base_url);
    let viewer = cx.actor()?.into();
    let lines = match service::preview(db, &up.content, &up.mapping, up.options, viewer, base, cx.now()).await {
        Ok(lines) => lines,
        Err(Error::Invalid(wrong)) => {
            errors.0.extend(wrong.0);
            Vec::new()
        }
        Err(other) => return Err(other),
    };
    // What needs a look comes first.
    let mut shown: Vec<Line> = lines.iter().filter(|l| l.problems().is_some()).take(SHOWN).cloned().collect();
    let room = SHOWN - shown.len();
    shown.extend(lines.iter().filter(|l| l.problems().is_none()).take(room).cloned());
    let page = DryRunPage {
        shell: cx.shell("Import incidents: dry run"),
        key: up.key,
        file: up.file,
        columns: columns(&up.content, &up.mapping),
        options: up.options,
        errors,
        lines,
        shown,
    };
    let status = if page.errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    render_with_status(status, &page)
}

fn columns(content: &Content, mapping: &Mapping) -> Vec<Column> {
    let Content::Rows(table) = content else { return Vec::new() };
    let example = |place: usize| {
        let cells = table.rows.iter().filter_map(|r| r.cells.as_ref().ok()?.get(place));
        let mut texts = cells.map(|c| c.as_str().map_or_else(|| c.to_string(), str::to_owned));
        texts.find(|t| !t.is_empty() && t != "null").unwrap_or_default().chars().take(60).collect()
    };
    let names = table.columns.iter().zip(mapping).enumerate();
    names
        .map(|(place, (name, field))| Column { place, name: name.clone(), example: example(place), field: *field })
        .collect()
}

async fn import(cx: Cx, Path(key): Path<String>, Form(chosen): Form<HashMap<String, String>>) -> Result<Response> {
    let up = uploaded(&cx, &key, &chosen).await?;
    let (db, base, actor) = (&cx.state.db, &cx.state.config.base_url, cx.actor()?);
    let done = match service::run(db, &up.content, &up.mapping, up.options, actor, base, cx.now()).await {
        Ok(done) => done,
        Err(Error::Invalid(_)) => {
            let mut errors = FieldErrors::default();
            errors.add("rows", "Nothing was imported: some rows have problems. Mend the file, or leave those rows out");
            return show_dry_run(&cx, up, errors).await;
        }
        Err(other) => return Err(other),
    };
    let tx = db.begin().await?;
    store::delete_upload(&tx, &key).await?;
    tx.commit().await?;
    let plural = if done.added.len() == 1 { "incident" } else { "incidents" };
    let mut said = format!("{} {plural} imported", done.added.len());
    if done.known > 0 {
        said.push_str(&format!(", {} were here already", done.known));
    }
    if done.left_out > 0 {
        said.push_str(&format!(", {} left out", done.left_out));
    }
    let to = match done.added.as_slice() {
        [only] => format!("/incidents/{only}"),
        _ => "/incidents?kind=backfilled".to_owned(),
    };
    Ok(redirect_with_flash(&to, &format!("{said}.")))
}

async fn incident(state: &AppState, actor: &Actor, id: &str) -> Result<Incident> {
    let id = IncidentId::parse(id).ok_or_else(|| Error::not_found(id))?;
    incidents::get_visible(&state.db, id, actor.into()).await
}

#[derive(Template)]
#[template(path = "portable/choose.html")]
struct ChoosePage {
    shell: Shell,
    incident: Incident,
    kept_mb: i64,
    is_too_large: bool,
}

async fn choose(cx: Cx, Path(id): Path<String>) -> Result<Response> {
    let incident = incident(&cx.state, cx.actor()?, &id).await?;
    let kept = store::kept_bytes(&cx.state.db, incident.id.0).await?;
    render(&ChoosePage {
        shell: cx.shell(format!("{}: export", incident.id)),
        incident,
        kept_mb: kept / 1_048_576,
        is_too_large: kept > super::gather::MAX_EVIDENCE,
    })
}

/// A visible incident as a document.
pub(super) async fn document(state: &AppState, actor: &Actor, id: &str) -> Result<Document> {
    let incident = incident(state, actor, id).await?;
    service::document(&state.db, &incident, actor, &state.config.base_url, state.now()).await
}

async fn one_html(cx: Cx, Extension(hooks): Extension<Hooks>, Path(id): Path<String>) -> Result<Response> {
    let document = document(&cx.state, cx.actor()?, &id).await?;
    let name = format!("{}.html", document.exported.id);
    Ok(download(&name, "text/html; charset=utf-8", html::page(&document, &hooks)?))
}

async fn one_json(cx: Cx, Path(id): Path<String>) -> Result<Response> {
    let document = document(&cx.state, cx.actor()?, &id).await?;
    let name = format!("{}.json", document.exported.id);
    Ok(download(&name, "application/json", serde_json::to_string_pretty(&document)?))
}

/// Saved, never shown: what a file holds came from many hands.
pub(super) fn download(name: &str, media_type: &'static str, body: impl Into<Body>) -> Response {
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""))
        .unwrap_or(HeaderValue::from_static("attachment"));
    ([(CONTENT_TYPE, HeaderValue::from_static(media_type)), (CONTENT_DISPOSITION, disposition)], body.into())
        .into_response()
}

async fn list_csv(cx: Cx, Query(query): Query<ListQuery>) -> Result<Response> {
    csv(&cx.state, cx.actor()?, &query).await
}

async fn list_json(cx: Cx, Query(query): Query<ListQuery>) -> Result<Response> {
    json_lines(&cx.state, cx.actor()?, &query).await
}

/// The list as CSV, sent while it is read.
pub(super) async fn csv(state: &AppState, actor: &Actor, query: &ListQuery) -> Result<Response> {
    let filter = incidents::filter_of(&state.db, query, state.now()).await?;
    let rows = Stream::new(state.db.clone(), filter, actor.into());
    let (db, base) = (state.db.clone(), state.config.base_url.clone());
    let head = stream::once(async { Ok(Bytes::from(csv_header())) });
    let lines = stream::try_unfold((rows, db, base), |(mut rows, db, base)| async move {
        let Some(some) = rows.next().await? else { return Ok::<_, Error>(None) };
        let text = csv_rows(&db, &some, &base).await?;
        Ok(Some((Bytes::from(text), (rows, db, base))))
    });
    Ok(download("incidents.csv", "text/csv; charset=utf-8", Body::from_stream(futures::StreamExt::chain(head, lines))))
}

/// The list as JSON, one whole incident a line, sent while it is read. One that is too large for an export is left out,
/// and its line says so.
pub(super) async fn json_lines(state: &AppState, actor: &Actor, query: &ListQuery) -> Result<Response> {
    let filter = incidents::filter_of(&state.db, query, state.now()).await?;
    let rows = Stream::new(state.db.clone(), filter, actor.into());
    let start = (rows, state.clone(), actor.clone(), Vec::new());
    let lines =
        stream::try_unfold(start, |(mut rows, state, by, mut some): (_, AppState, _, Vec<Incident>)| async move {
            if some.is_empty() {
                match rows.next().await? {
                    None => return Ok::<_, Error>(None),
                    Some(next) => some = next,
                }
                some.reverse();
            }
            let Some(incident) = some.pop() else { return Ok(None) };
            let line = line_of(&state, &incident, &by).await?;
            Ok(Some((Bytes::from(line), (rows, state, by, some))))
        });
    Ok(download("incidents.jsonl", "application/jsonl", Body::from_stream(lines)))
}

/// One whole incident as a line of JSON; one that is too large says so instead.
///
/// # Errors
/// What the database says.
pub async fn line_of(state: &AppState, incident: &Incident, reader: &Actor) -> Result<String> {
    match service::document(&state.db, incident, reader, &state.config.base_url, state.now()).await {
        Ok(document) => Ok(serde_json::to_string(&document)? + "\n"),
        Err(Error::Conflict(why)) => {
            let left_out = serde_json::json!({ "left_out": incident.id, "reason": why });
            Ok(left_out.to_string() + "\n")
        }
        Err(other) => Err(other),
    }
}
