//! The log: every delivery with each attempt and its answer.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde::Deserialize;

use super::super::model::channel::Channel;
use super::super::model::{Event, EventKind};
use super::super::service::deliveries as service;
use super::super::store;
use super::super::store::log::{Attempt, Delivery, Filter};
use crate::error::Result;
use crate::web::{Access, Cursor, Cx, Routes, Shell, redirect_with_flash, render};

const LOG: &str = "/settings/notifications/log";
const PAGE: i64 = 50;

pub(super) fn routes() -> Routes {
    Routes::new().get(LOG, Access::ADMIN, list).get("/settings/notifications/log/{id}", Access::ADMIN, show).post(
        "/settings/notifications/log/{id}/retry",
        Access::ADMIN,
        retry,
    )
}

/// The states of a delivery.
pub(in crate::notifications) const STATUSES: [&str; 4] = ["waiting", "sent", "failed", "dropped"];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    channel: String,
    status: String,
    event: String,
    subject: String,
    cursor: String,
}

impl ListQuery {
    fn filter(&self) -> Result<Filter> {
        Ok(Filter {
            channel: self.channel.parse().ok(),
            status: self.status.clone(),
            kind: self.event.clone(),
            subject: self.subject.trim().to_uppercase(),
            before: Cursor::from_param(Some(&self.cursor))?.map(|c| c.id),
        })
    }
}

#[derive(Template)]
#[template(path = "notifications/log.html")]
struct ListPage {
    shell: Shell,
    query: ListQuery,
    channels: Vec<Channel>,
    rows: Vec<Delivery>,
    total: i64,
    older: Option<String>,
}

impl ListPage {
    const STATUSES: [&'static str; 4] = STATUSES;

    fn events(&self) -> &'static [EventKind] {
        EventKind::ALL
    }

    fn is_channel(&self, id: &i64) -> bool {
        self.query.channel.parse() == Ok(*id)
    }

    fn is_narrowed(&self) -> bool {
        let q = &self.query;
        [&q.channel, &q.status, &q.event, &q.subject].iter().any(|t| !t.is_empty())
    }

    /// The same list with another status.
    fn tab(&self, status: &str) -> String {
        url(&ListQuery { status: status.to_owned(), cursor: String::new(), ..self.query.clone() })
    }
}

fn url(query: &ListQuery) -> String {
    let pairs = [
        ("channel", &query.channel),
        ("status", &query.status),
        ("event", &query.event),
        ("subject", &query.subject),
        ("cursor", &query.cursor),
    ];
    let given = pairs.into_iter().filter(|(_, v)| !v.is_empty());
    format!("{LOG}?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish())
}

async fn list(cx: Cx, Query(query): Query<ListQuery>) -> Result<Response> {
    let db = &cx.state.db;
    let filter = query.filter()?;
    let mut rows = service::list(db, &filter, PAGE + 1).await?;
    let size = usize::try_from(PAGE).unwrap_or_default();
    let has_more = rows.len() > size;
    rows.truncate(size);
    let older = rows.last().filter(|_| has_more).map(|last| {
        let cursor = Cursor { sort: last.created_at.as_micros(), id: last.id }.encode();
        url(&ListQuery { cursor, ..query.clone() })
    });
    render(&ListPage {
        shell: cx.shell("Delivery log").live(&["notifications"]),
        channels: store::channels::all(db).await?,
        total: service::count(db, &filter).await?,
        query,
        rows,
        older,
    })
}

#[derive(Template)]
#[template(path = "notifications/delivery.html")]
struct ShowPage {
    shell: Shell,
    delivery: Delivery,
    event: Option<Event>,
    attempts: Vec<Attempt>,
}

async fn show(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let db = &cx.state.db;
    let delivery = service::get(db, id).await?;
    render(&ShowPage {
        shell: cx.shell(format!("Delivery {id}")).live(&["notifications"]),
        // One that a newer version wrote is shown without its text.
        event: serde_json::from_str(&delivery.event).ok(),
        attempts: service::attempts(db, id).await?,
        delivery,
    })
}

async fn retry(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    service::retry(&tx, id, cx.actor()?, cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&format!("{LOG}/{id}"), "It is tried again now."))
}
