//! `/`: what is on fire, what waits for me, what just ended.

use askama::Template;
use axum::Extension;
use axum::response::Response;

use crate::error::Result;
use crate::web::{Cx, Limit, Shell, render};

use super::super::hooks::{Hooks, Shown};
use super::super::model::{IncidentId, Severity, Status};
use super::super::service::lists::{self, ListQuery, Listed};
use super::super::store::tasks::{self as task_store, MyTask};

#[derive(Template)]
#[template(path = "incidents/dashboard.html")]
struct DashboardPage {
    shell: Shell,
    open: Vec<Listed>,
    open_total: i64,
    recent: Vec<Listed>,
    mine: Vec<MyTask>,
    panels: Vec<Shown>,
}

impl DashboardPage {
    fn age(&self, listed: &Listed) -> String {
        listed.incident.age_words(self.shell.now)
    }

    /// The number of open incidents of a severity, for the strip on top.
    fn count(&self, severity: &Severity) -> usize {
        self.open.iter().filter(|l| l.incident.severity == *severity).count()
    }

    fn update_overdue(&self, listed: &Listed) -> bool {
        listed.incident.next_update_due_at.is_some_and(|due| due < self.shell.now)
    }

    fn is_late(&self, task: &MyTask) -> bool {
        task.due_at.is_some_and(|due| due < self.shell.now)
    }

    fn incident_of(&self, task: &MyTask) -> String {
        IncidentId(task.incident_id).to_string()
    }
}

/// Open incidents shown; more are a link away.
const OPEN: i64 = 50;
const RECENT: i64 = 8;

pub(super) async fn show(cx: Cx, Extension(hooks): Extension<Hooks>) -> Result<Response> {
    let (db, actor, now) = (&cx.state.db, cx.actor()?, cx.now());
    let open_query = ListQuery { status: vec!["open".to_owned()], limit: Limit::new(OPEN), ..ListQuery::default() };
    let mut open = lists::list(db, &open_query, actor.into(), 1_000, now).await?;
    // The worst first, and among equals the newest.
    open.items.sort_by_key(|l| (l.incident.severity, std::cmp::Reverse(l.incident.started_at)));
    let ended = [Status::Resolved, Status::Closed].map(|s| s.as_str().to_owned());
    let recent_query = ListQuery { status: ended.to_vec(), limit: Limit::new(RECENT), ..ListQuery::default() };
    let recent = lists::list(db, &recent_query, actor.into(), 1, now).await?;
    let mine = match actor.user_id {
        Some(user_id) => task_store::open_of(db, user_id, actor.into(), 20).await?,
        None => Vec::new(),
    };
    let panels = hooks.dashboard(db, actor.into(), now).await;
    render(&DashboardPage {
        shell: cx.shell("What is on fire").live(&["incidents", "alerts", "deployments"]),
        open_total: open.total,
        open: open.items,
        recent: recent.items,
        mine,
        panels,
    })
}
