//! Faultline: from the first signal of a failure to the lesson learned.
//!
//! Rooms and who may import whom (a test, `tests/stories/rooms.rs`, reads the `use` lines):
//! foundation (`clock`, `error`, `fields`, `db`, `random`, `config`, `state`, `web`) ← `accounts`,
//! `audit` ← `search`, `notifications`, `services` ← `incidents` ← `runbooks`, `inbox` ← `alerts`,
//! `deployments`, `traces`, `logs`, `suspects`, `postmortems` ← `reports`, `relay`, `slack`, `demo` ← `app`, `cli`.

pub mod accounts;
pub mod alerts;
pub mod app;
pub mod audit;
pub mod charts;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod demo;
pub mod deployments;
pub mod difference;
pub mod error;
pub mod fields;
pub mod health;
pub mod inbox;
pub mod incidents;
pub mod logs;
pub mod markdown;
pub mod notifications;
pub mod oncall;
pub mod openapi;
pub mod outbound;
pub mod portable;
pub mod postmortems;
pub mod random;
pub mod relay;
pub mod reports;
pub mod runbooks;
pub mod search;
pub mod seeded;
pub mod services;
pub mod similar;
pub mod slack;
pub mod state;
pub mod status_page;
pub mod suspects;
pub mod telemetry;
pub mod trace_sources;
pub mod traces;
pub mod web;

/// Gives back what one large report or import needed; the C library's allocator keeps it, for each thread anew.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
