//! The YAML between `---` lines on top of a runbook.
//!
//! ```yaml
//! title: Roll back a bad deployment      # required
//! summary: One sentence for lists.
//! services: [cart, checkout]             # or one name; `*` stands for anything
//! tags: [deployment, rollback]
//! owner: platform                        # team or person
//! review_by: 2027-05-01                  # the day a person should have read it again
//! attach_when:                           # any of these; inside one, all must hold
//!   - suspect: deployment
//!     severity: [SEV1, SEV2]
//! ```

use chrono::NaiveDate;
use serde_norway::Value;

use super::Problem;
use super::conditions::{self, Condition};

/// Longest front matter that is read, in bytes: a bound on what a YAML parser is given.
const MAX_BYTES: usize = 16_384;
const MAX_ITEMS: usize = 50;
const MAX_TEXT: usize = 300;

#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FrontMatter {
    pub title: String,
    pub summary: Option<String>,
    /// Slugs of the services it is for; may hold `*`. Empty means any.
    pub services: Vec<String>,
    pub tags: Vec<String>,
    pub owner: Option<String>,
    pub review_by: Option<NaiveDate>,
    pub attach_when: Vec<Condition>,
}

const FIELDS: [&str; 7] = ["title", "summary", "services", "tags", "owner", "review_by", "attach_when"];

/// The fields (`None` when they cannot be used), the body, and the line on which the body starts.
pub fn parse<'a>(source: &'a str, problems: &mut Vec<Problem>) -> (Option<FrontMatter>, &'a str, usize) {
    let Some(rest) = source.strip_prefix("---\n") else {
        let message = "is missing: the file must begin with a line '---', the fields, and another '---'";
        problems.push(Problem::error(1, "front matter", message));
        return (None, source, 1);
    };
    let Some((yaml, body)) = split_at_fence(rest) else {
        problems.push(Problem::error(1, "front matter", "is not closed by a line '---'"));
        return (None, "", 1);
    };
    let body_line = yaml.matches('\n').count() + 3;
    if yaml.len() > MAX_BYTES {
        problems.push(Problem::error(1, "front matter", format!("is longer than {} kB", MAX_BYTES / 1024)));
        return (None, body, body_line);
    }
    let value: Value = match serde_norway::from_str(yaml) {
        Ok(value) => value,
        Err(e) => {
            problems.push(syntax_problem(yaml, &e));
            return (None, body, body_line);
        }
    };
    (Some(read_fields(&value, yaml, problems)), body, body_line)
}

fn split_at_fence(rest: &str) -> Option<(&str, &str)> {
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some((rest.get(..at)?, rest.get(at + line.len()..)?));
        }
        at += line.len();
    }
    None
}

/// Names the field on whose line the parser stopped, when there is one.
fn syntax_problem(yaml: &str, e: &serde_norway::Error) -> Problem {
    let (row, message) = match e.location() {
        Some(at) => (at.line(), e.to_string()),
        None => (1, e.to_string()),
    };
    let field = yaml
        .lines()
        .take(row)
        .filter_map(|l| l.split_once(':').map(|(key, _)| key))
        .filter(|key| !key.is_empty() && !key.starts_with([' ', '#', '-', '\t']))
        .last();
    // The parser gives a repeated field the place of its mapping; the second one is to be mended.
    if let Some(key) = message.split_once("duplicate entry with key \"").and_then(|(_, rest)| rest.split('"').next()) {
        let second = yaml.lines().enumerate().filter(|(_, l)| l.starts_with(key)).nth(1);
        return Problem::error(second.map_or(row + 1, |(at, _)| at + 2), key, "stands there twice");
    }
    let short = message.split(" at line ").next().unwrap_or(&message).to_owned();
    Problem::error(row + 1, field.unwrap_or("front matter"), format!("is not valid YAML: {short}"))
}

fn read_fields(value: &Value, yaml: &str, problems: &mut Vec<Problem>) -> FrontMatter {
    let mut front = FrontMatter::default();
    let mapping = match value {
        Value::Mapping(mapping) => mapping,
        Value::Null => &serde_norway::Mapping::new(),
        other => {
            problems.push(Problem::error(2, "front matter", format!("must be fields, not {}", name_of(other))));
            return front;
        }
    };
    let mut reader = Reader { yaml, problems };
    for (key, value) in mapping {
        let Some(key) = key.as_str() else {
            reader.complain("front matter", format!("has a field whose name is {}", name_of(key)));
            continue;
        };
        // `review-by` and `review_by` are both natural to write.
        match key.replace('-', "_").as_str() {
            "title" => front.title = reader.text(key, value).unwrap_or_default(),
            "summary" => front.summary = reader.text(key, value),
            "services" | "service" => front.services = reader.list(key, value),
            "tags" => front.tags = reader.list(key, value).iter().map(|t| t.to_lowercase()).collect(),
            "owner" => front.owner = reader.text(key, value),
            "review_by" => front.review_by = reader.date(key, value),
            "attach_when" => front.attach_when = reader.conditions(key, value),
            _ => reader.unknown(key),
        }
    }
    if front.title.is_empty() && !reader.problems.iter().any(|p| p.field == "title") {
        reader.problems.push(Problem::error(1, "title", "is missing"));
    }
    front
}

