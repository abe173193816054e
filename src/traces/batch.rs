//! One delivery's spans, made ready for the store: grouped by trace into parts, each with what searches
//! need and its compressed body. Runs beside the other requests, so that the one writer only writes.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::telemetry::{SpanId, TraceId};

use super::model::{Span, SpanKey, SpanKind};
use super::wire::otlp_proto;

/// A part holds at most this many spans, so that reading a huge trace can stop early.
pub const MAX_PART_SPANS: usize = 2_000;
/// Operations per part that get a row of their own; a service that puts ids into its span names would
/// otherwise fill the index with rows that nobody searches for.
const MAX_PART_OPERATIONS: usize = 200;
/// What further operations are filed under.
pub const OTHER_OPERATIONS: &str = "(other operations)";
/// Longer names are cut in the index; the span itself keeps the whole.
const MAX_NAME: usize = 200;
const KEY_BYTES: usize = 9;

/// Some spans of one trace, as one row of the store.
#[derive(Clone, Debug)]
pub struct Part {
    pub trace_id: TraceId,
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
    pub error_count: i64,
    /// Service and operation of the root, or of the earliest span while the root is not here.
    pub root: (String, String),
    pub root_seen: bool,
    pub keys: Vec<SpanKey>,
    pub index: Vec<IndexEntry>,
    /// OTLP protobuf, zstd.
    pub body: Vec<u8>,
}

/// What a search by service and operation finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    pub service: String,
    pub operation: String,
    pub started_at: Timestamp,
    pub longest_us: i64,
    pub span_count: i64,
    pub error_count: i64,
}

/// Groups by trace and compresses. `now` stands in for spans that carry no time.
pub fn prepare(spans: Vec<Span>, now: Timestamp) -> Result<Vec<Part>> {
    let mut by_trace: BTreeMap<TraceId, Vec<Span>> = BTreeMap::new();
    for span in spans {
        by_trace.entry(span.trace_id).or_default().push(span);
    }
    let mut compressor = compressor()?;
    let mut parts = Vec::with_capacity(by_trace.len());
    for spans in by_trace.into_values() {
        let mut spans = unique(spans);
        // Equal resources together are written once.
        spans.sort_by(|a, b| (a.service(), &a.scope).cmp(&(b.service(), &b.scope)));
        for chunk in spans.chunks(MAX_PART_SPANS) {
            parts.extend(part_of(chunk, now, &mut compressor)?);
        }
    }
    Ok(parts)
}

/// One part of spans that all belong to one trace; `None` when there are none.
pub fn single(spans: &[Span], now: Timestamp) -> Result<Option<Part>> {
    part_of(spans, now, &mut compressor()?)
}

/// One of zstd's fast levels: quicker than 1 and 4 % larger, for a storm of spans waits for it.
const LEVEL: i32 = -1;

fn compressor() -> Result<zstd::bulk::Compressor<'static>> {
    zstd::bulk::Compressor::new(LEVEL).map_err(|e| Error::Internal(format!("zstd: {e}")))
}

fn unique(spans: Vec<Span>) -> Vec<Span> {
    let mut at: HashMap<SpanKey, usize> = HashMap::with_capacity(spans.len());
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match at.get(&span.key()) {
            Some(i) if span.is_fuller_than(&out[*i]) => out[*i] = span,
            Some(_) => {}
            None => {
                at.insert(span.key(), out.len());
                out.push(span);
            }
        }
    }
    out
}

fn part_of(spans: &[Span], now: Timestamp, compressor: &mut zstd::bulk::Compressor<'_>) -> Result<Option<Part>> {
    let Some(first) = spans.first() else { return Ok(None) };
    let at = |nanos: i64| if nanos > 0 { Timestamp::from_micros(nanos / 1_000) } else { now };
    let root = spans.iter().min_by_key(|s| (s.parent.is_some(), !s.has_time(), s.start_nanos)).unwrap_or(first);
    let started_at = spans.iter().map(|s| at(s.start_nanos)).min().unwrap_or(now);
    let ended_at = spans.iter().map(|s| at(s.end_nanos.max(s.start_nanos))).max().unwrap_or(now);
    let body = compressor.compress(&otlp_proto::encode(spans)).map_err(|e| Error::Internal(format!("zstd: {e}")))?;
    Ok(Some(Part {
        trace_id: first.trace_id,
        started_at,
        ended_at,
        error_count: count(spans.iter().filter(|s| s.failed()).count()),
        root: (name(root.service()), name(&root.name)),
        root_seen: root.parent.is_none(),
        keys: spans.iter().map(Span::key).collect(),
        index: index_of(spans, at),
        body,
    }))
}

fn index_of(spans: &[Span], at: impl Fn(i64) -> Timestamp) -> Vec<IndexEntry> {
    let mut entries: HashMap<(&str, &str), IndexEntry> = HashMap::new();
    for span in spans {
        let mut key = (span.service(), span.name.as_str());
        if entries.len() >= MAX_PART_OPERATIONS && !entries.contains_key(&key) {
            key.1 = OTHER_OPERATIONS;
        }
        let entry = entries.entry(key).or_insert_with(|| IndexEntry {
            service: name(key.0),
            operation: name(key.1),
            started_at: at(span.start_nanos),
            longest_us: 0,
            span_count: 0,
            error_count: 0,
        });
        entry.started_at = entry.started_at.min(at(span.start_nanos));
        entry.longest_us = entry.longest_us.max(span.duration_nanos() / 1_000);
        entry.span_count += 1;
        entry.error_count += i64::from(span.failed());
    }
    let mut out: Vec<IndexEntry> = entries.into_values().collect();
    out.sort_by(|a, b| (&a.service, &a.operation).cmp(&(&b.service, &b.operation)));
    out
}

