//! Similar incidents on an incident's page, and possible duplicates before one is declared.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use askama::Template;
use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::service::{self, Resembling};
use crate::clock::{Timestamp, human_duration};
use crate::db::Db;
use crate::error::{Error, Result};
use crate::incidents::hooks::{DuplicateCheck, IncidentPanel, Panel, PanelContext, Place, PossibleDuplicate};
use crate::incidents::{IncidentId, Viewer};

/// Incidents shown on the page.
const SHOWN: usize = 5;
/// Possible duplicates that are asked about.
const ASKED: usize = 3;

/// Kept for all viewers; each then sees those that they may see.
const KEPT: usize = 20;
/// How long what was found stands while the incident itself does not change.
const FRESH: TimeDelta = TimeDelta::seconds(60);
/// Incidents whose results are kept.
const MAX_KEPT: usize = 500;

/// Registered in `app.rs`. Hundreds of people may watch one incident, and each change of it has all their pages ask
/// again: what resembles it is looked for once a minute, and only who may see it is asked each time.
#[derive(Default)]
pub struct SimilarPanel {
    kept: Mutex<BTreeMap<IncidentId, Found>>,
}

#[derive(Clone)]
struct Found {
    at: Timestamp,
    /// Of the incident that it was looked for.
    version: i64,
    all: Arc<Vec<Resembling>>,
}

impl SimilarPanel {
    async fn found(&self, context: &PanelContext<'_>) -> Result<Arc<Vec<Resembling>>> {
        let incident = context.incident;
        let fresh = |f: &&Found| f.version == incident.version && context.now - f.at < FRESH;
        let known = self.lock().get(&incident.id).filter(fresh).map(|f| f.all.clone());
        if let Some(known) = known {
            return Ok(known);
        }
        let everybody = Viewer { all: true, user_id: 0 };
        let all = Arc::new(service::of_incident(context.db, incident, everybody, KEPT).await?);
        let mut kept = self.lock();
        if kept.len() >= MAX_KEPT {
            kept.retain(|_, f| context.now - f.at < FRESH);
        }
        if kept.len() < MAX_KEPT {
            kept.insert(incident.id, Found { at: context.now, version: incident.version, all: all.clone() });
        }
        Ok(all)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IncidentId, Found>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Template)]
#[template(path = "similar/_panel.html")]
struct PanelView {
    found: Vec<Resembling>,
}

impl PanelView {
    fn lasted(&self, found: &Resembling) -> Option<String> {
        found.head.ended_at.map(|end| human_duration(end - found.head.started_at))
    }
}

impl IncidentPanel for SimilarPanel {
    fn id(&self) -> &'static str {
        "similar"
    }

    fn place(&self) -> Place {
        Place::Side
    }

    fn order(&self) -> i32 {
        35
    }

    fn render<'a>(&'a self, context: &'a PanelContext<'a>) -> BoxFuture<'a, Result<Option<Panel>>> {
        async move {
            let all = self.found(context).await?;
            let found = service::seen_by(context.db, &all, context.incident.id, context.viewer, SHOWN).await?;
            if found.is_empty() {
                return Ok(None);
            }
            let html =
                PanelView { found }.render().map_err(|e| Error::Internal(format!("similar incidents' panel: {e}")))?;
            Ok(Some(Panel { title: "Similar incidents".to_owned(), html, ..Panel::default() }))
        }
        .boxed()
    }
}

/// Registered in `app.rs`: open incidents that a declaration may repeat.
pub struct PossibleDuplicates;

impl DuplicateCheck for PossibleDuplicates {
    fn find<'a>(
        &'a self,
        db: &'a Db,
        title: &'a str,
        services: &'a [String],
        viewer: Viewer,
    ) -> BoxFuture<'a, Result<Vec<PossibleDuplicate>>> {
        async move {
            let found = service::of_draft(db, title, services, viewer, ASKED).await?;
            Ok(found
                .into_iter()
                .map(|r| PossibleDuplicate {
                    id: r.head.id,
                    title: r.head.title,
                    status: r.head.status,
                    reasons: r.similar.reasons,
                })
                .collect())
        }
        .boxed()
    }
}
