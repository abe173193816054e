//! The postmortem's part of an incident's page.

use askama::Template;
use futures::future::BoxFuture;

use super::super::model::State;
use super::super::model::review::Audience;
use super::super::service;
use crate::error::{Error, Result};
use crate::incidents::hooks::{IncidentPanel, Panel, PanelContext, Place};

/// Registered in `app.rs`.
pub struct PostmortemPanel;

#[derive(Template)]
#[template(path = "postmortems/_panel.html")]
struct PanelView {
    path: String,
    state: Option<State>,
    may_respond: bool,
}

impl IncidentPanel for PostmortemPanel {
    fn id(&self) -> &'static str {
        "postmortem"
    }

    fn place(&self) -> Place {
        Place::Side
    }

    fn order(&self) -> i32 {
        40
    }

    fn render<'a>(&'a self, context: &'a PanelContext<'a>) -> BoxFuture<'a, Result<Option<Panel>>> {
        Box::pin(async move {
            let incident = context.incident;
            let document = service::find(context.db, incident.id).await?;
            // What is for responders only is not announced to others.
            if document.as_ref().is_some_and(|d| d.head.audience == Audience::Private) && !context.may_respond {
                return Ok(None);
            }
            // While it burns, nobody writes the report.
            if document.is_none() && incident.status.is_open() {
                return Ok(None);
            }
            let state = document.map(|d| d.head.state);
            let next_step = match state {
                None => Some("Draft the postmortem from the record.".to_owned()),
                Some(State::Draft) => Some("Finish the postmortem and publish it.".to_owned()),
                Some(State::InReview) => Some("Review the postmortem.".to_owned()),
                Some(State::Published) => None,
            };
            let path = format!("{}/postmortem", incident.path());
            let view = PanelView { path: path.clone(), state, may_respond: context.may_respond };
            let html = view.render().map_err(|e| Error::Internal(format!("rendering: {e}")))?;
            Ok(Some(Panel {
                title: "Postmortem".to_owned(),
                count: None,
                link: path,
                html,
                suspicion: None,
                next_step,
            }))
        })
    }
}
