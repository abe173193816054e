//! Which of the documents found comes first, and what to show of it. Pure, so that both databases rank
//! alike: they only name candidates.
//!
//! A document scores for every wanted term: 6 where the title has it as a word, 4 where a title's word
//! begins with it, and up to 3 for its number of times in the text. A title that holds all of them
//! gets 5 more, kinds weigh in ([`kind_weight`]), and what is recent gets up to 3 more, half of that when
//! it is half a year old.

use chrono::TimeDelta;

use super::model::{Doc, DocKind};
use super::query::Query;
use super::tokens::{spans, tokens};
use crate::clock::Timestamp;
use crate::db::fulltext::Term;

const HALF_LIFE: TimeDelta = TimeDelta::days(180);

/// An incident says more than one of its timeline entries; a service is usually what was meant by its
/// name.
const fn kind_weight(kind: DocKind) -> f64 {
    match kind {
        DocKind::Service => 4.0,
        DocKind::Incident | DocKind::Runbook => 3.0,
        DocKind::Postmortem => 2.0,
        DocKind::Deployment => 1.0,
        DocKind::Alert => 0.5,
        DocKind::Timeline => 0.0,
    }
}

/// How well a document answers a query; `None` when a phrase is not in it word by word, or an unwanted
/// one is.
pub fn score(query: &Query, doc: &Doc, now: Timestamp) -> Option<f64> {
    let title: Vec<String> = tokens(&doc.title).collect();
    let text: Vec<String> = tokens(&doc.text).collect();
    if query.unwanted.iter().any(|t| count(t, &title) + count(t, &text) > 0) {
        return None;
    }
    let mut total = 0.0;
    let mut all_in_title = true;
    for term in &query.wanted {
        let (in_title, in_text) = (count(term, &title), count(term, &text));
        if in_title + in_text == 0 {
            return None;
        }
        let exact = Term { is_prefix: false, ..term.clone() };
        total += match (count(&exact, &title) > 0, in_title > 0) {
            (true, _) => 6.0,
            (false, true) => 4.0,
            (false, false) => 0.0,
        };
        total += [0.0, 1.0, 2.0, 3.0][in_text.min(3)];
        all_in_title &= in_title > 0;
    }
    if all_in_title {
        total += 5.0;
    }
    Some(total + kind_weight(doc.kind) + recency(doc.at, now))
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a few centuries fit exactly")]
fn recency(at: Timestamp, now: Timestamp) -> f64 {
    let age = (now - at).num_seconds().max(0) as f64;
    3.0 * 0.5f64.powf(age / HALF_LIFE.num_seconds() as f64)
}

/// How often a term stands in a list of tokens.
fn count(term: &Term, list: &[String]) -> usize {
    if term.tokens.is_empty() || list.len() < term.tokens.len() {
        return 0;
    }
    list.windows(term.tokens.len()).filter(|window| matches_at(term, window)).count()
}

fn matches_at(term: &Term, window: &[String]) -> bool {
    let last = term.tokens.len() - 1;
    term.tokens.iter().zip(window).enumerate().all(|(i, (wanted, found))| {
        if term.is_prefix && i == last { found.starts_with(wanted.as_str()) } else { wanted == found }
    })
}

/// A piece of text, marked when it is what was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub text: String,
    pub is_hit: bool,
}

/// The whole text in segments, cut to about `max` characters around the first hit.
pub fn highlight(query: &Query, text: &str, max: usize) -> Vec<Segment> {
    let placed: Vec<_> = spans(text).collect();
    let list: Vec<String> = placed.iter().map(|(token, _)| token.clone()).collect();
    let mut hits = vec![false; list.len()];
    for term in &query.wanted {
        for (i, window) in list.windows(term.tokens.len().max(1)).enumerate() {
            if !term.tokens.is_empty() && matches_at(term, window) {
                hits[i..i + term.tokens.len()].fill(true);
            }
        }
    }
    let ranges: Vec<_> =
        placed.iter().zip(&hits).filter(|(_, hit)| **hit).map(|((_, range), _)| range.clone()).collect();
    let (start, end) = window(text, ranges.first().map_or(0, |r| r.start), max);
    let mut segments = Vec::new();
    let mut add = |piece: Option<&str>, is_hit| {
        if let Some(text) = piece.filter(|p| !p.is_empty()) {
            segments.push(Segment { text: text.to_owned(), is_hit });
        }
    };
    if start > 0 {
        add(Some("…"), false);
    }
    let mut at = start;
    for range in ranges.into_iter().filter(|r| r.start >= start && r.end <= end) {
        add(text.get(at..range.start), false);
        add(text.get(range.clone()), true);
        at = range.end;
    }
    add(text.get(at..end), false);
    if end < text.len() {
        add(Some("…"), false);
    }
    segments
}

