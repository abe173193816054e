//! Similar incidents on an incident's page, and possible duplicates before one is declared.

use askama::Template;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::service::{self, Resembling};
use crate::clock::human_duration;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::incidents::Viewer;
use crate::incidents::hooks::{DuplicateCheck, IncidentPanel, Panel, PanelContext, Place, PossibleDuplicate};

/// Incidents shown on the page.
const SHOWN: usize = 5;
/// Possible duplicates that are asked about.
const ASKED: usize = 3;

/// Registered in `app.rs`.
pub struct SimilarPanel;

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
            let found = service::of_incident(context.db, context.incident, context.viewer, SHOWN).await?;
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
