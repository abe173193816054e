//! The record as Markdown. No model, no guess: each sentence follows from data that is named, the
//! same record gives the same text, and what is not known is asked for in italics.

mod figures;
mod lessons;
#[cfg(test)]
mod tests;
mod words;

use std::fmt::Write as _;

use chrono::TimeDelta;

use super::record::{Record, StoryEntry, Verdict};
use super::{Section, SectionKey};
use crate::clock::{Timestamp, human_duration};
use crate::incidents::model::{Kind, MilestoneName};
use lessons::{follow_ups, went_badly, went_well};
use words::{inline, listed, moment, more, origin, quote};

/// Longest list in a draft; the rest is counted.
const MAX_ROWS: usize = 100;
/// Longest quotation of one timeline entry, in characters.
const MAX_QUOTE: usize = 600;

/// Questions that the record cannot answer. The lint finds those that still stand.
pub const PROMPTS: [&str; 8] = [
    "*How many users, requests or orders were affected, in numbers, and what did they see?*",
    "*Was data lost or wrong, and is it repaired?*",
    "*What was the trigger, and what made the system vulnerable to it before?*",
    "*Which alarm, runbook, safeguard or decision worked as intended?*",
    "*Where did luck help?*",
    "*What took longer than it should have: to notice, to find, to decide, to repair?*",
    "*Which alarm, document, access or tool was missing or misleading?*",
    "*What will keep this from happening again, and what will make the next one shorter?*",
];

/// All sections, in order.
pub fn draft(record: &Record) -> Vec<Section> {
    SectionKey::ALL.iter().map(|key| Section { key: *key, body: section(record, *key) }).collect()
}

/// One section anew, for regenerating it without touching the others.
pub fn section(record: &Record, key: SectionKey) -> String {
    let text = match key {
        SectionKey::Summary => summary(record),
        SectionKey::Impact => impact(record),
        SectionKey::Detection => detection(record),
        SectionKey::RootCause => root_cause(record),
        SectionKey::WhatHappened => what_happened(record),
        SectionKey::Recovery => recovery(record),
        SectionKey::WentWell => went_well(record),
        SectionKey::WentBadly => went_badly(record),
        SectionKey::FollowUps => follow_ups(record),
    };
    text.trim().to_owned()
}

fn summary(r: &Record) -> String {
    use MilestoneName::{ImpactStarted, Resolved};
    let mut text = String::new();
    let kind = match r.kind {
        Kind::Real => "incident",
        Kind::Drill => "drill",
        Kind::Backfilled => "incident (recorded afterwards)",
    };
    let services = if r.services.is_empty() { String::new() } else { format!(" affecting {}", listed(&r.services)) };
    let _ = write!(text, "{} was a {} {kind}{services}.", r.incident, r.severity);
    let durations = r.milestones().durations();
    match (r.at(ImpactStarted), r.at(Resolved)) {
        (Some(start), Some(end)) => {
            let _ = write!(
                text,
                " It began on {} and was resolved on {}, after {}.",
                moment(start),
                moment(end),
                human_duration(end - start)
            );
        }
        (Some(start), None) => {
            let _ = write!(text, " It began on {}; no resolution is recorded.", moment(start));
        }
        (None, Some(end)) => {
            let _ = write!(text, " It was resolved on {}; when the impact began is not recorded.", moment(end));
        }
        (None, None) => {}
    }
    text.push_str("\n\n");
    if !r.summary.trim().is_empty() {
        let _ = writeln!(text, "{}\n", r.summary.trim());
    }
    if let Some(cause) = cause_sentence(r) {
        let _ = writeln!(text, "{cause}\n");
    }
    let rows = [
        ("Time to detect", "impact started → detected", durations.to_detect),
        ("Time to acknowledge", "detected → acknowledged", durations.to_acknowledge),
        ("Time to mitigate", "detected → mitigated", durations.to_mitigate),
        ("Time to resolve", "impact started → resolved", durations.to_resolve),
    ];
    text.push_str("| Measure | From → to | Value |\n|:--|:--|--:|\n");
    for (name, definition, value) in rows {
        let value = value.map_or_else(|| "not recorded".to_owned(), human_duration);
        let _ = writeln!(text, "| {name} | {definition} | {value} |");
    }
    text
}

