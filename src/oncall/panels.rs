//! On call on the pages of other rooms: dashboard, service, incident.

use askama::Template;
use futures::future::BoxFuture;

use super::service::teams::{self, OnCall};
use super::store::connections;
use super::store::pages::{self as store, Call, Page};
use crate::accounts::Actor;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::incidents::hooks::{DashboardPanel, IncidentPanel, Panel, PanelContext, Place};
use crate::incidents::{MilestoneName, Viewer};
use crate::services::Service;
use crate::services::hooks::{Panel as ServicePart, ServicePanel};

fn rendered(template: &impl Template) -> Result<String> {
    template.render().map_err(|e| Error::Internal(format!("rendering: {e}")))
}

/// Who is on call now, on the dashboard.
pub struct NowOnCall;

#[derive(Template)]
#[template(path = "oncall/_now.html")]
struct NowView {
    on_call: Vec<OnCall>,
    me: i64,
}

impl NowView {
    fn is_me(&self, on_call: &OnCall) -> bool {
        on_call.person.as_ref().is_some_and(|p| p.user_id == self.me)
    }
}

impl DashboardPanel for NowOnCall {
    fn id(&self) -> &'static str {
        "on-call"
    }

    fn order(&self) -> i32 {
        40
    }

    fn render<'a>(&'a self, db: &'a Db, viewer: Viewer, now: Timestamp) -> BoxFuture<'a, Result<Option<Panel>>> {
        Box::pin(async move {
            let mut on_call = teams::now_on_call(db, now).await?;
            if on_call.is_empty() {
                return Ok(None);
            }
            // One's own teams first.
            on_call.sort_by_key(|t| t.person.as_ref().is_none_or(|p| p.user_id != viewer.user_id));
            let html = rendered(&NowView { on_call, me: viewer.user_id })?;
            Ok(Some(Panel { title: "On call now".to_owned(), link: "/oncall".to_owned(), html, ..Panel::default() }))
        })
    }
}

/// Who is on call for a service's owner team.
pub struct ServiceOnCall;

impl ServicePanel for ServiceOnCall {
    fn order(&self) -> i32 {
        5
    }

    fn render<'a>(
        &'a self,
        db: &'a Db,
        service: &'a Service,
        actor: &'a Actor,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<ServicePart>>> {
        Box::pin(async move {
            let on_call = teams::now_on_call(db, now).await?;
            let Some(team) = on_call.into_iter().find(|t| t.team == service.owner_team) else { return Ok(None) };
            let link = format!("/oncall/teams/{}", team.team_id);
            let html = rendered(&NowView { on_call: vec![team], me: actor.user_id.unwrap_or_default() })?;
            Ok(Some(ServicePart { id: "on-call", title: "On call now".to_owned(), link, html }))
        })
    }
}

/// Who is on call for an incident's services, who was told, and the buttons.
pub struct IncidentOnCall;

/// One team of the panel.
struct TeamLine {
    on_call: OnCall,
    page: Option<Page>,
    calls: Vec<Call>,
}

impl TeamLine {
    fn may_page(&self) -> bool {
        self.page.as_ref().is_none_or(|p| p.ended_at.is_some() || p.due_at.is_none())
    }

    fn is_running(&self) -> bool {
        self.page.as_ref().is_some_and(|p| p.ended_at.is_none())
    }
}

#[derive(Template)]
#[template(path = "oncall/_incident.html")]
struct IncidentView {
    incident: String,
    lines: Vec<TeamLine>,
    /// Teams that own none of the services, for paging all the same.
    others: Vec<OnCall>,
    may_respond: bool,
    is_open: bool,
    acknowledged_at: Option<Timestamp>,
    private: bool,
    /// Connected tools: name, how it stands there, how it should.
    elsewhere: Vec<(String, String, String)>,
}

impl IncidentPanel for IncidentOnCall {
    fn id(&self) -> &'static str {
        "on-call"
    }

    fn place(&self) -> Place {
        Place::Side
    }

    fn order(&self) -> i32 {
        5
    }

    fn render<'a>(&'a self, context: &'a PanelContext<'a>) -> BoxFuture<'a, Result<Option<Panel>>> {
        Box::pin(async move {
            let incident = context.incident;
            let pages = store::of_incident(context.db, incident.id).await?;
            let is_open = incident.status.is_open();
            let all = teams::now_on_call(context.db, context.now).await?;
            let owns = |t: &OnCall| context.services.iter().any(|s| s.owner_team == t.team);
            let (shown, others): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|t| pages.iter().any(|p| p.team_id == t.team_id) || (is_open && owns(t)));
            let acknowledged_at = context.times.get(MilestoneName::Acknowledged);
            let needs_answer = is_open && acknowledged_at.is_none();
            if shown.is_empty() && !(is_open && context.may_respond && (needs_answer || !others.is_empty())) {
                return Ok(None);
            }
            let calls = store::calls_of(context.db, incident.id).await?;
            let lines = shown
                .into_iter()
                .map(|on_call| {
                    let page = pages.iter().find(|p| p.team_id == on_call.team_id).cloned();
                    let of_page = |c: &&Call| page.as_ref().is_some_and(|p| p.id == c.page_id);
                    TeamLine { calls: calls.iter().filter(of_page).cloned().collect(), on_call, page }
                })
                .collect();
            let view = IncidentView {
                incident: incident.id.to_string(),
                lines,
                others,
                may_respond: context.may_respond,
                is_open,
                acknowledged_at,
                private: incident.private,
                elsewhere: connections::standings(context.db, incident.id).await?,
            };
            let next_step = needs_answer.then(|| "Acknowledge it, so that nobody else is paged.".to_owned());
            let html = rendered(&view)?;
            Ok(Some(Panel {
                title: "On call".to_owned(),
                link: "/oncall".to_owned(),
                html,
                next_step,
                ..Panel::default()
            }))
        })
    }
}