struct Reader<'a> {
    yaml: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    /// The file's line of a top-level field: front matter starts on line 2.
    fn line(&self, field: &str) -> usize {
        let starts = |l: &str| {
            l.trim_start_matches(['"', '\''])
                .strip_prefix(field)
                .is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
        };
        self.yaml.lines().position(starts).map_or(1, |at| at + 2)
    }

    fn complain(&mut self, field: &str, message: impl Into<String>) {
        let line = self.line(field);
        self.problems.push(Problem::error(line, field, message));
    }

    fn text(&mut self, field: &str, value: &Value) -> Option<String> {
        match value {
            Value::String(text) if text.chars().count() > MAX_TEXT => {
                self.complain(field, format!("is longer than {MAX_TEXT} characters"));
                None
            }
            Value::String(text) if text.trim().is_empty() => {
                self.complain(field, "is empty");
                None
            }
            Value::String(text) => Some(text.trim().to_owned()),
            Value::Null => {
                self.complain(field, "is empty");
                None
            }
            Value::Number(_) | Value::Bool(_) => {
                self.complain(field, format!("must be text, not {}; put it in quotes", name_of(value)));
                None
            }
            other => {
                self.complain(field, format!("must be text, not {}", name_of(other)));
                None
            }
        }
    }

    fn list(&mut self, field: &str, value: &Value) -> Vec<String> {
        let items = match value {
            Value::Null => return Vec::new(),
            Value::String(text) => {
                return text.split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect();
            }
            Value::Sequence(items) if items.len() > MAX_ITEMS => {
                self.complain(field, format!("has more than {MAX_ITEMS} entries"));
                return Vec::new();
            }
            Value::Sequence(items) => items,
            other => {
                self.complain(field, format!("must be text or a list of texts, not {}", name_of(other)));
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for (i, item) in items.iter().enumerate() {
            match item.as_str().map(str::trim) {
                Some(text) if !text.is_empty() && text.chars().count() <= MAX_TEXT => texts.push(text.to_owned()),
                Some(_) => self.complain(field, format!("entry {} is empty or too long", i + 1)),
                None => self.complain(field, format!("entry {} must be text, not {}", i + 1, name_of(item))),
            }
        }
        texts
    }

    fn date(&mut self, field: &str, value: &Value) -> Option<NaiveDate> {
        let date = value.as_str().and_then(|t| NaiveDate::parse_from_str(t.trim(), "%Y-%m-%d").ok());
        if date.is_none() {
            self.complain(field, "must be a day such as 2027-05-01");
        }
        date
    }

    fn conditions(&mut self, field: &str, value: &Value) -> Vec<Condition> {
        let line = self.line(field);
        let one;
        let items = match value {
            Value::Null => return Vec::new(),
            Value::Sequence(items) if items.len() <= MAX_ITEMS => items,
            Value::Mapping(_) => {
                one = vec![value.clone()];
                &one
            }
            other => {
                let message = format!("must be a list of at most {MAX_ITEMS} conditions, not {}", name_of(other));
                self.problems.push(Problem::error(line, field, message));
                return Vec::new();
            }
        };
        let mut found = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let line = self.item_line(line, i);
            match conditions::from_yaml(item) {
                Ok(condition) => found.push(condition),
                Err(message) => {
                    self.problems.push(Problem::error(line, field, format!("condition {}: {message}", i + 1)));
                }
            }
        }
        found
    }

    /// The file's line of the `index`-th `- ` item below a field.
    fn item_line(&self, field_line: usize, index: usize) -> usize {
        let below = self.yaml.lines().enumerate().skip(field_line.saturating_sub(1));
        let indent = below
            .clone()
            .map(|(_, l)| l)
            .find(|l| l.trim_start().starts_with("- "))
            .map(|l| l.len() - l.trim_start().len());
        below
            .filter(|(_, l)| l.trim_start().starts_with("- ") && Some(l.len() - l.trim_start().len()) == indent)
            .nth(index)
            .map_or(field_line, |(at, _)| at + 2)
    }

    fn unknown(&mut self, field: &str) {
        let guess = near_miss(field, &FIELDS).map(|f| format!("; did you mean '{f}'?"));
        let line = self.line(field);
        let message = format!("is not a field of a runbook{}", guess.unwrap_or_default());
        self.problems.push(Problem::warning(line, field, message));
    }
}

