//! Markdown to HTML: the only room that may yield HTML that templates print unescaped.
//!
//! Here: GitHub-flavoured Markdown (tables, task lists, footnotes, strikethrough, callouts, heading
//! anchors) rendered by `pulldown-cmark` with raw HTML shown as text, then cleaned by `ammonia`
//! against a short allow list. Everything is bounded: the size of the source, the depth of nesting.
//! Not here: what the Markdown means (steps of a runbook, sections of a postmortem).
//!
//! A template prints a [`SafeHtml`] with `{{ value }}`; there is no other way to make one.

mod anchors;
mod kept;
mod policy;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;

pub use anchors::{Heading, slugify};
pub use policy::safe_link;
pub use writer::options;

use crate::error::FieldErrors;

/// Longest source that is rendered, in bytes. A longer one is cut at a line end and says so.
pub const MAX_SOURCE_BYTES: usize = 1_000_000;

/// HTML that went through the sanitiser. Only this room constructs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SafeHtml(String);

impl SafeHtml {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for SafeHtml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for SafeHtml {}

/// A rendered document with its table of contents.
#[derive(Clone, Debug, Default)]
pub struct Document {
    pub html: SafeHtml,
    pub headings: Vec<Heading>,
}

/// Renders a short text (a timeline entry, a note, a comment): no heading anchors, so that many
/// texts stand on one page without equal ids.
pub fn render(source: &str) -> SafeHtml {
    clean(source, &writer::Style { anchors: false, prefix: "", links: true, base: "" }).html
}

/// Renders a whole document. Heading ids and footnotes begin with `prefix`, which keeps them from
/// colliding with the page's own ids; `#links` inside the document follow.
pub fn render_document(source: &str, prefix: &str) -> Document {
    kept::document(source, prefix, || clean(source, &writer::Style { anchors: true, prefix, links: true, base: "" }))
}

/// A text for readers outside: links keep their words and lose where they lead, images are left out.
pub fn render_without_links(source: &str, prefix: &str) -> SafeHtml {
    clean(source, &writer::Style { anchors: true, prefix, links: false, base: "" }).html
}

/// A text for a file that stands alone: links to our pages begin with `base`, images become links.
pub fn render_standalone(source: &str, prefix: &str, base: &str) -> SafeHtml {
    clean(source, &writer::Style { anchors: true, prefix, links: true, base }).html
}

/// The words without their markup, on one line, at most `max_chars` characters: for lists, titles
/// and the search index.
pub fn plain_text(source: &str, max_chars: usize) -> String {
    writer::plain_text(cut(source).0, max_chars)
}

/// Complains about `field` when the text is longer than `limit` bytes.
pub fn check_size(errors: &mut FieldErrors, field: &str, source: &str, limit: usize) {
    if source.len() > limit {
        errors.add(field, format!("is {} kB long; at most {} kB are kept", source.len() / 1000, limit / 1000));
    }
}

/// The part of the source that is rendered, and whether something was left off.
fn cut(source: &str) -> (&str, bool) {
    if source.len() <= MAX_SOURCE_BYTES {
        return (source, false);
    }
    let mut end = MAX_SOURCE_BYTES;
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    let head = source.get(..end).unwrap_or_default();
    let whole_lines = head.rfind('\n').map_or(head, |at| head.get(..at).unwrap_or(head));
    (whole_lines, true)
}

fn clean(source: &str, style: &writer::Style<'_>) -> Document {
    let (shown, is_cut) = cut(source);
    let (mut html, headings) = policy::sanitize(shown.len(), |piece| writer::write(shown, style, piece));
    if is_cut {
        html.push_str("<p class=\"muted\">The rest of this text is too long to be shown.</p>");
    }
    Document { html: SafeHtml(html), headings }
}
