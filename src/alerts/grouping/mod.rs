//! From many alerts to few incidents: which alerts belong together, and when that is an incident.
//!
//! [`rule`] says what a person may configure, [`matcher`] which alerts it is about, [`engine`]
//! decides. The engine is pure, so that the same code runs on live alerts and on the last thirty
//! days ([`replay`]) before a rule is saved. What is decided is carried out in `crate::alerts`.

pub mod engine;
pub mod matcher;
pub mod replay;
pub mod rule;

#[cfg(test)]
mod tests;

pub use engine::{Candidate, Engine, Group, Neighbours, Outcome};
pub use matcher::Matcher;
pub use rule::{GroupBy, Rule, RuleInput, Target};
