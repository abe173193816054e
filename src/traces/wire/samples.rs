//! Real documents of other projects, where they are at hand: the folder named by `FAULTLINE_SHARED`, or
//! `../shared`. Without it these tests say so and prove nothing; the decoders' own tests cover the same
//! shapes with fixtures of ours.

use std::path::PathBuf;

use super::{DecodedSpans, jaeger, otlp_json, zipkin};
use crate::telemetry::TraceId;
use crate::traces::explain::first_error::first_error;
use crate::traces::explain::tree::TraceTree;
use crate::traces::explain::waterfall::Waterfall;
use crate::traces::model::{Span, SpanKind};

fn sample(path: &str) -> Option<Vec<u8>> {
    let root = std::env::var_os("FAULTLINE_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let file = root.join("samples").join(path);
    let bytes = std::fs::read(&file).ok();
    if bytes.is_none() {
        eprintln!("SKIPPED: {} is not here; set FAULTLINE_SHARED", file.display());
    }
    bytes
}

/// The whole sample must be taken, none refused.
fn all(decoded: crate::error::Result<DecodedSpans>, path: &str) -> Vec<Span> {
    let decoded = decoded.unwrap_or_else(|e| panic!("{path}: {e}"));
    assert_eq!(decoded.rejected, vec![], "{path}");
    decoded.records
}

/// `(depth, service, operation, offset in µs, duration in µs)` of each row.
fn rows(spans: &[Span]) -> Vec<(usize, String, String, i64, i64)> {
    let tree = TraceTree::build(spans);
    let waterfall = Waterfall::build(&tree, first_error(&tree).as_ref(), false);
    waterfall
        .rows
        .iter()
        .map(|r| {
            let span = tree.nodes[r.node].span;
            (r.depth, span.service().to_owned(), span.name.clone(), r.offset_nanos / 1_000, r.duration_nanos / 1_000)
        })
        .collect()
}

fn row(depth: usize, service: &str, name: &str, offset: i64, duration: i64) -> (usize, String, String, i64, i64) {
    (depth, service.to_owned(), name.to_owned(), offset, duration)
}

#[test]
fn the_otlp_specification_example() {
    let Some(body) = sample("otlp/trace.json") else { return };
    let spans = all(otlp_json::decode(&body), "otlp/trace.json");
    assert_eq!(spans[0].trace_id, TraceId::parse_strict("5b8efff798038103d269b633813fc60c").expect("an id"));
    assert_eq!(spans[0].kind, SpanKind::Server);
    assert_eq!(rows(&spans), [row(0, "my.service", "I'm a server span", 0, 1_000_000)]);
}

#[test]
fn zipkin_skew_is_corrected() {
    let Some(body) = sample("zipkin/skew.json") else { return };
    let spans = all(zipkin::decode(&body), "zipkin/skew.json");
    assert_eq!(
        rows(&spans),
        [
            row(0, "servicea", "get", 0, 99_411),
            row(1, "servicea", "post", 3_134, 94_539),
            row(2, "serviceb", "post", 3_615, 93_577),
            row(3, "serviceb", "async", 3_616, 65_000),
        ]
    );
}

#[test]
fn every_zipkin_sample_is_read_whole() {
    for (path, count, roots) in [
        ("zipkin/envoy.json", 1, 1),
        ("zipkin/messaging.json", 4, 1),
        ("zipkin/messaging2.json", 11, 7),
        ("zipkin/simple-db-p6.json", 5, 1),
        ("zipkin/yelp.json", 16, 1),
    ] {
        let Some(body) = sample(path) else { return };
        let spans = all(zipkin::decode(&body), path);
        let tree = TraceTree::build(&spans);
        assert_eq!((tree.len(), tree.roots.len()), (count, roots), "{path}");
    }
}

#[test]
fn yelps_shared_spans_hang_under_their_callers() {
    let Some(body) = sample("zipkin/yelp.json") else { return };
    let spans = all(zipkin::decode(&body), "zipkin/yelp.json");
    let depths: Vec<(usize, String)> = rows(&spans).into_iter().take(4).map(|r| (r.0, r.1)).collect();
    let want = [(0, "routing"), (1, "unknown"), (2, "yelp_main/api_proxy"), (3, "yelp-main")];
    assert_eq!(depths, want.map(|(d, s)| (d, s.to_owned())));
}

#[test]
fn jaegers_own_conversion_agrees_with_ours() {
    for (otlp, converted) in [
        ("jaeger/ui-otlp2jaeger-in.json", "jaeger/ui-otlp2jaeger-out.json"),
        ("jaeger/ui-otlp2jaeger-multi-in-combined.json", "jaeger/ui-oltp2jaeger-multi-out.json"),
    ] {
        let (Some(a), Some(b)) = (sample(otlp), sample(converted)) else { return };
        let ours = all(jaeger::decode(&a), otlp);
        let theirs = all(jaeger::decode(&b), converted);
        // Jaeger keeps microseconds, cutting both ends; ours keeps nanoseconds.
        let shape = |spans: &[Span]| rows(spans).into_iter().map(|(d, s, n, ..)| (d, s, n)).collect::<Vec<_>>();
        assert_eq!(shape(&ours), shape(&theirs), "{otlp}");
        for (x, y) in rows(&ours).iter().zip(rows(&theirs)) {
            assert!((x.3 - y.3).abs() <= 1 && (x.4 - y.4).abs() <= 1, "{otlp}: {x:?} and {y:?}");
        }
    }
}

#[test]
fn the_other_jaeger_forms_are_read() {
    for (path, count) in [
        ("jaeger/anonymizer-trace_success.json", 2),
        ("jaeger/apiv3-GetTrace.json", 1),
        ("jaeger/apiv3-FindTraces.json", 1),
    ] {
        let Some(body) = sample(path) else { return };
        let spans = all(jaeger::decode(&body), path);
        assert_eq!(spans.len(), count, "{path}");
        assert!(spans.iter().any(Span::failed), "{path}");
    }
}

#[test]
fn what_is_no_trace_is_refused() {
    let Some(body) = sample("jaeger/apiv3-GetServices.json") else { return };
    assert!(jaeger::decode(&body).is_err());
}
