//! Incidents.

pub mod model;
