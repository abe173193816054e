//! How far a run is: computed from its steps and the records of what people did, never stored.
//!
//! Records are only ever added. The latest record of a step counts; `Reopened` takes it back. A
//! decision chooses the way: what it jumps over is *not taken* (which is not *skipped*: nobody chose
//! to leave it out), and a jump back reopens what lies between, for another attempt.

use super::steps::{Step, StepKind, Target};
use crate::clock::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done,
    Skipped,
    Failed,
    Reopened,
}

impl Outcome {
    pub const ALL: [Self; 4] = [Self::Done, Self::Skipped, Self::Failed, Self::Reopened];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Reopened => "reopened",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.as_str() == word)
    }
}

/// What someone did with a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRecord {
    pub step_id: String,
    pub outcome: Outcome,
    /// Index of the chosen branch of a decision.
    pub branch: Option<usize>,
    pub by: String,
    pub at: Timestamp,
    pub note: String,
    /// What a command printed, as pasted.
    pub output: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    Pending,
    Done,
    Skipped,
    Failed,
    /// A decision leads past it.
    NotTaken,
}

impl StepState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::NotTaken => "not taken",
        }
    }

    /// The word as a name in style sheets.
    pub const fn class(self) -> &'static str {
        match self {
            Self::NotTaken => "not-taken",
            other => other.as_str(),
        }
    }
}

/// One step's place in the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepProgress {
    pub state: StepState,
    /// Index of the record that counts.
    pub record: Option<usize>,
    /// How often it was recorded before: tries after a jump back or a reopening.
    pub earlier_tries: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub steps: Vec<StepProgress>,
    /// The step to do next; `None` when nothing is left.
    pub current: Option<usize>,
}

impl Progress {
    /// Replays the records in order. Records of steps that this version does not have are passed over.
    pub fn of(steps: &[Step], records: &[StepRecord]) -> Self {
        let mut places: Vec<StepProgress> =
            steps.iter().map(|_| StepProgress { state: StepState::Pending, record: None, earlier_tries: 0 }).collect();
        for (r, record) in records.iter().enumerate() {
            let Some(i) = steps.iter().position(|s| s.id == record.step_id) else { continue };
            let Some(place) = places.get_mut(i) else { continue };
            match record.outcome {
                Outcome::Reopened => reopen(place),
                outcome => {
                    place.state = state_of(outcome);
                    place.record = Some(r);
                }
            }
            let chosen = chosen_target(steps, i, record);
            if let Some(Target::Step(target)) = chosen
                && target <= i
            {
                places.get_mut(target..=i).unwrap_or_default().iter_mut().for_each(reopen);
            }
        }
        let current = walk(steps, records, &mut places);
        Self { steps: places, current }
    }

    pub const fn is_finished(&self) -> bool {
        self.current.is_none()
    }

    /// Steps done, skipped or failed, and steps on the way in all.
    pub fn counts(&self) -> (usize, usize) {
        let on_the_way = self.steps.iter().filter(|s| s.state != StepState::NotTaken).count();
        let settled = self.steps.iter().filter(|s| s.record.is_some()).count();
        (settled, on_the_way)
    }
}

fn reopen(place: &mut StepProgress) {
    if place.record.take().is_some() {
        place.earlier_tries += 1;
    }
    place.state = StepState::Pending;
}

const fn state_of(outcome: Outcome) -> StepState {
    match outcome {
        Outcome::Done => StepState::Done,
        Outcome::Skipped => StepState::Skipped,
        Outcome::Failed => StepState::Failed,
        Outcome::Reopened => StepState::Pending,
    }
}

fn chosen_target(steps: &[Step], i: usize, record: &StepRecord) -> Option<Target> {
    if record.outcome != Outcome::Done {
        return None;
    }
    steps.get(i)?.branches.get(record.branch?).map(|b| b.target.clone())
}

/// Follows the way from the start; marks what it passes by, and finds the first pending step on it.
fn walk(steps: &[Step], records: &[StepRecord], places: &mut [StepProgress]) -> Option<usize> {
    let mut on_way = vec![false; steps.len()];
    let mut i = 0;
    let mut current = None;
    // A standing decision never leads back (a jump back reopens it), so `i` only grows.
    while i < steps.len() {
        if let Some(seen) = on_way.get_mut(i) {
            *seen = true;
        }
        let place = places.get(i)?;
        if place.state == StepState::Pending && current.is_none() {
            current = Some(i);
        }
        let target = place.record.and_then(|r| records.get(r)).and_then(|record| chosen_target(steps, i, record));
        i = match target {
            Some(Target::End) => break,
            Some(Target::Step(target)) if target > i => target,
            _ => i + 1,
        };
    }
    for (place, on_way) in places.iter_mut().zip(on_way) {
        if !on_way && place.state == StepState::Pending {
            place.state = StepState::NotTaken;
        }
    }
    current
}

