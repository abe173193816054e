//! People, machines' tokens, sessions: who somebody is and what they may do.
//!
//! What does not belong here: who may see a private incident (that is the incidents room), and
//! on-call duty.

mod admin;
mod attempts;
pub mod model;
mod passwords;
pub mod service;
mod sessions;
mod store;
mod web;

pub use model::{Actor, Role, Scope};
pub use sessions::Sessions;

use crate::web::Routes;

pub fn routes() -> Routes {
    web::routes().merge(admin::routes())
}
