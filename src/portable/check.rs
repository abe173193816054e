//! Whether a file's incident may be stored: every word known, every address harmless, nothing twice. Pure.
//!
//! Complaints name the place in the file: `timeline[3].kind`.

use std::collections::BTreeSet;
use std::hash::Hash;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::document::{Body, Document, FORMAT, Head, Person, Piece, Report, RunOfBook, TimelineEntry, VERSION, Whole};
use super::links::is_safe;
use super::record::MAX_ROWS;
use crate::error::FieldErrors;
use crate::fields::MAX_TITLE;
use crate::incidents::model::{Role as RoleName, TaskKind, TaskState};
use crate::incidents::{EntryKind, EvidenceKind, Kind, Layer, MilestoneName, Severity, Source, Status};
use crate::postmortems::model::actions::{ActionType, Priority};
use crate::postmortems::model::review::{Audience, CheckItem, CommentOutcome, ReviewVerdict};
use crate::postmortems::model::rules::CauseKind;
use crate::postmortems::model::{SectionKey, State};
use crate::runbooks::model::{Outcome, RunState};
use crate::services::slug_of;
use crate::suspects;

/// The largest kept thing, as everywhere.
const MAX_KEPT: usize = 16 * 1024 * 1024;
/// Longest text of one field, in bytes.
const MAX_TEXT: usize = 1024 * 1024;
/// Complaints about one file; more do not help anybody.
const MAX_COMPLAINTS: usize = 50;

/// # Errors
/// Every complaint, by its place in the file.
pub fn check(document: &Document) -> Result<(), FieldErrors> {
    let mut c = Complaints::default();
    if document.format != FORMAT {
        c.add("format", format!("is '{}', not {FORMAT}", document.format));
    }
    if document.version != VERSION {
        c.add("version", format!("is {}; this program reads version {VERSION}", document.version));
    }
    let whole = &document.incident;
    c.text("external_id", &whole.external_id, 1, 300);
    head(&mut c, &whole.head);
    times(&mut c, whole);
    people(&mut c, whole);
    timeline(&mut c, &whole.timeline);
    evidence(&mut c, &whole.evidence);
    for (i, task) in whole.tasks.iter().enumerate() {
        c.word(&format!("tasks[{i}].kind"), &task.task.kind, TaskKind::parse);
        c.word(&format!("tasks[{i}].state"), &task.task.state, TaskState::parse);
        c.text(&format!("tasks[{i}].title"), &task.task.title, 1, MAX_TEXT);
        if let Some(action) = &task.action {
            let place = format!("tasks[{i}].action");
            c.word(&format!("{place}.type"), &action.kind, |w| {
                w.is_empty().then_some(()).or(ActionType::parse(w).map(drop))
            });
            c.word(&format!("{place}.priority"), &action.priority, Priority::parse);
            c.link(&format!("{place}.link"), &action.link);
        }
    }
    for (name, n) in [("classes", whole.classes.len()), ("duties", whole.duties.len())] {
        if n > 1 {
            c.add(name, "holds more than one item");
        }
    }
    for (i, impact) in whole.impacts.iter().enumerate() {
        c.text(&format!("impacts[{i}].what"), &impact.what, 0, MAX_TEXT);
    }
    runs(&mut c, &whole.runs);
    causes(&mut c, whole);
    if let Some(report) = &whole.postmortem {
        postmortem(&mut c, report);
    }
    if c.0.is_empty() { Ok(()) } else { Err(c.0) }
}

#[derive(Default)]
struct Complaints(FieldErrors);

impl Complaints {
    fn add(&mut self, place: &str, message: impl Into<String>) {
        if self.0.0.len() < MAX_COMPLAINTS {
            self.0.add(place, message);
        }
    }

    fn word<T>(&mut self, place: &str, word: &str, parse: impl Fn(&str) -> Option<T>) {
        if parse(word).is_none() {
            let shown: String = word.chars().take(60).collect();
            self.add(place, format!("'{shown}' is not known here"));
        }
    }

    fn text(&mut self, place: &str, text: &str, least: usize, most: usize) {
        if text.trim().len() < least {
            self.add(place, "is needed");
        }
        if text.len() > most {
            self.add(place, format!("is {} bytes long; at most {most} are kept", text.len()));
        }
    }

    fn link(&mut self, place: &str, link: &str) {
        if !is_safe(link) {
            self.add(place, "is no address that may be stored");
        }
    }

    fn once<K: Ord + Hash>(&mut self, place: &str, keys: impl Iterator<Item = K>) {
        let mut seen = BTreeSet::new();
        for (i, key) in keys.enumerate() {
            if i >= MAX_ROWS {
                return self.add(place, format!("has more than {MAX_ROWS} items"));
            }
            if !seen.insert(key) {
                self.add(&format!("{place}[{i}]"), "stands in the file twice");
            }
        }
    }
}

