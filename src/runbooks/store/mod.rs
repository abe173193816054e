//! The SQL of runbooks, and nothing else.

pub mod calls;
pub mod efficacy;
pub mod problems;
pub mod runbooks;
pub mod runs;

use crate::error::{Error, Result};

/// A stored word of a closed set; another one means that the database was changed from outside.
pub(super) fn word<T>(parse: impl Fn(&str) -> Option<T>, text: &str, what: &str) -> Result<T> {
    parse(text).ok_or_else(|| Error::Internal(format!("'{text}' is stored as a {what}")))
}
