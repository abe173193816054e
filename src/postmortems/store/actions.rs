//! Action items across incidents.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx, Value, Where, like_contains};
use crate::error::Result;
use crate::incidents::model::TaskState;
use crate::incidents::{self, IncidentId, Viewer};
use crate::postmortems::model::actions::{ActionItem, ActionType, Priority, key};

use super::word;

/// Stands for "no due date": after every date.
pub const NEVER: i64 = i64::MAX;

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    incident_id: i64,
    incident_title: String,
    severity: String,
    title: String,
    state: String,
    kind: String,
    priority: String,
    owner: Option<String>,
    owner_email: Option<String>,
    due_at: Option<Timestamp>,
    link: String,
    link_key: String,
    closed_by: Option<i64>,
    reopened_because: String,
    done_at: Option<Timestamp>,
    updated_at: Timestamp,
}

const SELECT: &str = "SELECT t.id, t.incident_id, i.title AS incident_title, i.severity, t.title, t.state, \
    COALESCE(a.type, '') AS kind, COALESCE(a.priority, 'medium') AS priority, u.name AS owner, u.email AS owner_email, \
    t.due_at, COALESCE(a.link, '') AS link, COALESCE(a.link_key, '') AS link_key, a.closed_by, \
    COALESCE(a.reopened_because, '') AS reopened_because, t.done_at, t.updated_at";
const FROM: &str = "FROM incident_tasks t JOIN incidents i ON i.id = t.incident_id \
    LEFT JOIN action_items a ON a.task_id = t.id LEFT JOIN users u ON u.id = t.owner_id";

impl Row {
    fn into_item(self) -> Result<ActionItem> {
        Ok(ActionItem {
            state: word(TaskState::parse, &self.state, "task state")?,
            kind: ActionType::parse(&self.kind),
            priority: word(Priority::parse, &self.priority, "priority")?,
            task_id: self.id,
            key: key(self.id),
            incident: IncidentId(self.incident_id),
            incident_title: self.incident_title,
            severity: self.severity,
            title: self.title,
            owner: self.owner,
            owner_email: self.owner_email,
            due_at: self.due_at,
            link: self.link,
            link_key: self.link_key,
            closed_by: self.closed_by,
            reopened_because: self.reopened_because,
            done_at: self.done_at,
            updated_at: self.updated_at,
        })
    }
}

/// What to list. `None` and empty texts do not filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<TaskState>,
    pub kind: Option<ActionType>,
    pub priority: Option<Priority>,
    pub owner: Option<i64>,
    /// Nobody owns it.
    pub unowned: bool,
    /// Open, and due before this.
    pub due_before: Option<Timestamp>,
    /// Slug of a service of the incident.
    pub service: String,
    pub team: String,
    /// Words of the title.
    pub text: String,
    pub incident: Option<IncidentId>,
    /// After this due date (or [`NEVER`]) and id, soonest first.
    pub beyond: Option<(i64, i64)>,
}

fn conditions(filter: &Filter, viewer: Viewer) -> Where {
    let mut w = Where::new();
    w.and_raw("t.kind = 'follow_up'");
    incidents::visible(&mut w, viewer);
    if let Some(state) = filter.state {
        w.and("t.state = ?", state.as_str());
    }
    if let Some(kind) = filter.kind {
        w.and("a.type = ?", kind.as_str());
    }
    if let Some(priority) = filter.priority {
        w.and("COALESCE(a.priority, 'medium') = ?", priority.as_str());
    }
    if let Some(owner) = filter.owner {
        w.and("t.owner_id = ?", owner);
    }
    if filter.unowned {
        w.and_raw("t.owner_id IS NULL");
    }
    if let Some(before) = filter.due_before {
        w.and("t.due_at < ?", before);
    }
    if !filter.service.is_empty() {
        w.and(
            "EXISTS (SELECT 1 FROM incident_services x JOIN services s ON s.id = x.service_id \
             WHERE x.incident_id = i.id AND s.slug = ?)",
            &filter.service,
        );
    }
    if !filter.team.is_empty() {
        w.and(
            "EXISTS (SELECT 1 FROM incident_services x JOIN services s ON s.id = x.service_id \
             WHERE x.incident_id = i.id AND s.owner_team = ?)",
            &filter.team,
        );
    }
    for word in filter.text.split_whitespace().take(8) {
        w.and("LOWER(t.title) LIKE ? ESCAPE '\\'", like_contains(&word.to_lowercase()));
    }
    if let Some(incident) = filter.incident {
        w.and("t.incident_id = ?", incident.0);
    }
    w
}

/// Soonest due first, those without a date last; at most `limit`.
pub async fn page(db: &Db, filter: &Filter, viewer: Viewer, limit: i64) -> Result<Vec<ActionItem>> {
    let mut w = conditions(filter, viewer);
    if let Some((due, id)) = filter.beyond {
        w.and_all("(COALESCE(t.due_at, 9223372036854775807), t.id) > (?, ?)", args![due, id]);
    }
    let limit = w.bind(limit);
    let tail = format!("ORDER BY COALESCE(t.due_at, 9223372036854775807), t.id LIMIT {limit}");
    let (sql, args) = w.statement(&format!("{SELECT} {FROM}"), &tail);
    db.fetch_all::<Row>(sql, args).await?.into_iter().map(Row::into_item).collect()
}

