//! Notifications: telling people and other systems what happened, outside of Faultline's pages.
//!
//! Other rooms queue an [`Event`] in their own transaction and are done: the outbox. A worker matches
//! events against rules, renders them for each channel, delivers, retries with backoff and logs each
//! answer. Here: events, rules, channels, renderings, the outbox. Not here: what happened and why
//! (incidents and the other rooms), the guarded HTTP client (outbound).

pub mod backoff;
pub mod model;
pub mod render;
mod service;
pub mod signing;
mod store;

pub use model::{Event, EventKind};
pub use service::{TOPIC, queue};
