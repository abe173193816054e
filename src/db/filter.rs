//! A WHERE clause put together from literal pieces and bound values.

use super::{Sql, Value};

/// Collects conditions; each `?` in a piece becomes the next `$n`.
///
/// ```
/// # use faultline::db::Where;
/// let mut w = Where::new();
/// w.and("severity = ?", "SEV1");
/// w.and_any("status", ["triage", "resolved"]);
/// assert_eq!(w.to_string(), " WHERE severity = $1 AND status IN ($2, $3)");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Where {
    clauses: Vec<String>,
    args: Vec<Value>,
}

impl Where {
    pub fn new() -> Self {
        Self::default()
    }

    /// A condition without a value.
    pub fn and_raw(&mut self, clause: &'static str) -> &mut Self {
        self.clauses.push(clause.to_owned());
        self
    }

    /// A condition with one value; a second `?` in it means the same value again.
    pub fn and(&mut self, clause: &'static str, value: impl Into<Value>) -> &mut Self {
        let placeholder = self.bind(value);
        self.clauses.push(clause.replace('?', &placeholder));
        self
    }

    /// A condition with several values, one for each `?` in order.
    pub fn and_all(&mut self, clause: &'static str, values: Vec<Value>) -> &mut Self {
        let mut values = values.into_iter();
        let mut text = String::new();
        for (i, piece) in clause.split('?').enumerate() {
            if i > 0 {
                let value = values.next().unwrap_or(Value::Text(None));
                text.push_str(&self.bind(value));
            }
            text.push_str(piece);
        }
        self.clauses.push(text);
        self
    }

    /// `column IN (…)`; no values at all match nothing.
    pub fn and_any<V: Into<Value>>(&mut self, column: &'static str, values: impl IntoIterator<Item = V>) -> &mut Self {
        let list: Vec<String> = values.into_iter().map(|v| self.bind(v)).collect();
        self.clauses.push(if list.is_empty() {
            "1 = 0".to_owned()
        } else {
            format!("{column} IN ({})", list.join(", "))
        });
        self
    }

    /// `column IN (…) tail`, for a list inside of a subquery that the tail closes.
    pub fn and_any_inside<V: Into<Value>>(
        &mut self,
        column: &'static str,
        values: impl IntoIterator<Item = V>,
        tail: &'static str,
    ) -> &mut Self {
        let list: Vec<String> = values.into_iter().map(|v| self.bind(v)).collect();
        let list = if list.is_empty() { "NULL".to_owned() } else { list.join(", ") };
        self.clauses.push(format!("{column} IN ({list}){tail}"));
        self
    }

    /// Binds a value and gives its placeholder, for parts after the WHERE (LIMIT) or inside joins.
    pub fn bind(&mut self, value: impl Into<Value>) -> String {
        self.args.push(value.into());
        format!("${}", self.args.len())
    }

    pub fn args(&self) -> Vec<Value> {
        self.args.clone()
    }

    /// `head WHERE … tail` with the values bound so far.
    pub fn statement(&self, head: &str, tail: &str) -> (Sql, Vec<Value>) {
        (Sql::built(format!("{head}{self} {tail}")), self.args.clone())
    }
}

impl std::fmt::Display for Where {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.clauses.is_empty() {
            return Ok(());
        }
        write!(f, " WHERE {}", self.clauses.join(" AND "))
    }
}

/// Escapes `%`, `_` and `\` for `LIKE … ESCAPE '\'`, and surrounds with `%`.
pub fn like_contains(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
