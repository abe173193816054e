//! What a public text leaves out: names of people, e-mail and network addresses, and the words that the
//! authors marked. What cannot be made safe is withheld whole.

use std::net::IpAddr;

/// What stands for a word that was left out.
const WORD: &str = "[redacted]";
const PERSON: &str = "[a colleague]";
const EMAIL: &str = "[e-mail]";
const ADDRESS: &str = "[address]";

/// Most words that are left out, and the longest, in characters.
pub const MAX_WORDS: usize = 100;
pub const MAX_WORD: usize = 100;

/// A Markdown text for the public. Links lose their targets: they lead inside.
pub fn redact(source: &str, people: &[String], words: &[String]) -> String {
    let mut text = source.to_owned();
    for word in words.iter().filter(|w| !w.trim().is_empty()) {
        text = replace_words(&text, word.trim(), WORD);
    }
    text = addresses(&text);
    for person in longest_first(people) {
        text = replace_words(&text, person, PERSON);
    }
    text
}

/// Names first whole, then each part of at least three letters: "Ada" of "Ada Lovelace".
fn longest_first(people: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = people.iter().map(|p| p.trim()).filter(|p| p.chars().count() > 2).collect();
    let parts: Vec<&str> = names.iter().flat_map(|n| n.split_whitespace()).filter(|p| p.chars().count() > 2).collect();
    names.extend(parts);
    names.sort_by_key(|n| std::cmp::Reverse(n.len()));
    names.dedup();
    names
}

/// Whether a finished plain text still holds something that had to go: written with markup inside, say.
pub fn leaks(plain: &str, people: &[String], words: &[String]) -> bool {
    let redacted = redact(plain, people, words);
    redacted != plain
}

/// Replaces `word` where it stands as a whole word, whatever its case.
fn replace_words(text: &str, word: &str, with: &str) -> String {
    let wanted: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
    let chars: Vec<char> = text.chars().collect();
    if wanted.is_empty() || chars.len() < wanted.len() {
        return text.to_owned();
    }
    let same = |at: usize| {
        let found = chars.get(at..at + wanted.len());
        found.is_some_and(|found| found.iter().zip(&wanted).all(|(a, b)| a.to_lowercase().next() == Some(*b)))
    };
    let is_inside = |at: Option<usize>| at.and_then(|i| chars.get(i)).is_some_and(|c| c.is_alphanumeric());
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while let Some(c) = chars.get(i) {
        if same(i) && !is_inside(i.checked_sub(1)) && !is_inside(Some(i + wanted.len())) {
            out.push_str(with);
            i += wanted.len();
        } else {
            out.push(*c);
            i += 1;
        }
    }
    out
}

/// E-mail and IP addresses, word by word; what surrounds the words stays.
fn addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || "@.:-_+%/".contains(c) {
            word.push(c);
        } else {
            out.push_str(&checked(&word));
            word.clear();
            out.push(c);
        }
    }
    out.push_str(&checked(&word));
    out
}

fn checked(word: &str) -> String {
    let core = word.trim_matches(|c: char| !c.is_alphanumeric());
    let host = core.rsplit_once('/').map_or(core, |(head, _)| head);
    let without_port = host.rsplit_once(':').map_or(host, |(head, _)| head);
    let is_ip = [core, host, without_port].iter().any(|w| w.parse::<IpAddr>().is_ok());
    let is_email = core.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    let standing_for = if is_email {
        EMAIL
    } else if is_ip {
        ADDRESS
    } else {
        return word.to_owned();
    };
    word.replacen(core, standing_for, 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn people() -> Vec<String> {
        vec!["Ada Lovelace".to_owned(), "Bo".to_owned()]
    }

    #[test]
    fn names_addresses_and_marked_words_go() {
        let text = "Ada Lovelace (ada@example.org) saw 10.1.2.3:8080 and db-7 of Acme fail; ACME's adapter, Ada said.";
        let words = ["acme".to_owned(), "db-7".to_owned()];
        assert_eq!(
            redact(text, &people(), &words),
            "[a colleague] ([e-mail]) saw [address] and [redacted] of [redacted] fail; [redacted]'s adapter, [a colleague] said."
        );
    }

    #[test]
    fn times_versions_and_short_names_stay() {
        let text = "At 10:08 version 1.4.0 of cart, 2026-03-01, Bo, std::fmt, 12 %";
        assert_eq!(redact(text, &people(), &[]), text);
    }

    #[test]
    fn what_markup_hides_is_noticed() {
        let markdown = "A**da** and &#65;cme";
        let plain = crate::markdown::plain_text(&redact(markdown, &people(), &["acme".to_owned()]), 1000);
        assert!(leaks(&plain, &people(), &["acme".to_owned()]), "{plain}");
        assert!(!leaks("[a colleague] of [redacted]", &people(), &["acme".to_owned()]));
    }

    proptest! {
        #[test]
        fn a_marked_word_never_stays(before in "[a-zé ]{0,20}", after in "[a-zİ ]{0,20}") {
            let text = format!("{before} SeCret-Host {after}");
            let redacted = redact(&text, &[], &["secret-host".to_owned()]);
            prop_assert!(!redacted.to_lowercase().contains("secret-host"));
        }
    }
}
