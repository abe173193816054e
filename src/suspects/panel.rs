//! The suspects on the incident's page: the sentence, the first three, and one click to confirm.

use askama::Template;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::model::SuspectKind;
use super::service;
use super::verdict::Verdict;
use super::view::{self, Card};
use crate::error::{Error, Result};
use crate::incidents::Incident;
use crate::incidents::hooks::{IncidentPanel, Panel, PanelContext, Place};

/// Suspects shown on the incident's page.
const SHOWN: usize = 3;

pub struct SuspectsPanel;

#[derive(Template)]
#[template(path = "suspects/_panel.html")]
struct PanelHtml<'a> {
    incident: &'a Incident,
    headline: Option<&'a str>,
    missing: &'a [String],
    changed: &'a [String],
    cards: Vec<Card>,
    may_respond: bool,
}

impl IncidentPanel for SuspectsPanel {
    fn id(&self) -> &'static str {
        "suspects"
    }

    fn place(&self) -> Place {
        Place::Main
    }

    fn order(&self) -> i32 {
        20
    }

    fn render<'a>(&'a self, context: &'a PanelContext<'a>) -> BoxFuture<'a, Result<Option<Panel>>> {
        async move {
            let Some(kept) = service::find(context.db, context.incident.id).await? else { return Ok(None) };
            let verdicts = service::verdicts(context.db, context.incident.id).await?;
            let mut cards = view::cards(&kept, &verdicts);
            // A service and its deployment are one story; the deployment tells more.
            let deployed: Vec<String> = cards
                .iter()
                .filter(|c| c.suspect.kind == SuspectKind::Deployment)
                .map(|c| c.suspect.service.clone())
                .collect();
            cards.retain(|c| c.suspect.kind == SuspectKind::Deployment || !deployed.contains(&c.suspect.service));
            cards.truncate(SHOWN);
            let confirmed = verdicts.iter().find(|v| v.verdict == Verdict::Caused);
            let html = PanelHtml {
                incident: context.incident,
                headline: kept.ranking.headline.as_deref(),
                missing: &kept.ranking.missing,
                changed: &kept.changed,
                cards,
                may_respond: context.may_respond,
            };
            Ok(Some(Panel {
                title: "Suspects".to_owned(),
                count: None,
                link: format!("{}/suspects", context.incident.path()),
                html: html.render().map_err(|e| Error::Internal(format!("suspects' panel: {e}")))?,
                suspicion: match confirmed {
                    Some(v) => Some(format!("Confirmed: caused by {}", v.subject.title())),
                    None => kept.ranking.headline.clone(),
                },
                next_step: None,
            }))
        }
        .boxed()
    }
}