/// A name as the dictionaries keep it. PostgreSQL's text cannot hold a zero byte.
fn name(text: &str) -> String {
    let kept: String = text.chars().filter(|c| *c != '\0').take(MAX_NAME).collect();
    if kept.is_empty() { "(unnamed)".to_owned() } else { kept }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl Part {
    pub fn span_count(&self) -> i64 {
        count(self.keys.len())
    }

    pub fn key_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.keys.len() * KEY_BYTES);
        for (id, kind) in &self.keys {
            out.extend_from_slice(&id.to_bytes());
            out.push(u8::try_from(kind.number()).unwrap_or(0));
        }
        out
    }

    /// The part without spans that are stored already; `None` when nothing new is left.
    pub fn without(&self, stored: &HashSet<SpanKey>, now: Timestamp) -> Result<Option<Cow<'_, Self>>> {
        let known = self.keys.iter().filter(|k| stored.contains(k)).count();
        if known == 0 {
            return Ok(Some(Cow::Borrowed(self)));
        }
        if known == self.keys.len() {
            return Ok(None);
        }
        let mut spans = open(&self.body)?;
        spans.retain(|s| !stored.contains(&s.key()));
        Ok(single(&spans, now)?.map(Cow::Owned))
    }
}

/// What [`Part::key_bytes`] wrote.
pub fn read_keys(bytes: &[u8]) -> impl Iterator<Item = SpanKey> + '_ {
    bytes.chunks_exact(KEY_BYTES).filter_map(|chunk| {
        let (id, kind) = chunk.split_at(KEY_BYTES - 1);
        Some((SpanId::from_bytes(id).ok()?, SpanKind::from_number(i64::from(*kind.first()?))))
    })
}

/// The spans in a part's body.
pub fn open(body: &[u8]) -> Result<Vec<Span>> {
    let damaged = |e: &dyn std::fmt::Display| Error::Internal(format!("a stored trace part is damaged: {e}"));
    let bytes = zstd::stream::decode_all(body).map_err(|e| damaged(&e))?;
    Ok(otlp_proto::decode(bytes.into()).map_err(|e| damaged(&e))?.records)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::traces::explain::testing::{any_trace, failing, of, span};

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    #[test]
    fn a_delivery_is_grouped_by_trace() {
        let mut other = span(9, Some(8), 5, 6);
        other.trace_id = TraceId::new(7).expect("not zero");
        let spans = vec![
            of(span(1, None, 0, 100), "shop", SpanKind::Server),
            failing(of(span(2, Some(1), 10, 30), "stock", SpanKind::Server), "boom"),
            other,
            of(span(3, Some(1), 40, 90), "stock", SpanKind::Server),
        ];
        let parts = prepare(spans, NOW).expect("compresses");
        assert_eq!(parts.iter().map(|p| (p.trace_id.low64(), p.keys.len())).collect::<Vec<_>>(), [(7, 1), (0xabc, 3)]);
        let part = &parts[1];
        assert_eq!((part.root.clone(), part.root_seen), (("shop".into(), "op1".into()), true));
        assert_eq!((part.ended_at - part.started_at).num_milliseconds(), 100);
        assert_eq!(part.error_count, 1);
        assert_eq!(part.index.len(), 3);
        assert!(!parts[0].root_seen);
    }

    #[test]
    fn only_new_spans_of_an_overlapping_delivery_stay() {
        let first = single(&[span(1, None, 0, 10), span(2, Some(1), 1, 2)], NOW).expect("compresses").expect("spans");
        let stored: HashSet<SpanKey> = read_keys(&first.key_bytes()).collect();
        let again = single(&[span(2, Some(1), 1, 2), span(3, Some(1), 3, 4)], NOW).expect("compresses").expect("spans");
        let rest = again.without(&stored, NOW).expect("opens").expect("one is new");
        assert_eq!(open(&rest.body).expect("opens").iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["op3"]);
        assert!(first.without(&stored, NOW).expect("no work").is_none());
    }

    #[test]
    fn spans_without_a_time_are_filed_under_now_and_endless_names_under_one() {
        let mut timeless = span(1, None, 0, 0);
        (timeless.start_nanos, timeless.end_nanos) = (0, 0);
        let part = single(&[timeless], NOW).expect("compresses").expect("a span");
        assert_eq!((part.started_at, part.ended_at), (NOW, NOW));
        let many: Vec<Span> = (1..=300).map(|i| span(i, None, 0, 1)).collect();
        let part = single(&many, NOW).expect("compresses").expect("spans");
        assert_eq!(part.index.len(), MAX_PART_OPERATIONS + 1);
        assert_eq!(part.index.iter().map(|e| e.span_count).sum::<i64>(), 300);
    }

    #[test]
    fn a_huge_trace_is_split() {
        let many: Vec<Span> = (1..=4_500).map(|i| span(i, None, 0, 1)).collect();
        let sizes: Vec<usize> = prepare(many, NOW).expect("compresses").iter().map(|p| p.keys.len()).collect();
        assert_eq!(sizes, [2_000, 2_000, 500]);
    }

    proptest! {
        #[test]
        fn parts_hold_each_span_once_and_give_it_back(spans in any_trace(40)) {
            let keys: HashSet<SpanKey> = spans.iter().map(Span::key).collect();
            let parts = prepare(spans, NOW).expect("compresses");
            let mut found = HashSet::new();
            for part in &parts {
                prop_assert_eq!(read_keys(&part.key_bytes()).collect::<Vec<_>>(), part.keys.clone());
                for span in open(&part.body).expect("opens") {
                    prop_assert!(found.insert(span.key()));
                }
                prop_assert!(part.ended_at >= part.started_at);
            }
            prop_assert_eq!(found, keys);
        }
    }
}
