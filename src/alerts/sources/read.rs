//! Reading JSON that other systems send: tolerant of unknown fields and of numbers where text was
//! meant, precise about what cannot be read, and bounded in what it keeps.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::Problem;
use crate::alerts::model::Link;
use crate::clock::Timestamp;

pub const MAX_TITLE: usize = 300;
pub const MAX_TEXT: usize = 8_000;
pub const MAX_LABELS: usize = 100;
pub const MAX_LABEL_VALUE: usize = 1_000;

/// The body as text: UTF-8 with or without its mark, UTF-16 with a mark, or the Latin-1 family
/// when the content type says so.
pub fn decode_text<'a>(body: &'a [u8], content_type: &str) -> Result<Cow<'a, str>, Problem> {
    match body {
        [0xEF, 0xBB, 0xBF, rest @ ..] => return utf8(rest),
        [0xFF, 0xFE, rest @ ..] => return utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => return utf16(rest, u16::from_be_bytes),
        _ => {}
    }
    let charset = content_type
        .split(';')
        .filter_map(|p| p.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("charset"))
        .map(|(_, value)| value.trim_matches('"').to_ascii_lowercase());
    match charset.as_deref() {
        Some("iso-8859-1" | "latin1" | "windows-1252") => Ok(Cow::Owned(body.iter().map(|b| char::from(*b)).collect())),
        Some("utf-16le") => utf16(body, u16::from_le_bytes),
        Some("utf-16be") => utf16(body, u16::from_be_bytes),
        _ => utf8(body),
    }
}

fn utf8(body: &[u8]) -> Result<Cow<'_, str>, Problem> {
    std::str::from_utf8(body)
        .map(Cow::Borrowed)
        .map_err(|e| Problem::body(format!("not UTF-8 text: byte {} cannot be read", e.valid_up_to())))
}

fn utf16(body: &[u8], read: fn([u8; 2]) -> u16) -> Result<Cow<'_, str>, Problem> {
    let (pairs, rest) = body.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| read(*pair)).collect();
    if !rest.is_empty() {
        return Err(Problem::body("UTF-16 text with half a character at its end"));
    }
    String::from_utf16(&units).map(Cow::Owned).map_err(|e| Problem::body(format!("not UTF-16 text: {e}")))
}

pub fn json(body: &[u8], content_type: &str) -> Result<Value, Problem> {
    let text = decode_text(body, content_type)?;
    if text.trim().is_empty() {
        return Err(Problem::body("the body is empty"));
    }
    serde_json::from_str(&text).map_err(|e| Problem::body(format!("not JSON: {e}")))
}

pub const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn expected(name: &str, what: &str, found: &Value) -> Problem {
    Problem::at(name, format!("expected {what}, found {}", kind(found)))
}

/// The members of an object; anything else is named.
pub fn object(value: &Value) -> Result<&serde_json::Map<String, Value>, Problem> {
    value.as_object().ok_or_else(|| Problem::body(format!("expected an object, found {}", kind(value))))
}

/// A member as text. Numbers and booleans are taken as written; null and empty mean absent.
pub fn text(value: &Value, name: &str) -> Result<Option<String>, Problem> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(s)) => Ok((!s.trim().is_empty()).then(|| s.clone())),
        Some(v @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(v.to_string())),
        Some(other) => Err(expected(name, "text", other)),
    }
}

/// The first of several members that holds text.
pub fn any_text(value: &Value, names: &[&str]) -> Result<Option<String>, Problem> {
    for name in names {
        if let Some(found) = text(value, name)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// A member that must be there and hold text.
pub fn need_text(value: &Value, name: &str) -> Result<String, Problem> {
    text(value, name)?.ok_or_else(|| Problem::at(name, "is missing"))
}

/// A list that may be absent.
pub fn list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], Problem> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(other) => Err(expected(name, "a list", other)),
    }
}

/// An object of names and short texts. Values that are not text are written as JSON; null and
/// whatever goes over the bounds is left out.
pub fn text_map(value: &Value, name: &str) -> Result<BTreeMap<String, String>, Problem> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(members)) => {
            let texts = members.iter().filter(|(_, v)| !v.is_null()).take(MAX_LABELS);
            Ok(texts.map(|(k, v)| (clean(k, MAX_TITLE), clean(&plain(v), MAX_LABEL_VALUE))).collect())
        }
        Some(other) => Err(expected(name, "an object", other)),
    }
}

/// A value as a person would write it.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// A member as a time: RFC 3339 or one of its relatives, or seconds, milli-, micro- or nanoseconds
/// since the epoch, told apart by their size. The year 1 means none; so does what cannot be read,
/// because a sender's broken clock must not cost an alert.
pub fn time(value: &Value, name: &str) -> Option<Timestamp> {
    time_of(value.get(name)?)
}

