//! The SQL of the status page. [`public`] is all that public pages read; it names neither drafts nor
//! incidents.

pub mod components;
pub mod notices;
pub mod public;
pub mod subscribers;

use crate::error::{Error, Result};

/// A word that only this program writes into the database.
fn word<T>(parse: fn(&str) -> Option<T>, text: &str, what: &str) -> Result<T> {
    parse(text).ok_or_else(|| Error::Internal(format!("the database holds the {what} '{text}'")))
}
