//! The durable inbox of deliveries from machines.

pub mod signature;
