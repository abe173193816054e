//! Story tests: what people and machines do, over the real router, on both databases.
//!
//! One binary, so that it is linked once. `./test` starts PostgreSQL; by hand:
//! `export FAULTLINE_TEST_POSTGRES=$(tests/support/postgres.sh start)`.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is how a test fails")]

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod accounts;
mod action_items;
mod alert_pages;
mod alert_rules;
mod alerts;
mod changes;
mod changes_seen;
mod inbox;
mod incident_room;
mod incident_texts;
mod incident_together;
mod incidents;
mod incidents_api;
mod live;
mod notifications;
mod oncall;
mod oncall_connections;
mod openapi;
mod permissions;
mod portable;
mod postmortem_library;
mod postmortem_review;
mod postmortems;
mod report_pages;
mod reports;
mod rooms;
mod runbook_calls;
mod runbook_input;
mod runbooks;
mod schema;
mod search;
mod similar;
mod status_page;
mod status_subscribers;
mod suspects;
mod trace_sources;
mod traces;
