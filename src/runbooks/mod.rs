//! Runbooks: Markdown with steps, and their runs inside incidents.
//!
//! Here: reading and versioning runbooks, offering them to incidents, running them step by step.
//! Not here: how Markdown becomes HTML (`markdown`), what an incident is (`incidents`).

pub mod model;
pub mod service;
mod store;

#[cfg(test)]
mod tests;
