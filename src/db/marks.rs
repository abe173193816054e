//! Placeholders as SQLite likes them.
//!
//! `$1` is a *name* to SQLite: it keeps a list of them, and the driver asks for each one's name by walking that
//! list. Statements of thousands of values spent a fifth of a storm there. `?` has no name.

use std::borrow::Cow;

use super::Value;

/// Fewer are not worth the rewriting.
const MANY: usize = 24;

/// The statement with `?` for `$1`, `$2`, … when it has many and each stands once and in order; else as it is.
pub(super) fn nameless(sql: Cow<'static, str>, values: usize) -> Cow<'static, str> {
    if values < MANY { sql } else { rewritten(&sql, values).map_or(sql, Cow::Owned) }
}

/// Several statements as one text.
pub(super) struct Joined {
    pub sql: String,
    /// Of each statement, the numbers that its marks had.
    orders: Vec<Vec<usize>>,
}

/// Joins statements, each with how many values it has; none when one has a mark without a value, or a quotation that
/// does not end.
pub(super) fn joined<'a>(statements: impl Iterator<Item = (&'a str, usize)>) -> Option<Joined> {
    let (mut texts, mut orders) = (Vec::new(), Vec::new());
    for (sql, values) in statements {
        let (sql, order) = unnamed(sql)?;
        if !order.iter().all(|n| (1..=values).contains(n)) {
            return None;
        }
        texts.push(sql);
        orders.push(order);
    }
    Some(Joined { sql: texts.join("; "), orders })
}

impl Joined {
    /// The values of all statements in the order of the marks.
    pub(super) fn values(&self, own: impl IntoIterator<Item = Vec<Value>>) -> Vec<Value> {
        let mut all = Vec::new();
        for (order, own) in self.orders.iter().zip(own) {
            if order.iter().copied().eq(1..=own.len()) {
                all.extend(own);
            } else {
                all.extend(order.iter().filter_map(|n| own.get(n.checked_sub(1)?)).cloned());
            }
        }
        all
    }
}

fn rewritten(sql: &str, values: usize) -> Option<String> {
    let (out, order) = unnamed(sql)?;
    order.into_iter().eq(1..=values).then_some(out)
}

/// The statement with `?` for each mark, and the numbers that the marks had.
fn unnamed(sql: &str) -> Option<(String, Vec<usize>)> {
    let mut out = String::with_capacity(sql.len());
    let mut order = Vec::new();
    let mut rest = sql;
    while let Some(at) = rest.find(['$', '\'', '"']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let mark = from.chars().next()?;
        let tail = &from[1..];
        let end = if mark == '$' {
            let digits = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            order.push(tail[..digits].parse().ok()?);
            out.push('?');
            digits
        } else {
            // A quoted text or name. A doubled quote inside ends it and begins the next one.
            let end = tail.find(mark)? + 1;
            out.push(mark);
            out.push_str(&tail[..end]);
            end
        };
        rest = &tail[end..];
    }
    out.push_str(rest);
    Some((out, order))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    #[test]
    fn marks_in_order_lose_their_names_and_others_keep_them() {
        let of = |sql: &str, values| rewritten(sql, values);
        assert_eq!(of("VALUES ($1, $2), ($3, $4)", 4).as_deref(), Some("VALUES (?, ?), (?, ?)"));
        assert_eq!(of("a = '$9''$8' AND \"$7\" = $1", 1).as_deref(), Some("a = '$9''$8' AND \"$7\" = ?"));
        assert_eq!(of("x IN ($1) ", 1).as_deref(), Some("x IN (?) "));
        for (sql, values) in [("$2, $1", 2), ("$1, $1", 1), ("$1", 2), ("$1, $2", 1), ("$x", 1), ("$", 1), ("$1 '", 1)]
        {
            assert_eq!(of(sql, values), None, "{sql}");
        }
    }

    #[test]
    fn statements_are_joined_with_their_values_in_the_order_of_the_marks() {
        let all = [("a ($1, $2)", args![1_i64, "x"]), ("b", args![]), ("c ($2, $1, $2)", args![2_i64, 3_i64])];
        let joined_all = joined(all.iter().map(|(sql, values)| (*sql, values.len()))).unwrap();
        assert_eq!(joined_all.sql, "a (?, ?); b; c (?, ?, ?)");
        let values = joined_all.values(all.map(|(_, values)| values));
        assert_eq!(format!("{values:?}"), format!("{:?}", args![1_i64, "x", 3_i64, 2_i64, 3_i64]));
        for bad in ["$2", "$0", "$x", "'"] {
            assert!(joined([("a ($1)", 1), (bad, 1)].into_iter()).is_none(), "{bad}");
        }
    }

    #[test]
    fn short_statements_stay_as_they_are() {
        assert_eq!(nameless("SELECT $1".into(), 1), "SELECT $1");
        let long: String = (1..=30).map(|n| format!("${n},")).collect();
        assert_eq!(nameless(long.into(), 30), "?,".repeat(30));
    }
}
