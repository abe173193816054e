//! The Slack app: a slash command and the buttons under messages. Optional; without a signing secret its
//! addresses do not exist.
//!
//! Every request is verified (Slack's v0 signature, at most five minutes old) before it is read. Who acts
//! is the account that an administrator put beside the Slack user; its role and its view of private
//! incidents hold here as everywhere. Not here: messages to Slack (notifications).

mod commands;
mod interactions;
mod people;
mod store;
mod verify;
mod web;

pub use verify::{Refusal, signature, verify};

use crate::web::Routes;

/// Needs the incidents' hooks and a courier as extensions of the router.
pub fn routes() -> Routes {
    web::routes().merge(people::routes())
}
