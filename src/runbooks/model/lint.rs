//! What is wrong across a folder of runbooks: for CI, before anybody needs them.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{Event, Parser, Tag};

use super::{ParsedRunbook, Problem, conditions, parse, record, variables};
use crate::clock::Timestamp;
use crate::markdown;

/// One remark about one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    pub file: String,
    pub problem: Problem,
}

/// A file's name, its slug, and its text or why it could not be read.
pub struct File<'a> {
    pub name: &'a str,
    pub slug: String,
    pub text: Result<&'a str, &'a str>,
}

/// All remarks, by file and line. `services` are the catalogue's slugs, when it is at hand.
pub fn lint(files: &[File<'_>], services: Option<&BTreeSet<String>>, now: Timestamp) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let slugs: BTreeSet<&str> = files.iter().map(|f| f.slug.as_str()).collect();
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for file in files {
        let mut problems = Vec::new();
        if let Some(first) = seen.insert(&file.slug, file.name) {
            problems.push(Problem::error(1, "file", format!("has the same address as {first}: '{}'", file.slug)));
        }
        match file.text.map(parse) {
            Ok(Ok(parsed)) => {
                problems.extend(parsed.warnings.iter().cloned());
                check_front(&parsed, services, now, &mut problems);
                check_variables(&parsed, &mut problems);
                check_links(&parsed, &slugs, &mut problems);
            }
            Ok(Err(found)) => problems.extend(found),
            Err(reason) => problems.push(Problem::error(1, "file", reason)),
        }
        problems.sort_by_key(|p| p.line);
        remarks.extend(problems.into_iter().map(|problem| Remark { file: file.name.to_owned(), problem }));
    }
    remarks
}

fn check_front(
    parsed: &ParsedRunbook,
    services: Option<&BTreeSet<String>>,
    now: Timestamp,
    problems: &mut Vec<Problem>,
) {
    let front = &parsed.front;
    if front.owner.is_none() {
        problems.push(Problem::error(1, "owner", "is missing: who keeps it right?"));
    }
    match front.review_by {
        None => problems.push(Problem::error(1, "review_by", "is missing: when is it read again?")),
        Some(day) if record::day_start(day) + chrono::TimeDelta::days(1) <= now => {
            problems.push(Problem::error(1, "review_by", format!("was {day}: the review is overdue")));
        }
        Some(_) => {}
    }
    let Some(known) = services else { return };
    let named = front.services.iter().chain(front.attach_when.iter().flat_map(|c| &c.service));
    for name in named.collect::<BTreeSet<_>>() {
        if !known.iter().any(|slug| conditions::glob(name, slug)) {
            problems.push(Problem::error(1, "services", format!("the catalogue does not know '{name}'")));
        }
    }
}

fn check_variables(parsed: &ParsedRunbook, problems: &mut Vec<Problem>) {
    for name in variables::names(&parsed.body) {
        if !variables::KNOWN.iter().any(|(known, _)| *known == name) {
            problems.push(Problem::warning(
                1,
                "variables",
                format!("'{{{{{name}}}}}' is filled by nothing but a person"),
            ));
        }
    }
}

/// Links inside the document, and to other runbooks of the folder.
fn check_links(parsed: &ParsedRunbook, slugs: &BTreeSet<&str>, problems: &mut Vec<Problem>) {
    let anchors: BTreeSet<String> =
        markdown::render_document(&parsed.body, "").headings.into_iter().map(|h| h.slug).collect();
    for event in Parser::new_ext(&parsed.body, markdown::options()) {
        let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event else { continue };
        if markdown::safe_link(&dest_url).is_none() {
            problems.push(Problem::error(1, "links", format!("'{dest_url}' is no address that may be linked")));
        } else if let Some(anchor) = dest_url.strip_prefix('#') {
            if !anchors.contains(anchor) {
                problems.push(Problem::error(1, "links", format!("'#{anchor}' is no heading of this runbook")));
            }
        } else if let Some(slug) = other_runbook(&dest_url)
            && !slugs.contains(slug.as_str())
        {
            problems.push(Problem::error(1, "links", format!("'{dest_url}' leads to no runbook of this folder")));
        }
    }
}

/// `/runbooks/queue-backlog` and `queue-backlog.md` name another runbook.
fn other_runbook(address: &str) -> Option<String> {
    let path = address.split(['?', '#']).next()?;
    let is_ours = path.strip_prefix("/runbooks/").is_some_and(|rest| !rest.is_empty() && !rest.contains('/'));
    let is_file = !path.contains("://") && path.to_lowercase().ends_with(".md");
    if is_ours || is_file { conditions::slug_of_link(path) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-23T10:00:00Z").expect("the test's own time")
    }

    fn remarks(text: &str, services: Option<&BTreeSet<String>>) -> Vec<String> {
        let files = [
            File { name: "a.md", slug: "a".to_owned(), text: Ok(text) },
            File {
                name: "b.md",
                slug: "b".to_owned(),
                text: Ok("---\ntitle: B\nowner: x\nreview_by: 2027-01-01\n---\n"),
            },
        ];
        lint(&files, services, now()).into_iter().map(|r| format!("{}: {}", r.file, r.problem)).collect()
    }

    #[test]
    fn a_folder_without_fault_has_no_remark() {
        let text = "---\ntitle: A\nowner: x\nreview_by: 2027-01-01\nservices: ['cart*']\n---\n## Here\n[h](#here) [b](b.md) [b](/runbooks/b) [x](https://x.example/y.md)\n";
        let services = BTreeSet::from(["cart-api".to_owned()]);
        assert_eq!(remarks(text, Some(&services)), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_named() {
        let text = "---\ntitle: A\nreview_by: 2026-11-22\nservices: [pay]\n---\n[h](#there) [c](c.md) [d](/runbooks/d) [j](javascript:x) {{nobody.knows}}\n";
        let found = remarks(text, Some(&BTreeSet::from(["cart".to_owned()])));
        for wanted in [
            "owner: is missing",
            "review_by: was 2026-11-22",
            "services: the catalogue does not know 'pay'",
            "'#there' is no heading",
            "'c.md' leads to no runbook",
            "'/runbooks/d' leads to no runbook",
            "'javascript:x' is no address",
            "'{{nobody.knows}}'",
        ] {
            assert!(
                found.iter().any(|f| f.starts_with("a.md: ") && f.contains(wanted)),
                "{wanted} is missing in {found:?}"
            );
        }
    }

    #[test]
    fn unreadable_and_twin_files_are_named() {
        let twin = |name| File { name, slug: "same".to_owned(), text: Err("is not UTF-8 text") };
        let found = lint(&[twin("x/y.md"), twin("x-y.md")], None, now());
        let shown: Vec<_> = found.iter().map(|r| r.problem.message.as_str()).collect();
        assert_eq!(shown, ["is not UTF-8 text", "has the same address as x/y.md: 'same'", "is not UTF-8 text"]);
    }
}
