//! Action items after their incident: changed, closed by the change that names them, opened again when
//! the incident happens again, and reminded of.

use serde::Deserialize;

use crate::accounts::model::User;
use crate::accounts::service::list_users;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::deployments;
use crate::error::{Error, FieldErrors, Result};
use crate::fields;
use crate::incidents::model::input::NewTask;
use crate::incidents::model::record::Incident;
use crate::incidents::model::{TaskKind, TaskState};
use crate::incidents::{self, By, IncidentId, Viewer};
use crate::notifications;

use super::super::model::actions::{ActionItem, ActionType, IssueLink, Named, Priority, named_in};
use super::super::store::{actions as store, recurrences};

pub use store::{Filter, NEVER, count, page};

/// Items that one change closes, changes that one round looks through, and reminders of one round.
const MAX_CLOSED: usize = 50;
const MAX_CHANGES: i64 = 500;
const MAX_REMINDERS: i64 = 200;
/// A change that is committed late has an earlier time; so long is waited for it.
const LATE: chrono::TimeDelta = chrono::TimeDelta::seconds(10);

/// Jobs see every incident; what they tell says which are private.
pub const EVERYTHING: Viewer = Viewer { all: true, user_id: 0 };

/// What was sent about an item; what is left out stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ItemInput {
    pub title: Option<String>,
    /// An address; empty for nobody.
    pub owner: Option<String>,
    /// A day, or a moment; empty for none.
    pub due_at: Option<String>,
    pub state: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub priority: Option<String>,
    /// The address of an issue; empty for none.
    pub link: Option<String>,
}

/// # Errors
/// `NotFound` for what is no action item, or of an incident that is hidden from this person.
pub async fn get(db: &Db, task_id: i64, viewer: Viewer) -> Result<ActionItem> {
    let found = store::find(db, task_id, viewer).await?;
    found.ok_or_else(|| Error::not_found(format!("The action item AI-{task_id}")))
}

/// A date field sends a day; it is due at the day's end.
pub fn day_end(typed: &str) -> String {
    let typed = typed.trim();
    if typed.len() == 10 && typed.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        format!("{typed}T23:59")
    } else {
        typed.to_owned()
    }
}

fn owner_id(users: &[User], email: &str, errors: &mut FieldErrors) -> Option<i64> {
    if email.is_empty() {
        return None;
    }
    let found = users.iter().find(|u| u.email.eq_ignore_ascii_case(email)).map(|u| u.id);
    if found.is_none() {
        errors.add("owner", format!("nobody has the address '{email}'"));
    }
    found
}

/// What was said beyond the task, or what stands.
struct Details {
    kind: Option<ActionType>,
    priority: Priority,
    link: IssueLink,
}

fn details(input: &ItemInput, item: Option<&ActionItem>, errors: &mut FieldErrors) -> Details {
    let kind = match input.kind.as_deref().map(str::trim) {
        None => item.and_then(|i| i.kind),
        Some("") => None,
        Some(typed) => ActionType::parse(typed).or_else(|| {
            errors.add("type", ActionType::unknown(typed));
            None
        }),
    };
    let standing = item.map_or(Priority::Medium, |i| i.priority);
    let priority = match input.priority.as_deref().map(str::trim) {
        None | Some("") => standing,
        Some(typed) => Priority::parse(typed).unwrap_or_else(|| {
            errors.add("priority", Priority::unknown(typed));
            standing
        }),
    };
    let link = match &input.link {
        Some(typed) => IssueLink::parse(errors, "link", typed),
        None => item.map_or_else(IssueLink::default, |i| IssueLink { url: i.link.clone(), key: i.link_key.clone() }),
    };
    Details { kind, priority, link }
}

async fn put(tx: &Tx, task_id: i64, details: &Details) -> Result<()> {
    let row = store::Details {
        kind: details.kind,
        priority: details.priority,
        link: &details.link.url,
        link_key: &details.link.key,
    };
    store::put_details(tx, task_id, &row).await
}

