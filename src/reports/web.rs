//! The pages: `/reports` and the incidents behind each of its numbers. All filters are in the URL.

use askama::Template;
use axum::extract::Query;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::export;
use super::filters::{Filters, viewer, zone};
use super::json::VISIBILITY;
use super::model::compare::{Verdict, compare};
use super::model::compute::{Record, Report};
use super::model::measures::{Definition, Measure};
use super::model::scope::{GroupBy, Scope, ScopeQuery};
use super::model::stats::METHOD;
use super::service::{self, Attention, Material};
use super::view::{self, LeftOut, Row, Section, duration};
use crate::charts::Scene;
use crate::error::{Error, Result};
use crate::web::{Access, Cx, Routes, Shell, render, render_with_status};

/// Rows of one page of the drill-down.
const PAGE: usize = 100;

pub fn routes() -> Routes {
    Routes::new()
        .get("/reports", Access::VIEWER, show)
        .get("/reports/export.csv", Access::VIEWER, export_groups)
        .get("/reports/incidents", Access::VIEWER, list)
        .get("/reports/incidents.csv", Access::VIEWER, export_incidents)
}

/// The query of every report page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReportQuery {
    #[serde(flatten)]
    pub scope: ScopeQuery,
    pub measure: String,
    /// The group whose incidents are listed.
    pub key: String,
    pub page: String,
}

/// One of the four numbers on top, with its change against the period before.
struct Card {
    definition: Definition,
    row: Row,
    place: usize,
    change: String,
    change_class: &'static str,
}

impl Card {
    fn cell(&self) -> Option<&view::Cell> {
        self.row.cells.get(self.place)
    }
}

#[derive(Template)]
#[template(path = "reports/show.html")]
struct ShowPage {
    shell: Shell,
    filters: Filters,
    /// None when the filters cannot be used.
    body: Option<Body>,
    definitions: Vec<Definition>,
    method: &'static str,
    visibility: &'static str,
}

/// The numbers of a page.
struct Body {
    words: String,
    n: usize,
    cards: Vec<Card>,
    sections: Vec<Section>,
    strip: Option<Scene>,
    strip_left_out: usize,
    counts: Option<Scene>,
    left_out: Vec<LeftOut>,
    query: String,
    attention: Attention,
}

