//! The SQL of traces, and nothing else: writing parts ([`write`]), finding and reading traces
//! ([`read`]), the rollups ([`rollup`]), forgetting ([`retain`]), what came in ([`counts`]).
//!
//! Traces are named by their row's number (`traces.id`, "row") inside this room and by their id outside.

pub mod counts;
pub mod read;
pub mod retain;
pub mod rollup;
pub mod write;

use crate::telemetry::TraceId;

/// The halves of an id as the columns `id_low` and `id_high` hold them: the same bits, signed.
pub(super) const fn halves(id: TraceId) -> (i64, i64) {
    (id.low64().cast_signed(), id.high64().cast_signed())
}

/// `None` only for zero, which no stored trace has.
pub(super) const fn id_of(low: i64, high: i64) -> Option<TraceId> {
    TraceId::from_halves(high.cast_unsigned(), low.cast_unsigned())
}
