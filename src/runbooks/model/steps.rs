//! Steps out of Markdown: a heading that begins with a kind and a colon is a step, and what stands
//! below it, up to the next heading of its level or above, is its text.
//!
//! ```markdown
//! ### Check: did errors rise with the deployment? (3 min) {#errors}
//! ### Do: roll {{service}} back (5 min)
//! ### Decide: is it healthy again?
//! - Yes -> end
//! - No, errors stay -> errors
//! ### Wait: let the pools drain (10 min)
//! ### Link: open the dashboard
//! ### Webhook: purge the cache
//! ```
//!
//! A branch leads to a step's id, its number, `next` or `end`. Branches may lead back (try again),
//! but from every step the end must be reachable.

mod call;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};

use super::Problem;
use super::front_matter::near_miss;
use crate::markdown::{self, slugify};
pub use call::Call;
use call::first_link;

/// More steps than a person follows; a bound on what a run stores.
pub const MAX_STEPS: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    Do,
    Check,
    Decide,
    Wait,
    Link,
    Webhook,
}

impl StepKind {
    pub const ALL: [Self; 6] = [Self::Do, Self::Check, Self::Decide, Self::Wait, Self::Link, Self::Webhook];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Check => "check",
            Self::Decide => "decide",
            Self::Wait => "wait",
            Self::Link => "link",
            Self::Webhook => "webhook",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(word))
    }
}

/// Where a branch leads.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Index of the step.
    Step(usize),
    End,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Branch {
    pub label: String,
    pub target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// Unique in the runbook and stable while the title stays: a slug.
    pub id: String,
    pub kind: StepKind,
    pub title: String,
    pub body: String,
    /// How long it should take, in seconds.
    pub expected_s: Option<u32>,
    /// Only of a decision.
    pub branches: Vec<Branch>,
    /// Only of a link step.
    pub link: Option<String>,
    /// Only of a webhook step.
    pub call: Option<Call>,
    /// 1-based line of the file.
    pub line: usize,
}

/// A heading as it stands in the text.
struct RawHeading {
    level: HeadingLevel,
    text: String,
    id: Option<String>,
    range: Range<usize>,
}

/// Finds the steps of `body`, whose first line is line `first_line` of the file.
pub fn parse(body: &str, first_line: usize, problems: &mut Vec<Problem>) -> Vec<Step> {
    let headings = headings(body);
    let mut steps: Vec<Step> = Vec::new();
    let mut used: HashMap<String, usize> = HashMap::new();
    // Counted on from heading to heading: from the top for each, the work grows with the square.
    let (mut line, mut counted) = (first_line, 0);
    for (i, heading) in headings.iter().enumerate() {
        line += body.get(counted..heading.range.start).unwrap_or_default().matches('\n').count();
        counted = heading.range.start;
        let Some((word, title)) = heading.text.split_once(':') else { continue };
        let Some(kind) = StepKind::parse(word.trim()) else {
            warn_of_near_miss(word.trim(), line, problems);
            continue;
        };
        let end = headings.iter().skip(i + 1).find(|next| next.level <= heading.level || is_step(next));
        let text = body.get(heading.range.end..end.map_or(body.len(), |h| h.range.start)).unwrap_or_default();
        let (title, expected_s) = split_time(title.trim());
        if title.is_empty() {
            problems.push(Problem::error(line, "steps", format!("a {} step has no title", kind.as_str())));
        }
        let wanted = slugify(heading.id.as_deref().unwrap_or(title));
        let count = used.entry(wanted.clone()).and_modify(|n| *n += 1).or_insert(1);
        if *count > 1 {
            let message = format!("two steps have the id '{wanted}'; give one of them its own with {{#name}}");
            problems.push(Problem::error(line, "steps", message));
        }
        steps.push(Step {
            id: wanted,
            kind,
            title: title.to_owned(),
            body: text.trim().to_owned(),
            expected_s,
            branches: Vec::new(),
            link: None,
            call: None,
            line,
        });
    }
    if steps.len() > MAX_STEPS {
        problems.push(Problem::error(first_line, "steps", format!("are {}; at most {MAX_STEPS}", steps.len())));
        steps.truncate(MAX_STEPS);
    }
    complete(&mut steps, problems);
    steps
}

