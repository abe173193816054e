//! The SQL of rotations, overrides, calendar addresses and pages.

pub mod connections;
pub mod pages;
pub mod teams;
