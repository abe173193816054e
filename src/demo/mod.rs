//! The demo company: a year of a believable online shop, the same from every seed.
//!
//! Here a year is *planned*: services, people, deployments, alerts, traces and incidents with all
//! that happens in them, as plain data in order of time. Nothing here touches the database: the
//! `faultline demo` command plays the plan through the same actions that people and machines use.

mod aftermath;
pub mod bulk;
pub mod company;
pub mod incidents;
pub mod play;
pub mod script;
pub mod stories;
pub mod traces;
pub mod year;

#[cfg(test)]
mod tests;
