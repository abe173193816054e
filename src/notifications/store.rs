//! The room's SQL: the outbox, channels and rules, deliveries with their attempts.

pub mod channels;
pub mod deliveries;
pub mod log;
pub mod outbox;
