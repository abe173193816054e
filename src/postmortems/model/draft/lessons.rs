//! What was learned: what went well and badly, as far as the record shows it, and what follows.

use std::fmt::Write as _;

use chrono::TimeDelta;

use super::super::record::Record;
use super::words::{inline, more};
use super::{MAX_ROWS, PROMPTS};
use crate::clock::human_duration;
use crate::incidents::model::{MilestoneName, Source};

pub(super) fn went_well(r: &Record) -> String {
    let mut text = String::new();
    let done = r.steps.iter().filter(|s| s.outcome == "done").count();
    if done > 0 {
        let _ = writeln!(text, "- {done} of {} runbook steps were done as written.", r.steps.len());
    }
    if r.times.iter().any(|t| t.name == MilestoneName::Detected && t.source == Source::Alert) {
        text.push_str("- Monitoring noticed it before a person did.\n");
    }
    let _ = write!(text, "\n{}\n\n{}", PROMPTS[3], PROMPTS[4]);
    text
}

pub(super) fn went_badly(r: &Record) -> String {
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

pub(super) fn follow_ups(r: &Record) -> String {
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
