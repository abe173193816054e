//! The status page in JSON, for those who write it; the public reads `/status/summary.json`.

mod subscribers;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::NoticeKind;
use super::model::input::{ComponentInput, DraftInput};
use super::service::{Notice, components, notices as service};
use super::store::notices as store;
use crate::accounts::Actor;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::incidents::{self, IncidentId};
use crate::state::AppState;
use crate::web::{Access, ApiJson, Cursor, Idempotent, Limit, Page, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/status-page/components", Access::VIEWER, list_components)
        .post("/api/v1/status-page/components", Access::COMMANDER, add_component)
        .put("/api/v1/status-page/components/{id}", Access::COMMANDER, edit_component)
        .delete("/api/v1/status-page/components/{id}", Access::COMMANDER, remove_component)
        .get("/api/v1/status-page/notices", Access::RESPONDER, list)
        .post("/api/v1/status-page/notices", Access::RESPONDER, create)
        .get("/api/v1/status-page/notices/{id}", Access::RESPONDER, show)
        .put("/api/v1/status-page/notices/{id}/draft", Access::RESPONDER, save)
        .delete("/api/v1/status-page/notices/{id}/draft", Access::RESPONDER, discard)
        .post("/api/v1/status-page/notices/{id}/publish", Access::RESPONDER, publish)
        .post("/api/v1/status-page/notices/{id}/withdraw", Access::RESPONDER, withdraw)
        .merge(subscribers::routes())
}

async fn list_components(State(state): State<AppState>) -> Result<Json<Value>> {
    let all = components::all(&state.db).await?;
    Ok(Json(json!({ "total": all.len(), "items": all, "next_cursor": null })))
}

async fn add_component(
    State(state): State<AppState>,
    actor: Actor,
    headers: HeaderMap,
    ApiJson(body): ApiJson<Value>,
) -> Result<Response> {
    let input = read::<ComponentInput>(&body)?;
    let tx = state.db.begin().await?;
    let once = Idempotent::new(&headers, &actor, &format!("POST /api/v1/status-page/components {body}"));
    if let Some(earlier) = once.earlier(&tx).await? {
        return Ok(earlier);
    }
    let id = components::add(&tx, &input, &actor, state.now()).await?;
    let made = json!(components::get(&tx, id).await?);
    let response = once.keep(&tx, state.now(), StatusCode::CREATED, &made).await?;
    tx.commit().await?;
    Ok(response)
}

async fn edit_component(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<i64>,
    ApiJson(input): ApiJson<ComponentInput>,
) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    components::edit(&tx, id, &input, &actor, state.now()).await?;
    let now = json!(components::get(&tx, id).await?);
    tx.commit().await?;
    Ok(Json(now))
}

async fn remove_component(State(state): State<AppState>, actor: Actor, Path(id): Path<i64>) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    components::remove(&tx, id, &actor, state.now()).await?;
    tx.commit().await?;
    Ok(Json(json!({ "id": id, "removed": true })))
}

fn read<'a, T: Deserialize<'a>>(body: &'a Value) -> Result<T> {
    T::deserialize(body).map_err(|e| Error::invalid("body", e.to_string()))
}

/// The incident behind is named only to those who may see it.
async fn brief(db: &Db, notice: &Notice, actor: &Actor) -> Value {
    let incident = match notice.incident {
        Some(id) => incidents::get_visible(db, id, actor.into()).await.ok().map(|i| i.id),
        None => None,
    };
    json!({
        "id": notice.id, "kind": notice.kind, "title": notice.title, "state": notice.state,
        "incident": incident, "starts_at": notice.starts_at, "ends_at": notice.ends_at,
        "resolved_at": notice.resolved_at, "published_at": notice.published_at,
        "withdrawn_at": notice.withdrawn_at, "has_draft": notice.draft_title.is_some(),
        "created_by": notice.created_by, "created_at": notice.created_at,
    })
}

