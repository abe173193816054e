//! Tasks of incidents.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx, Where};
use crate::error::Result;
use crate::incidents::model::record::Task;
use crate::incidents::model::{IncidentId, TaskKind, TaskState};

use super::lists::{Viewer, visible};
use super::word;

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    state: String,
    title: String,
    owner: Option<String>,
    owner_email: Option<String>,
    due_at: Option<Timestamp>,
    created_by_name: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    done_at: Option<Timestamp>,
    version: i64,
}

const SELECT: &str = "SELECT t.id, t.kind, t.state, t.title, u.name AS owner, u.email AS owner_email, t.due_at, \
    t.created_by_name, t.created_at, t.updated_at, t.done_at, t.version FROM incident_tasks t \
    LEFT JOIN users u ON u.id = t.owner_id";

impl Row {
    fn into_task(self) -> Result<Task> {
        Ok(Task {
            id: self.id,
            kind: word(TaskKind::parse, &self.kind, "task kind")?,
            state: word(TaskState::parse, &self.state, "task state")?,
            title: self.title,
            owner: self.owner,
            owner_email: self.owner_email,
            due_at: self.due_at,
            created_by: self.created_by_name,
            created_at: self.created_at,
            updated_at: self.updated_at,
            done_at: self.done_at,
            version: self.version,
        })
    }
}

pub struct TaskRow<'a> {
    pub kind: TaskKind,
    pub state: TaskState,
    pub title: &'a str,
    pub owner_id: Option<i64>,
    pub due_at: Option<Timestamp>,
    pub done_at: Option<Timestamp>,
}

pub async fn insert(tx: &Tx, id: IncidentId, new: &TaskRow<'_>, by: &str, now: Timestamp) -> Result<i64> {
    let (task_id,): (i64,) = tx
        .fetch_one(
            "INSERT INTO incident_tasks (incident_id, kind, state, title, owner_id, due_at, done_at, created_by_name, \
         created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) RETURNING id",
            args![
                id.0,
                new.kind.as_str(),
                new.state.as_str(),
                new.title,
                new.owner_id,
                new.due_at,
                new.done_at,
                by,
                now
            ],
        )
        .await?;
    Ok(task_id)
}

/// `false` when another version stands.
pub async fn update(tx: &Tx, task: &Task, new: &TaskRow<'_>, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE incident_tasks SET kind = $1, state = $2, title = $3, owner_id = $4, due_at = $5, done_at = $6, \
         updated_at = $7, version = version + 1 WHERE id = $8 AND version = $9",
            args![
                new.kind.as_str(),
                new.state.as_str(),
                new.title,
                new.owner_id,
                new.due_at,
                new.done_at,
                now,
                task.id,
                task.version
            ],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn find(db: &Db, id: IncidentId, task_id: i64) -> Result<Option<Task>> {
    let sql = format!("{SELECT} WHERE t.incident_id = $1 AND t.id = $2");
    let row = db.fetch_optional::<Row>(Sql::built(sql), args![id.0, task_id]).await?;
    row.map(Row::into_task).transpose()
}

/// Oldest first, after the task with the id `after`.
pub async fn page(db: &Db, id: IncidentId, after: i64, limit: i64) -> Result<Vec<Task>> {
    let sql = format!("{SELECT} WHERE t.incident_id = $1 AND t.id > $2 ORDER BY t.id LIMIT $3");
    let rows = db.fetch_all::<Row>(Sql::built(sql), args![id.0, after, limit]).await?;
    rows.into_iter().map(Row::into_task).collect()
}

pub async fn count(db: &Db, id: IncidentId) -> Result<i64> {
    let (n,): (i64,) = db.fetch_one("SELECT COUNT(*) FROM incident_tasks WHERE incident_id = $1", args![id.0]).await?;
    Ok(n)
}

/// An open task of somebody's, on the dashboard.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct MyTask {
    pub incident_id: i64,
    pub id: i64,
    pub title: String,
    pub due_at: Option<Timestamp>,
}

/// Open tasks of one person in incidents that they may see; the soonest due first.
pub async fn open_of(db: &Db, user_id: i64, viewer: Viewer, limit: i64) -> Result<Vec<MyTask>> {
    let mut w = Where::new();
    w.and("t.owner_id = ?", user_id);
    w.and_raw("t.state = 'open'");
    visible(&mut w, viewer);
    let limit = w.bind(limit);
    let (sql, args) = w.statement(
        "SELECT t.incident_id, t.id, t.title, t.due_at FROM incident_tasks t JOIN incidents i ON i.id = t.incident_id",
        &format!("ORDER BY CASE WHEN t.due_at IS NULL THEN 1 ELSE 0 END, t.due_at, t.id LIMIT {limit}"),
    );
    db.fetch_all::<MyTask>(sql, args).await
}
