//! Alerts: problems that other systems report, deduplicated into one row each, and the signals
//! that told of them.
//!
//! Here: reading every source's format (`sources`), the folding of events into an alert's state
//! (`model`). Not here: how a delivery is received, kept and replayed (`crate::inbox`).

pub mod api;
pub mod columns;
pub mod grouping;
pub mod guide;
pub mod hooks;
pub mod ingest;
pub mod jobs;
pub mod maintenance;
pub mod model;
pub mod receive;
pub mod seen;
pub mod service;
pub mod sources;
pub mod store;
pub mod storm;
pub mod view;
mod web;

use crate::web::Routes;

pub fn routes() -> Routes {
    Routes::new().merge(receive::routes()).merge(api::routes()).merge(web::routes())
}
