//! Lists of incidents: filtered, sorted by their start, a page at a time, and only what the asker may
//! see.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Where, like_contains};
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

/// At most `limit`, newest start first.
pub async fn page(db: &Db, filter: &Filter, viewer: Viewer, limit: i64) -> Result<Vec<Incident>> {
    let mut w = conditions(filter, viewer);
    if let Some((at, id)) = filter.beyond {
        w.and_all("(i.started_at, i.id) < (?, ?)", args![at, id]);
    }
    let limit = w.bind(limit);
    let head = format!("SELECT {COLUMNS} FROM incidents i");
    let (sql, args) = w.statement(&head, &format!("ORDER BY i.started_at DESC, i.id DESC LIMIT {limit}"));
    let rows = db.fetch_all::<IncidentRow>(sql, args).await?;
    rows.into_iter().map(IncidentRow::into_incident).collect()
}

/// How many there are, counted no further than `at_most`.
pub async fn count(db: &Db, filter: &Filter, viewer: Viewer, at_most: i64) -> Result<i64> {
    let mut w = conditions(filter, viewer);
    let limit = w.bind(at_most);
    let (sql, args) =
        w.statement("SELECT COUNT(*) FROM (SELECT 1 AS one FROM incidents i", &format!("LIMIT {limit}) AS found"));
    db.fetch_scalar(sql, args).await
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

/// The slugs of the services of several incidents, in one query.
pub async fn services_of(db: &Db, ids: &[IncidentId]) -> Result<Vec<(IncidentId, String)>> {
    let mut w = Where::new();
    w.and_any("x.incident_id", ids.iter().map(|id| id.0));
    let (sql, args) = w.statement(
        "SELECT x.incident_id, s.slug FROM incident_services x JOIN services s ON s.id = x.service_id",
        "ORDER BY s.slug",
    );
    let rows = db.fetch_all::<(i64, String)>(sql, args).await?;
    Ok(rows.into_iter().map(|(id, slug)| (IncidentId(id), slug)).collect())
}

/// Who commands several incidents, in one query.
pub async fn commanders_of(db: &Db, ids: &[IncidentId]) -> Result<Vec<(IncidentId, String)>> {
    let mut w = Where::new();
    w.and_any("r.incident_id", ids.iter().map(|id| id.0));
    w.and_raw("r.role = 'commander' AND r.released_at IS NULL");
    let (sql, args) =
        w.statement("SELECT r.incident_id, u.name FROM incident_roles r JOIN users u ON u.id = r.user_id", "");
    let rows = db.fetch_all::<(i64, String)>(sql, args).await?;
    Ok(rows.into_iter().map(|(id, name)| (IncidentId(id), name)).collect())
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
