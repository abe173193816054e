//! The suspects on the incident's page: the sentence, the first three, and one click to confirm; and on a change's
//! page what it caused or fixed.

use askama::Template;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::model::SuspectKind;
use super::service::{self, About};
use super::verdict::Verdict;
use super::view::{self, Card};
use crate::accounts::Role;
use crate::deployments::hooks::{self as change_hooks, ChangePanel, Context, Refused};
use crate::deployments::{Deployment, viewer_of};
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

/// What people say a change caused or fixed, and the buttons to say so.
pub struct ChangeVerdicts;

#[derive(Template)]
#[template(path = "suspects/_change.html")]
struct ChangePart<'a> {
    change: &'a Deployment,
    said: Vec<About>,
    may_respond: bool,
    refused: Option<&'a Refused>,
}

impl ChangePart<'_> {
    const CHOICES: [Verdict; 3] = Verdict::ALL;
}

impl ChangePanel for ChangeVerdicts {
    fn render<'a>(&'a self, context: Context<'a>) -> BoxFuture<'a, Result<Option<change_hooks::Panel>>> {
        async move {
            let viewer = viewer_of(context.actor);
            let part = ChangePart {
                change: context.change,
                said: service::about_change(context.db, context.change, viewer).await?,
                may_respond: context.actor.can(Role::Responder),
                refused: context.refused,
            };
            let html = part.render().map_err(|e| Error::Internal(format!("verdicts' panel: {e}")))?;
            Ok(Some(change_hooks::Panel { title: "Caused or fixed".to_owned(), html }))
        }
        .boxed()
    }
}
