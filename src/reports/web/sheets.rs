//! The pages of figures, each also as JSON, CSV and Markdown.

use askama::Template;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;

use super::{ReportQuery, attachment, csv};
use crate::error::{Error, Result};
use crate::reports::filters::{Filters, scope_of, viewer};
use crate::reports::ledger::Ledger;
use crate::reports::model::scope::{Scope, ScopeQuery};
use crate::reports::model::sheet::Sheet;
use crate::reports::service::Desk;
use crate::reports::sheets::{self, Page, compare};
use crate::web::{Access, Cx, Routes, Shell, render_with_status};

macro_rules! pages {
    ($routes:expr, $($page:ident $path:literal $api:literal),+ $(,)?) => {
        $routes$(
            .get($path, Access::VIEWER, |cx: Cx, ledger: Extension<Ledger>, query: Query<SheetQuery>| show(Page::$page, cx, ledger, query))
            .get($api, Access::VIEWER, |cx: Cx, ledger: Extension<Ledger>, query: Query<ScopeQuery>| json(Page::$page, cx, ledger, query))
        )+
    };
}

pub fn routes() -> Routes {
    let routes = pages!(
        Routes::new(),
        Summary "/reports/summary" "/api/v1/reports/summary",
        Services "/reports/services" "/api/v1/reports/services",
        Teams "/reports/teams" "/api/v1/reports/teams",
        Alerts "/reports/alerts" "/api/v1/reports/alerts",
        Changes "/reports/changes" "/api/v1/reports/changes",
        Postmortems "/reports/postmortems" "/api/v1/reports/postmortems",
        Runbooks "/reports/runbooks" "/api/v1/reports/runbooks",
    );
    routes.get("/reports/compare", Access::VIEWER, show_comparison).get(
        "/api/v1/reports/compare",
        Access::VIEWER,
        json_comparison,
    )
}

/// The filters, and `format=csv` or `format=md` for a file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct SheetQuery {
    #[serde(flatten)]
    report: ReportQuery,
    format: String,
}

#[derive(Template)]
#[template(path = "reports/sheet.html")]
struct SheetPage {
    shell: Shell,
    filters: Filters,
    /// None when the filters cannot be used.
    sheet: Option<Sheet>,
    title: &'static str,
    path: &'static str,
    query: String,
}

async fn show(
    page: Page,
    cx: Cx,
    Extension(ledger): Extension<Ledger>,
    Query(query): Query<SheetQuery>,
) -> Result<Response> {
    let desk = Desk::open(&ledger, &cx.state.db, viewer(cx.actor()?), cx.now()).await?;
    let mut filters = Filters::of(&cx, page.path(), &query.report, &desk).await?;
    let scope = match scope_of(&cx, &query.report.scope).await {
        Err(Error::Invalid(errors)) => {
            filters.errors.0.extend(errors.0);
            None
        }
        other => Some(other?),
    };
    let sheet = match &scope {
        Some(scope) => Some(sheets::build(page, &desk, scope, cx.now()).await?),
        None => None,
    };
    if let (Some(sheet), "csv" | "md") = (&sheet, query.format.as_str()) {
        return Ok(file(page.key(), sheet, &query.format));
    }
    let status = if sheet.is_some() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = SheetPage {
        shell: cx.shell(page.title()),
        filters,
        sheet,
        title: page.title(),
        path: page.path(),
        query: scope.map(|s| s.to_query()).unwrap_or_default(),
    };
    render_with_status(status, &page)
}

pub(super) fn file(name: &str, sheet: &Sheet, format: &str) -> Response {
    if format == "md" {
        attachment(&format!("faultline-{name}.md"), "text/markdown; charset=utf-8", sheet.to_markdown())
    } else {
        csv(&format!("faultline-{name}.csv"), sheet.to_csv())
    }
}

