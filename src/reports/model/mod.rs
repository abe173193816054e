//! What is measured, over which incidents, and with which statistics: pure rules.

pub mod compare;
pub mod compute;
pub mod measures;
pub mod scope;
pub mod stats;
