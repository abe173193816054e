//! Bounded pages of lists: cursors for the API and for "older" links.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A place in a list that is sorted by a number (mostly a time) and then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub sort: i64,
    pub id: i64,
}

impl Cursor {
    pub fn encode(self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}", self.sort, self.id))
    }

    /// # Errors
    /// `Invalid` (field `cursor`) for what [`Cursor::encode`] did not make.
    pub fn decode(text: &str) -> Result<Self> {
        let parse = || {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            let text = String::from_utf8(bytes).ok()?;
            let (sort, id) = text.split_once('.')?;
            Some(Self { sort: sort.parse().ok()?, id: id.parse().ok()? })
        };
        parse().ok_or_else(|| Error::invalid("cursor", "is not one that an earlier page gave"))
    }

    /// The cursor of an optional query parameter; an empty one is none.
    pub fn from_param(text: Option<&str>) -> Result<Option<Self>> {
        text.filter(|t| !t.is_empty()).map(Self::decode).transpose()
    }
}

/// How many items of a page: 1 to 200, 50 if not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Limit(i64);

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl Limit {
    /// Of a list that a page of ours shows, not of a query.
    pub const fn new(rows: i64) -> Self {
        Self(rows)
    }

    pub fn get(self) -> i64 {
        self.0.clamp(1, 200)
    }
}

/// One page of a list, as the API shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
    pub total: i64,
}

impl<T> Page<T> {
    /// From `limit + 1` rows: the one too many only tells that there is a next page.
    pub fn cut(mut items: Vec<T>, limit: Limit, total: i64, cursor_of: impl Fn(&T) -> Cursor) -> Self {
        let size = usize::try_from(limit.get()).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        let next_cursor = if more { items.last().map(|i| cursor_of(i).encode()) } else { None };
        Self { items, next_cursor, total }
    }

    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next_cursor: self.next_cursor, total: self.total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_round_trip_and_junk_is_refused() {
        let cursor = Cursor { sort: -5, id: 77 };
        assert_eq!(Cursor::decode(&cursor.encode()).ok(), Some(cursor));
        for junk in ["", "!", "abc", "MTI"] {
            assert!(Cursor::decode(junk).is_err(), "{junk}");
        }
    }

    #[test]
    fn the_row_too_many_gives_the_next_page() {
        let cursor_of = |i: &i64| Cursor { sort: *i, id: *i };
        let page = Page::cut(vec![3, 2, 1], Limit(2), 9, cursor_of);
        assert_eq!((page.items.as_slice(), page.next_cursor), ([3, 2].as_slice(), Some(cursor_of(&2).encode())));
        assert_eq!(Page::cut(vec![3, 2], Limit(2), 2, cursor_of).next_cursor, None);
    }
}
