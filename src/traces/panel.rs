//! What a service's page shows of its spans: calls of the last day, who calls it and whom it calls, and
//! its newest failed traces.

use askama::Template;
use chrono::TimeDelta;
use futures::future::BoxFuture;

use crate::accounts::Actor;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::services::hooks::{Panel, ServicePanel};
use crate::services::{self, Service};

use super::calls::Tally;
use super::model::{TraceFilter, TraceHead};
use super::service::view;
use super::web::duration;

/// Failed traces listed.
const SHOWN: usize = 5;

struct EdgeView {
    slug: String,
    calls: i64,
    errors: String,
    p95: String,
}

#[derive(Template)]
#[template(path = "traces/_service.html")]
struct ServicePart {
    slug: String,
    name: String,
    calls: i64,
    errors: String,
    p50: String,
    p95: String,
    upstream: Vec<EdgeView>,
    downstream: Vec<EdgeView>,
    failed: Vec<TraceHead>,
}

/// Registered in `app.rs`.
pub struct ServiceTraces;

impl ServicePanel for ServiceTraces {
    fn order(&self) -> i32 {
        40
    }

    fn render<'a>(
        &'a self,
        db: &'a Db,
        service: &'a Service,
        _: &'a Actor,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Panel>>> {
        Box::pin(async move {
            let Some(part) = part_of(db, service, now).await? else { return Ok(None) };
            let html = part.render().map_err(|e| Error::Internal(format!("rendering: {e}")))?;
            let query: String = url::form_urlencoded::byte_serialize(part.name.as_bytes()).collect();
            Ok(Some(Panel { id: "traces", title: "Traces".to_owned(), link: format!("/traces?service={query}"), html }))
        })
    }
}

async fn part_of(db: &Db, service: &Service, now: Timestamp) -> Result<Option<ServicePart>> {
    let (from, to) = (now - TimeDelta::days(1), now + TimeDelta::minutes(1));
    // Spans use the service's own name; the catalogue's slug is made of it.
    let name = service.name.clone();
    let own = view::service_tallies(db, &name, from, to).await?.remove(&name).unwrap_or_default();
    let filter = TraceFilter { service: name.clone(), error: true, ..TraceFilter::default() };
    let (failed, _) = view::search(db, &filter, None, SHOWN).await?;
    let mut upstream = Vec::new();
    let mut downstream = Vec::new();
    for ((caller, callee), tally) in view::edge_tallies(db, from, to).await? {
        if callee == name {
            upstream.extend(edge_view(&caller, &tally));
        } else if caller == name {
            downstream.extend(edge_view(&callee, &tally));
        }
    }
    if own.calls == 0 && failed.is_empty() && upstream.is_empty() && downstream.is_empty() {
        return Ok(None);
    }
    Ok(Some(ServicePart {
        slug: service.slug.clone(),
        name,
        calls: own.calls,
        errors: share(&own),
        p50: percentile(&own, 0.5),
        p95: percentile(&own, 0.95),
        upstream,
        downstream,
        failed,
    }))
}

fn edge_view(name: &str, tally: &Tally) -> Option<EdgeView> {
    let slug = services::slug_of(name)?;
    Some(EdgeView { slug, calls: tally.calls, errors: share(tally), p95: percentile(tally, 0.95) })
}

fn share(tally: &Tally) -> String {
    format!("{:.1} %", tally.error_share() * 100.0)
}

#[expect(clippy::cast_possible_truncation, reason = "shown with three digits")]
fn percentile(tally: &Tally, q: f64) -> String {
    tally.percentile_us(q).map(|us| duration((us * 1_000.0) as i64)).unwrap_or_default()
}
