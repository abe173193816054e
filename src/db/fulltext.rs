//! Full-text search over both engines: FTS5 in SQLite, `tsvector` in PostgreSQL.
//!
//! An index is a table with the columns `rowid`, `title` and `body`. It is given tokens that are already
//! cut (letters and digits, blanks between them), and asked for rows that hold some and lack others;
//! ranking is the caller's. Words are found alike in both engines; a phrase is only narrowed down here
//! on PostgreSQL (its words, anywhere), so the caller checks phrases itself.

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

/// A text index by the name of its table.
#[derive(Clone, Copy, Debug)]
pub struct TextIndex {
    pub table: &'static str,
}

/// Which part of a row is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Title,
    /// Title and body.
    Everything,
}

impl TextIndex {
    /// Writes the tokens of a row, replacing earlier ones.
    pub async fn put(&self, tx: &Tx, id: i64, title: &str, body: &str) -> Result<()> {
        let Self { table } = self;
        match tx.engine() {
            Engine::Sqlite => {
                let sql = format!("INSERT OR REPLACE INTO {table} (rowid, title, body) VALUES ($1, $2, $3)");
                tx.execute(Sql::built(sql), args![id, title, body]).await?;
            }
            Engine::Postgres => {
                let vector = |n: u8| format!("array_to_tsvector(string_to_array(${n}, ' '))");
                let sql = format!(
                    "INSERT INTO {table} (rowid, title, body) VALUES ($1, {}, {})
                     ON CONFLICT (rowid) DO UPDATE SET title = excluded.title, body = excluded.body",
                    vector(2),
                    vector(3)
                );
                // The body's words include the title's, so that terms may lie in either.
                tx.execute(Sql::built(sql), args![id, title, format!("{title} {body}").trim()]).await?;
            }
        }
        Ok(())
    }

    pub async fn remove(&self, tx: &Tx, id: i64) -> Result<()> {
        let sql = format!("DELETE FROM {} WHERE rowid = $1", self.table);
        tx.execute(Sql::built(sql), args![id]).await.map(drop)
    }

    /// The condition that a row of the index (by the alias `f`) matches the expression bound at
    /// `placeholder`; see [`TextIndex::expression`].
    pub fn condition(&self, db: &Db, scope: Scope, placeholder: &str) -> String {
        match (db.engine(), scope) {
            (Engine::Sqlite, _) => format!("{} MATCH {placeholder}", self.table),
            (Engine::Postgres, Scope::Title) => format!("f.title @@ CAST({placeholder} AS tsquery)"),
            (Engine::Postgres, Scope::Everything) => format!("f.body @@ CAST({placeholder} AS tsquery)"),
        }
    }

    /// The value to bind for [`TextIndex::condition`]. `wanted` must not be empty.
    pub fn expression(&self, db: &Db, scope: Scope, wanted: &[Term], unwanted: &[Term]) -> String {
        match db.engine() {
            Engine::Sqlite => fts5(scope, wanted, unwanted),
            Engine::Postgres => tsquery(wanted, unwanted),
        }
    }
}

/// Every term is a quoted string, so that nothing typed is an operator.
fn fts5(scope: Scope, wanted: &[Term], unwanted: &[Term]) -> String {
    let quoted = |t: &Term| format!("\"{}\"{}", t.tokens.join(" "), if t.is_prefix { "*" } else { "" });
    let join = |terms: &[Term], word: &str| terms.iter().map(quoted).collect::<Vec<_>>().join(word);
    let wanted = match scope {
        Scope::Title => format!("{{title}} : ({})", join(wanted, " AND ")),
        Scope::Everything => format!("({})", join(wanted, " AND ")),
    };
    if unwanted.is_empty() { wanted } else { format!("{wanted} NOT ({})", join(unwanted, " OR ")) }
}

fn tsquery(wanted: &[Term], unwanted: &[Term]) -> String {
    let words = |t: &Term| {
        let last = t.tokens.len().saturating_sub(1);
        let word =
            |(i, token): (usize, &String)| format!("'{token}'{}", if t.is_prefix && i == last { ":*" } else { "" });
        t.tokens.iter().enumerate().map(word).collect::<Vec<_>>().join(" & ")
    };
    // An unwanted phrase must not throw out rows that hold its words apart.
    let unwanted = unwanted.iter().filter(|t| t.tokens.len() == 1).map(|t| format!("!{}", words(t)));
    wanted.iter().map(words).chain(unwanted).collect::<Vec<_>>().join(" & ")
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
            fts5(Scope::Everything, &wanted, &unwanted),
            r#"("cart service" AND "time"*) NOT ("drill" OR "dry run")"#
        );
        assert_eq!(fts5(Scope::Title, &wanted[..1], &[]), r#"{title} : ("cart service")"#);
        assert_eq!(tsquery(&wanted, &unwanted), "'cart' & 'service' & 'time':* & !'drill'");
    }
}