/// Adds an action item to an incident.
///
/// # Errors
/// `Invalid` by field.
pub async fn add(tx: &Tx, incident: &Incident, input: &ItemInput, by: &By, now: Timestamp) -> Result<i64> {
    let mut errors = FieldErrors::default();
    let title = fields::title(&mut errors, "title", input.title.as_deref().unwrap_or_default());
    let typed_due = day_end(input.due_at.as_deref().unwrap_or_default());
    let due_at = fields::moment(&mut errors, "due_at", &typed_due, now);
    let owner = input.owner.as_deref().unwrap_or_default().trim().to_owned();
    let owner_id = owner_id(&list_users(tx).await?, &owner, &mut errors);
    let details = details(input, None, &mut errors);
    errors.into_result()?;
    let new = NewTask { title, kind: TaskKind::FollowUp, owner, due_at, state: TaskState::Open };
    let task = incidents::tasks::add(tx, incident.id, &new, owner_id, by, now).await?;
    put(tx, task.id, &details).await?;
    Ok(task.id)
}

/// Changes an item.
///
/// # Errors
/// `Invalid` by field; `Conflict` when somebody else changed it in this moment.
pub async fn edit(tx: &Tx, item: &ActionItem, input: &ItemInput, by: &By, now: Timestamp) -> Result<()> {
    let mut errors = FieldErrors::default();
    let task = incidents::tasks::get(tx, item.incident, item.task_id).await?;
    let mut new = standing(&task);
    if let Some(title) = &input.title {
        new.title = fields::title(&mut errors, "title", title);
    }
    if let Some(owner) = &input.owner {
        new.owner = owner.trim().to_owned();
    }
    if let Some(due) = &input.due_at {
        new.due_at = fields::moment(&mut errors, "due_at", &day_end(due), now);
    }
    if let Some(typed) = input.state.as_deref().filter(|s| !s.is_empty()) {
        match TaskState::parse(typed) {
            Some(state) => new.state = state,
            None => errors.add("state", TaskState::unknown(typed)),
        }
    }
    let owner_id = owner_id(&list_users(tx).await?, &new.owner, &mut errors);
    let details = details(input, Some(item), &mut errors);
    errors.into_result()?;
    if new != standing(&task) {
        incidents::tasks::edit(tx, item.incident, &task, &new, owner_id, by, now).await?;
    }
    if new.state != task.state {
        store::put_course(tx, item.task_id, None, "").await?;
    }
    put(tx, item.task_id, &details).await
}

fn standing(task: &incidents::record::Task) -> NewTask {
    NewTask {
        title: task.title.clone(),
        kind: task.kind,
        owner: task.owner_email.clone().unwrap_or_default(),
        due_at: task.due_at,
        state: task.state,
    }
}

/// Closes every open item that a change names and `viewer` may see. Gives their numbers.
pub async fn close_named(
    tx: &Tx,
    text: &str,
    deployment: Option<i64>,
    viewer: Viewer,
    by: &By,
    now: Timestamp,
) -> Result<Vec<i64>> {
    let Named { items, keys } = named_in(text);
    let found = store::open_named(tx, &items, &keys, viewer).await?;
    let users = if found.is_empty() { Vec::new() } else { list_users(tx).await? };
    let mut closed = Vec::new();
    for (incident, task_id) in found.into_iter().take(MAX_CLOSED) {
        set_state(tx, (IncidentId(incident), task_id), TaskState::Done, &users, by, now).await?;
        store::put_course(tx, task_id, deployment, "").await?;
        closed.push(task_id);
    }
    Ok(closed)
}

async fn set_state(
    tx: &Tx,
    (incident, task_id): (IncidentId, i64),
    state: TaskState,
    users: &[User],
    by: &By,
    now: Timestamp,
) -> Result<()> {
    let task = incidents::tasks::get(tx, incident, task_id).await?;
    let mut new = NewTask { state, ..standing(&task) };
    if state == TaskState::Open {
        // The old date says nothing about the second attempt.
        new.due_at = None;
    }
    let owner_id = owner_id(users, &new.owner, &mut FieldErrors::default());
    incidents::tasks::edit(tx, incident, &task, &new, owner_id, by, now).await.map(drop)
}

/// Looks through the changes that came since the last look. Gives how many items they closed.
pub async fn close_by_changes(db: &Db, now: Timestamp) -> Result<usize> {
    let from = store::scanned(db).await?;
    let changes = deployments::updated_since(db, from, now - LATE, MAX_CHANGES).await?;
    let Some(last) = changes.last() else { return Ok(0) };
    let to = (last.updated_at, last.id);
    let tx = db.begin().await?;
    if !store::set_scanned(&tx, from, to).await? {
        return Ok(0);
    }
    let mut closed = 0;
    for change in changes.iter().filter(|c| c.succeeded()) {
        let by = By::system(format!("{} {}", change.service, change.version));
        closed += close_named(&tx, &change.words(), Some(change.id), EVERYTHING, &by, now).await?.len();
    }
    tx.commit().await?;
    Ok(closed)
}

