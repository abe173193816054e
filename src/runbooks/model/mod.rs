//! What a runbook is: pure rules over its Markdown, no database and no pages.
//!
//! - [`front_matter`]: the fields on top of the file, with errors that name the field and the line
//! - [`conditions`]: when a runbook offers itself to an incident, and the reason it gives
//! - [`steps`]: headings such as `### Check: did errors rise? (3 min)` become steps
//! - [`variables`]: `{{service}}` and friends, filled in safely
//! - [`calls`]: the requests that webhook steps send, once a person said yes
//! - [`proposal`]: a better text from what responders noted
//! - [`progress`]: what is done, next and not taken, from the records of a run

pub mod calls;
pub mod conditions;
pub mod efficacy;
pub mod front_matter;
pub mod lint;
pub mod progress;
pub mod proposal;
pub mod record;
pub mod steps;
pub mod variables;

use sha2::{Digest, Sha256};

pub use calls::{CallState, MadeCall};
pub use conditions::{Condition, IncidentFacts};
pub use front_matter::FrontMatter;
pub use progress::{Outcome, Progress, StepRecord, StepState};
pub use record::{Origin, Run, RunState, Runbook, Version};
pub use steps::{Branch, Step, StepKind, Target};

/// Longest runbook that is kept, in bytes.
pub const MAX_RUNBOOK_BYTES: usize = 500_000;

/// Something wrong in a runbook's text, where a person can find it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// 1-based line of the file.
    pub line: usize,
    /// The front-matter field, or `steps`.
    pub field: String,
    pub message: String,
    /// An error keeps the new text from being used; a warning does not.
    pub is_error: bool,
}

impl Problem {
    pub fn error(line: usize, field: &str, message: impl Into<String>) -> Self {
        Self { line, field: field.to_owned(), message: message.into(), is_error: true }
    }

    pub fn warning(line: usize, field: &str, message: impl Into<String>) -> Self {
        Self { line, field: field.to_owned(), message: message.into(), is_error: false }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.field, self.message)
    }
}

/// A runbook that can be used: its fields, its text and its steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedRunbook {
    pub front: FrontMatter,
    /// The Markdown below the front matter.
    pub body: String,
    pub steps: Vec<Step>,
    pub warnings: Vec<Problem>,
}

/// Reads a whole file. `Err` holds every problem found, errors and warnings, in line order.
pub fn parse(source: &str) -> Result<ParsedRunbook, Vec<Problem>> {
    if source.len() > MAX_RUNBOOK_BYTES {
        let message = format!("is {} kB long; at most {} kB", source.len() / 1000, MAX_RUNBOOK_BYTES / 1000);
        return Err(vec![Problem::error(1, "file", message)]);
    }
    if source.contains('\0') {
        return Err(vec![Problem::error(1, "file", "holds a NUL character, which cannot be stored")]);
    }
    let source = normalize(source);
    let mut problems = Vec::new();
    let (front, body, body_line) = front_matter::parse(&source, &mut problems);
    let steps = steps::parse(body, body_line, &mut problems);
    problems.sort_by_key(|p| p.line);
    match front {
        Some(front) if problems.iter().all(|p| !p.is_error) => {
            Ok(ParsedRunbook { front, body: body.to_owned(), steps, warnings: problems })
        }
        _ => Err(problems),
    }
}

/// The same text in one form: line ends as `\n`, no byte order mark, one newline at the end. Without
/// this a checkout on another system would make a new version of every runbook.
pub fn normalize(source: &str) -> String {
    let text = source.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    format!("{}\n", text.trim_end())
}

/// The version of a runbook: the SHA-256 of its normalised text, in hexadecimal.
pub fn content_hash(source: &str) -> String {
    hex::encode(Sha256::digest(normalize(source).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_follow_content_not_line_ends() {
        let unix = "---\ntitle: T\n---\nbody\n";
        assert_eq!(content_hash(unix), content_hash("\u{feff}---\r\ntitle: T\r\n---\r\nbody\r\n\r\n"));
        assert_ne!(content_hash(unix), content_hash("---\ntitle: T\n---\nbodY\n"));
        assert_eq!(content_hash(unix).len(), 64);
    }

    #[test]
    fn problems_come_all_at_once_in_line_order() {
        let source = "---\nservices: 7\nowner: [a]\n---\n\n### Decide: which way?\n\nno branches\n";
        let problems = parse(source).unwrap_err();
        let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "line 1: title: is missing",
                "line 2: services: must be text or a list of texts, not a number",
                "line 3: owner: must be text, not a list",
                "line 6: steps: 'which way?' decides nothing: add list items such as '- Yes -> next'",
            ]
        );
    }

    #[test]
    fn a_huge_file_is_refused_before_it_is_read() {
        let problems = parse(&"x".repeat(MAX_RUNBOOK_BYTES + 1)).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems.first().map(|p| p.field.as_str()), Some("file"));
    }
}

/// The runbooks that ship with Faultline keep the rules that it asks of others.
#[cfg(test)]
mod shipped {
    use super::*;

    fn all() -> Vec<(String, ParsedRunbook)> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks");
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).expect("the folder ships with the sources") {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name == "README.md" {
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("UTF-8");
            let parsed = parse(&source).unwrap_or_else(|p| panic!("{name}: {p:?}"));
            found.push((name, parsed));
        }
        found
    }

    #[test]
    fn there_are_at_least_eight_without_a_warning() {
        let all = all();
        assert!(all.len() >= 8, "{}", all.len());
        for (name, runbook) in &all {
            assert_eq!(runbook.warnings, [], "{name}");
        }
    }

    #[test]
    fn each_has_what_a_responder_needs() {
        for (name, runbook) in all() {
            for section in ["## Signals", "## Steps", "## Verification", "## Afterwards"] {
                assert!(runbook.body.contains(section), "{name} lacks {section}");
            }
            let front = &runbook.front;
            assert!(front.owner.is_some() && front.review_by.is_some() && front.summary.is_some(), "{name}");
            assert!(!front.tags.is_empty() && !front.attach_when.is_empty(), "{name}");
            let kinds = |kind| runbook.steps.iter().filter(|s| s.kind == kind).count();
            assert!(kinds(StepKind::Check) >= 2 && kinds(StepKind::Do) >= 2 && kinds(StepKind::Decide) >= 2, "{name}");
            assert!(runbook.body.contains("```"), "{name} has no command");
            for step in runbook.steps.iter().filter(|s| matches!(s.kind, StepKind::Do | StepKind::Check)) {
                assert!(step.expected_s.is_some(), "{name}: {} has no expected time", step.title);
            }
        }
    }

    #[test]
    fn they_use_only_variables_that_a_run_fills() {
        for (name, runbook) in all() {
            for variable in variables::names(&runbook.body) {
                assert!(variables::KNOWN.iter().any(|(known, _)| *known == variable), "{name}: {{{{{variable}}}}}");
            }
        }
    }
}
