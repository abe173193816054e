//! The incidents behind a number, and the CSV of groups.

use askama::Template;
use axum::Extension;
use axum::extract::Query;
use axum::response::Response;

use super::{ReportQuery, csv};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::reports::export;
use crate::reports::filters::{Filters, scope_of, viewer};
use crate::reports::ledger::Ledger;
use crate::reports::model::measures::Measure;
use crate::reports::model::select::Question;
use crate::reports::service::{Behind, Counted, Desk, MAIN};
use crate::reports::view;
use crate::web::{Access, Cx, Routes, Shell, render};

/// Rows of one page.
const PAGE: usize = 100;
/// Rows of one file; whoever needs more narrows the filters.
const MOST_IN_FILE: usize = 100_000;

pub fn routes() -> Routes {
    Routes::new()
        .get("/reports/export.csv", Access::VIEWER, export_groups)
        .get("/reports/incidents", Access::VIEWER, list)
        .get("/reports/incidents.csv", Access::VIEWER, export_incidents)
}

/// One incident.
struct Line {
    number: i64,
    title: String,
    severity: u8,
    services: String,
    began: Timestamp,
    durations: Vec<String>,
}

#[derive(Template)]
#[template(path = "reports/incidents.html")]
struct ListPage {
    shell: Shell,
    filters: Filters,
    words: String,
    heading: String,
    definition: String,
    columns: Vec<String>,
    lines: Vec<Line>,
    total: usize,
    back: String,
    csv: String,
    older: Option<String>,
}

/// The places of the shown measures: the main ones and the one that was asked for.
fn shown(place: Option<usize>) -> Vec<usize> {
    let mut places = MAIN.to_vec();
    places.extend(place.filter(|p| !MAIN.contains(p)));
    places
}

fn place_of(question: &Question, measure: &str) -> Option<usize> {
    question.definitions.iter().position(|d| d.key == measure)
}

fn is_over(query: &ReportQuery) -> bool {
    query.over == "target"
}

fn heading(measure: Option<&str>, what: &str, over: bool) -> String {
    match measure {
        Some(measure) if over => format!("{measure} of {what}, over its target"),
        Some(measure) => format!("{measure} of {what}"),
        None => what.to_owned(),
    }
}

async fn list(cx: Cx, Extension(ledger): Extension<Ledger>, Query(query): Query<ReportQuery>) -> Result<Response> {
    let scope = scope_of(&cx, &query.scope).await?;
    let desk = Desk::open(&ledger, &cx.state.db, viewer(cx.actor()?), cx.now()).await?;
    let question = desk.question(&scope);
    let place = place_of(&question, &query.measure);
    let page: usize = query.page.parse().unwrap_or(1).max(1);
    let over = is_over(&query);
    let of = Behind { key: query.key.clone(), place, over, skip: (page - 1).saturating_mul(PAGE), take: PAGE };
    let behind = desk.behind(&question, of).await?;
    let (counted, total) = (&behind.0, behind.1);
    let titles = desk.titles(counted.iter().map(|c| c.number)).await?;
    let definition = place.and_then(|p| question.definitions.get(p));
    let mut here = view::behind(&scope, Some(&query.key), definition.map(|d| &*d.key));
    if over {
        here.push_str("&over=target");
    }
    let what = if query.key.is_empty() { "all groups".to_owned() } else { view::label(scope.group_by, &query.key) };
    let places = shown(place);
    let line = |c: &Counted| Line {
        number: c.number,
        title: titles.get(&c.number).cloned().unwrap_or_default(),
        severity: c.severity,
        services: c.services.join(", "),
        began: c.began,
        durations: places
            .iter()
            .map(|p| c.values.get(*p).copied().flatten().map_or_else(String::new, view::micros))
            .collect(),
    };
    render(&ListPage {
        shell: cx.shell("Incidents behind a number"),
        words: scope.in_words(),
        heading: heading(definition.map(|d| &*d.short), &what, over),
        definition: definition.map(|d| d.printed()).unwrap_or_default(),
        columns: places.iter().filter_map(|p| question.definitions.get(*p)).map(|d| d.short.to_string()).collect(),
        lines: counted.iter().map(line).collect(),
        total,
        back: format!("/reports?{}&measure={}", scope.to_query(), definition.map_or("mttr", |d| &*d.key)),
        csv: here.replacen("/reports/incidents?", "/reports/incidents.csv?", 1),
        older: (page.saturating_mul(PAGE) < total).then(|| format!("{here}&page={}", page + 1)),
        filters: Filters::of(&cx, "/reports/incidents", &query, &desk).await?,
    })
}

async fn export_groups(
    cx: Cx,
    Extension(ledger): Extension<Ledger>,
    Query(query): Query<ReportQuery>,
) -> Result<Response> {
    let scope = scope_of(&cx, &query.scope).await?;
    let desk = Desk::open(&ledger, &cx.state.db, viewer(cx.actor()?), cx.now()).await?;
    let mut definitions = Measure::definitions(&Measure::SHARED);
    definitions.extend(desk.custom.iter().cloned());
    let question = Question::new(scope, definitions).with_targets(desk.targets.clone());
    let report = desk.report(&question).await?;
    Ok(csv("faultline-report.csv", export::groups_csv(&report)))
}

async fn export_incidents(
    cx: Cx,
    Extension(ledger): Extension<Ledger>,
    Query(query): Query<ReportQuery>,
) -> Result<Response> {
    let scope = scope_of(&cx, &query.scope).await?;
    let desk = Desk::open(&ledger, &cx.state.db, viewer(cx.actor()?), cx.now()).await?;
    let question = desk.question(&scope);
    let place = place_of(&question, &query.measure);
    let of = Behind { key: query.key.clone(), place, over: is_over(&query), skip: 0, take: MOST_IN_FILE };
    let behind = desk.behind(&question, of).await?;
    let behind = &behind.0;
    let titles = desk.titles(behind.iter().map(|c| c.number)).await?;
    let places = shown(place);
    let definitions: Vec<_> = places.iter().filter_map(|p| question.definitions.get(*p)).cloned().collect();
    let seconds = |c: &Counted, p: &usize| c.values.get(*p).copied().flatten().map(|m| m as f64 / 1e6);
    let lines: Vec<export::IncidentLine<'_>> = behind
        .iter()
        .map(|c| export::IncidentLine {
            number: c.number,
            title: titles.get(&c.number).map_or("", String::as_str),
            severity: c.severity,
            services: &c.services,
            began: c.began.to_rfc3339(),
            seconds: places.iter().map(|p| seconds(c, p)).collect(),
        })
        .collect();
    Ok(csv("faultline-incidents.csv", export::incidents_csv(&definitions, &lines)))
}
