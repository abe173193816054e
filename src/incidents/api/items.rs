//! Lists below an incident: timeline, evidence, tasks.

use axum::Json;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::error::Result;
use crate::web::{ApiJson, Cursor, Limit, Page};

use super::super::actions::TaskPatch;
use super::super::model::input::{EditEntryInput, EvidenceInput, TaskInput, TimelineInput};
use super::super::model::record::{Entry, Evidence, Task};
use super::super::model::{EntryKind, Layer};
use super::super::service;
use super::super::store::timeline::Filter;
use super::{At, fields};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ItemsQuery {
    layer: String,
    kind: String,
    cursor: String,
    limit: Limit,
}

/// Oldest first.
pub(super) async fn timeline(at: At, Query(query): Query<ItemsQuery>) -> Result<Json<Page<Entry>>> {
    let cursor = Cursor::from_param(Some(&query.cursor))?;
    let filter = Filter {
        layer: Layer::parse(&query.layer),
        kind: EntryKind::parse(&query.kind),
        beyond: cursor.map(|c| (Timestamp::from_micros(c.sort), c.id)),
        newest_first: false,
    };
    let entries = service::timeline::page(at.db(), at.id(), &filter, query.limit.get() + 1).await?;
    let total = service::timeline::count(at.db(), at.id(), &filter).await?;
    let cursor_of = |e: &Entry| Cursor { sort: e.occurred_at.as_micros(), id: e.id };
    Ok(Json(Page::cut(entries, query.limit, total, cursor_of)))
}

pub(super) async fn post_entry(at: At, ApiJson(body): ApiJson<Value>) -> Result<Response> {
    let input: TimelineInput = fields(&body)?;
    let tx = at.begin().await?;
    let once = at.idempotent(&body);
    if let Some(earlier) = once.earlier(&tx).await? {
        return Ok(earlier);
    }
    let entry = at.acting(&tx).post_entry(at.id(), &input).await?;
    let response = once.keep(&tx, at.now(), StatusCode::CREATED, &json!(entry)).await?;
    tx.commit().await?;
    Ok(response)
}

/// One entry with everything that it said before.
pub(super) async fn entry(at: At) -> Result<Json<Value>> {
    let entry = service::timeline::get(at.db(), at.id(), at.part()?).await?;
    let versions = service::timeline::versions(at.db(), entry.id).await?;
    let mut value = json!(entry);
    value["versions"] = json!(versions);
    Ok(Json(value))
}

pub(super) async fn edit_entry(at: At, ApiJson(input): ApiJson<EditEntryInput>) -> Result<Json<Entry>> {
    let tx = at.begin().await?;
    let entry = at.acting(&tx).edit_entry(at.id(), at.part()?, &input).await?;
    tx.commit().await?;
    Ok(Json(entry))
}

/// Strikes it out; it stays in the list, marked.
pub(super) async fn strike_entry(at: At) -> Result<Json<Entry>> {
    let tx = at.begin().await?;
    let entry = at.acting(&tx).strike_entry(at.id(), at.part()?, true).await?;
    tx.commit().await?;
    Ok(Json(entry))
}

pub(super) async fn evidence(at: At, Query(query): Query<ItemsQuery>) -> Result<Json<Page<Evidence>>> {
    let after = Cursor::from_param(Some(&query.cursor))?.map_or(0, |c| c.id);
    let pieces = service::evidence::page(at.db(), at.id(), after, query.limit.get() + 1).await?;
    let total = service::evidence::count(at.db(), at.id()).await?;
    Ok(Json(Page::cut(pieces, query.limit, total, |e| Cursor { sort: 0, id: e.id })))
}

pub(super) async fn add_evidence(at: At, ApiJson(body): ApiJson<Value>) -> Result<Response> {
    let input: EvidenceInput = fields(&body)?;
    let tx = at.begin().await?;
    let once = at.idempotent(&body);
    if let Some(earlier) = once.earlier(&tx).await? {
        return Ok(earlier);
    }
    let id = at.acting(&tx).add_evidence(at.id(), &input, &at.hooks).await?;
    let piece = service::evidence::get(&tx, at.id(), id).await?;
    let response = once.keep(&tx, at.now(), StatusCode::CREATED, &json!(piece)).await?;
    tx.commit().await?;
    Ok(response)
}

/// One piece with what is kept of it: JSON as it is, text as text, other bytes by their size only.
pub(super) async fn piece(at: At) -> Result<Json<Value>> {
    let piece = service::evidence::get(at.db(), at.id(), at.part()?).await?;
    let mut value = json!(piece);
    if let Some(progress) = at.hooks.progress(at.db(), &[piece.id]).await?.remove(&piece.id) {
        value["fetch"] = json!(progress);
    }
    value["snapshot"] = match service::evidence::snapshot(at.db(), piece.id).await? {
        Some(kept) if kept.media_type.starts_with("application/json") => {
            serde_json::from_slice(&kept.body).unwrap_or(Value::Null)
        }
        Some(kept) if kept.media_type.starts_with("text/") => json!(String::from_utf8_lossy(&kept.body)),
        _ => Value::Null,
    };
    Ok(Json(value))
}

pub(super) async fn remove_evidence(at: At) -> Result<Response> {
    let tx = at.begin().await?;
    at.acting(&tx).remove_evidence(at.id(), at.part()?).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn tasks(at: At, Query(query): Query<ItemsQuery>) -> Result<Json<Page<Task>>> {
    let after = Cursor::from_param(Some(&query.cursor))?.map_or(0, |c| c.id);
    let tasks = service::tasks::page(at.db(), at.id(), after, query.limit.get() + 1).await?;
    let total = service::tasks::count(at.db(), at.id()).await?;
    Ok(Json(Page::cut(tasks, query.limit, total, |t| Cursor { sort: 0, id: t.id })))
}

pub(super) async fn add_task(at: At, ApiJson(body): ApiJson<Value>) -> Result<Response> {
    let input: TaskInput = fields(&body)?;
    let tx = at.begin().await?;
    let once = at.idempotent(&body);
    if let Some(earlier) = once.earlier(&tx).await? {
        return Ok(earlier);
    }
    let task = at.acting(&tx).add_task(at.id(), &input).await?;
    let response = once.keep(&tx, at.now(), StatusCode::CREATED, &json!(task)).await?;
    tx.commit().await?;
    Ok(response)
}

pub(super) async fn edit_task(at: At, ApiJson(input): ApiJson<TaskPatch>) -> Result<Json<Task>> {
    let tx = at.begin().await?;
    let task = at.acting(&tx).edit_task(at.id(), at.part()?, &input).await?;
    tx.commit().await?;
    Ok(Json(task))
}
