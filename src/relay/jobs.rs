//! Passing on what happened, and reminding of updates that are overdue.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::telling;
use crate::clock::{Timestamp, human_duration};
use crate::db::Tx;
use crate::error::Result;
use crate::incidents::{self, Append, By, EntryKind, Incident, events};
use crate::notifications::{self, Event, EventKind};
use crate::state::AppState;

const AT_ONCE: i64 = 200;

/// One round; tells how many events and reminders were passed on.
///
/// # Errors
/// `Unavailable` when the database is away; the next round mends it.
pub async fn run_once(state: &AppState) -> Result<usize> {
    let mut done = 0;
    loop {
        let taken = pass_on(state).await?;
        done += taken;
        if taken == 0 {
            break;
        }
    }
    Ok(done + remind(state).await?)
}

/// Takes events and queues what they tell in one transaction: none is lost, none is told twice.
async fn pass_on(state: &AppState) -> Result<usize> {
    if !events::any_waiting(&state.db).await? {
        return Ok(0);
    }
    let now = state.now();
    let tx = state.db.begin().await?;
    let taken = events::take(&tx, AT_ONCE, now).await?;
    for event in &taken {
        telling::tell(&tx, event, now).await?;
    }
    tx.commit().await?;
    Ok(taken.len())
}

/// Each due time of a next update is reminded of once.
async fn remind(state: &AppState) -> Result<usize> {
    let now = state.now();
    let tx = state.db.begin().await?;
    let overdue = incidents::take_overdue(&tx, now, AT_ONCE).await?;
    if overdue.is_empty() {
        return Ok(0);
    }
    for incident in &overdue {
        remind_of(&tx, incident, now).await?;
    }
    tx.commit().await?;
    Ok(overdue.len())
}

async fn remind_of(tx: &Tx, incident: &Incident, now: Timestamp) -> Result<()> {
    let Some(due) = incident.next_update_due_at else { return Ok(()) };
    let text = format!("The next update was due at {} UTC, and none was posted", due.to_minute());
    let entry = Append::activity(EntryKind::Notification, text, now).keyed(format!("update-due:{}", due.as_micros()));
    incidents::append_timeline(tx, incident.id, &entry, &By::system("Faultline"), now).await?;
    tx.announce("incidents");
    let Some(notice) = incidents::notice(tx, incident, EventKind::IncidentUpdateDue, now).await? else {
        return Ok(());
    };
    let late = now - due;
    let event = Event {
        text: Some(if late.num_minutes() < 1 {
            "The promised update is due now".to_owned()
        } else {
            format!("The promised update is {} late", human_duration(late))
        }),
        roles: vec!["commander".to_owned(), "communications".to_owned()],
        once_key: Some(format!("update_due:{}:{}", incident.id, due.as_micros())),
        ..notice
    };
    notifications::queue(tx, event).await
}

/// Rounds until the process ends: when something happened, and every few seconds for what is due.
pub fn spawn(state: AppState) -> JoinHandle<()> {
    const PAUSE: Duration = Duration::from_secs(3);
    tokio::spawn(async move {
        let mut notices = state.db.subscribe();
        loop {
            if let Err(error) = run_once(&state).await {
                tracing::warn!(%error, "what happened could not be passed on to notifications yet");
                tokio::time::sleep(PAUSE).await;
            }
            let happened = async { while notices.recv().await.is_ok_and(|n| n.topic != "incident-events") {} };
            let _ = tokio::time::timeout(PAUSE, happened).await;
        }
    })
}