fn cause_sentence(r: &Record) -> Option<String> {
    let names: Vec<String> = r.confirmed().map(|s| format!("{} {}", s.kind, inline(&s.name))).collect();
    (!names.is_empty()).then(|| format!("The confirmed cause is {}.", listed(&names)))
}

fn impact(r: &Record) -> String {
    use MilestoneName::{ImpactEnded, ImpactStarted, Mitigated};
    let mut text = String::new();
    match (r.at(ImpactStarted), r.at(ImpactEnded).or_else(|| r.at(Mitigated))) {
        (Some(start), Some(end)) => {
            let _ = writeln!(
                text,
                "Users were affected from {} to {} ({}).\n",
                moment(start),
                moment(end),
                human_duration(end - start)
            );
        }
        (Some(start), None) => {
            let _ =
                writeln!(text, "Users were affected from {}; the end of the impact is not recorded.\n", moment(start));
        }
        _ => text.push_str("The start of the impact is not recorded.\n\n"),
    }
    if !r.services.is_empty() {
        let _ = writeln!(text, "Affected services: {}.\n", listed(&r.services));
    }
    let _ = writeln!(text, "Severity {}: {}.\n", r.severity, r.severity.meaning());
    let _ = writeln!(text, "{}\n\n{}", PROMPTS[0], PROMPTS[1]);
    text
}

fn detection(r: &Record) -> String {
    use MilestoneName::{Acknowledged, Declared, Detected, ImpactStarted};
    let mut text = String::new();
    text.push_str("| Time (UTC) | Event | Known from |\n|:--|:--|:--|\n");
    for name in [ImpactStarted, Detected, Declared, Acknowledged] {
        match r.times.iter().find(|t| t.name == name) {
            Some(time) => {
                let _ = writeln!(text, "| {} | {} | {} |", time.at.to_minute(), name.label(), origin(time));
            }
            None => {
                let _ = writeln!(text, "| not recorded | {} | |", name.label());
            }
        }
    }
    text.push('\n');
    if let Some(silent) = r.milestones().between(ImpactStarted, Detected) {
        let sentence = if silent <= TimeDelta::zero() {
            "It was noticed at the moment it began.".to_owned()
        } else {
            format!("For {} nobody knew.", human_duration(silent))
        };
        let _ = writeln!(text, "{sentence}\n");
    }
    text.push_str(&alerts_table(r));
    text.push_str(&unheeded_table(r));
    text
}

/// Alerts that existed and told nobody: why the detection was late.
fn unheeded_table(r: &Record) -> String {
    let Some(first) = r.unheeded.first() else { return String::new() };
    let mut text = String::new();
    if let Some(detected) = r.at(MilestoneName::Detected)
        && first.at < detected
    {
        let earlier = human_duration(detected - first.at);
        let _ = writeln!(
            text,
            "\nAn alert of an affected service fired {earlier} before it was noticed, and told nobody:\n"
        );
    } else {
        text.push_str("\nAlerts of affected services that did not lead here:\n\n");
    }
    text.push_str("| Started (UTC) | Alert | Service | Why it told nobody |\n|:--|:--|:--|:--|\n");
    for a in &r.unheeded {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            a.at.to_minute(),
            inline(&a.title),
            inline(&a.service),
            inline(&a.reason)
        );
    }
    text
}

