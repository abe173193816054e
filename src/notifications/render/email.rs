//! E-mail: plain text, which every reader shows and no filter mistrusts.

use super::{Message, cut, digest_lines, facts, headline, link, one_line};
use crate::notifications::model::Event;

/// What a mail says; who it is from and to is the channel's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// One line, without control characters: nothing typed by a person can add a header.
    pub subject: String,
    pub text: String,
}

pub(super) fn mail(message: &Message<'_>, base_url: &str) -> Mail {
    let text = match message {
        Message::One(event) => single(event, base_url),
        Message::Digest(events) => digest(events, base_url),
    };
    let subject: String = one_line(&message.headline(), 200).chars().filter(|c| !c.is_control()).collect();
    Mail { subject: format!("[Faultline] {subject}"), text }
}

fn single(event: &Event, base_url: &str) -> String {
    let mut text = format!("{}\n\n", headline(event));
    if let Some(more) = event.text.as_deref().filter(|t| !t.is_empty()) {
        text.push_str(&cut(more, 4000));
        text.push_str("\n\n");
    }
    for (name, value) in facts(event) {
        text.push_str(&format!("{name}: {value}\n"));
    }
    text.push_str(&format!("\n{}\n", link(event, base_url)));
    text
}

fn digest(events: &[Event], base_url: &str) -> String {
    let (listed, more) = digest_lines(events);
    let mut text = String::new();
    for event in listed {
        text.push_str(&format!("- {}\n  {}\n", headline(event), link(event, base_url)));
    }
    if more > 0 {
        text.push_str(&format!("and {more} more\n"));
    }
    text
}