fn head(c: &mut Complaints, head: &Head) {
    c.text("head.title", &head.title, 1, MAX_TITLE * 4);
    c.text("head.summary", &head.summary, 0, MAX_TEXT);
    c.word("head.severity", &head.severity, Severity::parse);
    c.word("head.status", &head.status, Status::parse);
    c.word("head.kind", &head.kind, Kind::parse);
    if let Some(status) = &head.status_before_merge {
        c.word("head.status_before_merge", status, Status::parse);
    }
    if head.version < 1 {
        c.add("head.version", "is less than 1");
    }
}

fn times(c: &mut Complaints, whole: &Whole) {
    for (i, m) in whole.milestones.iter().enumerate() {
        c.word(&format!("milestones[{i}].name"), &m.name, MilestoneName::parse);
        c.word(&format!("milestones[{i}].source"), &m.source, Source::parse);
    }
    c.once("milestones", whole.milestones.iter().map(|m| &m.name));
    let standing: crate::incidents::model::MilestoneTimes =
        whole.milestones.iter().filter_map(|m| Some((MilestoneName::parse(&m.name)?, m.at?))).collect();
    for violation in standing.violations() {
        c.add("milestones", violation.to_string());
    }
    for (i, m) in whole.milestone_history.iter().enumerate() {
        c.word(&format!("milestone_history[{i}].name"), &m.name, MilestoneName::parse);
        c.word(&format!("milestone_history[{i}].source"), &m.source, Source::parse);
    }
    for (i, s) in whole.status_changes.iter().enumerate() {
        if let Some(from) = &s.from_status {
            c.word(&format!("status_changes[{i}].from_status"), from, Status::parse);
        }
        c.word(&format!("status_changes[{i}].to_status"), &s.to_status, Status::parse);
    }
}

fn people(c: &mut Complaints, whole: &Whole) {
    for (i, slug) in whole.services.iter().enumerate() {
        c.word(&format!("services[{i}]"), slug, |s| slug_of(s).filter(|same| same == s));
    }
    c.once("services", whole.services.iter());
    for (i, role) in whole.roles.iter().enumerate() {
        c.word(&format!("roles[{i}].role"), &role.role, RoleName::parse);
        person(c, &format!("roles[{i}]"), &role.person);
    }
    c.once("roles", whole.roles.iter().filter(|r| r.released_at.is_none()).map(|r| &r.role));
    for (i, access) in whole.access.iter().enumerate() {
        person(c, &format!("access[{i}]"), &access.person);
    }
    for (i, task) in whole.tasks.iter().enumerate() {
        if let Some(owner) = &task.owner {
            person(c, &format!("tasks[{i}].owner"), owner);
        }
    }
}

fn person(c: &mut Complaints, place: &str, person: &Person) {
    let email = &person.email;
    let is_address = email.len() <= 254
        && email.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        && !email.chars().any(|x| x.is_whitespace() || x.is_control() || x.is_uppercase());
    if !is_address {
        c.add(&format!("{place}.email"), "is no e-mail address in lower case");
    }
    c.text(&format!("{place}.name"), &person.name, 1, 400);
}

fn timeline(c: &mut Complaints, entries: &[TimelineEntry]) {
    c.once("timeline", entries.iter().enumerate().map(|(i, e)| e.entry.import_key.clone().unwrap_or(format!("\0{i}"))));
    for (i, entry) in entries.iter().enumerate() {
        let place = format!("timeline[{i}]");
        c.word(&format!("{place}.layer"), &entry.entry.layer, Layer::parse);
        c.word(&format!("{place}.kind"), &entry.entry.kind, EntryKind::parse);
        c.text(&format!("{place}.text"), &entry.entry.text, 0, MAX_TEXT);
        c.link(&format!("{place}.link"), &entry.entry.link);
        c.once(&format!("{place}.versions"), entry.versions.iter().map(|v| v.version));
        for (j, version) in entry.versions.iter().enumerate() {
            c.word(&format!("{place}.versions[{j}].layer"), &version.layer, Layer::parse);
        }
    }
}

fn evidence(c: &mut Complaints, pieces: &[Piece]) {
    c.once("evidence", pieces.iter().map(|p| (&p.evidence.kind, &p.evidence.reference)));
    for (i, piece) in pieces.iter().enumerate() {
        let place = format!("evidence[{i}]");
        c.word(&format!("{place}.kind"), &piece.evidence.kind, EvidenceKind::parse);
        c.text(&format!("{place}.title"), &piece.evidence.title, 0, MAX_TEXT);
        c.link(&format!("{place}.url"), &piece.evidence.url);
        let size = match piece.kept.as_ref().map(|k| &k.body) {
            None => 0,
            Some(Body::Text(text)) => text.len(),
            Some(Body::Base64(text)) => match STANDARD.decode(text) {
                Ok(bytes) => bytes.len(),
                Err(e) => {
                    c.add(&format!("{place}.base64"), format!("cannot be decoded: {e}"));
                    0
                }
            },
        };
        if size > MAX_KEPT {
            c.add(&place, format!("keeps {size} bytes; at most {MAX_KEPT} are kept of one thing"));
        }
    }
}

