//! Discord webhooks: one embed. Limits that Discord documents: 256 characters in a title, 4096 in a
//! description, 25 fields, 6000 together. Mentions are switched off: a title with `@everyone` rings nobody.

use serde_json::{Value, json};

use super::{Message, cut, digest_lines, facts, headline, link, one_line};
use crate::notifications::model::Event;

pub(super) fn body(message: &Message<'_>, base_url: &str) -> Value {
    let embed = match message {
        Message::One(event) => single(event, base_url),
        Message::Digest(events) => digest(message, events, base_url),
    };
    json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

fn single(event: &Event, base_url: &str) -> Value {
    let fields: Vec<_> = facts(event)
        .into_iter()
        .map(|(name, value)| json!({ "name": name, "value": escape(&value), "inline": true }))
        .collect();
    json!({
        "title": escape(&one_line(&headline(event), 200)),
        "url": link(event, base_url),
        "description": escape(&cut(event.text.as_deref().unwrap_or_default(), 1500)),
        "color": color(event.severity.as_deref()),
        "timestamp": event.occurred_at.to_rfc3339(),
        "fields": fields
    })
}

fn digest(message: &Message<'_>, events: &[Event], base_url: &str) -> Value {
    let (listed, more) = digest_lines(events);
    let mut text = String::new();
    let mut left_out = more;
    for event in listed {
        let line = format!("[{}]({})\n", escape(&one_line(&headline(event), 100)), link(event, base_url));
        // A line is shown whole or not at all: half a link is none.
        if text.chars().count() + line.chars().count() > 4000 {
            left_out += 1;
        } else {
            text.push_str(&line);
        }
    }
    if left_out > 0 {
        text.push_str(&format!("and {left_out} more"));
    }
    json!({ "title": message.headline(), "description": text })
}

/// The bar at the embed's side; the severity is written out as well.
fn color(severity: Option<&str>) -> u32 {
    match severity {
        Some("SEV1") => 0x00b4_2318,
        Some("SEV2") => 0x00c4_5a00,
        Some("SEV3") => 0x0087_6300,
        _ => 0x0047_5569,
    }
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if matches!(c, '\\' | '[' | ']' | '(' | ')' | '*' | '_' | '`' | '~' | '|' | '<' | '>') {
            out.push('\\');
        }
        out.push(c);
        out
    })
}