/// A window of about `max` characters that begins a little before `hit`, cut between characters.
fn window(text: &str, hit: usize, max: usize) -> (usize, usize) {
    let before = max / 4;
    let start = match text.get(..hit) {
        Some(head) => head.char_indices().rev().nth(before.saturating_sub(1)).map_or(0, |(i, _)| i),
        None => 0,
    };
    let tail = text.get(start..).unwrap_or_default();
    let end = tail.char_indices().nth(max).map_or(text.len(), |(i, _)| start + i);
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

    fn doc(kind: DocKind, title: &str, text: &str) -> Doc {
        Doc {
            kind,
            id: "1".into(),
            title: title.into(),
            text: text.into(),
            url: "/".into(),
            private_incident: None,
            at: NOW,
        }
    }

    fn rank(query: &str, doc: &Doc) -> Option<f64> {
        score(&Query::parse(query), doc, NOW)
    }

    #[test]
    fn titles_beat_texts_and_news_beats_history() {
        let title = doc(DocKind::Incident, "Cart is down", "");
        let text = doc(DocKind::Incident, "Something", "the cart is slow, cart");
        assert!(rank("cart", &title) > rank("cart", &text));
        let old = Doc { at: NOW - TimeDelta::days(720), ..title.clone() };
        assert!(rank("cart", &title) > rank("cart", &old));
        let entry = doc(DocKind::Timeline, "Cart is down", "");
        assert!(rank("cart", &title) > rank("cart", &entry));
    }

    #[test]
    fn phrases_are_checked_word_by_word() {
        let apart = doc(DocKind::Alert, "connection was reset", "");
        let together = doc(DocKind::Alert, "Connection-reset by peer", "");
        assert_eq!(rank("\"connection reset\"", &apart), None);
        assert!(rank("\"connection reset\"", &together).is_some());
        assert!(rank("connection res", &apart).is_some());
        assert_eq!(rank("connection -peer", &together), None);
        assert!(rank("connection -\"reset connection\"", &apart).is_some());
        assert_eq!(rank("connection cart", &apart), None);
    }

    #[test]
    fn hits_are_marked_and_long_texts_cut_around_them() {
        let segments = highlight(&Query::parse("reset"), "Connection RESET by peer", 200);
        let shown: Vec<_> = segments.iter().map(|s| (s.text.as_str(), s.is_hit)).collect();
        assert_eq!(shown, [("Connection ", false), ("RESET", true), (" by peer", false)]);
        let long = format!("{} needle {}", "straw ".repeat(500), "straw ".repeat(500));
        let cut = highlight(&Query::parse("needle"), &long, 80);
        assert!(cut.iter().any(|s| s.is_hit && s.text == "needle"));
        assert_eq!((cut[0].text.as_str(), cut[cut.len() - 1].text.as_str()), ("…", "…"));
    }

    proptest! {
        #[test]
        fn highlighting_a_short_text_loses_nothing(text in "\\PC{0,80}", query in "\\PC{0,20}") {
            let shown: String = highlight(&Query::parse(&query), &text, 1000).into_iter().map(|s| s.text).collect();
            prop_assert_eq!(shown, text);
        }

        #[test]
        fn any_window_holds_the_bound(text in "\\PC{0,400}", query in "[a-z ]{0,6}", max in 8usize..60) {
            let shown: usize = highlight(&Query::parse(&query), &text, max).iter().map(|s| s.text.chars().count()).sum();
            prop_assert!(shown <= max + 2);
        }
    }
}