async fn show(cx: Cx, Query(query): Query<ReportQuery>) -> Result<Response> {
    let filters = Filters::of(&cx, "/reports", &query).await?;
    let mut page = ShowPage {
        shell: cx.shell("Reports"),
        filters,
        body: None,
        definitions: Measure::MAIN.into_iter().map(Measure::definition).collect(),
        method: METHOD,
        visibility: VISIBILITY,
    };
    match Scope::parse(&query.scope, cx.now(), zone(&cx).await?) {
        Err(Error::Invalid(errors)) => {
            page.filters.errors.0.extend(errors.0);
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => Err(error),
        Ok(scope) => {
            // One load covers the period and the one before it.
            let wide = scope.between(scope.before().from, scope.to);
            let material = service::load(&cx.state.db, &wide, viewer(cx.actor()?)).await?;
            let all_slices = query.scope.group_by.trim().is_empty();
            let attention = service::attention(&cx.state.db, &scope, viewer(cx.actor()?), cx.now()).await?;
            page.body = Some(Body::of(&material, &scope, page.filters.measure, all_slices, attention));
            let status = if page.filters.errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            render_with_status(status, &page)
        }
    }
}

impl Body {
    fn of(material: &Material, scope: &Scope, measure: Measure, all_slices: bool, attention: Attention) -> Self {
        let slices =
            if all_slices { vec![GroupBy::Week, GroupBy::Severity, GroupBy::Service] } else { vec![scope.group_by] };
        let report = material.report(scope, &Measure::MAIN);
        let earlier = material.report(&scope.before(), &Measure::MAIN);
        let sections = slices
            .into_iter()
            .map(|slice| view::section(&material.report(&scope.grouped(slice), &Measure::MAIN), measure))
            .collect();
        let (strip, strip_left_out) = view::strip(&report, &material.records, measure)
            .map_or((None, 0), |(scene, left_out)| (Some(scene), left_out));
        let period = if scope.to - scope.from > chrono::TimeDelta::days(120) { GroupBy::Month } else { GroupBy::Week };
        Self {
            words: scope.in_words(),
            n: report.total.n(),
            cards: cards(&report, &earlier),
            sections,
            strip,
            strip_left_out,
            counts: view::counts(&report, &material.records, period),
            left_out: view::left_out(&report.excluded),
            query: scope.to_query(),
            attention,
        }
    }
}

fn cards(report: &Report, earlier: &Report) -> Vec<Card> {
    Measure::MAIN
        .into_iter()
        .enumerate()
        .map(|(place, measure)| {
            let comparison = compare(measure, &earlier.total, &report.total);
            let before =
                comparison.earlier.map_or_else(String::new, |s| format!(" (mean {} before)", duration(s.mean)));
            let (change, change_class) = match comparison.verdict {
                Verdict::TooFew => ("too few values to compare with the period before".to_owned(), "report-even"),
                Verdict::NoDetectableChange => (format!("no detectable change{before}"), "report-even"),
                Verdict::Shorter(low, high) => {
                    (format!("▼ shorter by {} to {}{before}", duration(-high), duration(-low)), "report-better")
                }
                Verdict::Longer(low, high) => {
                    (format!("▲ longer by {} to {}{before}", duration(low), duration(high)), "report-worse")
                }
            };
            let row = view::row(&report.scope, &report.total, None);
            Card { definition: measure.definition(), row, place, change, change_class }
        })
        .collect()
}

/// One incident behind a number.
struct Line {
    number: i64,
    title: String,
    severity: u8,
    services: String,
    began: crate::clock::Timestamp,
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
    lines: Vec<Line>,
    total: usize,
    back: String,
    csv: String,
    older: Option<String>,
}

/// The records behind one group, the longest of the measure first, with their durations.
struct Behind<'a> {
    records: Vec<(&'a Record, Vec<Option<i64>>)>,
}

impl<'a> Behind<'a> {
    fn of(material: &'a Material, scope: &Scope, key: &str, measure: Option<Measure>) -> Self {
        let report = material.report(scope, &Measure::MAIN);
        let group = if key.is_empty() { Some(&report.total) } else { report.groups.iter().find(|g| g.key == key) };
        let Some(group) = group else { return Self { records: Vec::new() } };
        let mut values: std::collections::HashMap<i64, Vec<Option<i64>>> =
            group.numbers.iter().map(|n| (*n, vec![None; Measure::MAIN.len()])).collect();
        for (place, measure) in Measure::MAIN.into_iter().enumerate() {
            for sample in group.samples(measure) {
                if let Some(slot) = values.get_mut(&sample.number).and_then(|v| v.get_mut(place)) {
                    *slot = Some(sample.micros);
                }
            }
        }
        let place = measure.and_then(|m| Measure::MAIN.iter().position(|main| *main == m));
        let mut records: Vec<_> =
            material.records.iter().filter_map(|r| values.remove(&r.number).map(|v| (r, v))).collect();
        match place {
            Some(place) => {
                records.retain(|(_, v)| v.get(place).copied().flatten().is_some());
                records.sort_by_key(|(r, v)| (std::cmp::Reverse(v.get(place).copied().flatten()), r.number));
            }
            None => records.sort_by_key(|(r, _)| (std::cmp::Reverse(r.times(scope.raw).start()), r.number)),
        }
        Self { records }
    }
}

async fn list(cx: Cx, Query(query): Query<ReportQuery>) -> Result<Response> {
    let scope = Scope::parse(&query.scope, cx.now(), zone(&cx).await?)?;
    let measure = Measure::parse(&query.measure);
    let material = service::load(&cx.state.db, &scope, viewer(cx.actor()?)).await?;
    let behind = Behind::of(&material, &scope, &query.key, measure);
    let page: usize = query.page.parse().unwrap_or(1).max(1);
    let total = behind.records.len();
    let lines = behind.records.iter().skip((page - 1).saturating_mul(PAGE)).take(PAGE).map(|(r, v)| line(r, v, &scope));
    let here = view::behind(&scope, Some(&query.key), measure);
    let what = if query.key.is_empty() { "all groups".to_owned() } else { query.key.clone() };
    let page = ListPage {
        shell: cx.shell("Incidents behind a number"),
        words: scope.in_words(),
        heading: measure.map_or_else(|| what.clone(), |m| format!("{} of {what}", m.definition().short)),
        definition: measure.map_or_else(String::new, |m| m.definition().printed()),
        lines: lines.collect(),
        total,
        back: format!("/reports?{}&measure={}", scope.to_query(), measure.unwrap_or(Measure::Mttr).key()),
        csv: here.replacen("/reports/incidents?", "/reports/incidents.csv?", 1),
        older: (page.saturating_mul(PAGE) < total).then(|| format!("{here}&page={}", page + 1)),
        filters: Filters::of(&cx, "/reports/incidents", &query).await?,
    };
    render(&page)
}

fn line(record: &Record, values: &[Option<i64>], scope: &Scope) -> Line {
    Line {
        number: record.number,
        title: record.title.clone(),
        severity: record.severity,
        services: record.services.join(", "),
        began: record.times(scope.raw).start().unwrap_or_default(),
        durations: values
            .iter()
            .map(|v| v.map_or_else(String::new, |m| crate::clock::human_duration(chrono::TimeDelta::microseconds(m))))
            .collect(),
    }
}

async fn export_groups(cx: Cx, Query(query): Query<ReportQuery>) -> Result<Response> {
    let scope = Scope::parse(&query.scope, cx.now(), zone(&cx).await?)?;
    let report = service::load(&cx.state.db, &scope, viewer(cx.actor()?)).await?.report(&scope, &Measure::SHARED);
    Ok(csv("faultline-report.csv", export::groups_csv(&report, &Measure::SHARED)))
}

async fn export_incidents(cx: Cx, Query(query): Query<ReportQuery>) -> Result<Response> {
    let scope = Scope::parse(&query.scope, cx.now(), zone(&cx).await?)?;
    let material = service::load(&cx.state.db, &scope, viewer(cx.actor()?)).await?;
    let behind = Behind::of(&material, &scope, &query.key, Measure::parse(&query.measure));
    #[expect(clippy::cast_precision_loss, reason = "durations are far below 2⁵³ µs")]
    let seconds = |v: &Option<i64>| v.map(|m| m as f64 / 1e6);
    let lines: Vec<export::IncidentLine<'_>> = behind
        .records
        .iter()
        .map(|(record, values)| export::IncidentLine {
            number: record.number,
            title: &record.title,
            severity: record.severity,
            services: &record.services,
            began: record.times(scope.raw).start().unwrap_or_default().to_rfc3339(),
            seconds: values.iter().map(seconds).collect(),
        })
        .collect();
    Ok(csv("faultline-incidents.csv", export::incidents_csv(&Measure::MAIN, &lines)))
}

fn csv(name: &str, text: String) -> Response {
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""))
        .unwrap_or(HeaderValue::from_static("attachment"));
    let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
    ([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, disposition)], text).into_response()
}
