//! From what happened to what is told: events of incidents and updates that are overdue become
//! notifications, with what other rooms know of the incident: its first suspect, its confirmed cause.
//!
//! It stands above those rooms because they must not know each other for it. Not here: who is told and how
//! it is delivered (notifications), what an event is (incidents).

pub mod hooks;
pub mod jobs;
mod telling;
