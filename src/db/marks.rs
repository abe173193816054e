//! Placeholders as SQLite likes them.
//!
//! `$1` is a *name* to SQLite: it keeps a list of them, and the driver asks for each one's name by walking that
//! list. Statements of thousands of values spent a fifth of a storm there. `?` has no name.

use std::borrow::Cow;

/// Fewer are not worth the rewriting.
const MANY: usize = 24;

/// The statement with `?` for `$1`, `$2`, … when it has many and each stands once and in order; else as it is.
pub(super) fn nameless(sql: Cow<'static, str>, values: usize) -> Cow<'static, str> {
    if values < MANY { sql } else { rewritten(&sql, values).map_or(sql, Cow::Owned) }
}

/// Several statements, each with how many values it has, as one text for all their values in a row; none when a mark
/// of one does not stand once and in order.
pub(super) fn joined<'a>(statements: impl Iterator<Item = (&'a str, usize)>) -> Option<String> {
    let texts: Option<Vec<String>> = statements.map(|(sql, values)| rewritten(sql, values)).collect();
    texts.map(|texts| texts.join("; "))
}

fn rewritten(sql: &str, values: usize) -> Option<String> {
    let mut out = String::with_capacity(sql.len());
    let mut next = 1;
    let mut rest = sql;
    while let Some(at) = rest.find(['$', '\'', '"']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let mark = from.chars().next()?;
        let tail = &from[1..];
        let end = if mark == '$' {
            let digits = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if tail[..digits].parse() != Ok(next) {
                return None;
            }
            next += 1;
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
    (next == values + 1).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn statements_are_joined_when_all_their_marks_can_lose_their_names() {
        let of = |all: &[(&'static str, usize)]| joined(all.iter().copied());
        assert_eq!(of(&[("a ($1, $2)", 2), ("b", 0), ("c ($1)", 1)]).as_deref(), Some("a (?, ?); b; c (?)"));
        assert_eq!(of(&[("a ($1)", 1), ("b ($1, $1)", 1)]), None);
    }

    #[test]
    fn short_statements_stay_as_they_are() {
        assert_eq!(nameless("SELECT $1".into(), 1), "SELECT $1");
        let long: String = (1..=30).map(|n| format!("${n},")).collect();
        assert_eq!(nameless(long.into(), 30), "?,".repeat(30));
    }
}
