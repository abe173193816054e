//! The public status page: what customers may know, and nothing else.
//!
//! Components stand for what customers use; notices are written as drafts and become public when
//! somebody publishes them. Everything that the public sees is in this room's own tables: no page of it
//! reads an incident, so nothing private can leak into it by a join. Here: components, notices, the
//! public pages and their kept copies, the feed, the pages where notices are written. Not here: what
//! happened inside (incidents), channels of our own people (notifications).

mod api;
mod cache;
pub mod feed;
pub mod jobs;
pub mod model;
mod panel;
mod public;
pub mod service;
mod store;
mod web;

use crate::web::Routes;

pub use cache::PublicCache;
pub use panel::StatusPanel;
pub use public::Doorman;

/// Needs [`PublicCache`] and [`Doorman`] as extensions of the router.
pub fn routes() -> Routes {
    public::routes().merge(web::routes()).merge(api::routes())
}