/// Counted no further than `at_most`.
pub async fn count(db: &Db, filter: &Filter, viewer: Viewer, at_most: i64) -> Result<i64> {
    let mut w = conditions(filter, viewer);
    let limit = w.bind(at_most);
    let (sql, args) =
        w.statement(&format!("SELECT COUNT(*) FROM (SELECT 1 AS one {FROM}"), &format!("LIMIT {limit}) AS found"));
    db.fetch_scalar(sql, args).await
}

pub async fn find(db: &Db, task_id: i64, viewer: Viewer) -> Result<Option<ActionItem>> {
    let mut w = Where::new();
    w.and_raw("t.kind = 'follow_up'");
    w.and("t.id = ?", task_id);
    incidents::visible(&mut w, viewer);
    let (sql, args) = w.statement(&format!("{SELECT} {FROM}"), "LIMIT 1");
    db.fetch_optional::<Row>(sql, args).await?.map(Row::into_item).transpose()
}

/// What a person says of an item beyond its task.
pub struct Details<'a> {
    pub kind: Option<ActionType>,
    pub priority: Priority,
    pub link: &'a str,
    pub link_key: &'a str,
}

pub async fn put_details(tx: &Tx, task_id: i64, details: &Details<'_>) -> Result<()> {
    tx.execute(
        "INSERT INTO action_items (task_id, type, priority, link, link_key) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (task_id) DO UPDATE SET type = excluded.type, priority = excluded.priority, \
         link = excluded.link, link_key = excluded.link_key",
        args![
            task_id,
            details.kind.map_or("", |k| k.as_str()),
            details.priority.as_str(),
            details.link,
            details.link_key
        ],
    )
    .await
    .map(drop)
}

/// Remembers which change closed an item, or (`None`, with the reason) that it is open again.
pub async fn put_course(tx: &Tx, task_id: i64, closed_by: Option<i64>, because: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO action_items (task_id, closed_by, reopened_because) VALUES ($1, $2, $3) \
         ON CONFLICT (task_id) DO UPDATE SET closed_by = excluded.closed_by, reopened_because = excluded.reopened_because",
        args![task_id, closed_by, because],
    )
    .await
    .map(drop)
}

/// Open items past their date that nobody was reminded of; whoever may see them.
pub async fn to_remind(db: &Db, now: Timestamp, limit: i64) -> Result<Vec<ActionItem>> {
    let sql = format!(
        "{SELECT} {FROM} WHERE t.kind = 'follow_up' AND t.state = 'open' \
         AND COALESCE(t.due_at, 9223372036854775807) < $1 AND (a.reminded_for IS NULL OR a.reminded_for <> t.due_at) \
         ORDER BY COALESCE(t.due_at, 9223372036854775807), t.id LIMIT $2"
    );
    let rows = db.fetch_all::<Row>(Sql::built(sql), args![now, limit]).await?;
    rows.into_iter().map(Row::into_item).collect()
}

pub async fn set_reminded(tx: &Tx, task_id: i64, due: Option<Timestamp>) -> Result<()> {
    tx.execute(
        "INSERT INTO action_items (task_id, reminded_for) VALUES ($1, $2) \
         ON CONFLICT (task_id) DO UPDATE SET reminded_for = excluded.reminded_for",
        args![task_id, due],
    )
    .await
    .map(drop)
}

/// Open items that a change names by number or by issue, with their incidents.
pub async fn open_named(db: &Db, items: &[i64], keys: &[String], viewer: Viewer) -> Result<Vec<(i64, i64)>> {
    let mut found = Vec::new();
    for (column, values) in [("t.id", values(items)), ("a.link_key", values(keys))] {
        if values.is_empty() {
            continue;
        }
        let mut w = Where::new();
        w.and_raw("t.kind = 'follow_up'");
        w.and_raw("t.state = 'open'");
        w.and_any(column, values);
        incidents::visible(&mut w, viewer);
        let (sql, args) = w.statement(
            "SELECT t.incident_id, t.id FROM incident_tasks t JOIN incidents i ON i.id = t.incident_id \
             LEFT JOIN action_items a ON a.task_id = t.id",
            "ORDER BY t.id LIMIT 100",
        );
        found.extend(db.fetch_all::<(i64, i64)>(sql, args).await?);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn values<V: Clone + Into<Value>>(list: &[V]) -> Vec<Value> {
    list.iter().cloned().map(Into::into).collect()
}

/// Up to which change all were looked through.
pub async fn scanned(db: &Db) -> Result<(Timestamp, i64)> {
    db.fetch_one("SELECT updated_at, deployment_id FROM action_item_scan WHERE id = 1", args![]).await
}

/// `false` when another node went on meanwhile.
pub async fn set_scanned(tx: &Tx, from: (Timestamp, i64), to: (Timestamp, i64)) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE action_item_scan SET updated_at = $1, deployment_id = $2 WHERE id = 1 AND updated_at = $3 AND deployment_id = $4",
            args![to.0, to.1, from.0, from.1],
        )
        .await?;
    Ok(changed == 1)
}
