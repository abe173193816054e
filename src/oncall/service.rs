//! The actions: rotations and overrides, and calling a team to an incident. Each takes the caller's
//! transaction; routes check roles.

pub mod connections;
pub mod paging;
pub mod teams;

pub use super::store::pages::{Call, Page};
pub use super::store::teams::{Feed, Member, Team};
