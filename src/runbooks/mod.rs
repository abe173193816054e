//! Runbooks: Markdown with steps, and their runs inside incidents.
//!
//! Here: reading and versioning runbooks, offering them to incidents, running them step by step.
//! Not here: how Markdown becomes HTML (`markdown`), what an incident is (`incidents`).
//!
//! Rooms that know more about incidents (alerts' labels, suspects, versions) register in [`hooks`].

mod api;
pub mod hooks;
pub mod jobs;
pub mod model;
pub mod service;
mod store;
mod web;

#[cfg(test)]
mod tests;

use crate::web::Routes;

pub use web::panel::RunbookPanel;

pub fn routes() -> Routes {
    web::routes().merge(api::routes())
}
