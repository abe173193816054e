//! Every HTTP request that leaves Faultline on its own account: webhooks, trace sources, runbook steps.
//!
//! The address is typed in by a person, so the server must not become a way into its own network
//! (server-side request forgery). Here: which addresses may be called ([`address`]), and a client
//! that calls only those ([`client`]). Not here: what is sent, and when it is tried again.

pub mod address;
mod client;

pub use address::{AddressClass, Policy, Refusal, classify};
pub use client::{Answer, Outbound, OutboundError, Request, http_builder};
