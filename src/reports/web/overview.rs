//! `/reports`: what a director reads in a minute, and the detail below it.

use askama::Template;
use axum::Extension;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;

use super::ReportQuery;
use crate::charts::Scene;
use crate::error::{Error, Result};
use crate::reports::filters::{Filters, scope_of, viewer};
use crate::reports::json::VISIBILITY;
use crate::reports::ledger::Ledger;
use crate::reports::model::compute::Group;
use crate::reports::model::facts::Detection;
use crate::reports::model::measures::Definition;
use crate::reports::model::scope::{GroupBy, Scope, ScopeQuery};
use crate::reports::model::select::Question;
use crate::reports::model::stats::METHOD;
use crate::reports::service::{Attention, Desk, MAIN, Overview, attention};
use crate::reports::view::changes::{self, Change};
use crate::reports::view::charts::{self, Bar};
use crate::reports::view::left_out::{self, LeftOut};
use crate::reports::view::{self, Cell, Section, duration, share};
use crate::web::{Access, Cx, Routes, Shell, render_with_status};

pub fn routes() -> Routes {
    Routes::new().get("/reports", Access::VIEWER, show)
}

/// One of the numbers on top, with its change against the period before.
struct Card {
    short: String,
    name: String,
    cell: Cell,
    change: Change,
    /// `43m as first recorded`; empty when no time was corrected.
    other: String,
}

/// A measure besides the main ones.
struct More {
    short: String,
    text: String,
    cell: Cell,
    change: Change,
}

/// Something counted: what, how many of how many, and what that means.
struct Counted {
    what: &'static str,
    share: String,
    text: &'static str,
}

/// Outliers of one measure.
struct Far {
    short: String,
    /// Number, title, duration.
    incidents: Vec<(i64, String, String)>,
    more: usize,
    fence: String,
    mean: String,
    without: String,
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
    count: Change,
    severities: Vec<(String, usize)>,
    cards: Vec<Card>,
    changes: Vec<Change>,
    worst: Vec<(String, String, usize)>,
    drawn: String,
    drawn_key: String,
    period: &'static str,
    sections: Vec<Section>,
    histogram: Vec<Bar>,
    strip: Option<Scene>,
    strip_left_out: usize,
    counts: Option<Scene>,
    more: Vec<More>,
    counted: Vec<Counted>,
    detections: Vec<(String, String)>,
    far: Vec<Far>,
    left_out: Vec<LeftOut>,
    query: String,
    attention: Attention,
}

/// Sliced by what was asked for, else by time, severity and service; the time stands first either way.
pub(in crate::reports) fn slices(scope: &Scope, query: &ScopeQuery) -> Vec<GroupBy> {
    let period = GroupBy::readable((scope.to - scope.from).num_days());
    match query.group_by.trim() {
        "" => vec![period, GroupBy::Severity, GroupBy::Service],
        _ if scope.group_by.is_period() => vec![scope.group_by],
        _ => vec![period, scope.group_by],
    }
}

async fn show(cx: Cx, Extension(ledger): Extension<Ledger>, Query(query): Query<ReportQuery>) -> Result<Response> {
    let desk = Desk::open(&ledger, &cx.state.db, viewer(cx.actor()?), cx.now()).await?;
    let mut filters = Filters::of(&cx, "/reports", &query, &desk).await?;
    let scope = match scope_of(&cx, &query.scope).await {
        Err(Error::Invalid(errors)) => {
            filters.errors.0.extend(errors.0);
            None
        }
        other => Some(other?),
    };
    let status = if filters.errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let mut definitions = Vec::new();
    let body = match scope {
        None => None,
        Some(scope) => {
            let question = desk.question(&scope);
            let found = desk.overview(&question, &slices(&scope, &query.scope), filters.drawn).await?;
            let attention = attention(&desk, &scope, cx.now()).await?;
            definitions.clone_from(&question.definitions);
            Some(Body::of(&found, &desk, filters.drawn, attention).await?)
        }
    };
    let page =
        ShowPage { shell: cx.shell("Reports"), filters, body, definitions, method: METHOD, visibility: VISIBILITY };
    render_with_status(status, &page)
}