fn headings(body: &str) -> Vec<RawHeading> {
    let mut found = Vec::new();
    let mut open: Option<RawHeading> = None;
    for (event, range) in Parser::new_ext(body, markdown::options()).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, id, .. }) => {
                open = Some(RawHeading { level, text: String::new(), id: id.map(|id| id.to_string()), range });
            }
            Event::End(TagEnd::Heading(_)) => found.extend(open.take()),
            Event::Text(t) | Event::Code(t) | Event::InlineHtml(t) => {
                if let Some(heading) = &mut open {
                    heading.text.push_str(&t);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some(heading) = &mut open {
                    heading.text.push(' ');
                }
            }
            _ => {}
        }
    }
    found
}

fn is_step(heading: &RawHeading) -> bool {
    heading.text.split_once(':').is_some_and(|(word, _)| StepKind::parse(word.trim()).is_some())
}

/// `chek:` is a slip of the pen; `Background:` is a heading.
fn warn_of_near_miss(word: &str, line: usize, problems: &mut Vec<Problem>) {
    let names = StepKind::ALL.map(StepKind::as_str);
    let lower = word.to_lowercase();
    if let Some(guess) = near_miss(&lower, &names) {
        problems.push(Problem::warning(
            line,
            "steps",
            format!("'{word}:' is no kind of step; did you mean '{guess}:'?"),
        ));
    }
}

/// `Roll back (5 min)` → `Roll back` and 300.
fn split_time(title: &str) -> (&str, Option<u32>) {
    let parsed = title
        .strip_suffix(')')
        .and_then(|t| t.rsplit_once('('))
        .and_then(|(head, time)| Some((head.trim_end(), parse_duration(time)?)));
    parsed.map_or((title, None), |(head, seconds)| (head, Some(seconds)))
}

/// `30 s`, `5 min`, `1 h`, `1 h 30 min`; at most a week.
pub fn parse_duration(text: &str) -> Option<u32> {
    let text = text.trim().trim_start_matches(['~', '≈']).trim();
    let mut total: u32 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u32 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?.trim_start();
        let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let unit = match rest.get(..letters)?.to_lowercase().as_str() {
            "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3600,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = rest.get(letters..)?.trim_start();
    }
    (1..=604_800).contains(&total).then_some(total)
}

/// The second pass: what depends on all ids being known.
fn complete(steps: &mut [Step], problems: &mut Vec<Problem>) {
    let ids: Vec<String> = steps.iter().map(|s| s.id.clone()).collect();
    for (i, step) in steps.iter_mut().enumerate() {
        let complaint = |message: String| Problem::error(step.line, "steps", format!("'{}' {message}", step.title));
        match step.kind {
            StepKind::Decide => match branches(&step.body, i, &ids) {
                Ok(found) if found.is_empty() => {
                    problems.push(complaint("decides nothing: add list items such as '- Yes -> next'".to_owned()));
                }
                Ok(found) => step.branches = found,
                Err(unknown) => problems.push(complaint(format!("leads to '{unknown}', which is no step"))),
            },
            StepKind::Wait if step.expected_s.is_none() => {
                problems.push(complaint("does not say how long: add a time such as '(5 min)'".to_owned()));
            }
            StepKind::Link => match first_link(&step.body) {
                Some(link) => step.link = Some(link),
                None => problems.push(complaint("has no link".to_owned())),
            },
            StepKind::Webhook => match call::call(&step.body) {
                Ok(call) => step.call = Some(call),
                Err(message) => problems.push(complaint(message)),
            },
            _ => {}
        }
    }
    for i in without_way_in(steps) {
        let Some(step) = steps.get(i) else { continue };
        problems.push(Problem::warning(step.line, "steps", format!("no way leads to '{}'", step.title)));
    }
    for i in without_way_out(steps) {
        let Some(step) = steps.get(i) else { continue };
        problems.push(Problem::error(step.line, "steps", format!("from '{}' the end cannot be reached", step.title)));
    }
}

