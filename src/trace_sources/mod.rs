//! Trace sources: the systems where a team's traces already live, and fetching a trace from them.
//!
//! Lives here: the configured sources with their credentials, one adapter per system ([`adapters`]), the
//! fetches (rows with a lease, carried out in the background), and the trace as evidence that may still
//! have to be fetched. Does not: the decoders of formats that are also sent to us (`traces::wire`), what is
//! done with spans once they are here (`traces`), and which addresses may be called (`outbound`).
//!
//! Walkthrough: a person pastes the address of a Jaeger page as evidence. [`RemoteTraces`] does not find
//! it in the store, sees a source that fits, and the incident gets a piece without a copy; in the same
//! transaction a fetch is queued. [`jobs`] claims it, [`adapters`] ask the sources, the spans go into the
//! store and, whole, into the incident; the page shows each try and its failure meanwhile.

mod adapters;
mod api;
mod evidence;
pub mod jobs;
mod model;
mod service;
mod store;
mod web;

pub use evidence::RemoteTraces;
pub use model::{FetchState, SourceInput, SourceKind};

use crate::web::Routes;

pub fn routes() -> Routes {
    web::routes().merge(api::routes())
}
