//! Full-text search over both engines: FTS5 in SQLite, `tsvector` in PostgreSQL.
//!
//! An index is a table with the columns `rowid`, `title` and `body`. It is given tokens that are already
//! cut (letters and digits, blanks between them), and asked for rows that hold some and lack others;
//! ranking is the caller's. Words are found alike in both engines; a phrase is only narrowed down here
//! (to its words, anywhere), so the caller checks phrases itself. That keeps the places of words out of
//! the index, which pays for its lists of beginnings: without those, `c…` among a million rows took seconds.
//!
//! A tag is a token that no text holds, because it begins with [`TAG`]: what kind of row it is. It narrows a
//! search inside the index, where a condition on a joined table would have to look at every match.

use super::{Db, Engine, Sql, Tx};
use crate::args;
use crate::error::Result;

/// What a row must hold or lack: tokens in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Letters and digits only, at least one.
    pub tokens: Vec<String>,
    /// The last token may go on.
    pub is_prefix: bool,
}

/// The first character of a tag. Both engines take a private-use character as part of a word, and no token of ours has it.
pub const TAG: char = '\u{e000}';

/// A text index by the name of its table.
#[derive(Clone, Copy, Debug)]
pub struct TextIndex {
    pub table: &'static str,
}

/// One row of the index: tokens with blanks between them.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub id: i64,
    /// Letters only.
    pub tag: &'a str,
    pub title: &'a str,
    pub body: &'a str,
}

/// Rows of one statement.
const MAX_ROWS: usize = 100;

/// Which part of a row is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Title,
    /// Title and body.
    Everything,
}

