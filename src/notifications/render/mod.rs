//! How an event reads on each kind of channel. Pure: from events to the body that is sent.
//!
//! A message may carry several events: in a storm the events that wait for one channel are told together
//! ([`Message::Digest`]), so that nobody's phone rings a hundred times for one fault.

mod discord;
mod email;
pub mod slack;
mod teams;
mod webhook;

pub use email::Mail;

use super::model::{ChannelKind, Event, EventKind};

/// What one delivery tells.
#[derive(Clone, Debug)]
pub enum Message<'a> {
    One(&'a Event),
    /// At least two events, oldest first.
    Digest(&'a [Event]),
}

/// A digest lists so many events and counts the rest.
pub const DIGEST_LINES: usize = 20;

/// From so many waiting events on a channel gets a digest instead of single messages.
pub const DIGEST_FROM: usize = 5;

/// The JSON body for a chat or webhook channel; `None` for e-mail, which has [`mail`]. `buttons` adds those
/// that a Slack app listens for.
pub fn body(kind: ChannelKind, message: &Message<'_>, base_url: &str, buttons: bool) -> Option<serde_json::Value> {
    match kind {
        ChannelKind::Slack => Some(slack::body(message, base_url, buttons)),
        ChannelKind::Teams => Some(teams::body(message, base_url)),
        ChannelKind::Discord => Some(discord::body(message, base_url)),
        ChannelKind::Webhook => Some(webhook::body(message, base_url)),
        ChannelKind::Email => None,
    }
}

pub fn mail(message: &Message<'_>, base_url: &str) -> Mail {
    email::mail(message, base_url)
}

impl Message<'_> {
    pub fn events(&self) -> &[Event] {
        match self {
            Self::One(event) => std::slice::from_ref(event),
            Self::Digest(events) => events,
        }
    }

    /// One line that stands for the whole message where nothing else fits.
    pub fn headline(&self) -> String {
        match self {
            Self::One(event) => headline(event),
            Self::Digest(events) => {
                let mut subjects: Vec<_> = events.iter().map(|e| e.subject.as_str()).collect();
                subjects.sort_unstable();
                subjects.dedup();
                match subjects.as_slice() {
                    [one] => format!("{} updates on {one}", events.len()),
                    many => format!("{} updates on {} incidents", events.len(), many.len()),
                }
            }
        }
    }
}

/// `SEV1 INC-12 declared: Cart is down`.
fn headline(event: &Event) -> String {
    let severity = event.severity.as_deref().map(|s| format!("{s} ")).unwrap_or_default();
    match event.kind {
        EventKind::Test => return one_line(&format!("Test message for {}", event.title), 250),
        EventKind::ChannelDisabled => {
            return one_line(&format!("Notification channel switched off: {}", event.title), 250);
        }
        _ => {}
    }
    let happened = match event.kind {
        EventKind::IncidentDeclared => "declared".to_owned(),
        EventKind::IncidentStatus => {
            event.status.as_deref().map_or_else(|| "changed status".to_owned(), |s| format!("is now {s}"))
        }
        EventKind::IncidentSeverity => "changed severity".to_owned(),
        EventKind::IncidentResolved => "resolved".to_owned(),
        other => other.label().to_lowercase(),
    };
    one_line(&format!("{severity}{} {happened}: {}", event.subject, event.title), 250)
}

/// Facts in the order in which a reader asks for them.
fn facts(event: &Event) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut add = |name, value: Option<&str>| {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            facts.push((name, one_line(value, 300)));
        }
    };
    add("Severity", event.severity.as_deref());
    add("Status", event.status.as_deref());
    add("Services", Some(event.services.join(", ").as_str()));
    add("Roles", Some(event.roles.join(", ").as_str()));
    add("By", event.actor.as_deref());
    add("At", Some(&format!("{} UTC", event.occurred_at.to_minute())));
    facts
}

fn link(event: &Event, base_url: &str) -> String {
    format!("{}{}", base_url.trim_end_matches('/'), event.path)
}

/// No line breaks or control characters, at most `max` characters, cut with an ellipsis.
fn one_line(text: &str, max: usize) -> String {
    cut(&text.split_whitespace().collect::<Vec<_>>().join(" "), max)
}

/// At most `max` characters, cut with an ellipsis; no control characters but line breaks.
fn cut(text: &str, max: usize) -> String {
    let clean: String = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    if clean.chars().count() <= max {
        return clean;
    }
    clean.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

/// The lines of a digest, and how many events it does not list.
fn digest_lines(events: &[Event]) -> (impl Iterator<Item = &Event>, usize) {
    (events.iter().take(DIGEST_LINES), events.len().saturating_sub(DIGEST_LINES))
}

#[cfg(test)]
mod tests;
