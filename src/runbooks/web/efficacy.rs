//! How well a runbook works.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use chrono::TimeDelta;

use super::super::model::record::Runbook;
use super::super::service;
use super::super::service::measure::{Measure, measure};
use crate::clock::human_duration;
use crate::error::Result;
use crate::web::{Cx, Shell, render};

#[derive(Template)]
#[template(path = "runbooks/efficacy.html")]
struct EfficacyPage {
    shell: Shell,
    runbook: Runbook,
    measure: Measure,
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
    render(&EfficacyPage { shell: cx.shell(format!("How well {} works", runbook.title)), runbook, measure })
}
