//! How well a runbook works.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use chrono::TimeDelta;

use super::super::model::record::Runbook;
use super::super::service;
use super::super::service::measure::{Measure, measure};
use super::super::service::overview::{self, Overview};
use crate::clock::human_duration;
use crate::difference::{self, Line};
use crate::error::Result;
use crate::web::{Cx, Shell, render};

#[derive(Template)]
#[template(path = "runbooks/efficacy.html")]
struct EfficacyPage {
    shell: Shell,
    runbook: Runbook,
    measure: Measure,
    /// What the proposal would change.
    lines: Vec<Line>,
}

impl EfficacyPage {
    fn duration(&self, value: &Option<TimeDelta>) -> String {
        value.map_or_else(|| "–".to_owned(), human_duration)
    }

    fn range(&self, value: &Option<(TimeDelta, TimeDelta)>) -> String {
        value.map_or_else(
            || "–".to_owned(),
            |(low, high)| format!("{} to {}", human_duration(low), human_duration(high)),
        )
    }

    fn is_small(&self) -> bool {
        self.measure.with.is_small() || self.measure.without.is_small()
    }
}

pub(super) async fn show(cx: Cx, Path(slug): Path<String>) -> Result<Response> {
    let runbook = service::get(&cx.state.db, &slug).await?;
    let measure = measure(&cx.state.db, &runbook, cx.now()).await?;
    let lines = measure.proposal.as_ref().map(|p| difference::lines(&measure.source, p)).unwrap_or_default();
    let shell = cx.shell(format!("How well {} works", runbook.title));
    render(&EfficacyPage { shell, runbook, measure, lines })
}

#[derive(Template)]
#[template(path = "runbooks/overview.html")]
struct OverviewPage {
    shell: Shell,
    overview: Overview,
}

impl OverviewPage {
    fn duration(&self, value: &Option<TimeDelta>) -> String {
        value.map_or_else(|| "–".to_owned(), human_duration)
    }

    fn range(&self, value: &Option<(TimeDelta, TimeDelta)>) -> String {
        value.map_or_else(
            || "–".to_owned(),
            |(low, high)| format!("{} to {}", human_duration(low), human_duration(high)),
        )
    }

    fn is_stale(&self, line: &overview::Line) -> bool {
        line.used.review_by.is_some_and(|day| self.shell.now >= day + TimeDelta::days(1))
    }
}

/// All of them side by side.
pub(super) async fn all(cx: Cx) -> Result<Response> {
    let overview = overview::overview(&cx.state.db, cx.now()).await?;
    render(&OverviewPage { shell: cx.shell("How well the runbooks work"), overview })
}
