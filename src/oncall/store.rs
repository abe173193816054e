//! The SQL of rotations, overrides, calendar addresses and pages.

pub mod pages;
pub mod teams;
