//! Alerts: problems that other systems report, deduplicated into one row each, and the signals
//! that told of them.
//!
//! Here: reading every source's format (`sources`), the folding of events into an alert's state
//! (`model`). Not here: how a delivery is received, kept and replayed (`crate::inbox`).

pub mod grouping;
pub mod guide;
pub mod ingest;
pub mod maintenance;
pub mod model;
pub mod service;
pub mod sources;
pub mod store;
pub mod view;
