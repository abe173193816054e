//! The body of a signed webhook: `{type, timestamp, data}` as Standard Webhooks asks. A digest is
//! `type: "digest"` with `data.events`, each as it would have been sent alone.

use serde_json::{Value, json};

use super::{Message, link};
use crate::notifications::model::Event;

pub(super) fn body(message: &Message<'_>, base_url: &str) -> Value {
    match message {
        Message::One(event) => single(event, base_url),
        Message::Digest(events) => json!({
            "type": "digest",
            "timestamp": events.last().map(|e| e.occurred_at.to_rfc3339()),
            "data": { "events": events.iter().map(|e| single(e, base_url)).collect::<Vec<_>>() }
        }),
    }
}

fn single(event: &Event, base_url: &str) -> Value {
    json!({
        "type": event.kind.as_str(),
        "timestamp": event.occurred_at.to_rfc3339(),
        "data": {
            "id": event.subject,
            "title": event.title,
            "severity": event.severity,
            "status": event.status,
            "services": event.services,
            "roles": event.roles,
            "text": event.text,
            "actor": event.actor,
            "url": link(event, base_url)
        }
    })
}
