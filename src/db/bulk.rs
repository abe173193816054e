//! Many rows in few statements: what high-volume rooms (spans, log records) insert with.

use std::fmt::Write as _;

use super::{DbRow, Sql, Tx, Value};
use crate::error::{Error, Result};

/// Most rows of one statement. Fixed sizes (this, then halves of it) keep the number of different
/// statements small, so that each is prepared once per connection.
const MAX_ROWS: usize = 256;
/// SQLite takes 32,766 bound values, PostgreSQL 65,535; a statement stays far below.
const MAX_VALUES: usize = 8_192;

/// Rows to insert: `head VALUES (…), (…) tail`.
pub struct Rows {
    head: &'static str,
    tail: &'static str,
    width: usize,
    values: Vec<Value>,
}

impl Rows {
    /// `head` is `INSERT INTO t (a, b)`; `tail` an `ON CONFLICT` or `RETURNING` clause, or empty.
    pub fn new(head: &'static str, width: usize, tail: &'static str) -> Self {
        Self { head, tail, width, values: Vec::new() }
    }

    /// Adds one row of `width` values.
    pub fn push<const N: usize>(&mut self, row: [Value; N]) {
        debug_assert_eq!(N, self.width, "one value per column of {}", self.head);
        self.values.extend(row);
    }

    pub fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The statements with their values, in order.
    fn statements(self) -> Result<Vec<(Sql, Vec<Value>)>> {
        if self.width == 0 || !self.values.len().is_multiple_of(self.width) {
            return Err(Error::Internal(format!("rows of {} values do not fill {}", self.width, self.head)));
        }
        let mut out = Vec::new();
        let mut left = self.values.len() / self.width;
        let mut values = self.values.into_iter();
        let mut size = MAX_ROWS.min(MAX_VALUES / self.width).max(1);
        while left > 0 {
            while size > left {
                size /= 2;
            }
            let bound = values.by_ref().take(size * self.width).collect();
            out.push((Sql::built(text_of(self.head, self.tail, self.width, size)), bound));
            left -= size;
        }
        Ok(out)
    }
}

fn text_of(head: &str, tail: &str, width: usize, rows: usize) -> String {
    let mut text = format!("{head} VALUES ");
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..width {
            let sep = if column == 0 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{sep}${}", row * width + column + 1);
        }
        text.push(')');
    }
    text.push(' ');
    text.push_str(tail);
    text
}

impl Tx {
    /// Inserts all rows and tells how many were written (conflicts that do nothing are not counted).
    pub async fn insert_rows(&self, rows: Rows) -> Result<u64> {
        let mut written = 0;
        for (sql, values) in rows.statements()? {
            written += self.execute(sql, values).await?;
        }
        Ok(written)
    }

    /// Inserts all rows and collects what the `RETURNING` tail gives, in no particular order.
    pub async fn insert_rows_returning<T: DbRow>(&self, rows: Rows) -> Result<Vec<T>> {
        let mut out = Vec::with_capacity(rows.len());
        for (sql, values) in rows.statements()? {
            out.extend(self.fetch_all::<T>(sql, values).await?);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_few_sizes_of_statements() {
        let mut rows = Rows::new("INSERT INTO t (a, b)", 2, "");
        for i in 0..101_i64 {
            rows.push([Value::from(i), Value::from("x")]);
        }
        let sizes: Vec<usize> = rows.statements().expect("whole rows").iter().map(|(_, v)| v.len() / 2).collect();
        assert_eq!(sizes, [64, 32, 4, 1]);
    }

    #[test]
    fn placeholders_count_through_all_rows() {
        assert_eq!(
            text_of("INSERT INTO t (a, b)", "ON CONFLICT DO NOTHING", 2, 2),
            "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) ON CONFLICT DO NOTHING"
        );
    }

    #[test]
    fn half_a_row_is_refused() {
        let rows = Rows { head: "INSERT INTO t (a, b)", tail: "", width: 2, values: vec![Value::from(1_i64)] };
        assert!(rows.statements().is_err());
    }
}
