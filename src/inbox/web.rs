//! The inbox for administrators: what arrived, what was refused and why, replaying.

use askama::Template;
use axum::extract::{Extension, Path, Query};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::body;
use super::model::{Kind, Status};
use super::service::Inbox;
use super::store::{self, Filter, Head};
use crate::audit;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::web::{Access, Cursor, Cx, Routes, Shell, redirect_with_flash, render};

pub fn routes() -> Routes {
    Routes::new()
        .get("/settings/deliveries", Access::ADMIN, list)
        .get("/settings/deliveries/{id}", Access::ADMIN, show)
        .get("/settings/deliveries/{id}/body", Access::ADMIN, download)
        .post("/settings/deliveries/{id}/replay", Access::ADMIN, replay)
}

const PAGE: i64 = 50;
/// How much of a body the page itself shows, in bytes.
const SHOWN: usize = 20_000;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    kind: String,
    source: String,
    status: String,
    cursor: String,
}

#[derive(Template)]
#[template(path = "inbox/list.html")]
struct ListPage {
    shell: Shell,
    query: ListQuery,
    /// Each status with how many there are.
    counts: Vec<(Status, i64)>,
    rows: Vec<Head>,
    older: Option<String>,
}

impl ListPage {
    const KINDS: [Kind; 5] = Kind::ALL;

    fn is_narrowed(&self) -> bool {
        !(self.query.kind.is_empty() && self.query.source.is_empty() && self.query.status.is_empty())
    }
}

async fn list(cx: Cx, Query(query): Query<ListQuery>) -> Result<Response> {
    let before = Cursor::from_param(Some(&query.cursor))?.map(|c| (Timestamp::from_micros(c.sort), c.id));
    let filter = Filter {
        kind: Kind::parse(&query.kind),
        source: query.source.trim().to_owned(),
        status: Status::parse(&query.status),
        before,
    };
    let db = &cx.state.db;
    let mut rows = store::list(db, &filter, PAGE + 1).await?;
    let has_more = rows.len() > usize::try_from(PAGE).unwrap_or_default();
    rows.truncate(usize::try_from(PAGE).unwrap_or_default());
    let older = rows.last().filter(|_| has_more).map(|last| {
        let cursor = Cursor { sort: last.received_at.as_micros(), id: last.id }.encode();
        let pairs = [("kind", &query.kind), ("source", &query.source), ("status", &query.status), ("cursor", &cursor)];
        let given = pairs.into_iter().filter(|(_, v)| !v.is_empty());
        format!(
            "/settings/deliveries?{}",
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish()
        )
    });
    let all = store::counts(db).await?;
    let counts = Status::ALL.into_iter().map(|s| (s, all.get(s.as_str()).copied().unwrap_or(0))).collect();
    render(&ListPage { shell: cx.shell("Deliveries").live(&["inbox"]), query, counts, rows, older })
}

#[derive(Template)]
#[template(path = "inbox/show.html")]
struct ShowPage {
    shell: Shell,
    head: Head,
    headers: Vec<(String, String)>,
    text: String,
    /// The page shows only the beginning.
    is_cut: bool,
    /// The end was never kept.
    is_truncated: bool,
}

async fn show(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let db = &cx.state.db;
    let head = store::head_of(db, id).await?.ok_or_else(|| Error::not_found("That delivery"))?;
    let (body, is_truncated) = store::raw_body(db, id).await?.unwrap_or_default();
    let headers: std::collections::BTreeMap<String, String> = serde_json::from_str(&head.headers)?;
    let (text, is_cut) = body::pretty(&body, SHOWN);
    let shell = cx.shell(format!("Delivery {id}"));
    render(&ShowPage { shell, head, headers: headers.into_iter().collect(), text, is_cut, is_truncated })
}

/// The body as it was received, as a file: never shown by a browser as what it claims to be.
async fn download(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let (body, _) = store::raw_body(&cx.state.db, id).await?.ok_or_else(|| Error::not_found("That delivery"))?;
    let name = format!("attachment; filename=\"delivery-{id}.txt\"");
    Ok(([(CONTENT_TYPE, "application/octet-stream".to_owned()), (CONTENT_DISPOSITION, name)], body).into_response())
}

async fn replay(cx: Cx, Extension(inbox): Extension<Inbox>, Path(id): Path<i64>) -> Result<Response> {
    let page = format!("/settings/deliveries/{id}");
    let tx = cx.state.db.begin().await?;
    audit::record(&tx, cx.now(), cx.actor()?, "delivery.replay", ("delivery", &id.to_string()), &serde_json::json!({}))
        .await?;
    tx.commit().await?;
    let said = match inbox.replay(id).await {
        Ok(()) => "Replayed: the delivery is processed.".to_owned(),
        Err(error @ (Error::NotFound(_) | Error::Unavailable(_))) => return Err(error),
        Err(error) => format!("Replayed, and refused again: {}", error.public_message()),
    };
    Ok(redirect_with_flash(&page, &said))
}
