//! One incident event in the words of a notification.

use chrono::TimeDelta;

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::incidents::{self, EventKind as Happened, Incident, IncidentEvent, Viewer};
use crate::notifications::{self, Event, EventKind};
use crate::suspects;

/// Whoever sees everything; whom it is told is decided by the channels.
const EVERYTHING: Viewer = Viewer { all: true, user_id: 0 };
/// What happened longer ago is history, not news: after an upgrade or a long outage nobody wants it told.
const NEWS: TimeDelta = TimeDelta::hours(6);
/// Characters of a summary that go along.
const SUMMARY: usize = 600;

/// Queues what is to be told of an event, if anything.
pub(super) async fn tell(tx: &Tx, event: &IncidentEvent, now: Timestamp) -> Result<()> {
    if now - event.at > NEWS {
        return Ok(());
    }
    let incident = match incidents::get_visible(tx, event.incident, EVERYTHING).await {
        Ok(incident) => incident,
        // Gone meanwhile: there is nothing to tell, and what comes after must not wait for it.
        Err(Error::NotFound(_)) => return Ok(()),
        Err(other) => return Err(other),
    };
    let said = Said::of(event);
    let Some(notice) = incidents::notice(tx, &incident, said.kind, event.at).await? else { return Ok(()) };
    let mut told = Event { text: said.text, actor: said.by, roles: said.roles, ..notice };
    told.holders.extend(said.owner.map(|email| ("owner".to_owned(), email)));
    match event.kind {
        Happened::Declared => {
            told.text = join(told.text, summary(&incident));
        }
        Happened::StatusChanged | Happened::SeverityChanged | Happened::UpdatePosted => {
            told.text = join(told.text, suspected(tx, &incident).await?);
        }
        _ => {}
    }
    notifications::queue(tx, told).await
}

/// The confirmed cause, else the sentence on the first suspect.
async fn suspected(db: &Db, incident: &Incident) -> Result<Option<String>> {
    if let Some(given) = suspects::confirmed(db, incident.id).await?.first() {
        return Ok(Some(format!("Confirmed cause: {}", given.subject.title())));
    }
    let kept = suspects::find(db, incident.id).await?;
    Ok(kept.and_then(|k| k.ranking.headline).map(|headline| format!("Suspected: {headline}")))
}

fn summary(incident: &Incident) -> Option<String> {
    let text: String = incident.summary.trim().chars().take(SUMMARY).collect();
    (!text.is_empty()).then_some(text)
}

fn join(a: Option<String>, b: Option<String>) -> Option<String> {
    match (a, b) {
        (Some(a), Some(b)) => Some(format!("{a}\n{b}")),
        (a, b) => a.or(b),
    }
}

/// What an event's detail says.
struct Said {
    kind: EventKind,
    text: Option<String>,
    by: Option<String>,
    roles: Vec<String>,
    /// E-mail address of a task's owner.
    owner: Option<String>,
}

impl Said {
    fn of(event: &IncidentEvent) -> Self {
        let word = |name: &str| event.detail[name].as_str().filter(|t| !t.is_empty()).map(str::to_owned);
        let from_to = || match (word("from"), word("to")) {
            (Some(from), Some(to)) => Some(format!("{from} → {to}")),
            _ => None,
        };
        let because = |text: Option<String>| match (text, word("reason")) {
            (Some(text), Some(reason)) => Some(format!("{text}: {reason}")),
            (text, reason) => text.or(reason),
        };
        let (kind, text) = match event.kind {
            Happened::Declared => (EventKind::IncidentDeclared, None),
            Happened::StatusChanged if word("to").as_deref() == Some("resolved") => {
                (EventKind::IncidentResolved, word("reason"))
            }
            Happened::StatusChanged => (EventKind::IncidentStatus, because(from_to())),
            Happened::SeverityChanged => (EventKind::IncidentSeverity, because(from_to())),
            Happened::RoleAssigned => (EventKind::IncidentRole, role_words(word("role"), word("from"), word("to"))),
            Happened::UpdatePosted => (EventKind::IncidentUpdate, word("text")),
            Happened::Merged => (EventKind::IncidentMerged, because(word("into").map(|into| format!("into {into}")))),
            Happened::Unmerged => (EventKind::IncidentStatus, because(Some("The merge was undone".to_owned()))),
            Happened::TaskAssigned => (
                EventKind::TaskAssigned,
                word("title").map(|title| format!("{title}, for {}", word("owner").unwrap_or_default())),
            ),
        };
        let roles = match event.kind {
            Happened::RoleAssigned => word("role").into_iter().collect(),
            Happened::TaskAssigned => vec!["owner".to_owned()],
            _ => Vec::new(),
        };
        let owner = if event.kind == Happened::TaskAssigned { word("owner") } else { None };
        Self { kind, text, by: word("by"), roles, owner }
    }
}

fn role_words(role: Option<String>, from: Option<String>, to: Option<String>) -> Option<String> {
    let role = role?;
    Some(match (from, to) {
        (Some(from), Some(to)) => format!("{from} handed {role} over to {to}"),
        (None, Some(to)) => format!("{to} is now {role}"),
        (Some(from), None) => format!("{from} is no longer {role}; nobody is"),
        (None, None) => return None,
    })
}
