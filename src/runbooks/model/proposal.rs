//! A runbook as its responders would have it: measured times in the headings, and what they noted where
//! steps failed or were left out. A proposal to be read and edited, never saved by itself.

use chrono::TimeDelta;

use super::Step;
use super::efficacy::StepUse;

/// Runs that must have recorded a step before its time is believed.
const ENOUGH: usize = 3;
/// Longest quotation of one note, in characters.
const MAX_NOTE: usize = 300;

/// The changed text; `None` when nothing was learned. `steps` and `uses` belong to the steps of `source`.
pub fn propose(source: &str, steps: &[Step], uses: &[StepUse]) -> Option<String> {
    let mut lines: Vec<String> = source.lines().map(str::to_owned).collect();
    let mut changed = false;
    // From the bottom up, so that the lines of steps further up stay where they are.
    for step in steps.iter().rev() {
        let Some(used) = uses.iter().find(|u| u.id == step.id) else { continue };
        let Some(heading) = step.line.checked_sub(1).filter(|at| lines.get(*at).is_some_and(|l| l.starts_with('#')))
        else {
            continue;
        };
        let notes = notes_of(used);
        if !notes.is_empty() && !notes.iter().all(|note| source.contains(note.as_str())) {
            let mut block = vec![String::new(), "> [!NOTE]".to_owned(), "> From earlier runs:".to_owned()];
            block.extend(notes.iter().map(|note| format!("> {note}")));
            let below = heading + 1;
            drop(lines.splice(below..below, block));
            changed = true;
        }
        if let Some(minutes) = better_time(used)
            && let Some(line) = lines.get_mut(heading)
        {
            *line = with_time(line, minutes);
            changed = true;
        }
    }
    changed.then(|| lines.join("\n") + "\n")
}

fn notes_of(used: &StepUse) -> Vec<String> {
    let worth = |note: &&String| note.starts_with("failed") || note.starts_with("skipped");
    let line = |note: &String| {
        let text = note.split_whitespace().collect::<Vec<_>>().join(" ");
        text.chars().take(MAX_NOTE).collect::<String>()
    };
    used.notes.iter().filter(worth).map(line).collect()
}

/// Whole minutes that the step really takes, when that is far from what it says.
fn better_time(used: &StepUse) -> Option<i64> {
    let took = used.median.filter(|_| used.recorded() >= ENOUGH)?;
    let minutes = (took.num_seconds() + 59) / 60;
    let expected = used.expected_s.map(|s| TimeDelta::seconds(i64::from(s)));
    let is_far = expected.is_none_or(|e| took > e * 2 || took * 2 < e);
    (is_far && (1..=10_080).contains(&minutes)).then_some(minutes)
}

/// `### Do: x (5 min) {#y}` with another time.
fn with_time(heading: &str, minutes: i64) -> String {
    let (text, id) = match heading.rfind("{#") {
        Some(at) => (heading.get(..at).unwrap_or(heading).trim_end(), heading.get(at..).unwrap_or_default()),
        None => (heading.trim_end(), ""),
    };
    let title = text
        .strip_suffix(')')
        .and_then(|t| t.rsplit_once('('))
        .filter(|(_, time)| super::steps::parse_duration(time).is_some())
        .map_or(text, |(title, _)| title.trim_end());
    let id = if id.is_empty() { String::new() } else { format!(" {id}") };
    format!("{title} ({minutes} min){id}")
}

#[cfg(test)]
mod tests {
    use super::super::efficacy::{RunUse, steps as uses_of};
    use super::super::{Outcome, StepRecord, steps};
    use super::*;
    use crate::clock::Timestamp;

    fn record(step: &str, outcome: Outcome, minute: i64, note: &str) -> StepRecord {
        StepRecord {
            step_id: step.to_owned(),
            outcome,
            branch: None,
            by: "Ada".to_owned(),
            at: Timestamp::from_secs(minute * 60),
            note: note.to_owned(),
            output: String::new(),
        }
    }

    fn proposed(source: &str, histories: &[Vec<StepRecord>]) -> Option<String> {
        let found = steps::parse(source, 1, &mut Vec::new());
        let runs: Vec<_> =
            histories.iter().map(|records| RunUse { started_at: Timestamp::from_secs(0), records }).collect();
        propose(source, &found, &uses_of(&found, &runs))
    }

    const SOURCE: &str = "### Do: a (1 min) {#a}\n\ntext\n\n### Check: b\n\nmore\n";

    #[test]
    fn times_and_notes_come_in_and_the_result_can_be_read() {
        let history = vec![record("a", Outcome::Done, 9, ""), record("b", Outcome::Failed, 10, "no   access\nto it")];
        let text = proposed(SOURCE, &[history.clone(), history.clone(), history]).unwrap();
        assert_eq!(
            text,
            "### Do: a (9 min) {#a}\n\ntext\n\n### Check: b\n\n> [!NOTE]\n> From earlier runs:\n> failed: no access to it\n> failed: no access to it\n> failed: no access to it\n\nmore\n"
        );
        let mut problems = Vec::new();
        let again = steps::parse(&text, 1, &mut problems);
        assert_eq!((again.len(), problems.len(), again[0].expected_s), (2, 0, Some(540)));
    }

    #[test]
    fn little_or_known_news_is_no_proposal() {
        assert_eq!(proposed(SOURCE, &[vec![record("a", Outcome::Done, 60, "fine")]]), None);
        let known = SOURCE.replace("more", "> failed: no access");
        assert_eq!(proposed(&known, &[vec![record("b", Outcome::Failed, 1, "no access")]]), None);
    }
}
