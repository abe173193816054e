//! What may come out: the allow list of tags and attributes, and the rule for links.

use std::collections::{HashMap, HashSet};
use std::sync::{LazyLock, Mutex, PoisonError, mpsc};

use ammonia::{Builder, UrlRelative};

/// Tags that Markdown makes, and nothing else. No `style`, no `class` beyond [`CLASSES`], no `on…`.
const TAGS: [&str; 36] = [
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "del",
    "div",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "input",
    "li",
    "ol",
    "p",
    "pre",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "ul",
    "dl",
    "kbd",
];

const ATTRIBUTES: [(&str, &[&str]); 14] = [
    ("a", &["href", "title", "aria-label", "id"]),
    ("img", &["src", "alt", "title"]),
    ("td", &["align"]),
    ("th", &["align"]),
    ("ol", &["start"]),
    ("pre", &["data-lang"]),
    ("div", &["id"]),
    ("li", &["id"]),
    ("h1", &["id"]),
    ("h2", &["id"]),
    ("h3", &["id"]),
    ("h4", &["id"]),
    ("h5", &["id"]),
    ("h6", &["id"]),
];

const CLASSES: [(&str, &[&str]); 7] = [
    ("a", &["anchor", "footnote-back"]),
    (
        "blockquote",
        &["callout", "callout-note", "callout-tip", "callout-important", "callout-warning", "callout-caution"],
    ),
    ("div", &["table-scroll", "footnotes"]),
    ("p", &["callout-title", "muted"]),
    ("pre", &["code"]),
    ("span", &["unsafe-link"]),
    ("sup", &["footnote-ref"]),
];

static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    let checkbox = HashMap::from([
        ("type", HashSet::from(["checkbox"])),
        ("disabled", HashSet::from([""])),
        ("checked", HashSet::from([""])),
    ]);
    builder
        .tags(HashSet::from(TAGS))
        .clean_content_tags(HashSet::from(["script", "style"]))
        .tag_attributes(ATTRIBUTES.iter().map(|(tag, names)| (*tag, names.iter().copied().collect())).collect())
        .tag_attribute_values(HashMap::from([("input", checkbox)]))
        .set_tag_attribute_value("input", "disabled", "")
        .set_tag_attribute_value("input", "type", "checkbox")
        .allowed_classes(CLASSES.iter().map(|(tag, names)| (*tag, names.iter().copied().collect())).collect())
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(UrlRelative::PassThrough)
        .link_rel(Some("noopener noreferrer nofollow"))
        .strip_comments(true);
    builder
});

/// A shorter source, in bytes, is not worth a second thread.
const LONG: usize = 16 << 10;

/// Cleans the pieces of whole blocks that `write` hands out, joins them, and returns what `write` did.
///
/// Cleaning is most of the work of rendering. Of a source of many `bytes` it is done side by side, beginning
/// while later pieces are still being written.
pub fn sanitize<R>(bytes: usize, write: impl FnOnce(&mut dyn FnMut(String)) -> R) -> (String, R) {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4);
    if threads == 1 || bytes < LONG {
        let mut clean = String::new();
        let written = write(&mut |piece| clean.push_str(&SANITIZER.clean(&piece).to_string()));
        return (clean, written);
    }
    let (sender, receiver) = mpsc::channel::<(usize, String)>();
    let waiting = Mutex::new(receiver);
    // A thread that waits for a piece holds the lock; the others wait for the lock instead. All end when the
    // sender is gone.
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
    let work = || {
        let mut cleaned = Vec::new();
        while let Some((at, piece)) = next() {
            cleaned.push((at, SANITIZER.clean(&piece).to_string()));
        }
        cleaned
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut count = 0;
        let written = write(&mut |piece| {
            // The receiver outlives this scope: a piece always arrives.
            let _ = sender.send((count, piece));
            count += 1;
        });
        drop(sender);
        let mut cleaned = work();
        for other in others {
            cleaned.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        cleaned.sort_unstable_by_key(|(at, _)| *at);
        (cleaned.into_iter().map(|(_, piece)| piece).collect(), written)
    })
}

/// The address when it is safe to link: `http`, `https`, `mailto`, or a path or fragment of this
/// site. `None` for every other scheme, and for addresses with control characters or backslashes,
/// which browsers read differently from what a person sees.
pub fn safe_link(address: &str) -> Option<&str> {
    let address = address.trim();
    if address.is_empty() || address.chars().any(|c| c.is_control() || c == '\\' || is_invisible(c)) {
        return None;
    }
    let before_path = address.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((scheme, _)) = before_path.split_once(':') else {
        return Some(address);
    };
    let known = ["http", "https", "mailto"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    known.then_some(address)
}

/// Zero-width and direction-changing characters, with which an address can pretend to be another.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Images come from this site only: the content security policy forbids others, and a picture from
/// elsewhere tells its host who reads the incident.
pub fn is_own_image(address: &str) -> bool {
    safe_link(address).is_some_and(|a| a.starts_with('/') && !a.starts_with("//"))
}
