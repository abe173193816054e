//! The actions on the status page, each in the caller's transaction. Routes check roles; who may
//! publish depends on the incident behind, too, and is checked here.

pub mod components;
mod letter;
pub mod notices;
mod post;
pub mod subscribers;

pub use super::store::components::Component;
pub use super::store::notices::{Draft, Notice, Update};