fn alerts_table(r: &Record) -> String {
    if r.alerts.is_empty() {
        return "No alert is attached to the incident: it was not detected by monitoring.\n".to_owned();
    }
    let mut alerts: Vec<_> = r.alerts.iter().collect();
    alerts.sort_by(|a, b| (a.first_seen, &a.title).cmp(&(b.first_seen, &b.title)));
    let mut text = String::new();
    if let (Some(first), Some(start)) = (alerts.first(), r.at(MilestoneName::ImpactStarted))
        && first.first_seen > start
    {
        let _ = writeln!(
            text,
            "The first alert fired {} after the impact began.\n",
            human_duration(first.first_seen - start)
        );
    }
    text.push_str("| First seen (UTC) | Alert | Service | Source | Deliveries |\n|:--|:--|:--|:--|--:|\n");
    for a in alerts.iter().take(MAX_ROWS) {
        let service = a.service.as_deref().map_or_else(String::new, inline);
        let _ = writeln!(
            text,
            "| {} | {} | {service} | {} | {} |",
            a.first_seen.to_minute(),
            inline(&a.title),
            inline(&a.source),
            a.count
        );
    }
    text.push_str(&more(alerts.len()));
    text
}

fn root_cause(r: &Record) -> String {
    let mut text = String::new();
    let mut any = false;
    for suspect in r.confirmed() {
        any = true;
        let _ = writeln!(text, "**Confirmed: {} {}.**\n", suspect.kind, inline(&suspect.name));
        for reason in &suspect.reasons {
            let _ = writeln!(text, "- {}", inline(reason));
        }
        text.push('\n');
    }
    if !any {
        text.push_str("No cause has been confirmed on the incident.\n\n");
        let open: Vec<_> = r.suspects.iter().filter(|s| s.verdict == Verdict::Open).take(3).collect();
        if !open.is_empty() {
            text.push_str("Suspected, not confirmed:\n\n");
            for s in open {
                let reason = s.reasons.first().map_or_else(String::new, |reason| format!(": {}", inline(reason)));
                let _ = writeln!(text, "- {} {}{reason}", s.kind, inline(&s.name));
            }
            text.push('\n');
        }
    }
    text.push_str(&changes_list(r));
    if !r.evidence.is_empty() {
        text.push_str("Evidence:\n\n");
        for e in r.evidence.iter().take(MAX_ROWS) {
            let title = inline(&e.title);
            let shown = match crate::markdown::safe_link(&e.link) {
                Some(link) => format!("[{title}](<{}>)", link.replace(['<', '>'], "")),
                None => title,
            };
            let _ = writeln!(text, "- {}: {shown}", e.kind);
        }
        text.push_str(&more(r.evidence.len()));
        text.push('\n');
    }
    text.push_str(&figures::figures(r));
    text.push_str(PROMPTS[2]);
    text
}

fn changes_list(r: &Record) -> String {
    if r.changes.is_empty() {
        return "No change is attached to the incident.\n\n".to_owned();
    }
    let start = r.milestones().start();
    let mut text = "Changes:\n\n".to_owned();
    for c in r.changes.iter().take(MAX_ROWS) {
        let relation = start.map_or_else(String::new, |start| {
            let (before, distance) = if c.at <= start { ("before", start - c.at) } else { ("after", c.at - start) };
            format!(", {} {before} the start", human_duration(distance))
        });
        let _ = writeln!(
            text,
            "- {} {} of {} to {}, {}{relation}",
            moment(c.at),
            inline(&c.kind),
            inline(&c.service),
            inline(&c.environment),
            inline(&c.version)
        );
    }
    text.push_str(&more(r.changes.len()));
    text.push('\n');
    text
}

