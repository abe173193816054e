//! Small traces for the tests of the explanations.

use std::sync::Arc;

use proptest::prelude::*;

use crate::telemetry::{Resource, SpanId, TraceId};
use crate::traces::model::{Span, SpanKind};

/// Times are milliseconds after a fixed moment.
pub(crate) const BASE: i64 = 1_700_000_000_000_000_000;
const MS: i64 = 1_000_000;

pub(crate) fn span(id: u64, parent: Option<u64>, start_ms: i64, end_ms: i64) -> Span {
    let trace = TraceId::new(0xabc).expect("not zero");
    let mut span = Span::bare(trace, SpanId::new(id).expect("not zero"), Arc::new(Resource::named("shop")));
    span.parent = parent.and_then(SpanId::new);
    span.name = format!("op{id}");
    span.start_nanos = BASE + start_ms * MS;
    span.end_nanos = BASE + end_ms * MS;
    span
}

pub(crate) fn of(mut span: Span, service: &str, kind: SpanKind) -> Span {
    span.resource = Arc::new(Resource::named(service));
    span.kind = kind;
    span
}

pub(crate) fn failing(mut span: Span, message: &str) -> Span {
    span.set_error(message);
    span
}

pub(crate) fn trace_of(rows: &[(u64, Option<u64>, i64, i64)]) -> Vec<Span> {
    rows.iter().map(|(id, parent, start, end)| span(*id, *parent, *start, *end)).collect()
}

prop_compose! {
    fn any_span()(
        id in 1u64..30,
        parent in proptest::option::of(1u64..32),
        start in -5i64..200,
        length in -20i64..100,
        service in 0usize..3,
        kind in 0i64..6,
        fails in proptest::bool::weighted(0.3),
        timed in proptest::bool::weighted(0.9),
    ) -> Span {
        let mut s = of(span(id, parent, start, start + length), ["a", "b", "c"][service], SpanKind::from_number(kind));
        if fails { s.set_error("boom"); }
        if !timed { (s.start_nanos, s.end_nanos) = (0, 0); }
        s
    }
}

/// Any spans at all: repeated ids, cycles, orphans, backward and missing times.
pub(crate) fn any_trace(max: usize) -> impl Strategy<Value = Vec<Span>> {
    proptest::collection::vec(any_span(), 0..max)
}
