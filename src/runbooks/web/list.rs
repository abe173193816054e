//! The library, and the files that need mending.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;

use super::super::model::record::{FileProblems, Runbook};
use super::super::store::{problems as problem_store, runbooks as store};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::web::{Cursor, Cx, Shell, render};

/// Rows of one page.
const PAGE: i64 = 50;
/// Beyond this the number is not counted out.
const MAX_COUNT: i64 = 10_000;
/// Unused for longer than this counts as never used of late.
const UNUSED_DAYS: i64 = 180;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    q: String,
    service: String,
    tag: String,
    owner: String,
    /// `overdue`, `unused` or `archived`.
    show: String,
    after: String,
}

impl ListQuery {
    fn filter(&self, now: Timestamp) -> store::Filter {
        store::Filter {
            text: self.q.clone(),
            service: self.service.trim().to_owned(),
            tag: self.tag.trim().to_lowercase(),
            owner: self.owner.trim().to_owned(),
            review_before: (self.show == "overdue").then_some(now - chrono::TimeDelta::days(1)),
            unused_since: (self.show == "unused").then_some(now - chrono::TimeDelta::days(UNUSED_DAYS)),
            archived: self.show == "archived",
            after: None,
        }
    }

    fn is_filtered(&self) -> bool {
        [&self.q, &self.service, &self.tag, &self.owner, &self.show].iter().any(|v| !v.trim().is_empty())
    }

    /// The address of the page that begins after a row.
    fn next(&self, after: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let pairs = [
            ("q", &self.q),
            ("service", &self.service),
            ("tag", &self.tag),
            ("owner", &self.owner),
            ("show", &self.show),
        ];
        query.extend_pairs(pairs.iter().filter(|(_, v)| !v.is_empty()));
        query.append_pair("after", after);
        format!("/runbooks?{}", query.finish())
    }
}

/// A row as the list shows it.
pub(super) struct Row {
    pub runbook: Runbook,
    pub expected: String,
    pub overdue: bool,
}

#[derive(Template)]
#[template(path = "runbooks/list.html")]
struct ListPage {
    shell: Shell,
    query: ListQuery,
    rows: Vec<Row>,
    total: i64,
    owners: Vec<String>,
    tags: Vec<String>,
    next: Option<String>,
    /// Files with errors, for administrators.
    broken_files: usize,
}

pub(super) async fn show(cx: Cx, Query(query): Query<ListQuery>) -> Result<Response> {
    let db = &cx.state.db;
    let now = cx.now();
    let mut filter = query.filter(now);
    let total = store::count(db, &filter, MAX_COUNT).await?;
    if let Some(cursor) = Cursor::from_param(Some(&query.after))? {
        filter.after = store::title_of(db, cursor.id).await?.map(|title| (title, cursor.id));
    }
    let mut runbooks = store::page(db, &filter, PAGE + 1).await?;
    let more = runbooks.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    runbooks.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
    let next = runbooks.last().filter(|_| more).map(|r| query.next(&Cursor { sort: 0, id: r.id }.encode()));
    let broken_files = if cx.actor()?.can(crate::accounts::Role::Admin) {
        problem_store::list(db, 200).await?.iter().filter(|f| f.has_errors).count()
    } else {
        0
    };
    let rows = runbooks
        .into_iter()
        .map(|runbook| Row { expected: super::minutes(runbook.expected_s), overdue: runbook.is_overdue(now), runbook })
        .collect();
    render(&ListPage {
        shell: cx.shell("Runbooks").live(&["runbooks"]),
        rows,
        total,
        owners: store::owners(db).await?,
        tags: store::tags(db).await?,
        next,
        query,
        broken_files,
    })
}

#[derive(Template)]
#[template(path = "runbooks/problems.html")]
struct ProblemsPage {
    shell: Shell,
    folder: String,
    files: Vec<FileProblems>,
}

/// Files of the folder with problems, by file, field and line.
pub(super) async fn problems(cx: Cx) -> Result<Response> {
    let files = problem_store::list(&cx.state.db, 200).await?;
    let folder = cx.state.config.runbooks.display().to_string();
    render(&ProblemsPage { shell: cx.shell("Runbook files"), folder, files })
}
