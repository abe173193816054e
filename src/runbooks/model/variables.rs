//! `{{service}}`, `{{incident.id}}`, `{{deployment.version}}`: filled from the incident when a run shows
//! a step.
//!
//! Values come from alerts and deployments, that is from outside, and end up in commands that a
//! person copies. So inside code a value that is not plain is quoted for the shell, and outside code
//! it is escaped for Markdown. What is not known stays as written and is reported.

use std::collections::BTreeMap;

/// Names that runs can fill, with what they mean.
pub const KNOWN: [(&str, &str); 12] = [
    ("service", "the first affected service"),
    ("services", "all affected services, separated by spaces"),
    ("environment", "the environment of the suspected deployment"),
    ("incident.id", "INC-n"),
    ("incident.title", "its title"),
    ("incident.severity", "SEV1 to SEV4"),
    ("incident.url", "the address of its page"),
    ("incident.commander", "who leads it"),
    ("deployment.service", "the service of the suspected or newest deployment"),
    ("deployment.version", "its version"),
    ("deployment.previous_version", "the version that ran before it"),
    ("alert.name", "the first alert's name"),
];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    pub text: String,
    /// Names without a value, each once, in order.
    pub missing: Vec<String>,
}

/// Fills `{{ name }}` in Markdown.
pub fn fill_markdown(source: &str, values: &BTreeMap<String, String>) -> Filled {
    let mut filled = Filled::default();
    let mut fence: Option<&str> = None;
    for line in source.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let marker = ["```", "~~~"].into_iter().find(|m| trimmed.starts_with(m));
        match (fence, marker) {
            (None, Some(m)) => fence = Some(m),
            (Some(open), Some(m)) if open == m => fence = None,
            _ => {}
        }
        let in_block = fence.is_some() || line.starts_with("    ");
        replace(line, values, &mut filled, |before| {
            if in_block || in_code_span(before) { quote_shell } else { escape_markdown }
        });
    }
    filled
}

/// Fills `{{ name }}` in an address or a header: values are percent-encoded where they are not plain.
pub fn fill_url(source: &str, values: &BTreeMap<String, String>) -> Filled {
    let mut filled = Filled::default();
    replace(source, values, &mut filled, |_| encode_url);
    filled
}

/// Fills `{{ name }}` inside JSON strings.
pub fn fill_json(source: &str, values: &BTreeMap<String, String>) -> Filled {
    let mut filled = Filled::default();
    replace(source, values, &mut filled, |_| escape_json);
    filled
}

/// Fills `{{ name }}` with the values as they are; the caller has made them safe for the place.
pub fn fill_plain(source: &str, values: &BTreeMap<String, String>) -> Filled {
    let mut filled = Filled::default();
    replace(source, values, &mut filled, |_| str::to_owned);
    filled
}

/// Every `{{ name }}` of a text.
pub fn names(source: &str) -> Vec<String> {
    let mut filled = Filled::default();
    replace(source, &BTreeMap::new(), &mut filled, |_| str::to_owned);
    filled.missing
}

type Guard = fn(&str) -> String;

fn replace(line: &str, values: &BTreeMap<String, String>, filled: &mut Filled, guard: impl Fn(&str) -> Guard) {
    let mut rest = line;
    let mut before = String::new();
    while let Some((head, tail)) = rest.split_once("{{") {
        let Some((name, after)) = tail.split_once("}}") else { break };
        filled.text.push_str(head);
        before.push_str(head);
        let name = name.trim();
        if !is_name(name) {
            // A template of another language; leave it alone.
            filled.text.push_str("{{");
            rest = tail;
            continue;
        }
        if let Some(value) = values.get(name) {
            filled.text.push_str(&guard(&before)(value));
        } else {
            filled.text.push_str("{{");
            filled.text.push_str(name);
            filled.text.push_str("}}");
            if !filled.missing.iter().any(|m| m == name) {
                filled.missing.push(name.to_owned());
            }
        }
        rest = after;
    }
    filled.text.push_str(rest);
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 60 && name.chars().all(|c| c.is_ascii_lowercase() || c == '.' || c == '_')
}

