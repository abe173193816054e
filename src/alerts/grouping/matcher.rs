//! Which alerts a rule or a maintenance window is about: a few conditions that must all hold,
//! written one to a line.
//!
//! `severity = critical`, `service ~ check*`, `team != web`, `alertname !~ Watchdog*`. A name is
//! `service`, `severity`, `source`, `environment`, `rule`, `title`, or that of a label. With `~`
//! the value may hold `*`; comparing ignores case. A missing label is the empty text.

use std::fmt;

use super::engine::Candidate;

/// More lines than this are no rule that a person can follow.
const MAX_CONDITIONS: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Is,
    IsNot,
    Like,
    NotLike,
}

impl Op {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Is => "=",
            Self::IsNot => "!=",
            Self::Like => "~",
            Self::NotLike => "!~",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    name: String,
    op: Op,
    value: String,
}

/// Conditions that must all hold; none at all match everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher(Vec<Condition>);

impl Matcher {
    /// Reads one condition a line; empty lines and lines that begin with `#` are passed over.
    ///
    /// # Errors
    /// A sentence that names the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut conditions = Vec::new();
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let condition = condition(line).ok_or_else(|| {
                format!("line {}: write name = value, name != value, name ~ val* or name !~ val*", i + 1)
            })?;
            conditions.push(condition);
        }
        if conditions.len() > MAX_CONDITIONS {
            return Err(format!("at most {MAX_CONDITIONS} conditions"));
        }
        Ok(Self(conditions))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn matches(&self, alert: &Candidate) -> bool {
        self.0.iter().all(|c| {
            let value = alert.attribute(&c.name);
            match c.op {
                Op::Is => value.eq_ignore_ascii_case(&c.value),
                Op::IsNot => !value.eq_ignore_ascii_case(&c.value),
                Op::Like => like(&c.value, value),
                Op::NotLike => !like(&c.value, value),
            }
        })
    }
}

fn condition(line: &str) -> Option<Condition> {
    let at = line.find(['=', '~', '!'])?;
    let (name, rest) = line.split_at(at);
    let (op, value) = [("!=", Op::IsNot), ("!~", Op::NotLike), ("=", Op::Is), ("~", Op::Like)]
        .into_iter()
        .find_map(|(sign, op)| Some((op, rest.strip_prefix(sign)?)))?;
    let name = name.trim();
    let value = value.trim().trim_matches('"');
    (!name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_.-/".contains(c))).then(|| Condition {
        name: name.to_owned(),
        op,
        value: value.to_owned(),
    })
}

/// Whether `text` has the form of `pattern`, in which `*` stands for anything.
pub fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, c) in self.0.iter().enumerate() {
            let sep = if i == 0 { "" } else { "\n" };
            write!(f, "{sep}{} {} {}", c.name, c.op.as_str(), c.value)?;
        }
        Ok(())
    }
}
