//! Traces: receive spans, keep them, find a trace, and explain what went wrong in it.
//!
//! Lives here: the span model, one decoder per wire format ([`wire`]), the explanations ([`explain`]),
//! storage, pages and API of traces. Does not: ids and attribute values (`telemetry`), log records
//! (`logs`), ranking of causes over many traces (`suspects`).

pub mod batch;
pub mod calls;
pub mod explain;
pub mod model;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod wire;

pub use service::ingest::SpanStore;
