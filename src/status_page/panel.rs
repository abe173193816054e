//! The status page's part of an incident's page: what was told, and the way to tell more.

use askama::Template;
use futures::future::BoxFuture;

use super::store::notices::{self as store, Notice};
use crate::error::{Error, Result};
use crate::incidents::hooks::{IncidentPanel, Panel, PanelContext, Place};

/// Registered in `app.rs`.
pub struct StatusPanel;

#[derive(Template)]
#[template(path = "status_page/_panel.html")]
struct PanelView {
    notices: Vec<Notice>,
    incident: String,
    may_respond: bool,
    private: bool,
}

impl IncidentPanel for StatusPanel {
    fn id(&self) -> &'static str {
        "status-page"
    }

    fn place(&self) -> Place {
        Place::Side
    }

    fn order(&self) -> i32 {
        50
    }

    fn render<'a>(&'a self, context: &'a PanelContext<'a>) -> BoxFuture<'a, Result<Option<Panel>>> {
        Box::pin(async move {
            let incident = context.incident;
            let notices = store::of_incident(context.db, incident.id).await?;
            if notices.is_empty() && (!context.may_respond || !incident.status.is_open()) {
                return Ok(None);
            }
            let standing = notices.iter().any(|n| n.is_public() && n.resolved_at.is_none());
            let next_step = (standing && !incident.status.is_open())
                .then(|| "Tell the public on the status page that it is over.".to_owned());
            let view = PanelView {
                notices,
                incident: incident.id.to_string(),
                may_respond: context.may_respond,
                private: incident.private,
            };
            let html = view.render().map_err(|e| Error::Internal(format!("rendering: {e}")))?;
            Ok(Some(Panel { title: "Status page".to_owned(), html, next_step, ..Panel::default() }))
        })
    }
}
