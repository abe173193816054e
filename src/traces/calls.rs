//! Calls between services as spans record them: what the rollups, the service graph and the seen
//! dependencies are made of. Pure.

use std::collections::BTreeMap;

use super::explain::tree::TraceTree;
use super::model::SpanKey;

/// One answered (or failed) call of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub callee: String,
    /// `service.version` of the callee; empty when it does not tell.
    pub version: String,
    /// `deployment.environment` of the callee; empty when it does not tell.
    pub environment: String,
    /// The nearest ancestor in another service; `None` for a request from outside.
    pub caller: Option<String>,
    /// Unix microseconds.
    pub at_us: i64,
    pub duration_us: i64,
    pub failed: bool,
    /// The callee's span.
    pub key: SpanKey,
}

/// Buckets an octave: two, so that a percentile read from them is off by at most a fifth.
const BUCKETS_PER_OCTAVE: f64 = 2.0;

/// The bucket of a duration, 0 for under a microsecond.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "log2 of an i64 is below 64")]
pub fn bucket_of(duration_us: i64) -> i64 {
    if duration_us < 1 { 0 } else { ((duration_us as f64).log2() * BUCKETS_PER_OCTAVE).floor() as i64 + 1 }
}

/// The duration that stands for a bucket, its geometric middle, in microseconds.
#[expect(clippy::cast_precision_loss, reason = "bucket numbers are small")]
pub fn middle_of(bucket: i64) -> f64 {
    if bucket <= 0 { 0.0 } else { 2f64.powf((bucket as f64 - 0.5) / BUCKETS_PER_OCTAVE) }
}

/// Calls and failures by bucket of duration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pub calls: i64,
    pub errors: i64,
    pub buckets: BTreeMap<i64, i64>,
}

impl Tally {
    pub fn add(&mut self, bucket: i64, calls: i64, errors: i64) {
        self.calls += calls;
        self.errors += errors;
        *self.buckets.entry(bucket).or_default() += calls;
    }

    pub fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        for (bucket, n) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += n;
        }
    }

    /// 0 to 1; 0 without calls.
    #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
    pub fn error_share(&self) -> f64 {
        if self.calls == 0 { 0.0 } else { self.errors as f64 / self.calls as f64 }
    }

    /// The duration in microseconds that the share `q` of calls stays below; `None` without calls.
    #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
    pub fn percentile_us(&self, q: f64) -> Option<f64> {
        let wanted = (self.calls as f64 * q).ceil().max(1.0);
        let mut seen = 0;
        self.buckets.iter().find_map(|(bucket, n)| {
            seen += n;
            (seen as f64 >= wanted).then(|| middle_of(*bucket))
        })
    }
}

/// Every call into a service within the tree: spans that say so by their kind, and spans of another
/// service than their parent's (senders that record no kinds).
pub fn calls_of(tree: &TraceTree<'_>) -> Vec<Call> {
    let mut out = Vec::new();
    for (i, node) in tree.nodes.iter().enumerate() {
        let span = node.span;
        let caller = tree.ancestors(i).map(|a| tree.nodes[a].span.service()).find(|s| *s != span.service());
        let parent_service = node.parent.map(|p| tree.nodes[p].span.service());
        let entered = match parent_service {
            None => !span.kind.is_outgoing() || node.children.is_empty(),
            Some(parent) => parent != span.service() || (span.kind.is_incoming() && caller.is_some()),
        };
        if !entered {
            continue;
        }
        out.push(Call {
            callee: span.service().to_owned(),
            version: span.resource.version.clone().unwrap_or_default(),
            environment: span.resource.environment.clone().unwrap_or_default(),
            caller: caller.map(str::to_owned),
            at_us: span.start_nanos / 1_000,
            duration_us: span.duration_nanos() / 1_000,
            failed: span.failed(),
            key: span.key(),
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::traces::explain::testing::{any_trace, failing, of, span};
    use crate::traces::model::SpanKind;

    #[test]
    fn calls_are_counted_at_the_callee() {
        let spans = vec![
            of(span(1, None, 0, 100), "front", SpanKind::Server),
            of(span(2, Some(1), 10, 90), "front", SpanKind::Client),
            failing(of(span(3, Some(2), 11, 89), "cart", SpanKind::Server), "boom"),
            of(span(4, Some(3), 20, 30), "cart", SpanKind::Internal),
        ];
        let calls = calls_of(&TraceTree::build(&spans));
        let shown: Vec<_> =
            calls.iter().map(|c| (c.caller.as_deref(), c.callee.as_str(), c.failed, c.duration_us)).collect();
        assert_eq!(shown, [(None, "front", false, 100_000), (Some("front"), "cart", true, 78_000)]);
    }

    #[test]
    fn spans_without_kinds_are_calls_where_the_service_changes() {
        let spans = vec![
            of(span(1, None, 0, 9), "a", SpanKind::Unspecified),
            of(span(2, Some(1), 1, 2), "b", SpanKind::Unspecified),
        ];
        let calls = calls_of(&TraceTree::build(&spans));
        assert_eq!(
            calls.iter().map(|c| (c.caller.as_deref(), c.callee.as_str())).collect::<Vec<_>>(),
            [(None, "a"), (Some("a"), "b")]
        );
    }

    proptest! {
        #[test]
        fn percentiles_are_within_a_fifth(durations in proptest::collection::vec(1i64..100_000_000, 1..200)) {
            let mut tally = Tally::default();
            for d in &durations {
                tally.add(bucket_of(*d), 1, 0);
            }
            let mut sorted = durations.clone();
            sorted.sort_unstable();
            for q in [0.5, 0.95] {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small counts")]
                let exact = sorted[((sorted.len() as f64 * q).ceil() as usize).max(1) - 1] as f64;
                let got = tally.percentile_us(q).expect("calls");
                prop_assert!((got / exact).ln().abs() <= 0.5 * 2f64.ln() / BUCKETS_PER_OCTAVE + 1e-9, "{} for {}", got, exact);
            }
        }

        #[test]
        fn no_service_calls_itself(spans in any_trace(40)) {
            for call in calls_of(&TraceTree::build(&spans)) {
                prop_assert_ne!(call.caller.as_deref(), Some(call.callee.as_str()));
            }
        }
    }
}
