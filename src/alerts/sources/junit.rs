//! JUnit XML, as CI and end-to-end suites write it: `testsuites > testsuite* > testcase`, either
//! root allowed, suites nested at will. A case with `failure` or `error` fires, one without
//! resolves, a skipped one says nothing. Entities are not expanded beyond XML's own five.
//!
//! Service, environment, deployment and trace come from the query of the URL, else from properties
//! of the case or of a suite around it.

use std::collections::BTreeMap;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::check::Subject;
use super::{Input, Parsed, Problem, labels, read};
use crate::alerts::model::{AlertEvent, AlertStatus};

/// More suites within suites than this is no test report.
const MAX_DEPTH: usize = 64;
/// More cases than this in one report are refused.
const MAX_CASES: usize = 20_000;

pub fn parse(input: &Input<'_>) -> Result<Parsed, Problem> {
    let text = read::decode_text(input.body, input.content_type)?;
    let mut walk = Walk {
        input,
        suites: Vec::new(),
        case: None,
        within: Vec::new(),
        property: None,
        parsed: Parsed::default(),
        skipped: 0,
        seen_root: false,
    };
    let mut reader = Reader::from_str(&text);
    loop {
        let position = reader.buffer_position();
        let event = reader.read_event().map_err(|e| Problem::body(format!("not XML: {e} (byte {position})")))?;
        match event {
            Event::Start(tag) => walk.open(&tag)?,
            Event::Empty(tag) => {
                walk.open(&tag)?;
                walk.close(tag.local_name().as_ref())?;
            }
            Event::End(tag) => walk.close(tag.local_name().as_ref())?,
            Event::Text(t) => walk.text(&t),
            Event::CData(t) => walk.text(&t),
            Event::GeneralRef(reference) => walk.text(&resolve(&reference)),
            Event::Eof => break,
            _ => {}
        }
    }
    walk.finish()
}

/// XML's own five entities and characters by number; anything else stays as it is written.
fn resolve(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return character.to_string();
    }
    let known = quick_xml::escape::resolve_predefined_entity(reference);
    known.map_or_else(|| format!("&{};", &**reference), ToOwned::to_owned)
}

#[derive(Default)]
struct Suite {
    name: String,
    properties: BTreeMap<String, String>,
}

#[derive(Default)]
struct Case {
    name: String,
    classname: String,
    properties: BTreeMap<String, String>,
    failed: bool,
    skipped: bool,
    message: String,
    /// What stands within the failure, usually a stack.
    stack: String,
}

struct Walk<'a> {
    input: &'a Input<'a>,
    suites: Vec<Suite>,
    case: Option<Case>,
    /// The open elements, outermost first.
    within: Vec<String>,
    /// A property whose value comes as text.
    property: Option<(String, String)>,
    parsed: Parsed,
    skipped: usize,
    seen_root: bool,
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.try_get_attribute(name).ok().flatten()?;
    found.normalized_value(XmlVersion::Explicit1_0).ok().map(std::borrow::Cow::into_owned)
}

