//! Logs: receive log records, keep them, search them, and lay those of a trace beside its spans.
//!
//! Lives here: the log record, its decoders, storage, search page and API. Does not: spans (`traces`
//! imports this room for a trace's logs, never the other way round).

pub mod model;
mod receive;
pub mod service;
mod store;
#[cfg(test)]
mod tests;
mod web;
pub mod wire;

use crate::web::{Access, Routes};

pub fn routes() -> Routes {
    Routes::new().post("/v1/logs", Access::Ingest, receive::receive_otlp).get("/logs", Access::VIEWER, web::list).get(
        "/api/v1/logs",
        Access::VIEWER,
        web::list_json,
    )
}