/// Steps that nothing leads to.
fn without_way_in(steps: &[Step]) -> Vec<usize> {
    let mut reached = vec![false; steps.len()];
    let mut open = vec![0];
    while let Some(i) = open.pop() {
        let (Some(step), Some(seen)) = (steps.get(i), reached.get_mut(i)) else { continue };
        if std::mem::replace(seen, true) {
            continue;
        }
        if step.branches.is_empty() {
            open.push(i + 1);
        }
        open.extend(step.branches.iter().filter_map(|b| match b.target {
            Target::Step(target) => Some(target),
            Target::End => None,
        }));
    }
    reached.iter().enumerate().filter(|(_, r)| !**r).map(|(i, _)| i).collect()
}

/// Steps from which no choice of branches comes to the end: walked back from the end.
fn without_way_out(steps: &[Step]) -> Vec<usize> {
    let n = steps.len();
    let mut reaches = vec![false; n];
    let leads_out = |reaches: &[bool], i: usize| {
        let ok = |target: usize| target >= n || reaches.get(target).copied().unwrap_or(true);
        match steps.get(i) {
            Some(step) if !step.branches.is_empty() => step.branches.iter().any(|b| match b.target {
                Target::End => true,
                Target::Step(target) => ok(target),
            }),
            _ => ok(i + 1),
        }
    };
    // Each round settles at least one step, so there are at most n rounds.
    loop {
        let mut changed = false;
        for i in (0..n).rev() {
            if !reaches.get(i).copied().unwrap_or(true) && leads_out(&reaches, i) {
                if let Some(r) = reaches.get_mut(i) {
                    *r = true;
                }
                changed = true;
            }
        }
        if !changed {
            return reaches.iter().enumerate().filter(|(_, r)| !**r).map(|(i, _)| i).collect();
        }
    }
}

/// List items with an arrow. `Err` names a target that does not exist.
fn branches(body: &str, at: usize, ids: &[String]) -> Result<Vec<Branch>, String> {
    let mut found = Vec::new();
    for line in lines_outside_code(body) {
        let line = line.trim();
        let Some(item) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) else { continue };
        let Some((label, target)) = item.rsplit_once("->").or_else(|| item.rsplit_once('→')) else { continue };
        let label = markdown::plain_text(label, 200);
        found.push(Branch { label, target: resolve(target, at, ids).ok_or_else(|| target.trim().to_owned())? });
    }
    Ok(found)
}

fn lines_outside_code(body: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    body.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        if is_fence {
            in_code = !in_code;
        }
        !in_code && !is_fence
    })
}

/// `end`, `next`, `3`, `step 3`, `roll-back`, `#roll-back`, `[Roll back](#roll-back)` or a step's title.
fn resolve(target: &str, at: usize, ids: &[String]) -> Option<Target> {
    let target = target.trim().trim_end_matches('.').trim_matches(['`', '*', '_']);
    let inner = target.rsplit_once("](").and_then(|(_, link)| link.strip_suffix(')')).unwrap_or(target);
    let name = inner.trim().trim_start_matches('#').to_lowercase();
    let step = |i: usize| if i < ids.len() { Target::Step(i) } else { Target::End };
    match name.as_str() {
        "end" | "done" | "stop" => return Some(Target::End),
        "next" => return Some(step(at + 1)),
        _ => {}
    }
    if let Some(i) = ids.iter().position(|id| *id == name || *id == slugify(&name)) {
        return Some(Target::Step(i));
    }
    let number: usize = name.trim_start_matches("step").trim().parse().ok()?;
    (1..=ids.len()).contains(&number).then(|| Target::Step(number - 1))
}