impl Walk<'_> {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), Problem> {
        let name = tag.local_name().as_ref().to_owned();
        if !self.seen_root {
            if !matches!(name.as_str(), "testsuites" | "testsuite") {
                return Err(Problem::body(format!(
                    "expected testsuites or testsuite, found '{}'",
                    read::clean(&name, 40)
                )));
            }
            self.seen_root = true;
        }
        if self.within.len() >= MAX_DEPTH {
            return Err(Problem::body(format!("more than {MAX_DEPTH} elements within each other")));
        }
        match name.as_str() {
            "testsuite" => {
                self.suites
                    .push(Suite { name: attribute(tag, "name").unwrap_or_default(), properties: BTreeMap::new() });
            }
            "testcase" => {
                self.case = Some(Case {
                    name: attribute(tag, "name").unwrap_or_default(),
                    classname: attribute(tag, "classname").unwrap_or_default(),
                    ..Case::default()
                });
            }
            "property" => self.open_property(tag),
            "failure" | "error" => {
                if let Some(case) = &mut self.case {
                    case.failed = true;
                    let kind = attribute(tag, "type").unwrap_or_default();
                    let message = attribute(tag, "message").unwrap_or_default();
                    case.message = [kind, message].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(": ");
                }
            }
            "skipped" => {
                if let Some(case) = &mut self.case {
                    case.skipped = true;
                }
            }
            _ => {}
        }
        self.within.push(name);
        Ok(())
    }

    fn open_property(&mut self, tag: &BytesStart<'_>) {
        let Some(name) = attribute(tag, "name") else { return };
        match attribute(tag, "value") {
            Some(value) => self.set_property(&name, &value),
            None => self.property = Some((name, String::new())),
        }
    }

    fn set_property(&mut self, name: &str, value: &str) {
        let target = match (&mut self.case, self.suites.last_mut()) {
            (Some(case), _) => &mut case.properties,
            (None, Some(suite)) => &mut suite.properties,
            (None, None) => return,
        };
        if target.len() < read::MAX_LABELS {
            target.insert(read::clean(name, read::MAX_TITLE), read::clean(value, read::MAX_LABEL_VALUE));
        }
    }

    fn text(&mut self, text: &str) {
        match self.within.last().map(String::as_str) {
            Some("property") => {
                if let Some((_, value)) = &mut self.property
                    && value.len() < read::MAX_TEXT
                {
                    value.push_str(text);
                }
            }
            Some("failure" | "error") => {
                if let Some(case) = &mut self.case
                    && case.stack.len() < read::MAX_TEXT
                {
                    case.stack.push_str(text);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) -> Result<(), Problem> {
        self.within.pop();
        match name {
            "testsuite" => {
                self.suites.pop();
            }
            "property" => {
                if let Some((name, value)) = self.property.take() {
                    self.set_property(&name, &value);
                }
            }
            "testcase" => {
                if let Some(case) = self.case.take() {
                    self.finish_case(case)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish_case(&mut self, case: Case) -> Result<(), Problem> {
        if self.parsed.events.len() >= MAX_CASES {
            return Err(Problem::body(format!("more than {MAX_CASES} test cases")));
        }
        if case.skipped {
            self.skipped += 1;
        } else if case.name.trim().is_empty() {
            self.parsed.problems.push(Problem::at("testcase", "has no name"));
        } else {
            let event = self.event(case);
            self.parsed.events.push(event);
        }
        Ok(())
    }

    /// What the query says, else the case, else the innermost suite that says it.
    fn context(&self, case: &Case, names: &[&str]) -> Option<String> {
        let from_query = names.iter().find_map(|n| self.input.query(n));
        let from_case = || names.iter().find_map(|n| case.properties.get(*n));
        let from_suite = || self.suites.iter().rev().find_map(|s| names.iter().find_map(|n| s.properties.get(*n)));
        from_query.or_else(|| from_case().or_else(from_suite).cloned()).filter(|v| !v.trim().is_empty())
    }

    fn event(&self, case: Case) -> AlertEvent {
        let names = self.suites.iter().map(|s| s.name.as_str()).chain([case.classname.as_str()]);
        let mut suite: Vec<&str> = names.filter(|n| !n.trim().is_empty()).collect();
        suite.dedup();
        let subject = Subject {
            service: self
                .context(&case, &["service", "service_name", "service.name"])
                .and_then(|s| labels::service_name(&s)),
            environment: self.context(&case, &["environment", "env"]),
            suite: suite.join("/"),
            name: case.name.clone(),
        };
        let mut event = subject.event(if case.failed { AlertStatus::Firing } else { AlertStatus::Resolved });
        event.deployment = self.context(&case, &["deployment", "deployment_id", "version", "commit"]);
        event.trace_id = self.context(&case, &["trace_id", "traceparent"]).and_then(|t| read::trace_id(&t));
        event.links.extend(read::link("Build", self.context(&case, &["url", "ci", "build_url"])));
        let told = [case.message.trim(), case.stack.trim()];
        event.description = read::clean(&told.join("\n"), read::MAX_TEXT);
        event.annotations = case.properties;
        event
    }

    fn finish(mut self) -> Result<Parsed, Problem> {
        if !self.seen_root {
            return Err(Problem::body("the body is empty"));
        }
        if !self.within.is_empty() {
            let open = self.within.last().map(String::as_str).unwrap_or_default();
            return Err(Problem::body(format!("the report ends within '{}'", read::clean(open, 40))));
        }
        if self.skipped > 0 {
            self.parsed.notes.push(format!("{} skipped cases say nothing", self.skipped));
        }
        if self.parsed.events.is_empty() && self.parsed.problems.is_empty() {
            self.parsed.notes.push("the report holds no test case".to_owned());
        }
        Ok(self.parsed)
    }
}