pub fn time_of(value: &Value) -> Option<Timestamp> {
    let at = match value {
        Value::Number(n) => from_epoch(n.as_f64()?),
        Value::String(s) => {
            let s = s.trim();
            match s.parse::<f64>() {
                Ok(number) => from_epoch(number),
                Err(_) => Timestamp::parse(s).or_else(|| with_short_offset(s)),
            }
        }
        _ => None,
    }?;
    // Year 1 (Go's zero time) and anything else before 1971 is a sender's way of saying "unset".
    (at > Timestamp::from_secs(365 * 86_400)).then_some(at)
}

/// `2020-07-17T08:42:58.315+0000`: an offset without its colon, as PagerDuty's examples have it.
fn with_short_offset(text: &str) -> Option<Timestamp> {
    chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").ok().map(|t| t.to_utc().into())
}

#[expect(clippy::cast_possible_truncation, reason = "bounded by the comparison above each cast")]
fn from_epoch(number: f64) -> Option<Timestamp> {
    const LATEST_SECS: f64 = 10_000_000_000.0; // the year 2286
    if !number.is_finite() || number <= 0.0 {
        return None;
    }
    for per_second in [1.0, 1e3, 1e6, 1e9] {
        if number < LATEST_SECS * per_second {
            return Some(Timestamp::from_micros((number / per_second * 1e6) as i64));
        }
    }
    None
}

/// Text without NUL (PostgreSQL cannot hold it) and within `max` characters.
pub fn clean(text: &str, max: usize) -> String {
    let mut out: String = text.trim().chars().filter(|c| *c != '\0').take(max + 1).collect();
    if out.chars().count() > max {
        out = out.chars().take(max.saturating_sub(1)).collect();
        out.push('…');
    }
    out
}

/// A link with a scheme that a browser may be sent to.
pub fn link(title: &str, url: Option<String>) -> Option<Link> {
    let url = url.filter(|u| u.len() <= 4_000)?;
    let parsed = url::Url::parse(url.trim()).ok()?;
    matches!(parsed.scheme(), "http" | "https").then(|| Link { title: title.to_owned(), url: parsed.into() })
}

/// A trace id in its one form: 32 lower-case hex digits. 16 digits and Datadog's decimal low half
/// are filled up with zeros on the left.
pub fn trace_id(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches("0x");
    // A W3C traceparent holds the id as its second part.
    let text = match text.split('-').collect::<Vec<_>>().as_slice() {
        [version, id, _, _] if version.len() == 2 => *id,
        _ => text,
    };
    let hex = text.len() <= 32 && !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let id = if hex && matches!(text.len(), 16 | 32) {
        format!("{:0>32}", text.to_ascii_lowercase())
    } else {
        format!("{:032x}", text.parse::<u64>().ok()?)
    };
    id.bytes().any(|b| b != b'0').then_some(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_of_every_unit_mean_the_same() {
        let expected = Timestamp::from_secs(1_713_755_131);
        for value in [
            json!(1_713_755_131),
            json!(1_713_755_131_000_i64),
            json!("1713755131000"),
            json!(1_713_755_131_000_000_i64),
            json!("2024-04-22T03:05:31Z"),
            json!("2024-04-22T05:05:31.000+0200"),
        ] {
            assert_eq!(time_of(&value), Some(expected), "{value}");
        }
    }

    #[test]
    fn unset_and_absurd_times_are_none() {
        for value in
            [json!("0001-01-01T00:00:00Z"), json!(0), json!(-5), json!("soon"), json!(1e300), json!([1]), json!(null)]
        {
            assert_eq!(time_of(&value), None, "{value}");
        }
    }

    #[test]
    fn trace_ids_have_one_form() {
        assert_eq!(trace_id("5B8EFFF798038103D269B633813FC60C").as_deref(), Some("5b8efff798038103d269b633813fc60c"));
        assert_eq!(trace_id("d269b633813fc60c").as_deref(), Some("0000000000000000d269b633813fc60c"));
        assert_eq!(
            trace_id("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").as_deref(),
            Some("4bf92f3577b34da6a3ce929d0e0e4736")
        );
        assert_eq!(trace_id("255").as_deref(), Some("000000000000000000000000000000ff"), "decimal, as in Datadog logs");
        assert_eq!(trace_id("00000000000000000000000000000000"), None);
        assert_eq!(trace_id("not-a-trace"), None);
    }

    #[test]
    fn text_in_other_encodings_is_read() {
        let utf16: Vec<u8> =
            [0xFF_u8, 0xFE].into_iter().chain("{\"a\":\"ü\"}".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(json(&utf16, "").unwrap()["a"], "ü");
        assert_eq!(json(b"\xEF\xBB\xBF{}", "").unwrap(), json!({}));
        assert_eq!(json(b"{\"a\":\"\xFC\"}", "application/json; charset=ISO-8859-1").unwrap()["a"], "ü");
        let refused = json(b"{\"a\":\"\xFC\"}", "application/json").unwrap_err();
        assert!(refused.to_string().contains("byte 6"), "{refused}");
    }

    #[test]
    fn links_to_scripts_are_dropped() {
        assert_eq!(link("x", Some("javascript:alert(1)".to_owned())), None);
        assert!(link("x", Some("https://example.org/a".to_owned())).is_some());
    }
}
