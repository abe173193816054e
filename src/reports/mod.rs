//! Reports: how long incidents took, by whom and when, with every number explained.
//!
//! Here live the measures, their definitions, the statistics, the pages and the export. The times
//! themselves belong to the incidents' room; how a chart is drawn to `charts`.
//!
//! One way through: a URL becomes a [`model::scope::Scope`], the [`ledger`] gives all incidents' facts as of
//! now, [`model::select`] decides who counts and why not, [`model::compute`] makes the figures, and [`view`],
//! [`json`] and [`export`] show them to people and machines.

mod api;
mod attention;
mod classes;
pub mod export;
mod filters;
mod frozen;
pub mod gauges;
pub mod jobs;
pub mod json;
pub mod ledger;
pub mod model;
pub mod service;
mod sheets;
mod store;
pub mod view;
mod web;

use crate::web::Routes;

pub use classes::ClassesPanel;
pub use ledger::Ledger;

/// Needs a [`Ledger`] as an extension of the router.
pub fn routes() -> Routes {
    web::routes().merge(api::routes()).merge(classes::routes())
}
