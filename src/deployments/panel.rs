//! What the pages of incidents and of services show of changes.

use askama::Template;
use chrono::TimeDelta;
use futures::future::BoxFuture;

use super::model::Deployment;
use super::service;
use super::store::Filter;
use super::store::health::Counted;
use crate::accounts::Actor;
use crate::clock::{Timestamp, human_duration};
use crate::db::Db;
use crate::error::{Error, Result};
use crate::incidents::hooks::{IncidentPanel, Panel, PanelContext, Place};
use crate::services::{self, Service};

/// Changes this long before the impact are shown: most failures follow a change within hours.
const LOOK_BACK: TimeDelta = TimeDelta::hours(24);

const SHOWN: i64 = 8;

/// The changes of an incident's services, and of what those call, around its start.
pub struct RecentChanges;

#[derive(Template)]
#[template(path = "deployments/_panel.html")]
struct PanelPage<'a> {
    changes: &'a [Deployment],
    start: Timestamp,
    is_of_all: bool,
    may_respond: bool,
    incident: String,
}

impl PanelPage<'_> {
    /// `12m before` or `3m after` the impact's start.
    fn distance(&self, change: &Deployment) -> String {
        let apart = change.at - self.start;
        if apart <= TimeDelta::zero() {
            format!("{} before", human_duration(-apart))
        } else {
            format!("{} after", human_duration(apart))
        }
    }
}

impl IncidentPanel for RecentChanges {
    fn id(&self) -> &'static str {
        "changes"
    }

    fn place(&self) -> Place {
        Place::Main
    }

    fn order(&self) -> i32 {
        25
    }

    fn render<'a>(&'a self, context: &'a PanelContext<'a>) -> BoxFuture<'a, Result<Option<Panel>>> {
        Box::pin(async move {
            let start = context.incident.started_at;
            let ids = concerned(context).await?;
            let filter = Filter {
                services: ids.clone(),
                from: Some(start - LOOK_BACK),
                to: Some(context.incident.ended_at.unwrap_or(context.now)),
                ..Filter::default()
            };
            let changes = service::page(context.db, &filter, SHOWN).await?;
            let count = service::count(context.db, &filter, 1000).await?;
            let page = PanelPage {
                changes: &changes,
                start,
                is_of_all: ids.is_empty(),
                may_respond: context.may_respond,
                incident: context.incident.id.to_string(),
            };
            let html = page.render().map_err(|e| Error::Internal(format!("rendering: {e}")))?;
            let link = format!("/deployments?from={}", (start - LOOK_BACK).to_input());
            Ok(Some(Panel { title: "Recent changes".into(), count: Some(count), link, html, ..Panel::default() }))
        })
    }
}

/// The incident's services and what they call directly. An incident without services concerns all.
async fn concerned(context: &PanelContext<'_>) -> Result<Vec<i64>> {
    let mut slugs: Vec<String> = context.services.iter().map(|s| s.slug.clone()).collect();
    for slug in slugs.clone() {
        let service = services::get(context.db, &slug).await?;
        slugs.extend(services::dependencies(context.db, &service).await?.into_iter().map(|e| e.service));
    }
    slugs.sort_unstable();
    slugs.dedup();
    let mut ids = Vec::with_capacity(slugs.len());
    for slug in slugs.iter().take(100) {
        ids.extend(services::find_id(context.db, slug).await?);
    }
    Ok(ids)
}

/// On a service's page: its newest changes and how it did after each.
pub struct ServiceChanges;

#[derive(Template)]
#[template(path = "deployments/_service.html")]
struct ServicePart {
    changes: Vec<(Deployment, Option<Counted>)>,
}

impl services::hooks::ServicePanel for ServiceChanges {
    fn order(&self) -> i32 {
        20
    }

    fn render<'a>(
        &'a self,
        db: &'a Db,
        of: &'a Service,
        _: &'a Actor,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<services::hooks::Panel>>> {
        Box::pin(async move {
            let Some(id) = services::find_id(db, &of.slug).await? else { return Ok(None) };
            let changes = service::page(db, &Filter { services: vec![id], ..Filter::default() }, SHOWN).await?;
            if changes.is_empty() {
                return Ok(None);
            }
            let ids: Vec<i64> = changes.iter().map(|d| d.id).collect();
            let mut health = service::health(db, &ids).await?;
            let changes = changes.into_iter().map(|d| (health.remove(&d.id).filter(|c| c.health.has_requests()), d));
            let part = ServicePart { changes: changes.map(|(counted, d)| (d, counted)).collect() };
            let html = part.render().map_err(|e| Error::Internal(format!("rendering: {e}")))?;
            let link = format!("/deployments?service={}", of.slug);
            Ok(Some(services::hooks::Panel { id: "deployments", title: "Changes".to_owned(), link, html }))
        })
    }
}
