//! Reading what a person types into the box. Pure.
//!
//! `cart "connection reset" -drill kind:runbook` asks for documents with the words `cart` and the phrase,
//! without `drill`, among the runbooks. The last word matches as a beginning, because it may still be
//! being typed. Nothing that can be typed is a syntax error.

use super::model::DocKind;
use super::tokens::tokens;
use crate::db::fulltext::Term;

/// More words than this narrow nothing further, but cost.
const MAX_TERMS: usize = 12;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pub wanted: Vec<Term>,
    pub unwanted: Vec<Term>,
    /// Empty: all kinds.
    pub kinds: Vec<DocKind>,
}

impl Query {
    pub fn parse(input: &str) -> Self {
        let mut query = Self::default();
        let mut ends_in_word = false;
        for piece in pieces(input) {
            ends_in_word = false;
            if let (false, Some(kind)) = (piece.is_quoted, kind_filter(piece.text)) {
                if !query.kinds.contains(&kind) {
                    query.kinds.push(kind);
                }
                continue;
            }
            let found: Vec<String> = tokens(piece.text).collect();
            if found.is_empty() || query.wanted.len() + query.unwanted.len() >= MAX_TERMS {
                continue;
            }
            let term = Term { tokens: found, is_prefix: false };
            if piece.is_excluded {
                query.unwanted.push(term);
            } else {
                query.wanted.push(term);
                ends_in_word = !piece.is_quoted;
            }
        }
        if ends_in_word
            && !input.ends_with(char::is_whitespace)
            && let Some(last) = query.wanted.last_mut()
        {
            last.is_prefix = true;
        }
        query
    }

    /// Nothing to look for: exclusions and filters alone do not find.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }
}

fn kind_filter(text: &str) -> Option<DocKind> {
    let (name, value) = text.split_once(':')?;
    matches!(name.to_ascii_lowercase().as_str(), "kind" | "in" | "type").then(|| DocKind::typed(value)).flatten()
}

struct Piece<'a> {
    text: &'a str,
    is_quoted: bool,
    is_excluded: bool,
}

/// Words and quoted phrases, each perhaps with a minus before it. An unclosed quote runs to the end.
fn pieces(input: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = input;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let is_excluded = rest.len() > 1 && rest.starts_with('-');
        if is_excluded {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        let (text, is_quoted, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (inside, after) = quoted.split_once('"').unwrap_or((quoted, ""));
                (inside, true, after)
            }
            None => {
                let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                (word, false, after)
            }
        };
        rest = after;
        Some(Piece { text, is_quoted, is_excluded })
    })
}

/// A page that the whole input names by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jump {
    /// `INC-12`, `inc12`, `#12`.
    Incident(i64),
    /// 32 or 16 hexadecimal digits, a `traceparent`, or Datadog's decimal: as typed, in lower case.
    Trace(String),
    /// `v1.3.2`, as typed.
    Version(String),
}

/// What the input names, if it names one thing as a whole. Whether that exists is not known here.
pub fn jump(input: &str) -> Option<Jump> {
    let input = input.trim();
    incident_number(input).map(Jump::Incident).or_else(|| trace_id(input).map(Jump::Trace)).or_else(|| {
        let digits = input.strip_prefix(['v', 'V']).unwrap_or(input);
        let is_version = digits.len() <= 60
            && digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.contains('.')
            && !digits.ends_with('.')
            && digits.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+'));
        is_version.then(|| Jump::Version(input.to_owned()))
    })
}

fn incident_number(input: &str) -> Option<i64> {
    let lower = input.to_ascii_lowercase();
    let digits =
        lower.strip_prefix('#').or_else(|| lower.strip_prefix("inc").map(|d| d.trim_start_matches(['-', ' '])))?;
    let number: i64 = digits.parse().ok()?;
    (number > 0 && digits.bytes().all(|b| b.is_ascii_digit())).then_some(number)
}

fn trace_id(input: &str) -> Option<String> {
    let lower = input.to_ascii_lowercase();
    // traceparent: version-traceid-parentid-flags
    let parts: Vec<_> = lower.split('-').collect();
    let candidate = match parts.as_slice() {
        [version, id, parent, flags] if version.len() == 2 && parent.len() == 16 && flags.len() == 2 => *id,
        [whole] => *whole,
        _ => return None,
    };
    let is_hex = matches!(candidate.len(), 16 | 32) && candidate.bytes().all(|b| b.is_ascii_hexdigit());
    let is_decimal = (17..=20).contains(&candidate.len()) && candidate.parse::<u64>().is_ok();
    let is_zero = candidate.bytes().all(|b| b == b'0');
    ((is_hex || is_decimal) && !is_zero).then(|| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn term(text: &str, is_prefix: bool) -> Term {
        Term { tokens: text.split(' ').map(str::to_owned).collect(), is_prefix }
    }

    #[test]
    fn words_phrases_exclusions_and_kinds() {
        let query = Query::parse("Cart-Service \"connection reset\" -drill kind:runbooks time");
        assert_eq!(query.wanted, [term("cart service", false), term("connection reset", false), term("time", true)]);
        assert_eq!(query.unwanted, [term("drill", false)]);
        assert_eq!(query.kinds, [DocKind::Runbook]);
    }

    #[test]
    fn the_last_word_is_a_beginning_unless_it_is_finished() {
        assert!(Query::parse("car").wanted[0].is_prefix);
        assert!(!Query::parse("car ").wanted[0].is_prefix);
        assert!(!Query::parse("\"car\"").wanted[0].is_prefix);
        assert!(!Query::parse("car -x").wanted[0].is_prefix);
    }

    #[test]
    fn nothing_to_look_for_is_empty() {
        for input in ["", "  ", "-drill", "kind:alert", "\"\"", "-", "***", "AND"] {
            assert_eq!(Query::parse(input).is_empty(), input != "AND", "{input}");
        }
    }

    #[test]
    fn one_thing_named_as_a_whole_is_a_jump() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        for (input, expected) in [
            ("INC-12", Some(Jump::Incident(12))),
            ("inc 7", Some(Jump::Incident(7))),
            ("#3", Some(Jump::Incident(3))),
            ("INC-0", None),
            ("INC-+4", None),
            ("incoming", None),
            (trace, Some(Jump::Trace(trace.into()))),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", Some(Jump::Trace(trace.into()))),
            ("a3ce929d0e0e4736", Some(Jump::Trace("a3ce929d0e0e4736".into()))),
            ("11803532876627986230", Some(Jump::Trace("11803532876627986230".into()))),
            ("00000000000000000000000000000000", None),
            ("v1.3.2", Some(Jump::Version("v1.3.2".into()))),
            ("2024.11.02-rc1", Some(Jump::Version("2024.11.02-rc1".into()))),
            ("cart is down", None),
            ("1", None),
        ] {
            assert_eq!(jump(input), expected, "{input}");
        }
    }

    proptest! {
        /// Whatever is typed, both databases get something they can read: tokens, quotes and our operators.
        #[test]
        fn nothing_typed_escapes_into_the_syntax(input in "\\PC{0,120}") {
            let query = Query::parse(&input);
            let _ = jump(&input);
            for term in query.wanted.iter().chain(&query.unwanted) {
                prop_assert!(term.tokens.iter().all(|t| !t.is_empty() && t.chars().all(char::is_alphanumeric)));
            }
            prop_assert!(query.wanted.len() + query.unwanted.len() <= MAX_TERMS);
        }
    }
}
