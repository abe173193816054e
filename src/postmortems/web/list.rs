//! The library of postmortems.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;

use super::super::model::rules::CauseKind;
use super::super::model::{Listed, State};
use super::super::service::duties::{self, Owed};
use super::super::service::library::{self, Theme};
use super::super::service::{self, Filter};
use super::viewer;
use crate::accounts::Role;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::web::{Cursor, Cx, Shell, render};

/// Rows of one page.
const PAGE: i64 = 50;
/// Beyond this the number is not counted out.
const MAX_COUNT: i64 = 10_000;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    q: String,
    state: String,
    service: String,
    cause: String,
    tag: String,
    cursor: String,
}

impl ListQuery {
    fn is_filtered(&self) -> bool {
        [&self.q, &self.state, &self.service, &self.cause, &self.tag].iter().any(|v| !v.trim().is_empty())
    }

    fn next(&self, cursor: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let pairs = [
            ("q", &self.q),
            ("state", &self.state),
            ("service", &self.service),
            ("cause", &self.cause),
            ("tag", &self.tag),
        ];
        query.extend_pairs(pairs.iter().filter(|(_, v)| !v.is_empty()));
        query.append_pair("cursor", cursor);
        format!("/postmortems?{}", query.finish())
    }
}

#[derive(Template)]
#[template(path = "postmortems/list.html")]
struct ListPage {
    shell: Shell,
    query: ListQuery,
    rows: Vec<Listed>,
    total: i64,
    next: Option<String>,
    states: &'static [State],
    causes: &'static [CauseKind],
    tags: Vec<Theme>,
    /// What keeps coming back.
    themes: Vec<Theme>,
    /// Required and not published.
    owed: Vec<Owed>,
}

impl ListPage {
    fn cause_label(&self, word: &str) -> &'static str {
        CauseKind::parse(word).map_or("", CauseKind::label)
    }
}

pub(super) async fn show(cx: Cx, Query(query): Query<ListQuery>) -> Result<Response> {
    let viewer = viewer(cx.actor()?);
    let mut filter = Filter {
        state: State::parse(&query.state),
        service: query.service.trim().to_owned(),
        found: service::found(&cx.state.db, &query.q, viewer, cx.now()).await?,
        text: query.q.clone(),
        cause: query.cause.trim().to_owned(),
        tag: query.tag.trim().to_lowercase(),
        private_too: cx.actor()?.can(Role::Responder),
        beyond: None,
    };
    let total = service::count(&cx.state.db, &filter, viewer, MAX_COUNT).await?;
    filter.beyond = Cursor::from_param(Some(&query.cursor))?.map(|c| (Timestamp::from_micros(c.sort), c.id));
    let mut rows = service::page(&cx.state.db, &filter, viewer, PAGE + 1).await?;
    let more = rows.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    rows.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
    let last = rows.last().filter(|_| more);
    let next = last.map(|r| query.next(&Cursor { sort: r.updated_at.as_micros(), id: r.id }.encode()));
    let (db, since) = (&cx.state.db, cx.now() - chrono::TimeDelta::days(365));
    let first_page = query.cursor.is_empty() && !query.is_filtered();
    render(&ListPage {
        shell: cx.shell("Postmortems"),
        tags: library::tags(db, since, viewer, 40).await?,
        themes: if first_page { library::causes(db, since, viewer, 6).await? } else { Vec::new() },
        owed: if first_page { duties::owed(db, viewer, 10).await? } else { Vec::new() },
        query,
        rows,
        total,
        next,
        states: State::ALL,
        causes: CauseKind::ALL,
    })
}
