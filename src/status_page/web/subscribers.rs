//! Who is subscribed, for administrators: addresses are personal data.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Response;
use serde::Deserialize;

use super::tabs;
use crate::error::Result;
use crate::status_page::service::subscribers as service;
use crate::status_page::store::subscribers::{self as store, Subscriber};
use crate::web::{Cx, Shell, redirect_with_flash, render};

const PAGE: usize = 100;

#[derive(Template)]
#[template(path = "status_page/subscribers.html")]
struct SubscribersPage {
    shell: Shell,
    tabs: Vec<(&'static str, &'static str)>,
    subscribers: Vec<Subscriber>,
    confirmed: i64,
    waiting: i64,
    next: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    before: Option<i64>,
}

pub(super) async fn list(cx: Cx, Query(query): Query<ListQuery>) -> Result<Response> {
    let db = &cx.state.db;
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let mut subscribers = store::page(db, query.before.unwrap_or(i64::MAX), limit).await?;
    let more = subscribers.len() > PAGE;
    subscribers.truncate(PAGE);
    let (confirmed, waiting) = store::counts(db).await?;
    render(&SubscribersPage {
        shell: cx.shell("Subscribers of the status page"),
        tabs: tabs(cx.actor()?),
        next: subscribers.last().filter(|_| more).map(|s| s.id),
        subscribers,
        confirmed,
        waiting,
    })
}

pub(super) async fn remove(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    service::remove(&tx, id, cx.actor()?, cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash("/status-page/subscribers", "Taken off the list."))
}