async fn whole(db: &Db, id: i64, actor: &Actor) -> Result<Value> {
    let notice = service::get(db, id).await?;
    let mut value = brief(db, &notice, actor).await;
    value["draft"] = service::draft(db, id).await?.map_or(Value::Null, |d| {
        json!({
            "title": d.content.title, "state": d.content.state, "text": d.content.text,
            "components": d.content.impacts, "starts_at": d.content.starts_at, "ends_at": d.content.ends_at,
            "version": d.version, "updated_by": d.updated_by, "updated_at": d.updated_at,
        })
    });
    value["updates"] = store::updates(db, id)
        .await?
        .into_iter()
        .map(|u| {
            json!({
                "id": u.id, "state": u.state, "text": u.text, "published_at": u.published_at,
                "published_by": u.published_by, "corrected_at": u.corrected_at,
            })
        })
        .collect();
    Ok(value)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    cursor: Option<String>,
    limit: Limit,
}

async fn list(
    State(state): State<AppState>,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Value>>> {
    let db = &state.db;
    let cursor = Cursor::from_param(query.cursor.as_deref())?;
    let beyond = cursor.map(|c| (Timestamp::from_micros(c.sort), c.id));
    let items = store::page(db, beyond, query.limit.get() + 1).await?;
    let page =
        Page::cut(items, query.limit, store::count(db).await?, |n| Cursor { sort: n.starts_at.as_micros(), id: n.id });
    let mut shown = Vec::with_capacity(page.items.len());
    for notice in &page.items {
        shown.push(brief(db, notice, &actor).await);
    }
    Ok(Json(Page { items: shown, next_cursor: page.next_cursor, total: page.total }))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CreateBody {
    kind: String,
    incident: Option<String>,
    #[serde(flatten)]
    draft: DraftInput,
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    headers: HeaderMap,
    ApiJson(body): ApiJson<Value>,
) -> Result<Response> {
    let asked = read::<CreateBody>(&body)?;
    let kind = match asked.kind.as_str() {
        "" => NoticeKind::Incident,
        word => NoticeKind::parse(word).ok_or_else(|| Error::invalid("kind", NoticeKind::unknown(word)))?,
    };
    let incident = match asked.incident.as_deref().filter(|i| !i.is_empty()) {
        Some(text) => {
            let unknown = || Error::invalid("incident", format!("'{text}' is not an incident: use INC-n"));
            Some(IncidentId::parse(text).ok_or_else(unknown)?)
        }
        None => None,
    };
    let tx = state.db.begin().await?;
    let once = Idempotent::new(&headers, &actor, &format!("POST /api/v1/status-page/notices {body}"));
    if let Some(earlier) = once.earlier(&tx).await? {
        return Ok(earlier);
    }
    let id = service::create(&tx, kind, incident, &asked.draft, &actor, state.now()).await?;
    let made = whole(&tx, id, &actor).await?;
    let response = once.keep(&tx, state.now(), StatusCode::CREATED, &made).await?;
    tx.commit().await?;
    Ok(response)
}

async fn show(State(state): State<AppState>, actor: Actor, Path(id): Path<i64>) -> Result<Json<Value>> {
    Ok(Json(whole(&state.db, id, &actor).await?))
}

async fn save(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<i64>,
    ApiJson(input): ApiJson<DraftInput>,
) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    service::save_draft(&tx, id, &input, &actor, state.now()).await?;
    let now = whole(&tx, id, &actor).await?;
    tx.commit().await?;
    Ok(Json(now))
}

async fn discard(State(state): State<AppState>, actor: Actor, Path(id): Path<i64>) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    service::discard(&tx, id, &actor, state.now()).await?;
    tx.commit().await?;
    Ok(Json(json!({ "id": id, "discarded": true })))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PublishBody {
    version: Option<i64>,
}

async fn publish(
    State(state): State<AppState>,
    actor: Actor,
    Path(id): Path<i64>,
    ApiJson(body): ApiJson<PublishBody>,
) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    service::publish(&tx, id, body.version, &actor, state.now()).await?;
    let now = whole(&tx, id, &actor).await?;
    tx.commit().await?;
    Ok(Json(now))
}

async fn withdraw(State(state): State<AppState>, actor: Actor, Path(id): Path<i64>) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    service::withdraw(&tx, id, &actor, state.now()).await?;
    let now = whole(&tx, id, &actor).await?;
    tx.commit().await?;
    Ok(Json(now))
}
