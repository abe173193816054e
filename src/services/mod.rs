//! The catalogue of services.

pub mod model;
