//! How single fields are read, from forms and JSON alike, and the words of closed sets.
//!
//! Every `…Input` type of a room is made of these, so that a ticked box, a list of slugs or a time
//! means the same on every page and in every body. What a room's fields mean stays in the room.

mod text_enum;
pub mod when;

pub(crate) use text_enum::text_enum;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use crate::clock::Timestamp;
use crate::error::FieldErrors;

/// How far a time may lie ahead of our clock: senders' clocks differ.
pub const FUTURE_TOLERANCE: chrono::TimeDelta = chrono::TimeDelta::minutes(2);

/// Longest one-line title, in characters.
pub const MAX_TITLE: usize = 200;

/// A text that JSON may also give as `null`.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}

/// `true`, or a ticked box: `on`, `true`, `1`, `yes`.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(maybe_flag(deserializer)?.unwrap_or_default())
}

/// Like [`flag`], but keeps apart what was not sent.
pub fn maybe_flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    struct Flag;
    impl Visitor<'_> for Flag {
        type Value = Option<bool>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("true or false")
        }
        fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
            Ok(Some(value))
        }
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
            match value.trim().to_ascii_lowercase().as_str() {
                "on" | "true" | "1" | "yes" => Ok(Some(true)),
                "off" | "false" | "0" | "no" => Ok(Some(false)),
                "" => Ok(None),
                _ => Err(E::invalid_value(de::Unexpected::Str(value), &self)),
            }
        }
    }
    deserializer.deserialize_any(Flag)
}

/// A list of words: a JSON array, or one text with commas or spaces between them. Repeats fall away.
pub fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(maybe_words(deserializer)?.unwrap_or_default())
}

/// Like [`words`], but keeps apart what was not sent.
pub fn maybe_words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    struct Words;
    impl<'de> Visitor<'de> for Words {
        type Value = Option<Vec<String>>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of texts")
        }
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
            Ok(Some(unique(value.split([',', ' ', '\n', '\r', '\t']).map(str::to_owned))))
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(word) = seq.next_element::<String>()? {
                all.push(word);
            }
            Ok(Some(unique(all)))
        }
    }
    deserializer.deserialize_any(Words)
}

fn unique(words: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for word in words {
        let word = word.trim();
        if !word.is_empty() && !all.iter().any(|w| w == word) {
            all.push(word.to_owned());
        }
    }
    all
}

/// The trimmed text of a field that must not be empty.
pub fn required(errors: &mut FieldErrors, field: &str, value: &str, limit: usize) -> String {
    if value.trim().is_empty() {
        errors.add(field, "is needed");
    }
    limited(errors, field, value, limit)
}

/// The trimmed text of a field, refused when longer than `limit` characters. NUL, which PostgreSQL
/// cannot store, is refused too.
pub fn limited(errors: &mut FieldErrors, field: &str, value: &str, limit: usize) -> String {
    let value = value.trim();
    let length = value.chars().count();
    if length > limit {
        errors.add(field, format!("has {length} characters; at most {limit} are kept"));
    }
    if value.contains('\0') {
        errors.add(field, "must not contain a NUL character");
    }
    value.to_owned()
}

/// A title: one line.
pub fn title(errors: &mut FieldErrors, field: &str, value: &str) -> String {
    let line: String = value.split_whitespace().collect::<Vec<_>>().join(" ");
    required(errors, field, &line, MAX_TITLE)
}

/// `None` when nothing was typed or when it cannot be read; the latter is a complaint.
pub fn moment(errors: &mut FieldErrors, field: &str, value: &str, now: Timestamp) -> Option<Timestamp> {
    if value.trim().is_empty() {
        return None;
    }
    let at = when::parse(value, now);
    if at.is_none() {
        errors.add(field, format!("'{}' is not a time: use {}", value.trim(), when::HINT));
    }
    at
}

/// An id, which JSON may give as a number.
pub fn id_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Id {
        Number(i64),
        Text(String),
    }
    Ok(match Option::<Id>::deserialize(deserializer)? {
        None => String::new(),
        Some(Id::Number(n)) => n.to_string(),
        Some(Id::Text(text)) => text,
    })
}

/// A typed time that cannot lie in the future.
pub fn past_moment(errors: &mut FieldErrors, field: &str, value: &str, now: Timestamp) -> Option<Timestamp> {
    let at = moment(errors, field, value, now)?;
    if at > now + FUTURE_TOLERANCE {
        errors.add(field, format!("{} UTC lies in the future: it is {} UTC now", at.to_minute(), now.to_minute()));
    }
    Some(at)
}
