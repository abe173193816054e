//! Tasks: what must be done now, and what follows later.

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

use super::super::model::input::NewTask;
use super::super::model::record::Task;
use super::super::model::{EntryKind, IncidentId, TaskState};
use super::super::store::tasks as store;
use super::By;
use super::events::{self, EventKind};
use super::timeline::{Append, append_timeline};

/// `owner_id` is the account that `new.owner` names.
pub async fn add(
    tx: &Tx,
    id: IncidentId,
    new: &NewTask,
    owner_id: Option<i64>,
    by: &By,
    now: Timestamp,
) -> Result<Task> {
    let row = row(new, owner_id, None, now);
    let task_id = store::insert(tx, id, &row, &by.name, now).await?;
    let text = format!("Task added ({}): {}", new.kind.label(), new.title);
    append_timeline(tx, id, &Append::activity(EntryKind::Task, text, now), by, now).await?;
    if owner_id.is_some() {
        tell_owner(tx, id, new, by, now).await?;
    }
    get(tx, id, task_id).await
}

/// # Errors
/// `Conflict` when somebody else changed it meanwhile.
pub async fn edit(
    tx: &Tx,
    id: IncidentId,
    task: &Task,
    new: &NewTask,
    owner_id: Option<i64>,
    by: &By,
    now: Timestamp,
) -> Result<Task> {
    if !store::update(tx, task, &row(new, owner_id, task.done_at, now), now).await? {
        return Err(Error::Conflict("somebody else changed this task meanwhile".to_owned()));
    }
    let text = match (task.state, new.state) {
        (TaskState::Open, TaskState::Done) => format!("Task done: {}", new.title),
        (TaskState::Open, TaskState::Cancelled) => format!("Task cancelled: {}", new.title),
        (TaskState::Done | TaskState::Cancelled, TaskState::Open) => format!("Task reopened: {}", new.title),
        _ => format!("Task changed: {}", new.title),
    };
    append_timeline(tx, id, &Append::activity(EntryKind::Task, text, now), by, now).await?;
    let same_owner = task.owner_email.as_deref().unwrap_or_default().eq_ignore_ascii_case(&new.owner);
    if owner_id.is_some() && !same_owner {
        tell_owner(tx, id, new, by, now).await?;
    }
    get(tx, id, task.id).await
}

/// # Errors
/// `NotFound` when the incident has no such task.
pub async fn get(db: &Db, id: IncidentId, task_id: i64) -> Result<Task> {
    store::find(db, id, task_id).await?.ok_or_else(|| Error::not_found(format!("task {task_id} of {id}")))
}

/// Oldest first, after the task `after`; at most `limit`.
pub async fn page(db: &Db, id: IncidentId, after: i64, limit: i64) -> Result<Vec<Task>> {
    store::page(db, id, after, limit).await
}

pub async fn count(db: &Db, id: IncidentId) -> Result<i64> {
    store::count(db, id).await
}

fn row(new: &NewTask, owner_id: Option<i64>, done_before: Option<Timestamp>, now: Timestamp) -> store::TaskRow<'_> {
    let done_at = (new.state == TaskState::Done).then(|| done_before.unwrap_or(now));
    store::TaskRow { kind: new.kind, state: new.state, title: &new.title, owner_id, due_at: new.due_at, done_at }
}

async fn tell_owner(tx: &Tx, id: IncidentId, new: &NewTask, by: &By, now: Timestamp) -> Result<()> {
    let detail = serde_json::json!({ "title": new.title, "owner": new.owner, "by": by.name });
    events::record(tx, id, EventKind::TaskAssigned, &detail, now).await
}
