//! Slack's Block Kit for incoming webhooks. Limits that Slack documents: 50 blocks, 150 characters in a
//! header, 3000 in a section, 2000 in a field. Only `&`, `<` and `>` are escaped.

use serde_json::{Value, json};

use super::{Message, digest_lines, facts, headline, link, one_line};
use crate::notifications::model::Event;

/// The buttons' names in what Slack sends back.
pub const ACKNOWLEDGE: &str = "faultline_acknowledge";
pub const RESOLVE: &str = "faultline_resolve";

pub(super) fn body(message: &Message<'_>, base_url: &str, buttons: bool) -> Value {
    let blocks = match message {
        Message::One(event) => single(event, base_url, buttons),
        Message::Digest(events) => digest(message, events, base_url),
    };
    json!({ "text": escape(&message.headline()), "blocks": blocks, "unfurl_links": false })
}

fn single(event: &Event, base_url: &str, buttons: bool) -> Vec<Value> {
    let mut blocks = vec![header(&headline(event))];
    if let Some(text) = event.text.as_deref().filter(|t| !t.is_empty()) {
        blocks.push(json!({ "type": "section", "text": mrkdwn(&escape_within(text, 2900)) }));
    }
    let fields: Vec<_> = facts(event)
        .into_iter()
        .take(10)
        .map(|(name, value)| mrkdwn(&format!("*{name}*\n{}", escape(&value))))
        .collect();
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    let mut elements = vec![json!({
        "type": "button",
        "text": { "type": "plain_text", "text": one_line(&format!("Open {}", event.subject), 75) },
        "url": link(event, base_url)
    })];
    if buttons && asks_for_action(event) {
        elements.extend([(ACKNOWLEDGE, "Acknowledge"), (RESOLVE, "Resolve")].map(|(action, label)| {
            json!({
                "type": "button",
                "action_id": action,
                "value": event.subject,
                "text": { "type": "plain_text", "text": label }
            })
        }));
    }
    blocks.push(json!({ "type": "actions", "elements": elements }));
    blocks
}

/// Whether the incident is open as far as the message knows.
fn asks_for_action(event: &Event) -> bool {
    event.subject.starts_with("INC-")
        && event
            .status
            .as_deref()
            .is_some_and(|s| matches!(s, "triage" | "investigating" | "identified" | "monitoring"))
}

fn digest(message: &Message<'_>, events: &[Event], base_url: &str) -> Vec<Value> {
    let mut blocks = vec![header(&message.headline())];
    let (listed, more) = digest_lines(events);
    blocks.extend(listed.map(|event| {
        let line = format!("<{}|{}>", link(event, base_url), escape(&headline(event)));
        json!({ "type": "section", "text": mrkdwn(&line) })
    }));
    if more > 0 {
        blocks.push(json!({ "type": "context", "elements": [mrkdwn(&format!("and {more} more"))] }));
    }
    blocks
}

fn header(text: &str) -> Value {
    json!({ "type": "header", "text": { "type": "plain_text", "text": one_line(text, 150) } })
}

fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text })
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Escapes as much of a text as stays within `max` characters after escaping, never cutting an entity.
fn escape_within(text: &str, max: usize) -> String {
    let mut out = String::new();
    for c in text.chars().filter(|c| *c == '\n' || !c.is_control()) {
        let escaped = escape(&c.to_string());
        if out.len() + escaped.len() > max {
            out.push('…');
            break;
        }
        out.push_str(&escaped);
    }
    out
}
