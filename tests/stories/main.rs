//! Story tests: what people and machines do, over the real router, on both databases.
//!
//! One binary, so that it is linked once. `./test` starts PostgreSQL; by hand:
//! `export FAULTLINE_TEST_POSTGRES=$(tests/support/postgres.sh start)`.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is how a test fails")]

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod accounts;
mod alert_pages;
mod alerts;
mod changes;
mod inbox;
mod incidents;
mod incidents_api;
mod live;
mod openapi;
mod permissions;
mod postmortems;
mod reports;
mod rooms;
mod runbooks;
mod schema;
mod search;
mod suspects;
mod trace_sources;
mod traces;