/// Parts of the story between milestones, with how long each took.
fn what_happened(r: &Record) -> String {
    use MilestoneName::{Detected, Identified, ImpactStarted, Mitigated, Resolved};
    let phases = [
        ("Before detection", ImpactStarted, Detected),
        ("Finding the cause", Detected, Identified),
        ("Mitigating", Identified, Mitigated),
        ("Until resolved", Mitigated, Resolved),
    ];
    let mut entries: Vec<&StoryEntry> = r.story.iter().collect();
    entries.sort_by_key(|e| e.at);
    // A phase ends where the next known milestone stands, so that a missing one joins two phases.
    let bounds: Vec<(&str, Timestamp)> =
        phases.iter().filter_map(|(title, from, _)| Some((*title, r.at(*from)?))).collect();
    if bounds.is_empty() || bounds.windows(2).any(|w| matches!(w, [a, b] if a.1 > b.1)) {
        return entries_or_prompt(&entries);
    }
    let end = r.at(Resolved);
    let mut text = String::new();
    let (before, rest): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|e| bounds.first().is_some_and(|(_, at)| e.at < *at));
    if !before.is_empty() {
        let _ = write!(text, "### Before the impact\n\n{}\n", entry_lines(&before));
    }
    for (i, (title, from)) in bounds.iter().enumerate() {
        let until = bounds.get(i + 1).map(|(_, at)| *at).or(end);
        let inside: Vec<&StoryEntry> =
            rest.iter().copied().filter(|e| e.at >= *from && until.is_none_or(|u| e.at < u)).collect();
        let length = until.map_or_else(String::new, |u| format!(" ({})", human_duration(u - *from)));
        let _ = write!(text, "### {title}{length}\n\nFrom {}.\n\n{}\n", moment(*from), entries_or_nothing(&inside));
    }
    let after: Vec<&StoryEntry> = rest.iter().copied().filter(|e| end.is_some_and(|end| e.at >= end)).collect();
    if !after.is_empty() {
        let _ = write!(text, "### After the resolution\n\n{}\n", entry_lines(&after));
    }
    text
}

fn entries_or_prompt(entries: &[&StoryEntry]) -> String {
    if entries.is_empty() {
        "*Nobody wrote into the story of this incident. What happened, and when?*".to_owned()
    } else {
        entry_lines(entries)
    }
}

fn entries_or_nothing(entries: &[&StoryEntry]) -> String {
    if entries.is_empty() { "Nothing was written down in this phase.\n".to_owned() } else { entry_lines(entries) }
}

fn entry_lines(entries: &[&StoryEntry]) -> String {
    let mut text = String::new();
    for e in entries.iter().take(MAX_ROWS) {
        let _ = writeln!(text, "- {} {}", moment(e.at), quote(&e.text));
    }
    text.push_str(&more(entries.len()));
    text
}

fn recovery(r: &Record) -> String {
    let mut text = String::new();
    if r.steps.is_empty() {
        text.push_str("No runbook was run.\n\n");
    } else {
        text.push_str("| Time (UTC) | Step | Outcome | Note |\n|:--|:--|:--|:--|\n");
        for s in r.steps.iter().take(MAX_ROWS) {
            let _ = writeln!(
                text,
                "| {} | [{}](/runbooks/{}): {} | {} | {} |",
                s.at.to_minute(),
                inline(&s.runbook),
                s.runbook_slug,
                inline(&s.step),
                s.outcome,
                inline(&s.note)
            );
        }
        text.push_str(&more(r.steps.len()));
        text.push('\n');
    }
    for fix in r.suspects.iter().filter(|s| s.verdict == Verdict::FixedBy) {
        let _ = writeln!(text, "Fixed by {} {}.\n", fix.kind, inline(&fix.name));
    }
    for change in r.changes.iter().filter(|c| c.kind == "rollback") {
        let _ = writeln!(
            text,
            "{} was rolled back to {} on {}.\n",
            inline(&change.service),
            inline(&change.version),
            moment(change.at)
        );
    }
    for name in [MilestoneName::Mitigated, MilestoneName::Resolved] {
        if let Some(at) = r.at(name) {
            let _ = writeln!(text, "{} on {}.\n", name.label(), moment(at));
        }
    }
    text
}
