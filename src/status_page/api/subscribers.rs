//! Subscribers in JSON, for administrators: addresses are personal data. People subscribe themselves at
//! `/status/subscribe`, since an address must be asked before it is told anything.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounts::Actor;
use crate::error::Result;
use crate::state::AppState;
use crate::status_page::service::subscribers as service;
use crate::status_page::store::subscribers::{self as store, Subscriber};
use crate::web::{Access, Cursor, Limit, Page, Routes};

pub(super) fn routes() -> Routes {
    Routes::new().get("/api/v1/status-page/subscribers", Access::ADMIN, list).delete(
        "/api/v1/status-page/subscribers/{id}",
        Access::ADMIN,
        remove,
    )
}

/// The token and the secret stay here.
fn shown(s: &Subscriber) -> Value {
    json!({
        "id": s.id, "kind": s.kind, "address": s.address, "created_at": s.created_at, "confirmed_at": s.confirmed_at,
        "given_up_in_row": s.given_up_in_row,
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    cursor: Option<String>,
    limit: Limit,
}

async fn list(State(state): State<AppState>, Query(query): Query<ListQuery>) -> Result<Json<Page<Value>>> {
    let before = Cursor::from_param(query.cursor.as_deref())?.map_or(i64::MAX, |c| c.id);
    let rows = store::page(&state.db, before, query.limit.get() + 1).await?;
    let (confirmed, waiting) = store::counts(&state.db).await?;
    let page = Page::cut(rows, query.limit, confirmed + waiting, |s| Cursor { sort: s.id, id: s.id });
    Ok(Json(page.map(|s| shown(&s))))
}

async fn remove(State(state): State<AppState>, actor: Actor, Path(id): Path<i64>) -> Result<Json<Value>> {
    let tx = state.db.begin().await?;
    service::remove(&tx, id, &actor, state.now()).await?;
    tx.commit().await?;
    Ok(Json(json!({ "id": id, "removed": true })))
}
