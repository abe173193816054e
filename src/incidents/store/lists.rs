//! Lists of incidents: filtered, sorted by their start, a page at a time, and only what the asker may
//! see.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Query, Where, like_contains};
use crate::error::Result;
use crate::incidents::model::record::Incident;
use crate::incidents::model::{IncidentId, Kind, MilestoneName, Severity, Status};

use super::head::{COLUMNS, IncidentRow};
use super::word;

/// Who asks: decides which private incidents are listed.
#[derive(Clone, Copy, Debug)]
pub struct Viewer {
    /// Sees every private incident.
    pub all: bool,
    /// Sees the private incidents that name this account; 0 for none.
    pub user_id: i64,
}

/// What to list. Empty lists and `None` do not filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub statuses: Vec<Status>,
    pub severities: Vec<Severity>,
    pub kinds: Vec<Kind>,
    /// Id in the catalogue.
    pub service_id: Option<i64>,
    pub team: Option<String>,
    /// Words in the title; `INC-n` is resolved by the action.
    pub text: Option<String>,
    /// Of the start.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// After this place, newest first.
    pub beyond: Option<(Timestamp, i64)>,
}

/// The clause that hides private incidents from those who were not named. Every list, count, search
/// and report of incidents has it; `i` is the table `incidents`.
pub fn visible(conditions: &mut Where, viewer: Viewer) {
    if !viewer.all {
        conditions.and(
            "(i.private = FALSE OR EXISTS \
             (SELECT 1 FROM incident_people p WHERE p.incident_id = i.id AND p.user_id = ?))",
            viewer.user_id,
        );
    }
}

fn conditions(filter: &Filter, viewer: Viewer) -> Where {
    let mut w = Where::new();
    visible(&mut w, viewer);
    if !filter.statuses.is_empty() {
        w.and_any("i.status", filter.statuses.iter().map(|s| s.as_str()));
    }
    if !filter.severities.is_empty() {
        w.and_any("i.severity", filter.severities.iter().map(|s| s.as_str()));
    }
    if !filter.kinds.is_empty() {
        w.and_any("i.kind", filter.kinds.iter().map(|k| k.as_str()));
    }
    if let Some(service) = filter.service_id {
        w.and("i.id IN (SELECT x.incident_id FROM incident_services x WHERE x.service_id = ?)", service);
    }
    if let Some(team) = &filter.team {
        w.and(
            "i.id IN (SELECT x.incident_id FROM incident_services x JOIN services s ON s.id = x.service_id \
             WHERE s.owner_team = ?)",
            team,
        );
    }
    for word in filter.text.iter().flat_map(|t| t.split_whitespace()).take(8) {
        w.and("LOWER(i.title) LIKE ? ESCAPE '\\'", like_contains(&word.to_lowercase()));
    }
    if let Some(from) = filter.from {
        w.and("i.started_at >= ?", from);
    }
    if let Some(to) = filter.to {
        w.and("i.started_at < ?", to);
    }
    w
}

fn page_query(filter: &Filter, viewer: Viewer, limit: i64) -> Query<IncidentRow> {
    let mut w = conditions(filter, viewer);
    if let Some((at, id)) = filter.beyond {
        w.and_all("(i.started_at, i.id) < (?, ?)", args![at, id]);
    }
    let limit = w.bind(limit);
    let head = format!("SELECT {COLUMNS} FROM incidents i");
    Query::of(w.statement(&head, &format!("ORDER BY i.started_at DESC, i.id DESC LIMIT {limit}")))
}

/// At most `limit`, newest start first.
pub async fn page(db: &Db, filter: &Filter, viewer: Viewer, limit: i64) -> Result<Vec<Incident>> {
    let rows = db.fetch(page_query(filter, viewer, limit)).await?;
    rows.into_iter().map(IncidentRow::into_incident).collect()
}

/// The same, and how many there are on all pages, counted no further than `count_to`.
pub async fn page_and_count(
    db: &Db,
    filter: &Filter,
    viewer: Viewer,
    limit: i64,
    count_to: i64,
) -> Result<(Vec<Incident>, i64)> {
    let mut w = conditions(filter, viewer);
    let count_to = w.bind(count_to);
    let head = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM incidents i";
    let count = Query::<(i64,)>::of(w.statement(head, &format!("LIMIT {count_to}) AS found")));
    let (rows, counted) = db.fetch_two(page_query(filter, viewer, limit), count).await?;
    let incidents = rows.into_iter().map(IncidentRow::into_incident).collect::<Result<_>>()?;
    Ok((incidents, counted.first().map_or(0, |(n,)| *n)))
}

/// Of each service with open incidents: how many, and the worst severity; one query for all.
pub async fn open_by_service(
    db: &Db,
    services: impl IntoIterator<Item = i64>,
    viewer: Viewer,
) -> Result<Vec<(i64, i64, String)>> {
    let mut w = Where::new();
    w.and_raw("x.incident_id = i.id");
    w.and_any("x.service_id", services);
    w.and_any("i.status", Status::OPEN.iter().map(|s| s.as_str()));
    visible(&mut w, viewer);
    // SEV1 sorts first: the least word is the worst.
    let (sql, args) = w.statement(
        // SQLite reads the tables of a CROSS JOIN in this order: few incidents are open, a service may have had many.
        "SELECT x.service_id, COUNT(*), MIN(i.severity) FROM incidents i CROSS JOIN incident_services x",
        "GROUP BY x.service_id",
    );
    db.fetch_all(sql, args).await
}

/// A word of an incident: the slug of one of its services, the name of its commander.
pub type OfIncident = (i64, String);

/// The slugs of the services of several incidents.
pub fn services_of(ids: &[IncidentId]) -> Query<OfIncident> {
    let mut w = Where::new();
    w.and_any("x.incident_id", ids.iter().map(|id| id.0));
    Query::of(w.statement(
        "SELECT x.incident_id, s.slug FROM incident_services x JOIN services s ON s.id = x.service_id",
        "ORDER BY s.slug",
    ))
}

/// Who commands several incidents.
pub fn commanders_of(ids: &[IncidentId]) -> Query<OfIncident> {
    let mut w = Where::new();
    w.and_any("r.incident_id", ids.iter().map(|id| id.0));
    w.and_raw("r.role = 'commander' AND r.released_at IS NULL");
    Query::of(w.statement("SELECT r.incident_id, u.name FROM incident_roles r JOIN users u ON u.id = r.user_id", ""))
}

/// The standing milestones of several incidents, in one query.
pub async fn times_of(db: &Db, ids: &[IncidentId]) -> Result<Vec<(IncidentId, MilestoneName, Timestamp)>> {
    let mut w = Where::new();
    w.and_any("incident_id", ids.iter().map(|id| id.0));
    w.and_raw("at IS NOT NULL");
    let (sql, args) = w.statement("SELECT incident_id, name, at FROM incident_milestones", "");
    let rows = db.fetch_all::<(i64, String, Timestamp)>(sql, args).await?;
    rows.into_iter()
        .map(|(id, name, at)| Ok((IncidentId(id), word(MilestoneName::parse, &name, "milestone")?, at)))
        .collect()
}
