//! The SQL of incidents, and nothing else: no rule is decided here. Every function runs inside the
//! caller's transaction. A row that cannot be understood is an internal error that names it.

pub mod evidence;
pub mod head;
pub mod impacts;
pub mod links;
pub mod lists;
pub mod milestones;
pub mod people;
pub mod tasks;
pub mod templates;
pub mod timeline;

use crate::error::{Error, Result};

/// A word of a closed set, as the database holds it.
fn word<T>(parse: fn(&str) -> Option<T>, text: &str, column: &str) -> Result<T> {
    parse(text).ok_or_else(|| Error::Internal(format!("the database holds the unknown {column} '{text}'")))
}
