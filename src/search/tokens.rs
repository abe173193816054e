//! Cutting text into tokens: the same for both databases, for documents and for queries. Pure.
//!
//! A token is a run of letters and digits, in lower case: `cart-service v1.3.2` gives `cart`, `service`,
//! `v1`, `3`, `2`. The databases are given the tokens and not the text, so that their own ideas of a
//! word (which differ) never matter.

use std::ops::Range;

/// Longer runs (base64, minified code) are cut to this many characters: nobody types them.
const MAX_CHARS: usize = 64;

/// Tokens with the byte range they stand at.
pub fn spans(text: &str) -> impl Iterator<Item = (String, Range<usize>)> {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        while rest.next_if(|(_, c)| !c.is_alphanumeric()).is_some() {}
        let (start, _) = *rest.peek()?;
        let mut end = start;
        let mut token = String::new();
        let mut chars = 0;
        while let Some((at, c)) = rest.next_if(|(_, c)| c.is_alphanumeric()) {
            if chars < MAX_CHARS {
                // Lower-casing may add combining marks (İ); they are no part of a word that is typed.
                token.extend(c.to_lowercase().filter(|l| l.is_alphanumeric()));
            }
            chars += 1;
            end = at + c.len_utf8();
        }
        Some((token, start..end))
    })
}

pub fn tokens(text: &str) -> impl Iterator<Item = String> {
    spans(text).map(|(token, _)| token).filter(|t| !t.is_empty())
}

/// The tokens of a text joined by blanks: what the index stores.
pub fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for token in tokens(text) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&token);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_versions_and_names_are_cut_alike() {
        assert_eq!(
            normalised("Cart-Service v1.3.2: 'Zeit\u{fc}berschreitung'!"),
            "cart service v1 3 2 zeit\u{fc}berschreitung"
        );
        assert_eq!(normalised("  --  "), "");
        assert_eq!(tokens(&"a".repeat(1000)).next().map(|t| t.len()), Some(MAX_CHARS));
    }

    proptest! {
        #[test]
        fn spans_lie_where_they_say(text in "\\PC{0,200}") {
            let mut last = 0;
            for (_, range) in spans(&text) {
                prop_assert!(range.start >= last && range.end > range.start);
                prop_assert!(text.get(range.clone()).is_some_and(|s| s.chars().all(char::is_alphanumeric)));
                last = range.end;
            }
        }

        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,200}") {
            let once = normalised(&text);
            prop_assert_eq!(normalised(&once), once);
        }
    }
}
