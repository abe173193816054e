//! Long documents are kept as they were rendered: cleaning 200 kB takes longer than everything else on their
//! page, and the same version of a runbook or postmortem is read many times.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::Document;

/// Shorter ones are rendered sooner than they would be found, in bytes.
const LONG: usize = 16 * 1024;
/// Documents kept, latest used last. At most 1 MB of source each, so some 30 MB in the worst case.
const MOST: usize = 12;

type Key = [u8; 32];

static KEPT: LazyLock<Mutex<VecDeque<(Key, Arc<Document>)>>> = LazyLock::new(Mutex::default);

/// The document of this source and prefix, made by `render` unless it is kept.
pub fn document(source: &str, prefix: &str, render: impl FnOnce() -> Document) -> Document {
    if source.len() < LONG {
        return render();
    }
    let key: Key = Sha256::new().chain_update(prefix).chain_update([0]).chain_update(source).finalize().into();
    if let Some(found) = take(&key) {
        return Document::clone(&found);
    }
    let made = render();
    put(key, Arc::new(made.clone()));
    made
}

fn take(key: &Key) -> Option<Arc<Document>> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let at = kept.iter().position(|(k, _)| k == key)?;
    let found = kept.remove(at)?;
    let document = found.1.clone();
    kept.push_back(found);
    Some(document)
}

fn put(key: Key, document: Arc<Document>) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= MOST {
        kept.pop_front();
    }
    kept.push_back((key, document));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::SafeHtml;

    fn made(text: &str) -> Document {
        Document { html: SafeHtml(text.to_owned()), headings: Vec::new() }
    }

    #[test]
    fn a_long_document_is_rendered_once_for_each_prefix_and_a_short_one_each_time() {
        let long = "kept only by this test. ".repeat(1_000);
        assert_eq!(document(&long, "a-", || made("first")).html.as_str(), "first");
        assert_eq!(document(&long, "a-", || made("again")).html.as_str(), "first");
        assert_eq!(document(&long, "b-", || made("other")).html.as_str(), "other");
        assert_eq!(document("short", "a-", || made("one")).html.as_str(), "one");
        assert_eq!(document("short", "a-", || made("two")).html.as_str(), "two");
    }
}