/// An odd number of backticks before it: inside a code span of this line.
fn in_code_span(before: &str) -> bool {
    before.matches('`').count() % 2 == 1
}

fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/@+=,%".contains(c))
        && !value.starts_with('-')
}

fn quote_shell(value: &str) -> String {
    // Several services are several plain words.
    if value.split(' ').all(is_plain) {
        return value.to_owned();
    }
    // A backtick would end the code; a line break would end the command.
    let line: String = value.chars().map(|c| if c.is_control() || c == '`' { ' ' } else { c }).collect();
    format!("'{}'", line.replace('\'', "'\\''"))
}

fn escape_markdown(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if c.is_control() {
            out.push(' ');
        } else {
            if "\\`*_{}[]()#!|<>~&".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

fn encode_url(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    value.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn escape_json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"')).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> BTreeMap<String, String> {
        [
            ("service", "cart"),
            ("deployment.version", "1.4.0; rm -rf /"),
            ("incident.title", "It's <b>*bad*</b>"),
            ("services", "cart pay"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into()
    }

    #[test]
    fn plain_values_are_filled_and_unknown_ones_reported() {
        let filled = fill_markdown(
            "Restart {{service}} and {{ services }}; `{{alert.name}}` {{alert.name}} {{.Values.x}} {{ unclosed",
            &values(),
        );
        assert_eq!(filled.text, "Restart cart and cart pay; `{{alert.name}}` {{alert.name}} {{.Values.x}} {{ unclosed");
        assert_eq!(filled.missing, ["alert.name"]);
    }

    #[test]
    fn values_cannot_break_out_of_code_or_prose() {
        let v = values();
        assert_eq!(fill_markdown("`kubectl set {{deployment.version}}`", &v).text, "`kubectl set '1.4.0; rm -rf /'`");
        assert_eq!(
            fill_markdown("```sh\nx {{deployment.version}}\n```\n", &v).text,
            "```sh\nx '1.4.0; rm -rf /'\n```\n"
        );
        assert_eq!(fill_markdown("{{incident.title}}", &v).text, "It's \\<b\\>\\*bad\\*\\</b\\>");
        assert_eq!(fill_markdown("`{{incident.title}}`", &v).text, "`'It'\\''s <b>*bad*</b>'`");
        assert_eq!(fill_url("https://x/{{deployment.version}}", &v).text, "https://x/1.4.0%3B%20rm%20-rf%20%2F");
        assert_eq!(fill_json("{\"t\":\"{{incident.title}}\"}", &v).text, "{\"t\":\"It's <b>*bad*</b>\"}");
    }

    #[test]
    fn names_are_found_once() {
        assert_eq!(names("{{a}} {{ b.c }} {{a}} {{X}}"), ["a", "b.c"]);
    }

    proptest! {
        #[test]
        fn a_quoted_value_stays_one_word_on_one_line(value in "[\\PC\n`'$;&|]{0,40}") {
            let quoted = quote_shell(&value);
            prop_assert!(!quoted.contains('\n') && !quoted.contains('`'));
            let plain = value.split(' ').all(is_plain);
            // With the escapes for an inner quote removed, quotes stand only at both ends.
            prop_assert!(plain || quoted.replace("'\\''", "").matches('\'').count() == 2);
        }

        #[test]
        fn a_json_value_stays_inside_its_string(value in "\\PC{0,40}") {
            let v = BTreeMap::from([("a".to_owned(), value.clone())]);
            let read: serde_json::Value = serde_json::from_str(&fill_json("{\"x\":\"{{a}}\"}", &v).text).unwrap();
            prop_assert_eq!(read.get("x").and_then(|x| x.as_str()), Some(value.as_str()));
        }
    }
}
