//! Suspects: which service, operation or deployment most likely caused an incident, with reasons.
//!
//! The ranking is pure and deterministic: [`model::Observation`] in, [`model::Ranking`] out, nothing learned, nothing
//! random. `forest` turns spans into trees, `templates` log lines into templates; `latency`, `patterns`, `errors` and
//! `changes` each look at one kind of trouble and explain away what is only passed on; [`ranking`] puts them together
//! and `reasons` into words. [`evaluation`] measures all of it on labelled failures, and [`synthetic`] makes systems
//! and faults of its own for that. docs/suspects.md tells method, sources, figures and limits.
//!
//! Around it: `gather` collects what is known about a live incident from the other rooms, `service` ranks, keeps the
//! ranking and takes verdicts, `jobs` ranks again while data arrives, `panel`, `web` and `api` show it.
//!
//! What does not live here: the spans, logs, alerts and changes themselves (their own rooms), and what an incident is.

pub mod evaluation;
pub mod headline;
pub mod jobs;
pub mod model;
pub mod panel;
pub mod ranking;
pub mod synthetic;
pub mod templates;
pub mod tuning;
pub mod verdict;
pub mod view;

mod api;
mod gather;
mod service;
mod store;
mod web;

mod changes;
mod errors;
mod forest;
mod latency;
mod patterns;
mod reasons;
mod stats;

pub use service::{accuracy_between, confirmed, earlier_with_cause, find, verdicts};
pub use store::Kept;

/// The room's pages and API.
pub fn routes() -> crate::web::Routes {
    web::routes().merge(api::routes())
}

#[cfg(test)]
mod tests;
