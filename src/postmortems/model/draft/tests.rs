//! What the draft says about a full record, and about an empty one.

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
