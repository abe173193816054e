//! Headings: their ids, and the links to them.

use std::collections::HashMap;

use pulldown_cmark::{Event, HeadingLevel, Tag, TagEnd};

/// One heading of a document, for a table of contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// 1 to 6, as written.
    pub level: u8,
    pub text: String,
    /// Unique within the document, without the page's prefix.
    pub slug: String,
}

/// Lower-case letters and digits with single hyphens between: `Check: error rate?` → `check-error-rate`.
/// Letters of every script are kept. At most 80 characters; never empty.
pub fn slugify(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if slug.chars().count() >= 80 {
            break;
        }
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "section".to_owned() } else { slug.to_owned() }
}

/// Gives out slugs that differ from all earlier ones: `steps`, `steps-1`, `steps-2`.
#[derive(Default)]
pub struct Slugs {
    used: HashMap<String, usize>,
}

impl Slugs {
    pub fn unique(&mut self, wanted: &str) -> String {
        let base = slugify(wanted);
        let mut candidate = base.clone();
        // Bounded by the number of slugs given out: each round tries a number not tried before.
        while self.used.contains_key(&candidate) {
            let n = self.used.entry(base.clone()).or_insert(0);
            *n += 1;
            candidate = format!("{base}-{n}");
        }
        self.used.insert(candidate.clone(), 0);
        candidate
    }
}

/// All headings in order; the writer then takes them one by one.
pub fn collect(events: &[Event<'_>]) -> Vec<Heading> {
    let mut slugs = Slugs::default();
    let mut headings = Vec::new();
    let mut open: Option<(u8, Option<String>, String)> = None;
    for event in events {
        match event {
            Event::Start(Tag::Heading { level, id, .. }) => {
                open = Some((level_number(*level), id.as_ref().map(ToString::to_string), String::new()));
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((level, id, text)) = open.take() {
                    let slug = slugs.unique(id.as_deref().unwrap_or(&text));
                    headings.push(Heading { level, text: text.trim().to_owned(), slug });
                }
            }
            Event::Text(t) | Event::Code(t) => {
                if let Some((_, _, text)) = &mut open {
                    text.push_str(t);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some((_, _, text)) = &mut open {
                    text.push(' ');
                }
            }
            _ => {}
        }
    }
    headings
}

pub const fn level_number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}
