//! Log lines to templates: the words of a line without its numbers, identifiers and values, so that lines written by
//! the same statement fall together. A small form of Drain (He et al., ICWS 2017): group by the leading words, then
//! by likeness, and turn words that differ into holes.

use std::collections::HashMap;

use serde_json::Value;

/// Words of a line that are compared; what comes later is values more often than words.
const WORDS: usize = 8;
/// Share of words that must agree for two lines to be one template.
const ALIKE: f64 = 0.6;
const HOLE: &str = "*";

/// What a body says: its message, and whether it calls itself an error.
pub struct Message {
    pub text: String,
    pub error: bool,
}

/// Unwraps JSON bodies (container runtimes wrap `log`; libraries use `message`, `msg` or `body`) up to three deep,
/// and reads the level from a `level`/`severity` field or from the first words.
pub fn message(body: &str) -> Message {
    let mut text = body.trim().to_owned();
    let mut error = None;
    for _ in 0..3 {
        if !text.starts_with('{') {
            break;
        }
        let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(&text) else {
            text = after_key(&text).unwrap_or(&text).to_owned();
            break;
        };
        for key in ["level", "severity", "severity_text", "levelname"] {
            if let Some(level) = fields.get(key).and_then(Value::as_str) {
                error = Some(is_error_level(level));
            }
        }
        let Some(inner) = ["log", "message", "msg", "body"].iter().find_map(|k| fields.get(*k)?.as_str()) else {
            break;
        };
        text = inner.trim().to_owned();
    }
    let level = || text.split_whitespace().take(4).map(bare).find(|w| is_error_level(w) || is_calm_level(w));
    let error = error.unwrap_or_else(|| level().is_some_and(is_error_level));
    Message { text, error }
}

/// What follows the message's key in JSON that was cut off by a length limit.
fn after_key(text: &str) -> Option<&str> {
    ["\"log\":\"", "\"message\":\"", "\"msg\":\""].iter().find_map(|key| Some(text.split_once(key)?.1.trim()))
}

fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

fn is_error_level(word: &str) -> bool {
    ["ERROR", "FATAL", "CRITICAL", "SEVERE", "PANIC", "ALERT", "EMERGENCY", "ERR"]
        .iter()
        .any(|level| word.eq_ignore_ascii_case(level))
}

fn is_calm_level(word: &str) -> bool {
    ["TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING"].iter().any(|level| word.eq_ignore_ascii_case(level))
}

/// Collects templates and tells which one a line belongs to.
#[derive(Debug, Default)]
pub(super) struct Templates {
    groups: HashMap<(u32, String), Vec<usize>>,
    templates: Vec<Vec<String>>,
}

impl Templates {
    /// The template of a message of `service`, a new one when none is alike.
    pub(super) fn of(&mut self, service: u32, text: &str) -> usize {
        let words = words(text);
        let head: String = words.iter().take(2).cloned().collect::<Vec<_>>().join(" ");
        let group = self.groups.entry((service, head)).or_default();
        for &id in group.iter() {
            if alike(&self.templates[id], &words) >= ALIKE {
                merge(&mut self.templates[id], &words);
                return id;
            }
        }
        let id = self.templates.len();
        group.push(id);
        self.templates.push(words);
        id
    }

    pub(super) fn text(&self, id: usize) -> String {
        self.templates.get(id).map(|w| w.join(" ")).unwrap_or_default()
    }
}

/// The first words of the first line that carry no digit, at most [`WORDS`].
fn words(text: &str) -> Vec<String> {
    let line = text.lines().next().unwrap_or_default();
    line.split(|c: char| c.is_whitespace() || "[](){}<>,;=|\"'".contains(c))
        .map(|w| w.trim_matches(|c: char| ":.!#-/".contains(c)))
        .filter(|w| w.len() > 1 && !w.chars().any(|c| c.is_ascii_digit()))
        .filter(|w| !w.eq_ignore_ascii_case("traceid") && !w.eq_ignore_ascii_case("spanid"))
        .take(WORDS)
        .map(str::to_owned)
        .collect()
}

fn alike(template: &[String], words: &[String]) -> f64 {
    let longest = template.len().max(words.len());
    if longest == 0 {
        return 1.0;
    }
    let same = template.iter().zip(words).filter(|(t, w)| *t == *w || *t == HOLE).count();
    #[expect(clippy::cast_precision_loss, reason = "at most a dozen words")]
    let share = same as f64 / longest as f64;
    share
}

fn merge(template: &mut Vec<String>, words: &[String]) {
    template.truncate(words.len());
    for (t, w) in template.iter_mut().zip(words) {
        if t != w {
            HOLE.clone_into(t);
        }
    }
}
