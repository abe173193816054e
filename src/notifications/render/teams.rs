//! Microsoft Teams: an adaptive card (1.4) inside the message that a workflow webhook takes. Teams cuts
//! messages over 28 kB, which the limits here stay far under.

use serde_json::{Value, json};

use super::{Message, cut, digest_lines, facts, headline, link, one_line};
use crate::notifications::model::Event;

pub(super) fn body(message: &Message<'_>, base_url: &str) -> Value {
    let (body, actions) = match message {
        Message::One(event) => single(event, base_url),
        Message::Digest(events) => digest(message, events, base_url),
    };
    json!({
        "type": "message",
        "summary": message.headline(),
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
                "actions": actions
            }
        }]
    })
}

fn single(event: &Event, base_url: &str) -> (Vec<Value>, Vec<Value>) {
    let mut body = vec![title(&headline(event))];
    if let Some(text) = event.text.as_deref().filter(|t| !t.is_empty()) {
        body.push(json!({ "type": "TextBlock", "wrap": true, "text": plain(&cut(text, 2000)) }));
    }
    let facts: Vec<_> =
        facts(event).into_iter().map(|(name, value)| json!({ "title": name, "value": plain(&value) })).collect();
    body.push(json!({ "type": "FactSet", "facts": facts }));
    let open = json!({
        "type": "Action.OpenUrl",
        "title": one_line(&format!("Open {}", event.subject), 75),
        "url": link(event, base_url)
    });
    (body, vec![open])
}

fn digest(message: &Message<'_>, events: &[Event], base_url: &str) -> (Vec<Value>, Vec<Value>) {
    let (listed, more) = digest_lines(events);
    let mut body = vec![title(&message.headline())];
    body.extend(listed.map(|event| {
        let line = format!("- [{}]({})", plain(&headline(event)), link(event, base_url));
        json!({ "type": "TextBlock", "wrap": true, "text": line })
    }));
    if more > 0 {
        body.push(json!({ "type": "TextBlock", "isSubtle": true, "text": format!("and {more} more") }));
    }
    (body, Vec::new())
}

fn title(text: &str) -> Value {
    json!({ "type": "TextBlock", "size": "Medium", "weight": "Bolder", "wrap": true, "text": plain(text) })
}

/// Text blocks read some Markdown; a title typed by a person must not become a link or a list.
fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if matches!(c, '\\' | '[' | ']' | '(' | ')' | '*' | '_' | '`') {
            out.push('\\');
        }
        out.push(c);
        out
    })
}
