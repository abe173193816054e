//! How the draft writes moments, lists and text from outside.

use super::super::record::RecordedTime;
use super::{MAX_QUOTE, MAX_ROWS};
use crate::clock::Timestamp;

/// `2026-11-23 13:45 UTC`
pub(super) fn moment(at: Timestamp) -> String {
    format!("{} UTC", at.to_minute())
}

pub(super) fn origin(time: &RecordedTime) -> String {
    let corrected = if time.corrected { ", corrected" } else { "" };
    format!("{}{corrected}", time.source)
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

pub(super) fn more(count: usize) -> String {
    if count > MAX_ROWS { format!("\n… and {} more.\n", count - MAX_ROWS) } else { String::new() }
}

/// Text from outside on one line, with the characters that mean something in Markdown escaped.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_QUOTE) {
        if "\\`*[]<>|~".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A person's Markdown on one line; long ones are cut to their words.
pub(super) fn quote(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cannot_stand_inline = text.contains("```") || text.contains("~~~") || line.starts_with(['#', '>', '|', '-']);
    if line.chars().count() > MAX_QUOTE || cannot_stand_inline {
        inline(&crate::markdown::plain_text(text, MAX_QUOTE))
    } else {
        line
    }
}
