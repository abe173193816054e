//! A mapping that a person fills in for a sender with a JSON format of its own: one line a field,
//! `field = path`.
//!
//! ```text
//! items       = $.events          # optional: a list, one alert each
//! title       = $.check.name
//! dedup_key   = $.check.id
//! status      = $.state
//! resolved    = OK, recovered     # values of status that mean "over"
//! severity    = $.level
//! service     = "payments"        # a fixed text
//! label.team  = $.owner.team
//! ```
//!
//! A path is `$` and names or positions: `$.a.b[0]['c d']`. `title` and `dedup_key` must be mapped.

use std::collections::BTreeMap;

use serde_json::Value;

use super::generic::status_word;
use super::{Parsed, Problem, labels, read};
use crate::alerts::model::{AlertEvent, AlertSeverity, AlertStatus, DedupKey};

const FIELDS: [&str; 14] = [
    "title",
    "dedup_key",
    "status",
    "severity",
    "service",
    "environment",
    "description",
    "rule",
    "starts_at",
    "ends_at",
    "url",
    "runbook_url",
    "trace_id",
    "deployment",
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Position(usize),
}

/// Where a field's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum From {
    Path(Vec<Step>),
    Text(String),
}

impl From {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
            Some(fixed) => Some(Self::Text(fixed.to_owned())),
            None => steps(text).map(Self::Path),
        }
    }

    fn find<'a>(&'a self, body: &'a Value) -> Option<std::borrow::Cow<'a, Value>> {
        match self {
            Self::Text(text) => Some(std::borrow::Cow::Owned(Value::from(text.as_str()))),
            Self::Path(steps) => {
                let found = steps.iter().try_fold(body, |at, step| match step {
                    Step::Name(name) => at.get(name),
                    Step::Position(i) => at.get(i),
                });
                found.filter(|v| !v.is_null()).map(std::borrow::Cow::Borrowed)
            }
        }
    }
}

/// `$.a.b[0]['c d']`; `None` when it is no path.
fn steps(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, tail) = after.split_at(end);
            if name.is_empty() {
                return None;
            }
            steps.push(Step::Name(name.to_owned()));
            rest = tail;
        } else {
            let (inside, tail) = rest.strip_prefix('[')?.split_once(']')?;
            let quoted = inside.strip_prefix('\'').and_then(|t| t.strip_suffix('\''));
            steps.push(match quoted {
                Some(name) => Step::Name(name.to_owned()),
                None => Step::Position(inside.trim().parse().ok()?),
            });
            rest = tail;
        }
    }
    Some(steps)
}

/// What a person wrote, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    items: Option<From>,
    fields: BTreeMap<String, From>,
    labels: BTreeMap<String, From>,
    resolved: Vec<String>,
}

