//! `/alerts`: what fires, narrowed by the URL, a page at a time.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;

use crate::alerts::api::{ListQuery, page};
use crate::alerts::model::AlertSeverity;
use crate::alerts::seen::{Asker, Visible, incidents_of};
use crate::alerts::sources::Source;
use crate::alerts::store::undo::{self, Change};
use crate::alerts::store::{self, Alert};
use crate::alerts::storm::{self, Storm};
use crate::clock::human_duration;
use crate::error::Result;
use crate::web::{Cx, Shell, render};

#[derive(Template)]
#[template(path = "alerts/list.html")]
struct ListPage {
    shell: Shell,
    query: ListQuery,
    rows: Vec<Row>,
    total: i64,
    /// `false` when counting stopped at the bound.
    total_is_exact: bool,
    older: Option<String>,
    firing: Vec<(String, i64)>,
    storm: Storm,
    /// Bulk changes of the last hour, for taking back.
    changes: Vec<Change>,
}

/// One alert of the list.
pub struct Row {
    pub alert: Alert,
    pub incident: Option<(String, String)>,
    pub is_flapping: bool,
    pub lasted: String,
}

impl Row {
    pub fn of(alert: Alert, visible: &Visible, now: crate::clock::Timestamp) -> Self {
        let incident = visible.id_of(&alert).map(|id| (id.to_string(), visible.title_of(id).to_owned()));
        let lasted = human_duration(alert.state.ended_at.unwrap_or(now) - alert.state.started_at);
        Self { is_flapping: alert.flapping_until.is_some_and(|t| t > now), incident, lasted, alert }
    }

    pub fn severity(&self) -> &'static str {
        self.alert.severity.map_or("not said", AlertSeverity::as_str)
    }

    pub fn severity_class(&self) -> &'static str {
        match self.alert.severity {
            Some(AlertSeverity::Critical | AlertSeverity::Error) => "badge-bad",
            Some(AlertSeverity::Warning) => "badge-warn",
            Some(AlertSeverity::Info) | None => "",
        }
    }
}

impl ListPage {
    const SEVERITIES: [AlertSeverity; 4] = AlertSeverity::ALL;
    const SOURCES: [Source; 12] = Source::ALL;

    fn can_act(&self) -> bool {
        self.shell.can_respond() && !self.rows.is_empty()
    }

    fn firing_total(&self) -> i64 {
        self.firing.iter().map(|f| f.1).sum()
    }
}

/// Counting stops here; the page then says "more than 1000".
const COUNT_AT_MOST: i64 = 1_001;

pub(super) async fn list(cx: Cx, Query(mut query): Query<ListQuery>) -> Result<Response> {
    // What fires is what a person comes for; `status=all` and the tabs show the rest. Inside one
    // incident, everything belongs together.
    if query.status.is_empty() && query.incident.is_empty() {
        "firing".clone_into(&mut query.status);
    }
    let now = cx.now();
    let db = &cx.state.db;
    let firing = store::firing_by_severity(db).await?;
    let all_firing = query.status == "firing" && query.is_by_status_only();
    let known = all_firing.then(|| firing.iter().map(|f| f.1).sum());
    let found = page(&cx, &query, known, COUNT_AT_MOST).await?;
    let visible = incidents_of(db, &found.items, Asker::of(cx.actor()?)).await?;
    let older = found.next_cursor.as_ref().map(|cursor| format!("/alerts?{}", query.with_cursor(cursor)));
    let storm = storm::last_hours(db, &query.filter(now)?, now).await?;
    let changes = undo::recent(db, now - chrono::TimeDelta::hours(1), 3).await?;
    render(&ListPage {
        shell: cx.shell("Alerts").live(&["alerts"]),
        query,
        rows: found.items.into_iter().map(|a| Row::of(a, &visible, now)).collect(),
        total: found.total,
        total_is_exact: all_firing || found.total < COUNT_AT_MOST,
        older,
        firing,
        storm,
        changes,
    })
}
