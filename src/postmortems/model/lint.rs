//! What a reviewer would remark: checked by rules, each remark with its place and the reason.

use chrono::TimeDelta;

use super::draft::PROMPTS;
use super::record::{FollowUp, Record};
use super::{Section, SectionKey};
use crate::clock::{Timestamp, human_duration};
use crate::fields::text_enum;

text_enum! {
    pub enum Rule("lint rule") {
        EmptySection = "empty_section",
        OpenPrompt = "open_prompt",
        NoImpactNumbers = "no_impact_numbers",
        NoConfirmedCause = "no_confirmed_cause",
        BlameWording = "blame_wording",
        PersonAsCause = "person_as_cause",
        ClaimWithoutEntry = "claim_without_entry",
        TimelineGap = "timeline_gap",
        TimesOutOfOrder = "times_out_of_order",
        NoActions = "no_actions",
        ActionWithoutOwner = "action_without_owner",
        ActionWithoutDueDate = "action_without_due_date",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    pub rule: Rule,
    pub section: Option<SectionKey>,
    pub message: String,
}

/// Words that look for a culprit where a cause is wanted, and what to ask instead.
const BLAME: [(&str, &str); 14] = [
    ("human error", "which safeguard would have caught it?"),
    ("careless", "what made it easy to overlook?"),
    ("carelessly", "what made it easy to overlook?"),
    ("negligent", "what made it easy to overlook?"),
    ("negligence", "what made it easy to overlook?"),
    ("should have known", "where could it have been read?"),
    ("should have noticed", "what would have shown it?"),
    ("stupid", "what made it look right at the time?"),
    ("sloppy", "what made it look right at the time?"),
    ("incompetent", "what was missing to do it safely?"),
    ("to blame", "which condition allowed it?"),
    ("fault of", "which condition allowed it?"),
    ("forgot to", "what could have reminded?"),
    ("lazy", "what was missing to do it safely?"),
];

/// All remarks, in the order of the sections. `people` are the names of those who use the system; `gap` is
/// the longest stretch of the incident about which nothing need be written.
pub fn lint(
    record: &Record,
    sections: &[Section],
    actions: &[FollowUp],
    people: &[String],
    gap: TimeDelta,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for section in sections {
        check_section(section, &mut findings);
    }
    check_cause(record, sections, people, &mut findings);
    check_claims(record, sections, &mut findings);
    check_times(record, gap, &mut findings);
    check_told_order(sections, &mut findings);
    check_actions(actions, &mut findings);
    findings.sort_by_key(|f| {
        f.section.map_or(usize::MAX, |key| SectionKey::ALL.iter().position(|k| *k == key).unwrap_or(usize::MAX))
    });
    findings
}

fn find(findings: &mut Vec<Finding>, rule: Rule, section: Option<SectionKey>, message: impl Into<String>) {
    findings.push(Finding { rule, section, message: message.into() });
}

fn check_section(section: &Section, findings: &mut Vec<Finding>) {
    let key = Some(section.key);
    let words = PROMPTS.iter().fold(section.body.clone(), |text, prompt| text.replace(prompt, ""));
    if section.key.is_required() && words.trim().is_empty() {
        find(findings, Rule::EmptySection, key, format!("“{}” says nothing yet", section.key.title()));
    }
    for prompt in PROMPTS.iter().filter(|p| section.body.contains(**p)) {
        find(findings, Rule::OpenPrompt, key, format!("a question is not answered: {}", prompt.trim_matches('*')));
    }
    if section.key == SectionKey::Impact && !has_impact_number(&words) {
        find(findings, Rule::NoImpactNumbers, key, "no number says how many users, requests or orders were affected");
    }
    let lower = words.to_lowercase();
    for (word, question) in BLAME.iter().filter(|(word, _)| contains_words(&lower, word)) {
        find(findings, Rule::BlameWording, key, format!("“{word}” looks for a culprit; {question}"));
    }
}

/// A number that is neither a time nor part of a version, a severity or a duration.
fn has_impact_number(text: &str) -> bool {
    text.lines().filter(|line| !line.starts_with("Users were affected from") && !line.starts_with("Severity ")).any(
        |line| {
            line.split_whitespace().any(|word| {
                let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '%');
                let digits = word.trim_end_matches(['%', 'k', 'K', 'M']).replace([',', '.', '\''], "");
                !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
            })
        },
    )
}

