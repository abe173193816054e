//! The record as Markdown. No model, no guess: each sentence follows from data that is named, the
//! same record gives the same text, and what is not known is asked for in italics.

use std::fmt::Write as _;

use chrono::TimeDelta;

use super::record::{Record, RecordedTime, StoryEntry, Verdict};
use super::{Section, SectionKey};
use crate::clock::{Timestamp, human_duration};
use crate::incidents::model::{Kind, MilestoneName};

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

fn went_well(r: &Record) -> String {
    let mut text = String::new();
    let done = r.steps.iter().filter(|s| s.outcome == "done").count();
    if done > 0 {
        let _ = writeln!(text, "- {done} of {} runbook steps were done as written.", r.steps.len());
    }
    if r.times.iter().any(|t| t.name == MilestoneName::Detected && t.source == crate::incidents::model::Source::Alert) {
        text.push_str("- Monitoring noticed it before a person did.\n");
    }
    let _ = write!(text, "\n{}\n\n{}", PROMPTS[3], PROMPTS[4]);
    text
}

fn went_badly(r: &Record) -> String {
    let mut text = String::new();
    for s in r.steps.iter().filter(|s| s.outcome == "failed") {
        let note = if s.note.is_empty() { String::new() } else { format!(": {}", inline(&s.note)) };
        let _ = writeln!(text, "- The step “{}” of {} failed{note}.", inline(&s.step), inline(&s.runbook));
    }
    let durations = r.milestones().durations();
    if let (Some(silent), Some(whole)) = (durations.to_detect, durations.to_resolve)
        && whole > TimeDelta::zero()
        && silent * 3 > whole
    {
        let _ = writeln!(
            text,
            "- More than a third of the time passed unnoticed ({} of {}).",
            human_duration(silent),
            human_duration(whole)
        );
    }
    if r.alerts.is_empty() {
        text.push_str("- No alert fired.\n");
    }
    let _ = write!(text, "\n{}\n\n{}", PROMPTS[5], PROMPTS[6]);
    text
}

fn follow_ups(r: &Record) -> String {
    if r.follow_ups.is_empty() {
        return PROMPTS[7].to_owned();
    }
    let mut text = String::new();
    for f in r.follow_ups.iter().take(MAX_ROWS) {
        let mark = if f.is_done { 'x' } else { ' ' };
        let owner = f.owner.as_deref().map_or_else(|| "no owner".to_owned(), inline);
        let due = f.due.map_or_else(|| "no date".to_owned(), |d| format!("due {d}"));
        let _ = writeln!(text, "- [{mark}] {} ({owner}, {due})", inline(&f.title));
    }
    text.push_str(&more(r.follow_ups.len()));
    text
}

/// `2026-11-23 13:45 UTC`
fn moment(at: Timestamp) -> String {
    format!("{} UTC", at.to_minute())
}

fn origin(time: &RecordedTime) -> String {
    let corrected = if time.corrected { ", corrected" } else { "" };
    format!("{}{corrected}", time.source)
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

fn more(count: usize) -> String {
    if count > MAX_ROWS { format!("\n… and {} more.\n", count - MAX_ROWS) } else { String::new() }
}

/// Text from outside on one line, with the characters that mean something in Markdown escaped.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_QUOTE) {
        if "\\`*[]<>|~".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A person's Markdown on one line; long ones are cut to their words.
fn quote(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cannot_stand_inline = text.contains("```") || text.contains("~~~") || line.starts_with(['#', '>', '|', '-']);
    if line.chars().count() > MAX_QUOTE || cannot_stand_inline {
        inline(&crate::markdown::plain_text(text, MAX_QUOTE))
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{full, sparse};
    use super::*;
    use crate::markdown;

    fn body(record: &Record, key: SectionKey) -> String {
        section(record, key)
    }

    #[test]
    fn the_summary_has_the_numbers_and_the_cause() {
        let text = body(&full(), SectionKey::Summary);
        assert!(text.starts_with("INC-7 was a SEV2 incident affecting cart and checkout. It began on 2026-03-01 10:00 UTC and was resolved on 2026-03-01 11:30 UTC, after 1h 30m."), "{text}");
        assert!(text.contains("The confirmed cause is deployment cart 1.4.0."), "{text}");
        assert!(text.contains("| Time to detect | impact started → detected | 10m |"), "{text}");
        assert!(text.contains("| Time to mitigate | detected → mitigated | 50m |"), "{text}");
    }

    #[test]
    fn the_story_is_told_by_phase() {
        let text = body(&full(), SectionKey::WhatHappened);
        let order = [
            "### Before the impact",
            "Release started",
            "### Before detection (10m)",
            "Nothing was written",
            "### Finding the cause (20m)",
            "Errors in **cart**",
            "### Mitigating (30m)",
            "rolled back",
            "### Until resolved (30m)",
            "### After the resolution",
            "Thanks",
        ];
        let mut rest = text.as_str();
        for part in order {
            let at = rest.find(part).unwrap_or_else(|| panic!("{part} is missing or out of order in {text}"));
            rest = &rest[at..];
        }
    }

    #[test]
    fn detection_names_the_silent_time_and_the_first_alert() {
        let text = body(&full(), SectionKey::Detection);
        for part in [
            "| 2026-03-01 10:10 | Detected | alert, corrected |",
            "For 10m nobody knew.",
            "The first alert fired 8m after the impact began.",
            "| 2026-03-01 10:08 | High \\| errors | cart | alertmanager | 12 |",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn causes_changes_and_recovery_are_listed() {
        let text = body(&full(), SectionKey::RootCause);
        for part in [
            "**Confirmed: deployment cart 1.4.0.**",
            "- errors rose 60 % after it",
            "deployment of cart to production, 1.4.0, 5m before the start",
            "- Trace: [POST /cart fails](</traces/abc>)",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        let text = body(&full(), SectionKey::Recovery);
        for part in [
            "[Roll back](/runbooks/roll-back): undo the rollout | done | went well |",
            "cart was rolled back to 1.3.9 on 2026-03-01 10:55 UTC.",
            "Resolved on 2026-03-01 11:30 UTC.",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(body(&full(), SectionKey::FollowUps).contains("- [ ] Add a canary (Ada, due 2026-04-01)"));
    }

    #[test]
    fn an_empty_record_gives_prompts_not_nonsense() {
        let sections = draft(&sparse());
        assert_eq!(sections.len(), SectionKey::ALL.len());
        for section in &sections {
            assert!(!section.body.is_empty(), "{}", section.key);
        }
        assert!(body(&sparse(), SectionKey::Summary).contains("not recorded"));
        assert!(body(&sparse(), SectionKey::WhatHappened).contains("Nobody wrote"));
        assert!(body(&sparse(), SectionKey::RootCause).contains("No cause has been confirmed"));
    }

    #[test]
    fn the_same_record_gives_the_same_text() {
        assert_eq!(draft(&full()), draft(&full()));
        let mut shuffled = full();
        shuffled.alerts.reverse();
        shuffled.story.reverse();
        assert_eq!(draft(&full()), draft(&shuffled));
    }

    #[test]
    fn text_from_outside_stays_text() {
        let mut record = full();
        for alert in &mut record.alerts {
            alert.title = "x | y](javascript:alert(1)) <script>alert(1)</script>\n# heading".to_owned();
        }
        let html = markdown::render(&body(&record, SectionKey::Detection)).to_string();
        assert!(!html.contains("<script") && !html.contains("<a ") && !html.contains("<h2"), "{html}");
        assert_eq!(html.matches("<td").count() % 5, 12 % 5, "no cell was added: {html}");
    }
}