impl Body {
    async fn of(found: &Overview, desk: &Desk, drawn: usize, attention: Attention) -> Result<Self> {
        let question = &found.question;
        let scope = &question.scope;
        let mut left_out = found.left_out.clone();
        let listed = left_out.iter().flat_map(|l| &l.incidents).map(|i| i.0);
        let outlying = found.outliers.iter().flatten().flat_map(|o| &o.named).map(|o| o.0);
        let titles = desk.titles(listed.chain(outlying).chain(found.dots.iter().map(|d| d.0))).await?;
        left_out::name(&mut left_out, &titles);
        let title = |number: &i64| titles.get(number).cloned().unwrap_or_default();
        let far = question.definitions.iter().zip(&found.outliers).filter_map(|(definition, outliers)| {
            let o = outliers.as_ref()?;
            Some(Far {
                short: definition.short.to_string(),
                incidents: o.named.iter().map(|(n, micros)| (*n, title(n), view::micros(*micros))).collect(),
                more: o.n - o.named.len(),
                fence: duration(o.fence / 1e6),
                mean: duration(o.mean / 1e6),
                without: duration(o.mean_without / 1e6),
            })
        });
        let periods = found.slices.first().filter(|(by, _)| by.is_period());
        Ok(Self {
            words: scope.in_words(),
            n: found.total.n,
            count: changes::of_count(found.earlier.n, found.total.n),
            severities: found
                .total
                .counts
                .severities
                .iter()
                .enumerate()
                .map(|(i, n)| (format!("SEV{}", i + 1), *n))
                .collect(),
            cards: cards(found),
            changes: changes::sentences(found),
            worst: worst(found),
            drawn: question.definitions.get(drawn).map(|d| d.name.to_string()).unwrap_or_default(),
            drawn_key: question.definitions.get(drawn).map(|d| d.key.to_string()).unwrap_or_default(),
            period: periods.map_or("month", |(by, _)| by.key()),
            sections: found.slices.iter().map(|(by, groups)| view::section(question, *by, groups, drawn)).collect(),
            histogram: found.total.summary(drawn).map(charts::histogram).unwrap_or_default(),
            strip: charts::strip(found, drawn, &titles),
            strip_left_out: found.dots_left_out,
            counts: periods.and_then(|(by, groups)| charts::counts(question, *by, groups)),
            more: more(found),
            counted: counted(&found.total, &attention),
            detections: detections(&found.total),
            far: far.collect(),
            left_out,
            query: scope.to_query(),
            attention,
        })
    }
}

/// A cell of the total, with the incidents behind it.
fn total_cell(question: &Question, total: &Group, place: usize) -> Cell {
    let key = question.definitions.get(place).map(|d| &*d.key);
    Cell::of(total.summary(place), total.within.get(place).copied(), view::behind(&question.scope, None, key))
}

fn cards(found: &Overview) -> Vec<Card> {
    let question = &found.question;
    let card = |place: usize| {
        let definition = question.definitions.get(place)?;
        let other = found.other_times.get(place)?.as_ref().filter(|_| found.total.counts.corrected.part > 0);
        let kind = if question.scope.raw { "corrected" } else { "as first recorded" };
        Some(Card {
            short: definition.short.to_string(),
            name: definition.name.to_lowercase(),
            cell: total_cell(question, &found.total, place),
            change: found.comparisons.get(place).map(changes::of_measure).unwrap_or_default(),
            other: other.map_or_else(String::new, |s| format!("{} {kind}, mean {}", duration(s.p50), duration(s.mean))),
        })
    };
    MAIN.into_iter().filter_map(card).collect()
}

fn more(found: &Overview) -> Vec<More> {
    let besides = found.question.definitions.iter().enumerate().skip(MAIN.len());
    besides
        .map(|(place, definition)| More {
            short: definition.short.to_string(),
            text: definition.text.to_string(),
            cell: total_cell(&found.question, &found.total, place),
            change: found.comparisons.get(place).map(changes::of_measure).unwrap_or_default(),
        })
        .collect()
}

fn counted(total: &Group, attention: &Attention) -> Vec<Counted> {
    let counts = &total.counts;
    let counted = |what, part, text| Counted { what, share: share(part), text };
    vec![
        counted("Re-opened", counts.reopened, "resolved or closed, and then taken up again"),
        counted(
            "Recurring",
            counts.recurring,
            "of those with a known cause: a service had the same cause within 30 days before",
        ),
        counted("First suspect right", counts.first_suspect, "of those whose cause was confirmed"),
        counted("With a runbook", counts.with_runbook, "at least one runbook was started"),
        counted("Follow-ups on time", attention.on_time, "of those that fell due in the period"),
        counted("With corrected times", counts.corrected, "some time differs from what was first recorded"),
    ]
}

fn detections(total: &Group) -> Vec<(String, String)> {
    let shares = Detection::ALL.iter().zip(total.counts.detections).filter(|(_, n)| *n > 0);
    let mut shares: Vec<_> = shares.collect();
    shares.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let share = |part| share(crate::reports::model::compute::Share { part, of: total.n });
    shares.into_iter().map(|(detection, n)| (detection.label().to_owned(), share(n))).collect()
}

/// The services with the most incidents: slug, address, count.
fn worst(found: &Overview) -> Vec<(String, String, usize)> {
    let Some((_, groups)) = found.slices.iter().find(|(by, _)| *by == GroupBy::Service) else { return Vec::new() };
    let scope = found.question.scope.grouped(GroupBy::Service);
    let mut groups: Vec<&Group> = groups.iter().filter(|g| g.n > 0).collect();
    groups.sort_by_key(|g| (std::cmp::Reverse(g.n), &g.key));
    groups
        .into_iter()
        .take(5)
        .map(|g| (view::label(GroupBy::Service, &g.key), view::behind(&scope, Some(&g.key), None), g.n))
        .collect()
}
