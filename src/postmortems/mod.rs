//! Postmortems: what a failure teaches, drafted from the record and finished by people.
//!
//! Here: the draft, its sections and their versions, states from draft to published, the lint, action
//! items as the postmortem shows them.
//! Not here: the record itself (incidents, alerts, deployments, suspects), and how Markdown becomes
//! HTML (`markdown`).

mod api;
pub mod model;
pub mod service;
mod store;
mod web;

#[cfg(test)]
mod tests;

use crate::web::Routes;

pub use service::reindex;
pub use web::panel::PostmortemPanel;

pub fn routes() -> Routes {
    web::routes().merge(api::routes())
}