pub(super) const fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "fields",
        Value::Tagged(_) => "a tagged value",
    }
}

/// The word that was probably meant: the nearest, if it is one slip of the pen or two away.
pub(super) fn near_miss<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let likeness = |k: &&str| strsim::normalized_damerau_levenshtein(word, k);
    known.iter().copied().filter(|k| likeness(k) >= 0.7).max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> (Option<FrontMatter>, Vec<String>) {
        let mut problems = Vec::new();
        let source = format!("---\n{yaml}---\nbody\n");
        let (front, body, line) = parse(&source, &mut problems);
        if front.is_some() {
            assert_eq!(body, "body\n");
            assert_eq!(line, yaml.matches('\n').count() + 3);
        }
        (front, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_full_one_is_read() {
        let (front, problems) = read(
            "title: Roll back\nsummary: Back.\nservices: [cart, 'pay*']\ntags: Deploy, Rollback\nowner: platform\nreview-by: 2027-05-01\nattach_when:\n  - suspect: deployment\n    severity: [SEV1]\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        let front = front.expect("all fields are right");
        assert_eq!((front.title.as_str(), front.summary.as_deref()), ("Roll back", Some("Back.")));
        assert_eq!(front.services, ["cart", "pay*"]);
        assert_eq!(front.tags, ["deploy", "rollback"]);
        assert_eq!(front.review_by, NaiveDate::from_ymd_opt(2027, 5, 1));
        assert_eq!(front.attach_when.len(), 1);
    }

    #[test]
    fn each_wrong_field_is_named_with_its_line() {
        let cases = [
            ("owner: x\n", "line 1: title: is missing"),
            ("owner: x\ntitle: 7\n", "line 3: title: must be text, not a number; put it in quotes"),
            ("title: ''\n", "line 2: title: is empty"),
            ("title: [a]\n", "line 2: title: must be text, not a list"),
            ("title: a\nservices:\n  - 3\n", "line 3: services: entry 1 must be text, not a number"),
            ("title: a\ntags: {a: b}\n", "line 3: tags: must be text or a list of texts, not fields"),
            ("title: a\nreview_by: soon\n", "line 3: review_by: must be a day such as 2027-05-01"),
            ("title: a\nreview_by: 2027-13-01\n", "line 3: review_by: must be a day such as 2027-05-01"),
            ("title: a\nowner:\n", "line 3: owner: is empty"),
            ("title: a\nownr: b\n", "line 3: ownr: is not a field of a runbook; did you mean 'owner'?"),
            (
                "title: a\nattach_when: yes please\n",
                "line 3: attach_when: must be a list of at most 50 conditions, not text",
            ),
            (
                "title: a\nattach_when:\n  - service: cart\n  - severity: SEV9\n",
                "line 5: attach_when: condition 2: severity 'SEV9' is none of SEV1, SEV2, SEV3, SEV4",
            ),
            ("title: a\ntitle: b\n", "line 3: title: stands there twice"),
            ("- a\n- b\n", "line 2: front matter: must be fields, not a list"),
        ];
        for (yaml, wanted) in cases {
            let (_, problems) = read(yaml);
            assert!(problems.iter().any(|p| p == wanted), "{yaml:?} gave {problems:?}");
        }
    }

    #[test]
    fn broken_yaml_names_the_field_where_it_stopped() {
        let (front, problems) = read("title: a\nservices: [cart, checkout\nowner: b\n");
        assert_eq!(front, None);
        let problem = problems.first().map(String::as_str).unwrap_or_default();
        assert!(
            problem.contains("is not valid YAML") && (problem.contains("services") || problem.contains("owner")),
            "{problem}"
        );
    }

    #[test]
    fn missing_open_and_huge_front_matter_is_refused() {
        for (source, wanted) in [("# Title\n", "is missing"), ("---\ntitle: a\n", "not closed"), ("", "is missing")] {
            let mut problems = Vec::new();
            assert_eq!(parse(source, &mut problems).0, None);
            assert!(problems.iter().any(|p| p.message.contains(wanted)), "{problems:?}");
        }
        let (front, problems) = read(&format!("title: a\ntags: [{}]\n", "tag, ".repeat(5_000)));
        assert!(front.is_none() && problems.iter().any(|p| p.contains("longer than")), "{problems:?}");
    }

    #[test]
    fn alias_bombs_and_tags_do_no_harm() {
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ntitle: t\n";
        let (_, problems) = read(bomb);
        assert!(!problems.is_empty());
        let (_, problems) = read("title: !!python/object:os.system t\n");
        assert!(problems.iter().all(|p| p.contains("title")), "{problems:?}");
    }
}
