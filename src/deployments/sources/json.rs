//! Reading fields out of JSON that other systems wrote: tolerant of types, blind to empty texts.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

use super::{Delivery, Unreadable};
use crate::clock::Timestamp;

/// The body as JSON, or the reason that it is none.
pub fn body(delivery: &Delivery<'_>) -> Result<Value, Unreadable> {
    // A byte order mark is no part of JSON, but some senders write one.
    let body = delivery.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(delivery.body);
    serde_json::from_slice(body).map_err(|e| Unreadable(format!("the body is not JSON: {e}")))
}

/// The value at a dotted path such as `deployment.payload.version`; list items by number.
pub fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |here, key| match here {
        Value::Array(list) => list.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    })
}

/// The text at a path: a non-blank string, or a number written out.
pub fn text(value: &Value, path: &str) -> Option<String> {
    match at(value, path)? {
        Value::String(s) if !s.trim().is_empty() => Some(s.trim().to_owned()),
        Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

/// The first of several paths that holds a text.
pub fn first_text(value: &Value, paths: &[&str]) -> Option<String> {
    paths.iter().find_map(|p| text(value, p))
}

/// The time at a path; see [`time`].
pub fn time_at(value: &Value, path: &str) -> Option<Timestamp> {
    match at(value, path)? {
        Value::String(s) => time(s),
        Value::Number(n) => n.as_i64().map(epoch),
        _ => None,
    }
}

/// RFC 3339, GitLab's `2021-04-28 21:50:00 +0200` and `… UTC`, PagerDuty's `…+0000`, and epoch seconds
/// or milliseconds written as text.
pub fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Some(t) = Timestamp::parse(text) {
        return Some(t);
    }
    const WITH_OFFSET: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f %z", "%Y-%m-%dT%H:%M:%S%.f%z"];
    if let Some(t) = WITH_OFFSET.iter().find_map(|form| DateTime::parse_from_str(text, form).ok()) {
        return Some(t.with_timezone(&Utc).into());
    }
    if let Some(utc) = text.strip_suffix(" UTC") {
        return NaiveDateTime::parse_from_str(utc, "%Y-%m-%d %H:%M:%S%.f").ok().map(|n| n.and_utc().into());
    }
    text.parse().ok().map(epoch)
}

/// Seconds or milliseconds: what is beyond the year 5138 in seconds is milliseconds.
fn epoch(number: i64) -> Timestamp {
    if number.abs() < 100_000_000_000 { Timestamp::from_secs(number) } else { Timestamp::from_millis(number) }
}

/// The last piece of a path: `shop` of `acme/shop`.
pub fn last_segment(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// The first seven characters, as git shows a commit.
pub fn short_commit(sha: &str) -> String {
    sha.chars().take(7).collect()
}
