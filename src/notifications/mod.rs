//! Notifications: telling people and other systems what happened, outside of Faultline's pages.
//!
//! Other rooms queue an [`Event`] in their own transaction and are done: the outbox. A worker matches
//! events against rules, renders them for each channel, delivers, retries with backoff and logs each
//! answer. Here: events, rules, channels, renderings, the outbox. Not here: what happened and why
//! (incidents and the other rooms), the guarded HTTP client (outbound).

mod api;
pub mod backoff;
pub mod courier;
pub mod model;
pub mod render;
mod service;
pub mod signing;
mod store;
mod web;
pub mod worker;

pub use courier::Courier;
pub use model::channel::Channel;
pub use model::{Event, EventKind};
pub use service::{TOPIC, queue, set_private};
pub use store::channels::all as channels;

use crate::web::Routes;

/// Needs a [`Courier`] as an extension of the router.
pub fn routes() -> Routes {
    web::routes().merge(api::routes())
}