impl Mapping {
    /// # Errors
    /// A sentence that names the line and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut mapping = Self { items: None, fields: BTreeMap::new(), labels: BTreeMap::new(), resolved: Vec::new() };
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            mapping.line(line).map_err(|why| format!("line {}: {why}", i + 1))?;
        }
        for needed in ["title", "dedup_key"] {
            if !mapping.fields.contains_key(needed) {
                return Err(format!("say where {needed} comes from"));
            }
        }
        Ok(mapping)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let (name, value) = line.split_once('=').ok_or("write field = $.path")?;
        let (name, value) = (name.trim(), value.split(" #").next().unwrap_or_default().trim());
        if name == "resolved" {
            self.resolved = value
                .split(',')
                .map(|v| v.trim().trim_matches('"').to_ascii_lowercase())
                .filter(|v| !v.is_empty())
                .collect();
            return Ok(());
        }
        let from =
            From::read(value).ok_or_else(|| format!("'{value}' is neither a path like $.a.b[0] nor \"fixed text\""))?;
        match name.strip_prefix("label.") {
            Some(label) if !label.is_empty() => {
                self.labels.insert(label.to_owned(), from);
            }
            _ if name == "items" => self.items = Some(from),
            _ if FIELDS.contains(&name) => {
                self.fields.insert(name.to_owned(), from);
            }
            _ => return Err(format!("'{name}' is none of items, resolved, label.NAME, {}", FIELDS.join(", "))),
        }
        Ok(())
    }

    /// Reads a body by this mapping.
    ///
    /// # Errors
    /// A [`Problem`] when nothing in it can be read.
    pub fn apply(&self, body: &Value) -> Result<Parsed, Problem> {
        let mut parsed = match &self.items {
            None => Parsed::of(vec![self.one(body)?]),
            Some(from) => match from.find(body).as_deref() {
                Some(Value::Array(members)) => Parsed::each("items", members, |m| self.one(m)),
                Some(other) => {
                    return Err(Problem::at("items", format!("expected a list, found {}", read::kind(other))));
                }
                None => return Err(Problem::at("items", "nothing is there")),
            },
        };
        for event in &mut parsed.events {
            labels::enrich(event);
        }
        parsed.or_refused()
    }

    fn text(&self, body: &Value, field: &str) -> Option<String> {
        let value = self.fields.get(field)?.find(body)?;
        Some(read::plain(&value)).filter(|v| !v.trim().is_empty())
    }

    fn one(&self, body: &Value) -> Result<AlertEvent, Problem> {
        let need = |field: &str| self.text(body, field).ok_or_else(|| Problem::at(field, "nothing is at its path"));
        let mut event = AlertEvent::new(
            DedupKey::new("mapped", &need("dedup_key")?),
            read::clean(&need("title")?, read::MAX_TITLE),
        );
        if let Some(word) = self.text(body, "status") {
            event.status = self.status(&word)?;
        }
        event.severity = self.text(body, "severity").and_then(|w| AlertSeverity::from_words(&w));
        event.service = self.text(body, "service").and_then(|s| labels::service_name(&s));
        event.environment = self.text(body, "environment").map(|e| read::clean(&e, 100));
        event.description = self.text(body, "description").map(|d| read::clean(&d, read::MAX_TEXT)).unwrap_or_default();
        if let Some(rule) = self.text(body, "rule") {
            event.rule = read::clean(&rule, read::MAX_TITLE);
        }
        let time = |field: &str| self.fields.get(field).and_then(|f| read::time_of(f.find(body)?.as_ref()));
        event.starts_at = time("starts_at");
        event.ends_at = time("ends_at").filter(|_| event.status == AlertStatus::Resolved);
        event.links.extend(read::link("Source", self.text(body, "url")));
        event.runbook_url = read::link("Runbook", self.text(body, "runbook_url")).map(|l| l.url);
        event.trace_id = self.text(body, "trace_id").and_then(|t| read::trace_id(&t));
        event.deployment = self.text(body, "deployment").map(|d| read::clean(&d, 200));
        for (name, from) in &self.labels {
            if let Some(value) = from.find(body) {
                event.labels.insert(
                    read::clean(name, read::MAX_TITLE),
                    read::clean(&read::plain(&value), read::MAX_LABEL_VALUE),
                );
            }
        }
        Ok(event)
    }

    fn status(&self, word: &str) -> Result<AlertStatus, Problem> {
        if !self.resolved.is_empty() {
            let over = self.resolved.contains(&word.trim().to_ascii_lowercase());
            return Ok(if over { AlertStatus::Resolved } else { AlertStatus::Firing });
        }
        status_word(word).ok_or_else(|| {
            let found = read::clean(word, 40);
            Problem::at(
                "status",
                format!("'{found}' is not known; write a line resolved = … with the values that mean over"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = "# ours\nitems = $.events\ntitle = $.check.name\ndedup_key = $.check['the id']\nstatus = $.state\n\
        resolved = OK, Fine\nservice = \"payments\"  # fixed\nlabel.team = $.tags[1]\nstarts_at = $.t\nurl = $.u";

    #[test]
    fn a_house_format_is_read_by_its_mapping() {
        let mapping = Mapping::parse(TEXT).unwrap();
        let body = json!({"events": [
            {"check": {"name": "Disk", "the id": 7}, "state": "BAD", "tags": ["a", "b"], "t": 1_700_000_000, "u": "https://x.example/"},
            {"check": {"name": "Disk", "the id": 7}, "state": "fine"},
            {"check": {"name": "Disk"}, "state": "fine"},
        ]});
        let parsed = mapping.apply(&body).unwrap();
        assert_eq!(parsed.problems[0].to_string(), "items[2].dedup_key: nothing is at its path");
        let [fired, over] = parsed.events.as_slice() else { panic!("{parsed:?}") };
        assert_eq!(
            (fired.key.as_str(), fired.status, over.status),
            ("v1:mapped:7", AlertStatus::Firing, AlertStatus::Resolved)
        );
        assert_eq!((fired.labels["team"].as_str(), fired.service.as_deref()), ("b", Some("payments")));
        assert_eq!(fired.starts_at, Some(Timestamp::from_secs(1_700_000_000)));
        assert_eq!(fired.links.len(), 1);
    }

    use crate::clock::Timestamp;

    #[test]
    fn a_faulty_mapping_is_named_by_its_line() {
        for (text, expected) in [
            ("title", "line 1: write field = $.path"),
            ("\ntitle = x.y", "line 2: 'x.y' is neither a path like $.a.b[0] nor \"fixed text\""),
            ("title = $.a..b", "line 1: '$.a..b' is neither a path"),
            ("titel = $.a", "line 1: 'titel' is none of items"),
            ("title = $.a", "say where dedup_key comes from"),
        ] {
            let message = Mapping::parse(text).unwrap_err();
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
