//! Import and export in the JSON API.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::{Json, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::document::Document;
use super::service::{self, Content, Line, Options, Verdict};
use super::table::{Field, Mapping};
use super::web;
use crate::accounts::Actor;
use crate::error::{Error, FieldErrors, Result};
use crate::fields;
use crate::incidents::ListQuery;
use crate::state::AppState;
use crate::web::{Access, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .post("/api/v1/incidents/import", Access::COMMANDER, import)
        .map_router(|r| r.layer(DefaultBodyLimit::max(web::MAX_UPLOAD)))
        .get("/api/v1/incidents/export", Access::VIEWER, export)
        .get("/api/v1/incidents/{id}/export", Access::VIEWER, one)
}

async fn one(State(state): State<AppState>, actor: Actor, Path(id): Path<String>) -> Result<Json<Document>> {
    web::document(&state, &actor, &id).await.map(Json)
}

#[derive(Deserialize)]
struct Format {
    #[serde(default)]
    format: String,
}

async fn export(
    State(state): State<AppState>,
    actor: Actor,
    Query(Format { format }): Query<Format>,
    Query(query): Query<ListQuery>,
) -> Result<Response> {
    match format.as_str() {
        "" | "csv" => web::csv(&state, &actor, &query).await,
        "jsonl" => web::json_lines(&state, &actor, &query).await,
        other => Err(Error::invalid("format", format!("'{other}' is not a format: use csv or jsonl"))),
    }
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Choices {
    #[serde(deserialize_with = "fields::flag")]
    dry_run: bool,
    #[serde(deserialize_with = "fields::flag")]
    skip_bad: bool,
    #[serde(deserialize_with = "fields::flag")]
    add_services: bool,
    /// `Column=field` with commas between them; what is not named is guessed.
    map: String,
}

/// The body is the file itself: CSV, JSON, or incidents that Faultline exported.
async fn import(
    State(state): State<AppState>,
    actor: Actor,
    Query(choices): Query<Choices>,
    body: Bytes,
) -> Result<Json<Value>> {
    let content = Content::read(&body).map_err(|e| Error::invalid("body", e))?;
    let mapping = mapping(&content, &choices.map)?;
    let options = Options { skip_bad: choices.skip_bad, add_services: choices.add_services };
    let (db, base, now) = (&state.db, state.config.base_url.as_str(), state.now());
    let lines = service::preview(db, &content, &mapping, options, (&actor).into(), base, now).await?;
    let rows: Vec<Value> = lines.iter().map(row).collect();
    if choices.dry_run {
        return Ok(Json(json!({ "dry_run": true, "rows": rows })));
    }
    let done = service::run(db, &content, &mapping, options, &actor, base, now).await?;
    Ok(Json(json!({
        "dry_run": false, "added": done.added, "known": done.known, "left_out": done.left_out, "rows": rows,
    })))
}

fn row(line: &Line) -> Value {
    let (outcome, id, differs) = match &line.verdict {
        Verdict::Add => ("add", None, false),
        Verdict::Known { id, differs } => ("known", *id, *differs),
        Verdict::Bad(_) => ("bad", None, false),
    };
    let errors = line.problems().map(|p| p.0.clone()).unwrap_or_default();
    json!({
        "line": line.line, "title": line.title, "outcome": outcome, "id": id, "differs": differs, "errors": errors,
    })
}

/// The guessed mapping, changed by `Column=field,…`; an empty field leaves a column out.
///
/// # Errors
/// `Invalid` (field `map`) naming what is no column or no field.
pub fn mapping(content: &Content, chosen: &str) -> Result<Mapping> {
    let mut mapping = content.guess();
    let Content::Rows(table) = content else { return Ok(mapping) };
    let mut errors = FieldErrors::default();
    for pair in chosen.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let (column, field) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(place) = table.columns.iter().position(|c| c.eq_ignore_ascii_case(column.trim())) else {
            errors.add("map", format!("the file has no column '{}'", column.trim()));
            continue;
        };
        let field = field.trim();
        let meant = Field::parse(field);
        if meant.is_none() && !field.is_empty() {
            errors.add("map", Field::unknown(field));
        }
        // A field that was guessed for another column moves.
        for other in mapping.iter_mut().filter(|m| meant.is_some() && **m == meant) {
            *other = None;
        }
        mapping[place] = meant;
    }
    errors.into_result()?;
    Ok(mapping)
}
