//! Postmortems: what a failure teaches, drafted from the record and finished by people.
//!
//! Here: the draft, its sections and their versions, reviews and who may read it, the lint, action items
//! across incidents until they are done, and incidents that happen again.
//! Not here: the record itself (incidents, alerts, deployments, suspects), and how Markdown becomes
//! HTML (`markdown`).

mod api;
mod api_items;
pub mod jobs;
pub mod model;
pub mod service;
mod store;
mod web;

#[cfg(test)]
mod tests;

use crate::web::Routes;

pub use jobs::ClosedByMerge;
pub use service::reindex;
pub use web::panel::PostmortemPanel;

pub fn routes() -> Routes {
    web::routes().merge(api::routes()).merge(api_items::routes())
}
