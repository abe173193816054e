//! Traces: receive spans, keep them, find a trace, and explain what went wrong in it.
//!
//! Lives here: the span model, one decoder per wire format ([`wire`]), the explanations ([`explain`]),
//! storage, pages and API of traces. Does not: ids and attribute values (`telemetry`), log records
//! (`logs`), ranking of causes over many traces (`suspects`).

mod api;
pub mod batch;
pub mod calls;
mod evidence;
pub mod explain;
pub mod jobs;
pub mod model;
mod panel;
pub mod radius;
mod receive;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
mod web;
pub mod wire;

pub use evidence::{TraceEvidence, resolve as evidence_of};
pub use panel::ServiceTraces;
pub use radius::BlastRadius;
pub use service::ingest::SpanStore;

use crate::web::Routes;

/// `app.rs` hands a [`SpanStore`] to these by an `Extension`.
pub fn routes() -> Routes {
    web::routes().merge(api::routes()).merge(receive::routes())
}
