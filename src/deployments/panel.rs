//! What the pages of incidents show of changes.

use askama::Template;
use chrono::TimeDelta;
use futures::future::BoxFuture;

use super::model::Deployment;
use super::service;
use super::store::Filter;
use crate::clock::{Timestamp, human_duration};
use crate::error::{Error, Result};
use crate::incidents::hooks::{IncidentPanel, Panel, PanelContext, Place};
use crate::services;

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
