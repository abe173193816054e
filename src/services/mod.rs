//! The catalogue: services, their owner team, tier, and what they depend on (declared by people, seen
//! in traces). What does not live here: what happens to services; incidents, alerts and deployments
//! import this room.
//!
//! Machines add services by [`ensure_discovered`]; people describe them.

mod api;
pub mod hooks;
pub mod model;
mod service;
mod store;
mod web;

use crate::web::Routes;

pub use model::{Edge, Service, slug_of};
pub use service::{
    create, dependencies, dependents, edit, ensure_discovered, find, find_id, get, reindex, see_dependency,
};
pub use store::{Filter, all_edges, callers_of, count, declared_edges, page, teams};

/// Needs [`hooks::Hooks`] as an extension of the router.
pub fn routes() -> Routes {
    web::routes().merge(api::routes())
}
