//! Reports: how long incidents took, by whom and when, with every number explained.
//!
//! Here live the measures, their definitions, the statistics, the pages and the export. The times
//! themselves belong to the incidents' room; how a chart is drawn to `charts`.
//!
//! One way through: a URL becomes a [`model::scope::Scope`], `store` loads the incidents that touch
//! its period and that the viewer may see, [`model::compute`] decides who counts and why not, and
//! [`view`], [`json`] and [`export`] show the same [`model::compute::Report`] to people and machines.

mod api;
pub mod export;
mod filters;
pub mod json;
pub mod model;
pub mod service;
mod store;
pub mod view;
mod web;

use crate::web::Routes;

pub fn routes() -> Routes {
    web::routes().merge(api::routes())
}