/// Queues one reminder for each open item past its date. Gives their number.
pub async fn remind(db: &Db, now: Timestamp) -> Result<usize> {
    let due = store::to_remind(db, now, MAX_REMINDERS).await?;
    for item in &due {
        let tx = db.begin().await?;
        let incident = incidents::get_visible(&tx, item.incident, EVERYTHING).await?;
        let day = item.due_at.map(|at| at.format("%Y-%m-%d")).unwrap_or_default();
        let owner = item.owner.as_deref().unwrap_or("nobody");
        let services = incidents::services(&tx, item.incident).await?.into_iter().map(|s| s.slug).collect();
        let micros = item.due_at.map_or(0, Timestamp::as_micros);
        let event = notifications::Event {
            severity: Some(item.severity.clone()),
            services,
            text: Some(format!("{} was due on {day}; owner: {owner}", item.key)),
            path: item.path(),
            private: incident.private,
            once_key: Some(format!("follow_up.overdue:{}:{micros}", item.task_id)),
            ..notifications::Event::new(
                notifications::EventKind::FollowUpOverdue,
                item.incident.to_string(),
                item.title.clone(),
                now,
            )
        };
        notifications::queue(&tx, event).await?;
        store::set_reminded(&tx, item.task_id, item.due_at).await?;
        tx.commit().await?;
    }
    Ok(due.len())
}

/// Says that an incident happened before: what was done against it did not help, so it is open again.
/// Gives the number of items that were reopened.
///
/// # Errors
/// `Invalid` when the other incident is this one, or did not happen before it.
pub async fn recurs(tx: &Tx, incident: &Incident, earlier: &Incident, by: &By, now: Timestamp) -> Result<usize> {
    if incident.id == earlier.id {
        return Err(Error::invalid("earlier", "must be another incident"));
    }
    if earlier.started_at > incident.started_at {
        return Err(Error::invalid("earlier", format!("{} began after {}", earlier.id, incident.id)));
    }
    let filter = Filter { incident: Some(earlier.id), state: Some(TaskState::Done), ..Filter::default() };
    let done = store::page(tx, &filter, EVERYTHING, 500).await?;
    // Detecting and mitigating may have worked this time; preventing has not.
    let failed: Vec<_> = done.iter().filter(|i| matches!(i.kind, None | Some(ActionType::Prevent))).collect();
    let count = i64::try_from(failed.len()).unwrap_or(i64::MAX);
    if !recurrences::insert(tx, incident.id, earlier.id, count, &by.name, now).await? {
        return Ok(0);
    }
    let users = list_users(tx).await?;
    for item in &failed {
        set_state(tx, (earlier.id, item.task_id), TaskState::Open, &users, by, now).await?;
        store::put_course(tx, item.task_id, None, &format!("{} happened again as {}", earlier.id, incident.id)).await?;
    }
    super::tell(tx, incident.id, &format!("Happened before, as {}", earlier.id), by, now).await?;
    let text = format!("Happened again, as {}; {} action items are open again", incident.id, failed.len());
    super::tell(tx, earlier.id, &text, by, now).await?;
    Ok(failed.len())
}

/// What an incident repeats, what repeated it, and earlier ones with the same confirmed cause.
#[derive(Clone, Debug, Default)]
pub struct Recurring {
    pub earlier: Vec<recurrences::Recurrence>,
    pub later: Vec<recurrences::Recurrence>,
    pub alike: Vec<IncidentId>,
}

pub async fn recurring(db: &Db, incident: &Incident, viewer: Viewer) -> Result<Recurring> {
    let earlier = recurrences::earlier(db, incident.id, viewer).await?;
    let mut alike = Vec::new();
    for id in crate::suspects::earlier_with_cause(db, incident.id, 5).await? {
        let known = earlier.iter().any(|r| r.incident() == id);
        if !known && incidents::get_visible(db, id, viewer).await.is_ok() {
            alike.push(id);
        }
    }
    Ok(Recurring { later: recurrences::later(db, incident.id, viewer).await?, earlier, alike })
}