fn runs(c: &mut Complaints, runs: &[RunOfBook]) {
    for (i, run) in runs.iter().enumerate() {
        let place = format!("runs[{i}]");
        c.word(&format!("{place}.state"), &run.run.state, RunState::parse);
        c.word(&format!("{place}.runbook.slug"), &run.runbook.slug, |s| {
            Some(crate::markdown::slugify(s)).filter(|same| same == s)
        });
        if serde_json::from_str::<serde_json::Value>(&run.run.filled).is_err() {
            c.add(&format!("{place}.filled"), "is no JSON");
        }
        if let Err(problems) = crate::runbooks::model::parse(&run.runbook.source)
            && let Some(problem) = problems.iter().find(|p| p.is_error)
        {
            c.add(&format!("{place}.runbook.source"), problem.to_string());
        }
        // What still waits would be made from here.
        for (j, call) in run.calls.iter().enumerate() {
            let ended = |s: &str| matches!(s, "answered" | "failed").then_some(());
            c.word(&format!("{place}.calls[{j}].state"), &call.state, ended);
        }
        c.once(&format!("{place}.records"), run.records.iter().map(|r| r.number));
        for (j, record) in run.records.iter().enumerate() {
            c.word(&format!("{place}.records[{j}].outcome"), &record.outcome, Outcome::parse);
        }
    }
}

fn causes(c: &mut Complaints, whole: &Whole) {
    if let Some(suspects) = &whole.suspects {
        if let Err(e) = serde_json::from_value::<suspects::model::Ranking>(suspects.ranking.clone()) {
            c.add("suspects.ranking", format!("cannot be read: {e}"));
        }
        if let Err(e) = serde_json::from_value::<Vec<String>>(suspects.changed.clone()) {
            c.add("suspects.changed", format!("cannot be read: {e}"));
        }
    }
    for (i, v) in whole.verdicts.iter().enumerate() {
        c.word(&format!("verdicts[{i}].kind"), &v.kind, suspects::model::SuspectKind::parse);
        c.word(&format!("verdicts[{i}].verdict"), &v.verdict, suspects::verdict::Verdict::parse);
    }
    c.once("verdicts", whole.verdicts.iter().map(|v| (&v.kind, &v.service, &v.operation, &v.version)));
}

fn postmortem(c: &mut Complaints, report: &Report) {
    c.word("postmortem.state", &report.head.state, State::parse);
    c.word("postmortem.audience", &report.head.audience, Audience::parse);
    c.word("postmortem.cause", &report.head.cause, |w| w.is_empty().then_some(()).or(CauseKind::parse(w).map(drop)));
    c.word("postmortem.redactions", &report.head.redactions, |w| serde_json::from_str::<Vec<String>>(w).ok());
    let keys = |w: &str| {
        let words: Vec<String> = serde_json::from_str(w).ok()?;
        words.iter().map(|k| SectionKey::parse(k)).collect::<Option<Vec<_>>>()
    };
    c.word("postmortem.public_sections", &report.head.public_sections, keys);
    c.once("postmortem.tags", report.tags.iter().map(|t| &t.tag));
    c.once("postmortem.checks", report.checks.iter().map(|t| &t.item));
    for (i, check) in report.checks.iter().enumerate() {
        c.word(&format!("postmortem.checks[{i}].item"), &check.item, CheckItem::parse);
    }
    for (i, comment) in report.comments.iter().enumerate() {
        c.word(&format!("postmortem.comments[{i}].section"), &comment.section, SectionKey::parse);
        c.word(&format!("postmortem.comments[{i}].outcome"), &comment.outcome, CommentOutcome::parse);
    }
    c.once("postmortem.reviewers", report.reviewers.iter().map(|r| &r.person.email));
    for (i, reviewer) in report.reviewers.iter().enumerate() {
        person(c, &format!("postmortem.reviewers[{i}]"), &reviewer.person);
        c.word(&format!("postmortem.reviewers[{i}].verdict"), &reviewer.verdict, ReviewVerdict::parse);
    }
    for (i, section) in report.sections.iter().enumerate() {
        c.word(&format!("postmortem.sections[{i}].section"), &section.section, SectionKey::parse);
        c.text(&format!("postmortem.sections[{i}].body"), &section.body, 0, MAX_TEXT);
    }
    c.once("postmortem.sections", report.sections.iter().map(|s| &s.section));
    c.once("postmortem.versions", report.versions.iter().map(|v| (&v.section, v.version)));
    for (i, version) in report.versions.iter().enumerate() {
        c.word(&format!("postmortem.versions[{i}].section"), &version.section, SectionKey::parse);
    }
}
