//! Charts for other people's pages: an address of its own, the one route that may be framed.

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Path};
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use serde::Deserialize;

use crate::charts::Scene;
use crate::error::{Error, Result};
use crate::reports::filters::scope_of;
use crate::reports::frozen::{self as links, scope_of as kept_scope};
use crate::reports::ledger::Ledger;
use crate::reports::model::scope::{GroupBy, ScopeQuery};
use crate::reports::service::{Desk, NOBODY};
use crate::reports::store::frozen::Link;
use crate::reports::view;
use crate::web::{Access, Cx, Routes, Shell, redirect_with_flash, render};

pub fn routes() -> Routes {
    Routes::new().post("/reports/charts", Access::COMMANDER, make).get("/embed/chart/{secret}", Access::Public, chart)
}

/// The same policy as everywhere, but for the frame: nothing inline, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ChartForm {
    /// The filters as a query string.
    filters: String,
    measure: String,
    group_by: String,
}

async fn make(cx: Cx, Extension(ledger): Extension<Ledger>, Form(form): Form<ChartForm>) -> Result<Response> {
    let map: serde_json::Map<String, serde_json::Value> = url::form_urlencoded::parse(form.filters.as_bytes())
        .map(|(k, v)| (k.into_owned(), serde_json::Value::String(v.into_owned())))
        .collect();
    let mut query: ScopeQuery = serde_json::from_value(serde_json::Value::Object(map)).unwrap_or_default();
    if !form.group_by.is_empty() {
        query.group_by = form.group_by;
    }
    let scope = scope_of(&cx, &query).await?;
    let desk = Desk::open(&ledger, &cx.state.db, NOBODY, cx.now()).await?;
    let question = desk.question(&scope);
    let definition = question.definitions.iter().find(|d| d.key == form.measure);
    let definition =
        definition.ok_or_else(|| Error::invalid("measure", format!("'{}' is not a measure", form.measure)))?;
    let actor = cx.actor()?;
    let days = (scope.to - scope.from).num_days().max(1);
    let link = Link {
        id: 0,
        kind: "chart".into(),
        report_id: None,
        // A chart moves with the time: its length is kept, not its dates.
        query: format!("{}&days={days}", scope.to_query()),
        measure: definition.key.to_string(),
        title: format!("{} by {}, the last {days} days", definition.name, scope.group_by.words()),
        created_at: cx.now(),
        created_by_name: actor.name.clone(),
        expires_at: None,
    };
    let secret = links::share(&cx.state, actor, link).await?;
    let address = format!("{}/embed/chart/{secret}", cx.state.config.base_url);
    let message = format!("Copy this address now, it is not shown again: {address}");
    Ok(redirect_with_flash("/reports/settings", &message))
}

#[derive(Template)]
#[template(path = "reports/embed.html")]
struct ChartPage {
    shell: Shell,
    scene: Option<Scene>,
    words: String,
    definition: String,
}

async fn chart(cx: Cx, Extension(ledger): Extension<Ledger>, Path(secret): Path<String>) -> Result<Response> {
    let link = links::opened(&cx.state, "chart", &secret).await?;
    let kept = kept_scope(&link.query, cx.now())?;
    let days = url::form_urlencoded::parse(link.query.as_bytes())
        .find(|(k, _)| k == "days")
        .and_then(|(_, v)| v.parse().ok())
        .unwrap_or(90);
    let end = crate::reports::model::scope::Scope::parse(&ScopeQuery::default(), cx.now(), kept.zone)?.to;
    let scope = kept.between(end - chrono::TimeDelta::days(days), end);
    let desk = Desk::open(&ledger, &cx.state.db, NOBODY, cx.now()).await?;
    let question = desk.question(&scope);
    let drawn = question.definitions.iter().position(|d| d.key == link.measure).unwrap_or(3);
    let by: GroupBy = scope.group_by;
    let found = desk.overview(&question, &[by], drawn).await?;
    let groups = found.slices.first().map_or(&[][..], |(_, groups)| groups.as_slice());
    let mut scene = view::section(&question, by, groups, drawn).chart;
    if let Some(scene) = &mut scene {
        // Who sees only the chart cannot open what is behind it.
        scene.marks.iter_mut().for_each(|m| m.href = None);
    }
    let page = ChartPage {
        shell: cx.shell(link.title),
        scene,
        words: scope.in_words(),
        definition: question.definitions.get(drawn).map(|d| d.printed()).unwrap_or_default(),
    };
    let mut response = render(&page)?;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin"));
    Ok(response)
}