impl TextIndex {
    /// Writes the tokens and tags of rows, replacing earlier ones.
    pub async fn put(&self, tx: &Tx, rows: &[Row<'_>]) -> Result<()> {
        for some in rows.chunks(MAX_ROWS) {
            self.put_some(tx, some).await?;
        }
        Ok(())
    }

    async fn put_some(&self, tx: &Tx, rows: &[Row<'_>]) -> Result<()> {
        let Self { table } = self;
        let mut values = Vec::with_capacity(rows.len() * 3);
        let mut places = Vec::with_capacity(rows.len());
        for row in rows {
            let n = values.len();
            let title = format!("{} {TAG}{}", row.title, row.tag);
            let title = title.trim_start();
            values.extend(args![row.id, title]);
            match tx.engine() {
                Engine::Sqlite => {
                    values.extend(args![row.body]);
                    places.push(format!("(${}, ${}, ${})", n + 1, n + 2, n + 3));
                }
                Engine::Postgres => {
                    // The body's words include the title's, so that terms may lie in either.
                    values.extend(args![format!("{title} {}", row.body).trim()]);
                    let vector = |n: usize| format!("array_to_tsvector(string_to_array(${n}, ' '))");
                    places.push(format!("(${}, {}, {})", n + 1, vector(n + 2), vector(n + 3)));
                }
            }
        }
        let places = places.join(", ");
        let sql = match tx.engine() {
            Engine::Sqlite => format!("INSERT OR REPLACE INTO {table} (rowid, title, body) VALUES {places}"),
            Engine::Postgres => format!(
                "INSERT INTO {table} (rowid, title, body) VALUES {places}
                 ON CONFLICT (rowid) DO UPDATE SET title = excluded.title, body = excluded.body"
            ),
        };
        tx.execute(Sql::built(sql), values).await.map(drop)
    }

    pub async fn clear(&self, tx: &Tx) -> Result<()> {
        let Self { table } = self;
        let sql = match tx.engine() {
            Engine::Sqlite => format!("INSERT INTO {table} ({table}) VALUES ('delete-all')"),
            Engine::Postgres => format!("DELETE FROM {table}"),
        };
        tx.execute(Sql::built(sql), args![]).await.map(drop)
    }

    pub async fn remove(&self, tx: &Tx, id: i64) -> Result<()> {
        let sql = format!("DELETE FROM {} WHERE rowid = $1", self.table);
        tx.execute(Sql::built(sql), args![id]).await.map(drop)
    }

    /// The newest rows that match the expression bound at `placeholder`, as a query with one column `rowid`. `limit` bounds
    /// what the conditions of the caller's join have to look at.
    pub fn newest(&self, db: &Db, scope: Scope, placeholder: &str, limit: i64) -> String {
        let condition = self.condition(db, scope, placeholder);
        format!("SELECT f.rowid FROM {} f WHERE {condition} ORDER BY f.rowid DESC LIMIT {limit}", self.table)
    }

    /// The condition that a row of the index (by the alias `f`) matches the expression bound at
    /// `placeholder`; see [`TextIndex::expression`].
    fn condition(&self, db: &Db, scope: Scope, placeholder: &str) -> String {
        match (db.engine(), scope) {
            (Engine::Sqlite, _) => format!("{} MATCH {placeholder}", self.table),
            (Engine::Postgres, Scope::Title) => format!("f.title @@ CAST({placeholder} AS tsquery)"),
            (Engine::Postgres, Scope::Everything) => format!("f.body @@ CAST({placeholder} AS tsquery)"),
        }
    }

    /// The value to bind for [`TextIndex::newest`]. `wanted` must not be empty; with tags, a row has one of them.
    pub fn expression(&self, db: &Db, scope: Scope, wanted: &[Term], unwanted: &[Term], tags: &[&str]) -> String {
        match db.engine() {
            Engine::Sqlite => fts5(scope, wanted, unwanted, tags),
            Engine::Postgres => tsquery(wanted, unwanted, tags),
        }
    }
}

/// Every token is a quoted string, so that nothing typed is an operator.
fn fts5(scope: Scope, wanted: &[Term], unwanted: &[Term], tags: &[&str]) -> String {
    let mut all: Vec<String> =
        wanted.iter().flat_map(tokens).map(|(t, prefix)| format!("\"{t}\"{}", if prefix { "*" } else { "" })).collect();
    if !tags.is_empty() {
        let tags: Vec<String> = tags.iter().map(|t| format!("\"{TAG}{t}\"")).collect();
        all.push(format!("({})", tags.join(" OR ")));
    }
    let wanted = match scope {
        Scope::Title => format!("{{title}} : ({})", all.join(" AND ")),
        Scope::Everything => format!("({})", all.join(" AND ")),
    };
    let unwanted: Vec<String> = single(unwanted).map(|t| format!("\"{t}\"")).collect();
    if unwanted.is_empty() { wanted } else { format!("{wanted} NOT ({})", unwanted.join(" OR ")) }
}

fn tsquery(wanted: &[Term], unwanted: &[Term], tags: &[&str]) -> String {
    let mut all: Vec<String> =
        wanted.iter().flat_map(tokens).map(|(t, prefix)| format!("'{t}'{}", if prefix { ":*" } else { "" })).collect();
    if !tags.is_empty() {
        let tags: Vec<String> = tags.iter().map(|t| format!("'{TAG}{t}'")).collect();
        all.push(format!("({})", tags.join(" | ")));
    }
    all.extend(single(unwanted).map(|t| format!("!'{t}'")));
    all.join(" & ")
}

/// The tokens of a term, and whether each is a beginning.
fn tokens(term: &Term) -> impl Iterator<Item = (&str, bool)> {
    let last = term.tokens.len().saturating_sub(1);
    term.tokens.iter().enumerate().map(move |(i, t)| (t.as_str(), term.is_prefix && i == last))
}

/// An unwanted phrase must not throw out rows that hold its words apart: only single words narrow.
fn single(unwanted: &[Term]) -> impl Iterator<Item = &str> {
    unwanted.iter().filter(|t| t.tokens.len() == 1).filter_map(|t| t.tokens.first().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(text: &str, is_prefix: bool) -> Term {
        Term { tokens: text.split(' ').map(str::to_owned).collect(), is_prefix }
    }

    #[test]
    fn both_syntaxes_hold_only_tokens_and_our_operators() {
        let wanted = [term("cart service", false), term("time", true)];
        let unwanted = [term("drill", false), term("dry run", false)];
        assert_eq!(
            fts5(Scope::Everything, &wanted, &unwanted, &[]),
            r#"("cart" AND "service" AND "time"*) NOT ("drill")"#
        );
        assert_eq!(
            fts5(Scope::Title, &wanted[..1], &[], &["alert"]),
            "{title} : (\"cart\" AND \"service\" AND (\"\u{e000}alert\"))"
        );
        assert_eq!(
            tsquery(&wanted, &unwanted, &["alert", "service"]),
            "'cart' & 'service' & 'time':* & ('\u{e000}alert' | '\u{e000}service') & !'drill'"
        );
    }
}
