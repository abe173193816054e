//! Logs: receive log records, keep them, search them, and lay those of a trace beside its spans.
//!
//! Lives here: the log record, its decoders, storage, search page and API. Does not: spans (`traces`
//! imports this room for a trace's logs, never the other way round).

pub mod model;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod wire;
