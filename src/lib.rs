//! Faultline: from the first signal of a failure to the lesson learned.

pub mod alerts;
pub mod charts;
pub mod clock;
pub mod db;
pub mod demo;
pub mod deployments;
pub mod error;
pub mod fields;
pub mod inbox;
pub mod incidents;
pub mod logs;
pub mod markdown;
pub mod notifications;
pub mod oncall;
pub mod outbound;
pub mod postmortems;
pub mod reports;
pub mod runbooks;
pub mod search;
pub mod seeded;
pub mod services;
pub mod status_page;
pub mod telemetry;
pub mod traces;
