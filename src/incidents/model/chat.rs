//! Reading a chat export as timeline entries: the JSON that a Slack export holds for one day of one
//! channel, an array of messages, or a list of such arrays joined together.
//!
//! Each message keeps its own time, and its `ts` names it, so that a second import adds nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::clock::Timestamp;

/// Messages of one import; a longer export is imported in parts.
pub const MAX_MESSAGES: usize = 5_000;

/// One message, ready for the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatEntry {
    pub occurred_at: Timestamp,
    pub author: String,
    /// Markdown.
    pub text: String,
    /// Names the message at its source.
    pub key: String,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    subtype: String,
    #[serde(default)]
    ts: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    user_profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    real_name: String,
}

/// What an export gave: the entries in time order, and how many messages were left out (joins,
/// renames, empty ones).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatImport {
    pub entries: Vec<ChatEntry>,
    pub skipped: usize,
}

/// # Errors
/// A message for the person who uploaded it, when it is no such export or too long.
pub fn read_slack(json: &str) -> Result<ChatImport, String> {
    let messages: Vec<Message> =
        serde_json::from_str(json).map_err(|e| format!("is not a Slack export (a JSON array of messages): {e}"))?;
    if messages.len() > MAX_MESSAGES {
        return Err(format!("has {} messages; at most {MAX_MESSAGES} are imported at once", messages.len()));
    }
    let mut names = BTreeMap::new();
    for message in &messages {
        if let Some(name) = message.user_profile.as_ref().and_then(Profile::name) {
            names.insert(message.user.clone(), name.to_owned());
        }
    }
    let mut import = ChatImport::default();
    for message in &messages {
        match message.entry(&names) {
            Some(entry) => import.entries.push(entry),
            None => import.skipped += 1,
        }
    }
    import.entries.sort_by(|a, b| (a.occurred_at, &a.key).cmp(&(b.occurred_at, &b.key)));
    Ok(import)
}

impl Profile {
    fn name(&self) -> Option<&str> {
        [&self.display_name, &self.real_name].into_iter().map(|n| n.trim()).find(|n| !n.is_empty())
    }
}

impl Message {
    /// People's and bots' words; what Slack says about the channel is left out.
    fn entry(&self, names: &BTreeMap<String, String>) -> Option<ChatEntry> {
        let spoken =
            matches!(self.subtype.as_str(), "" | "bot_message" | "me_message" | "thread_broadcast" | "file_share");
        let text = plain_text(&self.text, names);
        if self.r#type != "message" || !spoken || text.trim().is_empty() {
            return None;
        }
        let author = names.get(&self.user).cloned().unwrap_or_else(|| {
            let name = if self.username.is_empty() { &self.user } else { &self.username };
            if name.is_empty() { "unknown".to_owned() } else { name.clone() }
        });
        Some(ChatEntry { occurred_at: read_ts(&self.ts)?, author, text, key: format!("slack:{}", self.ts) })
    }
}

/// `1700000000.000100`: seconds and a fraction, read without floating point.
fn read_ts(ts: &str) -> Option<Timestamp> {
    let (secs, fraction) = ts.split_once('.').unwrap_or((ts, ""));
    let secs: i64 = secs.parse().ok().filter(|s| (0..=253_402_300_799).contains(s))?;
    let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(6).collect();
    let micros: i64 = digits.parse().ok()?;
    Some(Timestamp::from_micros(secs * 1_000_000 + micros))
}

/// Slack's markup in angle brackets as Markdown: `<@U1>`, `<#C1|general>`, `<https://…|label>`, and
/// its three escaped characters.
fn plain_text(text: &str, names: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        out.push_str(&unescape(&rest[..start]));
        let after = &rest[start + 1..];
        let Some(end) = after.find('>') else {
            out.push_str(&unescape(&rest[start..]));
            return out;
        };
        out.push_str(&mention(&after[..end], names));
        rest = &after[end + 1..];
    }
    out.push_str(&unescape(rest));
    out
}

fn mention(inner: &str, names: &BTreeMap<String, String>) -> String {
    let (target, label) = inner.split_once('|').map_or((inner, ""), |(t, l)| (t, l));
    let label = unescape(label);
    match target.as_bytes().first() {
        Some(b'@') => {
            let name = names.get(&target[1..]).map_or(target[1..].to_owned(), Clone::clone);
            format!("@{}", if label.is_empty() { name } else { label })
        }
        Some(b'#') => format!("#{}", if label.is_empty() { target[1..].to_owned() } else { label }),
        Some(b'!') => format!("@{}", if label.is_empty() { target[1..].to_owned() } else { label }),
        _ if label.is_empty() => unescape(target),
        _ => format!("[{}]({})", label.replace(['[', ']'], ""), unescape(target).replace([' ', ')'], "%20")),
    }
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXPORT: &str = r#"[
      {"type":"message","user":"U2","text":"<@U1> errors on <https://grafana.example/d/1|the board> &amp; rising","ts":"1700000060.000200"},
      {"type":"message","subtype":"channel_join","user":"U3","text":"<@U3> has joined the channel","ts":"1700000001.000000"},
      {"type":"message","user":"U1","text":"Looking","ts":"1700000000.5","user_profile":{"display_name":"ada","real_name":"Ada L"}},
      {"type":"message","user":"U1","text":"no time","ts":"later"}
    ]"#;

    #[test]
    fn messages_become_entries_with_their_own_times_and_names() {
        let import = read_slack(EXPORT).unwrap();
        assert_eq!(import.skipped, 2);
        let [first, second] = &import.entries[..] else { panic!("two entries: {import:?}") };
        assert_eq!((first.author.as_str(), first.occurred_at.as_micros()), ("ada", 1_700_000_000_500_000));
        assert_eq!(second.text, "@ada errors on [the board](https://grafana.example/d/1) & rising");
        assert_eq!((second.author.as_str(), second.key.as_str()), ("U2", "slack:1700000060.000200"));
    }

    #[test]
    fn what_is_no_export_is_refused_with_a_reason() {
        for bad in ["", "{}", "[1]", r#"[{"type":"message","ts":5}]"#] {
            assert!(read_slack(bad).unwrap_err().starts_with("is not a Slack export"), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn markup_never_panics(text in "[<>@#!|a&;é\\[\\]()]{0,40}", ts in "[0-9.]{0,25}") {
            let _ = plain_text(&text, &BTreeMap::new());
            let _ = read_ts(&ts);
        }
    }
}
