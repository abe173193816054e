//! What is measured, over which incidents, and with which statistics: pure rules.

pub mod business;
pub mod codec;
pub mod compare;
pub mod compute;
pub mod facts;
pub mod frozen;
pub mod measures;
pub mod outliers;
pub mod reasons;
pub mod scope;
pub mod select;
pub mod sheet;
pub mod slices;
pub mod stats;