/// Why a record is not accepted, in the words shown to the person.
pub fn refuse(steps: &[Step], progress: &Progress, records: &[StepRecord], new: &StepRecord) -> Option<String> {
    let Some(i) = steps.iter().position(|s| s.id == new.step_id) else {
        return Some(format!("this version has no step '{}'", new.step_id));
    };
    let (step, place) = (steps.get(i)?, progress.steps.get(i)?);
    let standing = place.record.and_then(|r| records.get(r));
    match (new.outcome, standing) {
        (Outcome::Reopened, None) => return Some("this step is still open".to_owned()),
        (Outcome::Reopened, Some(_)) => return None,
        (_, Some(record)) => {
            return Some(format!("{} already marked this step as {}", record.by, record.outcome.as_str()));
        }
        (_, None) => {}
    }
    if step.kind == StepKind::Decide && new.outcome == Outcome::Done {
        match new.branch {
            None => return Some("choose one of the branches".to_owned()),
            Some(b) if b >= step.branches.len() => return Some("this branch does not exist".to_owned()),
            Some(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::runbooks::model::steps;

    fn runbook(body: &str) -> Vec<Step> {
        let mut problems = Vec::new();
        let found = steps::parse(body, 1, &mut problems);
        assert_eq!(problems, vec![], "the test's own runbook");
        found
    }

    const LOOP: &str = "### Check: a\n### Do: b\n### Decide: c\n- again -> b\n- skip d -> e\n- on -> next\n- over -> end\n### Do: d\n### Do: e\n";

    fn record(step: &str, outcome: Outcome, branch: Option<usize>) -> StepRecord {
        StepRecord {
            step_id: step.to_owned(),
            outcome,
            branch,
            by: "Ada".to_owned(),
            at: Timestamp::from_secs(0),
            note: String::new(),
            output: String::new(),
        }
    }

    fn shown(progress: &Progress) -> String {
        progress
            .steps
            .iter()
            .map(|s| match s.state {
                StepState::Pending => 'p',
                StepState::Done => 'd',
                StepState::Skipped => 's',
                StepState::Failed => 'f',
                StepState::NotTaken => '-',
            })
            .collect()
    }

    #[test]
    fn steps_follow_each_other_and_may_be_done_out_of_order() {
        let steps = runbook(LOOP);
        let mut records = vec![];
        assert_eq!(Progress::of(&steps, &records).current, Some(0));
        records.push(record("b", Outcome::Done, None));
        assert_eq!(Progress::of(&steps, &records).current, Some(0));
        records.push(record("a", Outcome::Failed, None));
        let progress = Progress::of(&steps, &records);
        assert_eq!((shown(&progress).as_str(), progress.current, progress.counts()), ("fdppp", Some(2), (2, 5)));
    }

    #[test]
    fn a_decision_passes_by_leads_back_or_ends() {
        let steps = runbook(LOOP);
        let start = vec![record("a", Outcome::Done, None), record("b", Outcome::Done, None)];
        let with = |branch| {
            let mut records = start.clone();
            records.push(record("c", Outcome::Done, Some(branch)));
            Progress::of(&steps, &records)
        };
        assert_eq!((shown(&with(1)).as_str(), with(1).current), ("ddd-p", Some(4)));
        assert_eq!((shown(&with(2)).as_str(), with(2).current), ("dddpp", Some(3)));
        assert_eq!((shown(&with(3)).as_str(), with(3).current), ("ddd--", None));
        let again = with(0);
        assert_eq!((shown(&again).as_str(), again.current), ("dpppp", Some(1)));
        assert_eq!(again.steps.iter().map(|s| s.earlier_tries).collect::<Vec<_>>(), [0, 1, 1, 0, 0]);
    }

    #[test]
    fn reopening_a_decision_opens_what_it_passed_by() {
        let steps = runbook(LOOP);
        let mut records = vec![
            record("a", Outcome::Done, None),
            record("b", Outcome::Skipped, None),
            record("c", Outcome::Done, Some(3)),
        ];
        assert!(Progress::of(&steps, &records).is_finished());
        records.push(record("c", Outcome::Reopened, None));
        let progress = Progress::of(&steps, &records);
        assert_eq!((shown(&progress).as_str(), progress.current), ("dsppp", Some(2)));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        let steps = runbook(LOOP);
        let records = vec![record("a", Outcome::Done, None)];
        let progress = Progress::of(&steps, &records);
        let refusal = |r: StepRecord| refuse(&steps, &progress, &records, &r);
        assert_eq!(refusal(record("x", Outcome::Done, None)).as_deref(), Some("this version has no step 'x'"));
        assert_eq!(
            refusal(record("a", Outcome::Failed, None)).as_deref(),
            Some("Ada already marked this step as done")
        );
        assert_eq!(refusal(record("b", Outcome::Reopened, None)).as_deref(), Some("this step is still open"));
        assert_eq!(refusal(record("c", Outcome::Done, None)).as_deref(), Some("choose one of the branches"));
        assert_eq!(refusal(record("c", Outcome::Done, Some(9))).as_deref(), Some("this branch does not exist"));
        assert_eq!(refusal(record("c", Outcome::Skipped, None)), None);
        assert_eq!(refusal(record("a", Outcome::Reopened, None)), None);
    }

    proptest! {
        /// Whatever people record in whatever order, the accepted records keep the run sound.
        #[test]
        fn any_accepted_history_is_sound(tries in prop::collection::vec((0usize..5, 0usize..4, prop::option::of(0usize..4)), 0..40)) {
            let steps = runbook(LOOP);
            let mut records: Vec<StepRecord> = Vec::new();
            for (step, outcome, branch) in tries {
                let new = record(&steps[step].id, Outcome::ALL[outcome], branch);
                let progress = Progress::of(&steps, &records);
                if refuse(&steps, &progress, &records, &new).is_none() {
                    records.push(new);
                }
                let progress = Progress::of(&steps, &records);
                for place in &progress.steps {
                    let settled = matches!(place.state, StepState::Done | StepState::Skipped | StepState::Failed);
                    prop_assert_eq!(settled, place.record.is_some());
                }
                if let Some(current) = progress.current {
                    prop_assert_eq!(progress.steps[current].state, StepState::Pending);
                } else {
                    prop_assert!(progress.steps.iter().all(|s| s.state != StepState::Pending));
                }
            }
        }
    }
}