/// Whole words only: `lazy` is not in `lazyload`.
fn contains_words(text: &str, words: &str) -> bool {
    text.match_indices(words).any(|(at, found)| {
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let after = text.get(at + found.len()..).and_then(|t| t.chars().next());
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

fn check_cause(record: &Record, sections: &[Section], people: &[String], findings: &mut Vec<Finding>) {
    let key = Some(SectionKey::RootCause);
    if record.confirmed().next().is_none() {
        find(findings, Rule::NoConfirmedCause, key, "no suspect is confirmed as the cause on the incident");
    }
    let Some(section) = sections.iter().find(|s| s.key == SectionKey::RootCause) else { return };
    let lower = section.body.to_lowercase();
    for person in people.iter().filter(|p| p.chars().count() > 2 && contains_words(&lower, &p.to_lowercase())) {
        find(
            findings,
            Rule::PersonAsCause,
            key,
            format!("names {person}; a cause is a condition of the system, not a person"),
        );
    }
}

/// Clock times in the text that nothing in the record stands at.
fn check_claims(record: &Record, sections: &[Section], findings: &mut Vec<Finding>) {
    let known: Vec<Timestamp> = record
        .story
        .iter()
        .map(|e| e.at)
        .chain(record.times.iter().map(|t| t.at))
        .chain(record.alerts.iter().flat_map(|a| [a.first_seen, a.last_seen]))
        .chain(record.changes.iter().map(|c| c.at))
        .chain(record.steps.iter().map(|s| s.at))
        .collect();
    let known_minutes: std::collections::HashSet<String> = known.iter().map(|at| at.format("%H:%M")).collect();
    // Times that stand in the story's own words are claims of the timeline, not of the postmortem.
    let told: std::collections::HashSet<String> = record.story.iter().flat_map(|e| clock_times(&e.text)).collect();
    for section in sections {
        let mut seen = std::collections::HashSet::new();
        for time in clock_times(&section.body) {
            if !known_minutes.contains(&time) && !told.contains(&time) && seen.insert(time.clone()) {
                find(
                    findings,
                    Rule::ClaimWithoutEntry,
                    Some(section.key),
                    format!("{time} UTC: nothing in the timeline stands at this time"),
                );
            }
        }
    }
}

/// Every `HH:MM` of a text.
fn clock_times(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_ascii_digit() && c != ':')
        .filter_map(|word| {
            let (h, m) = word.trim_matches(':').split_once(':')?;
            let m = m.get(..2).filter(|_| m.len() == 2 || m.as_bytes().get(2) == Some(&b':'))?;
            let (hour, minute): (u8, u8) = (h.parse().ok()?, m.parse().ok()?);
            (h.len() <= 2 && hour < 24 && minute < 60).then(|| format!("{hour:02}:{minute:02}"))
        })
        .collect()
}

/// Times in a section's list of what happened that go back: each line is to come after the one before.
fn check_told_order(sections: &[Section], findings: &mut Vec<Finding>) {
    let Some(section) = sections.iter().find(|s| s.key == SectionKey::WhatHappened) else { return };
    let mut latest: Option<String> = None;
    for line in section.body.lines() {
        let Some(item) = line.trim_start().strip_prefix("- ") else {
            // A new heading begins a new list.
            if line.starts_with('#') {
                latest = None;
            }
            continue;
        };
        // `2026-03-01 10:15 UTC …` or `10:15 …`, at the beginning of the item.
        let head: String = item.chars().take(16).collect();
        let Some(time) = clock_times(&head).into_iter().next() else { continue };
        let day = head.get(..10).filter(|d| d.bytes().all(|b| b.is_ascii_digit() || b == b'-')).unwrap_or_default();
        let stamp = format!("{day} {time}");
        if let Some(before) = latest.as_ref().filter(|l| l.len() == stamp.len() && **l > stamp) {
            let message = format!("{} stands after {} UTC", stamp.trim(), before.trim());
            find(findings, Rule::TimesOutOfOrder, Some(SectionKey::WhatHappened), message);
        }
        latest = Some(stamp);
    }
}

fn check_times(record: &Record, gap: TimeDelta, findings: &mut Vec<Finding>) {
    for violation in record.milestones().violations() {
        find(findings, Rule::TimesOutOfOrder, Some(SectionKey::Detection), violation.to_string());
    }
    let Some((start, end)) = record.window() else { return };
    let mut moments: Vec<Timestamp> = record
        .story
        .iter()
        .map(|e| e.at)
        .chain(record.steps.iter().map(|s| s.at))
        .chain(record.times.iter().map(|t| t.at))
        .filter(|at| *at >= start && *at <= end)
        .collect();
    moments.sort();
    for pair in moments.windows(2) {
        let [before, after] = pair else { continue };
        if *after - *before > gap {
            let message = format!(
                "nothing is written about {} between {} and {} UTC",
                human_duration(*after - *before),
                before.to_minute(),
                after.to_minute()
            );
            find(findings, Rule::TimelineGap, Some(SectionKey::WhatHappened), message);
        }
    }
}

fn check_actions(actions: &[FollowUp], findings: &mut Vec<Finding>) {
    let key = Some(SectionKey::FollowUps);
    if actions.is_empty() {
        find(findings, Rule::NoActions, key, "there is no action item: what changes because of this?");
    }
    for action in actions.iter().filter(|a| !a.is_done) {
        if action.owner.is_none() {
            find(findings, Rule::ActionWithoutOwner, key, format!("“{}” has no owner", action.title));
        }
        if action.due.is_none() {
            find(findings, Rule::ActionWithoutDueDate, key, format!("“{}” has no due date", action.title));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::draft::draft;
    use super::super::record::tests::{at, full, sparse};
    use super::*;

    const GAP: TimeDelta = TimeDelta::minutes(30);

    fn rules(record: &Record, sections: &[Section]) -> Vec<(Rule, Option<SectionKey>)> {
        lint(record, sections, &record.follow_ups, &["Ada Lovelace".to_owned()], GAP)
            .into_iter()
            .map(|f| (f.rule, f.section))
            .collect()
    }

    fn written(record: &Record, key: SectionKey, body: &str) -> Vec<Section> {
        let mut sections = draft(record);
        for section in &mut sections {
            section.body = if section.key == key {
                body.to_owned()
            } else {
                PROMPTS.iter().fold(section.body.clone(), |t, p| t.replace(p, "12 % of users"))
            };
        }
        sections
    }

    #[test]
    fn a_finished_postmortem_has_no_remark() {
        let record = full();
        let body = "About 1,200 orders failed.";
        assert_eq!(rules(&record, &written(&record, SectionKey::Impact, body)), []);
    }

    #[test]
    fn a_fresh_draft_is_asked_about_its_prompts() {
        let record = full();
        let found = rules(&record, &draft(&record));
        assert_eq!(found.iter().filter(|(rule, _)| *rule == Rule::OpenPrompt).count(), 7);
        assert!(found.contains(&(Rule::NoImpactNumbers, Some(SectionKey::Impact))));
    }

    #[test]
    fn each_rule_finds_what_it_is_for() {
        let record = full();
        let cases = [
            (SectionKey::Summary, "", Rule::EmptySection),
            (SectionKey::Impact, "Many users saw errors.", Rule::NoImpactNumbers),
            (SectionKey::RootCause, "It was human error.", Rule::BlameWording),
            (SectionKey::RootCause, "ada lovelace deployed it.", Rule::PersonAsCause),
            (SectionKey::WhatHappened, "At 04:44 the disk filled up.", Rule::ClaimWithoutEntry),
            (SectionKey::WhatHappened, "- 10:15 errors\n- 10:08 alert", Rule::TimesOutOfOrder),
        ];
        for (key, body, rule) in cases {
            assert!(rules(&record, &written(&record, key, body)).contains(&(rule, Some(key))), "{rule}");
        }
        assert_eq!(
            rules(&record, &written(&record, SectionKey::Summary, "The lazyload flag, see 10:08 and 10:55.")),
            []
        );
    }

    #[test]
    fn the_gap_is_a_rules_choice_and_lists_start_anew_under_headings() {
        let record = full();
        let found = lint(&record, &[], &record.follow_ups, &[], TimeDelta::minutes(5));
        assert!(found.iter().filter(|f| f.rule == Rule::TimelineGap).count() >= 3, "{found:?}");
        let body = "### One\n- 2026-03-01 10:55 UTC a\n### Two\n- 2026-03-01 10:15 UTC b\n- 2026-03-02 10:08 UTC c";
        assert!(
            !rules(&record, &written(&record, SectionKey::WhatHappened, body))
                .iter()
                .any(|(rule, _)| *rule == Rule::TimesOutOfOrder)
        );
    }

    #[test]
    fn gaps_order_and_actions_are_checked() {
        let mut record = full();
        record.story.clear();
        record.times.retain(|t| {
            !matches!(
                t.name,
                crate::incidents::model::MilestoneName::Identified | crate::incidents::model::MilestoneName::Mitigated
            )
        });
        record.steps.clear();
        record.follow_ups = vec![FollowUp { title: "x".to_owned(), owner: None, due: None, is_done: false }];
        let found = lint(&record, &[], &record.follow_ups, &[], GAP);
        let messages: Vec<_> = found.iter().map(|f| f.message.as_str()).collect();
        assert!(
            messages.contains(&"nothing is written about 1h 18m between 2026-03-01 10:12 and 2026-03-01 11:30 UTC"),
            "{messages:?}"
        );
        assert!(messages.contains(&"“x” has no owner") && messages.contains(&"“x” has no due date"), "{messages:?}");
        for time in &mut record.times {
            if time.name == crate::incidents::model::MilestoneName::Detected {
                time.at = at("12:00");
            }
        }
        assert!(lint(&record, &[], &[], &[], GAP).iter().any(|f| f.rule == Rule::TimesOutOfOrder));
        let found = lint(&sparse(), &[], &[], &[], GAP);
        assert!(
            found.iter().any(|f| f.rule == Rule::NoActions) && found.iter().any(|f| f.rule == Rule::NoConfirmedCause)
        );
    }

    #[test]
    fn clock_times_are_told_from_other_numbers() {
        assert_eq!(
            clock_times("at 9:05, 10:08 UTC and 11:30:59; not 1:2, 25:00, 1:234, 10:99 or ::"),
            ["09:05", "10:08", "11:30"]
        );
    }
}