async fn json(
    page: Page,
    cx: Cx,
    Extension(ledger): Extension<Ledger>,
    Query(query): Query<ScopeQuery>,
) -> Result<Json<Sheet>> {
    let scope = scope_of(&cx, &query).await?;
    let desk = Desk::open(&ledger, &cx.state.db, viewer(cx.actor()?), cx.now()).await?;
    Ok(Json(sheets::build(page, &desk, &scope, cx.now()).await?))
}

/// Both sides, the second by what it has otherwise.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct CompareQuery {
    #[serde(flatten)]
    first: ScopeQuery,
    from2: String,
    to2: String,
    service2: String,
    team2: String,
    severity2: String,
    format: String,
}

impl CompareQuery {
    /// Without anything of its own, the second side is the period after the first's predecessor: the first
    /// is then what came before.
    fn is_plain(&self) -> bool {
        [&self.from2, &self.to2, &self.service2, &self.team2, &self.severity2].iter().all(|t| t.trim().is_empty())
    }

    fn second(&self) -> ScopeQuery {
        let other = |own: &String, first: &String| if own.trim().is_empty() { first.clone() } else { own.clone() };
        ScopeQuery {
            from: other(&self.from2, &self.first.from),
            to: other(&self.to2, &self.first.to),
            service: other(&self.service2, &self.first.service),
            team: other(&self.team2, &self.first.team),
            severity: other(&self.severity2, &self.first.severity),
            ..self.first.clone()
        }
    }
}

#[derive(Template)]
#[template(path = "reports/compare.html")]
struct ComparePage {
    shell: Shell,
    typed: CompareQuery,
    sheet: Option<Sheet>,
    errors: crate::error::FieldErrors,
    query: String,
}

impl ComparePage {
    /// Name, label, first value, name of the second, its value.
    fn fields(&self) -> [(&'static str, &'static str, &str, &str); 5] {
        let (a, b) = (&self.typed.first, &self.typed);
        [
            ("from", "From", &a.from, &b.from2),
            ("to", "To, inclusive", &a.to, &b.to2),
            ("service", "Service", &a.service, &b.service2),
            ("team", "Team", &a.team, &b.team2),
            ("severity", "Severity", &a.severity, &b.severity2),
        ]
    }
}

async fn sides(cx: &Cx, query: &CompareQuery) -> Result<(Scope, Scope)> {
    let first = scope_of(cx, &query.first).await?;
    if query.is_plain() {
        return Ok((first.before(), first));
    }
    // A complaint about the second side names the second side's field.
    let second = scope_of(cx, &query.second()).await.map_err(|error| match error {
        Error::Invalid(mut errors) => {
            errors.0.iter_mut().for_each(|e| e.field.push('2'));
            Error::Invalid(errors)
        }
        other => other,
    })?;
    Ok((first, second))
}

async fn show_comparison(
    cx: Cx,
    Extension(ledger): Extension<Ledger>,
    Query(query): Query<CompareQuery>,
) -> Result<Response> {
    let mut page = ComparePage {
        shell: cx.shell("Compare"),
        query: cx.query.clone(),
        typed: query.clone(),
        sheet: None,
        errors: crate::error::FieldErrors::default(),
    };
    match sides(&cx, &query).await {
        Err(Error::Invalid(errors)) => {
            page.errors = errors;
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(error) => Err(error),
        Ok((first, second)) => {
            let desk = Desk::open(&ledger, &cx.state.db, viewer(cx.actor()?), cx.now()).await?;
            let sheet = compare::sheet(&desk, &first, &second).await?;
            if matches!(query.format.as_str(), "csv" | "md") {
                return Ok(file("comparison", &sheet, &query.format));
            }
            page.sheet = Some(sheet);
            render_with_status(StatusCode::OK, &page)
        }
    }
}

async fn json_comparison(
    cx: Cx,
    Extension(ledger): Extension<Ledger>,
    Query(query): Query<CompareQuery>,
) -> Result<Response> {
    let (first, second) = sides(&cx, &query).await?;
    let desk = Desk::open(&ledger, &cx.state.db, viewer(cx.actor()?), cx.now()).await?;
    Ok(Json(compare::sheet(&desk, &first, &second).await?).into_response())
}
