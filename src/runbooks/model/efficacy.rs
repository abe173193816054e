//! How well a runbook works: what became of its runs and steps, and how long incidents took with it
//! and without it. Small numbers are shown as such; nothing here claims a cause.

use chrono::TimeDelta;

use super::{Outcome, Step, StepRecord};
use crate::clock::Timestamp;

/// Below this many incidents on either side a comparison says little.
pub const SMALL: usize = 10;

/// One step over all runs of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepUse {
    pub id: String,
    pub title: String,
    pub done: usize,
    pub skipped: usize,
    pub failed: usize,
    /// Median time since the record before it (or the run's start).
    pub median: Option<TimeDelta>,
    pub expected_s: Option<u32>,
    /// What responders noted, newest first: the raw material of a better text.
    pub notes: Vec<String>,
}

impl StepUse {
    pub const fn recorded(&self) -> usize {
        self.done + self.skipped + self.failed
    }

    /// What a reader should think about, in words; `None` when nothing stands out.
    pub fn proposal(&self) -> Option<String> {
        let n = self.recorded();
        if n < 3 {
            return None;
        }
        if self.failed * 3 >= n {
            return Some(format!("failed in {} of {n} runs: rewrite it, or say what to do when it fails", self.failed));
        }
        if self.skipped * 2 >= n {
            return Some(format!("skipped in {} of {n} runs: drop it, or make it a decision", self.skipped));
        }
        let (took, expected) = (self.median?, TimeDelta::seconds(i64::from(self.expected_s?)));
        (took > expected * 2).then(|| {
            format!(
                "takes {} where {} is expected",
                crate::clock::human_duration(took),
                crate::clock::human_duration(expected)
            )
        })
    }
}

/// A run as far as efficacy looks at it.
pub struct RunUse<'a> {
    pub started_at: Timestamp,
    pub records: &'a [StepRecord],
}

/// Each step of the current version, over the runs given (newest first). Records of steps that the
/// current version does not have are passed over.
pub fn steps(steps: &[Step], runs: &[RunUse<'_>]) -> Vec<StepUse> {
    steps
        .iter()
        .map(|step| {
            let mut found = StepUse {
                id: step.id.clone(),
                title: step.title.clone(),
                done: 0,
                skipped: 0,
                failed: 0,
                median: None,
                expected_s: step.expected_s,
                notes: Vec::new(),
            };
            let mut took = Vec::new();
            for run in runs {
                let mut before = run.started_at;
                for record in run.records {
                    if record.step_id == step.id {
                        count(&mut found, record);
                        if record.outcome == Outcome::Done && record.at >= before {
                            took.push(record.at - before);
                        }
                    }
                    before = before.max(record.at);
                }
            }
            found.median = median(took);
            found
        })
        .collect()
}

fn count(found: &mut StepUse, record: &StepRecord) {
    match record.outcome {
        Outcome::Done => found.done += 1,
        Outcome::Skipped => found.skipped += 1,
        Outcome::Failed => found.failed += 1,
        Outcome::Reopened => {}
    }
    if !record.note.is_empty() && found.notes.len() < 5 {
        found.notes.push(format!("{}: {}", record.outcome.as_str(), record.note));
    }
}

/// Times to resolve of a group of incidents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub n: usize,
    pub mean: Option<TimeDelta>,
    pub median: Option<TimeDelta>,
    /// The middle half: from the 25th to the 75th percentile.
    pub middle: Option<(TimeDelta, TimeDelta)>,
    /// The interval that holds the true mean with 95 % confidence (Student's t); of three and more.
    pub ci95: Option<(TimeDelta, TimeDelta)>,
}

impl Group {
    pub fn of(mut times: Vec<TimeDelta>) -> Self {
        times.sort();
        let n = times.len();
        let Ok(divisor) = i32::try_from(n) else { return Self::default() };
        if n == 0 {
            return Self::default();
        }
        let sum: TimeDelta = times.iter().sum();
        let at = |share: usize| times.get(((n - 1) * share + 50) / 100).copied();
        let mean = sum / divisor;
        Self { n, mean: Some(mean), median: median(times.clone()), middle: at(25).zip(at(75)), ci95: interval(&times) }
    }

    pub const fn is_small(&self) -> bool {
        self.n < SMALL
    }
}

/// Mean ± t·s/√n, not below zero. The quantile of t is approximated by Cornish and Fisher's expansion,
/// which is off by less than 2 % from three values on.
#[expect(clippy::cast_possible_truncation, reason = "seconds of incidents")]
fn interval(times: &[TimeDelta]) -> Option<(TimeDelta, TimeDelta)> {
    if times.len() < 3 {
        return None;
    }
    let n = times.len() as f64;
    let seconds: Vec<f64> = times.iter().map(|t| t.num_milliseconds() as f64 / 1000.0).collect();
    let mean = seconds.iter().sum::<f64>() / n;
    let variance = seconds.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = t_quantile(n - 1.0) * (variance / n).sqrt();
    let delta = |s: f64| TimeDelta::seconds(s.round() as i64);
    Some((delta((mean - half).max(0.0)), delta(mean + half)))
}

/// The 97.5th percentile of Student's t with `v` degrees of freedom, at least 2.
fn t_quantile(v: f64) -> f64 {
    if v <= 2.0 {
        return 4.303;
    }
    let z: f64 = 1.959_964;
    let first = (z.powi(3) + z) / (4.0 * v);
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * v.powi(2));
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / (384.0 * v.powi(3));
    z + first + second + third
}

fn median(mut times: Vec<TimeDelta>) -> Option<TimeDelta> {
    times.sort();
    let upper = times.get(times.len() / 2).copied()?;
    if times.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = times.get(times.len() / 2 - 1).copied()?;
    Some((lower + upper) / 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::runbooks::model::steps as step_model;

    fn minutes(n: i64) -> TimeDelta {
        TimeDelta::minutes(n)
    }

    fn record(step: &str, outcome: Outcome, at: i64, note: &str) -> StepRecord {
        StepRecord {
            step_id: step.to_owned(),
            outcome,
            branch: None,
            by: "Ada".to_owned(),
            at: Timestamp::from_secs(at * 60),
            note: note.to_owned(),
            output: String::new(),
        }
    }

    #[test]
    fn steps_are_counted_and_timed_from_what_came_before() {
        let found = step_model::parse("### Do: a (1 min)\n### Do: b (1 min)\n", 1, &mut Vec::new());
        let histories = [
            vec![record("a", Outcome::Done, 2, ""), record("b", Outcome::Failed, 5, "no access")],
            vec![record("a", Outcome::Done, 6, ""), record("b", Outcome::Skipped, 7, "")],
            vec![
                record("a", Outcome::Done, 4, ""),
                record("a", Outcome::Reopened, 5, ""),
                record("a", Outcome::Done, 9, ""),
                record("gone", Outcome::Done, 9, ""),
            ],
        ];
        let runs: Vec<_> =
            histories.iter().map(|records| RunUse { started_at: Timestamp::from_secs(0), records }).collect();
        let used = steps(&found, &runs);
        assert_eq!((used[0].done, used[0].median), (4, Some(minutes(4))));
        assert_eq!((used[1].done, used[1].skipped, used[1].failed), (0, 1, 1));
        assert_eq!(used[1].notes, ["failed: no access"]);
        assert_eq!(used[0].proposal().as_deref(), Some("takes 4m where 1m is expected"));
        assert_eq!(used[1].proposal(), None, "two runs say nothing");
    }

    #[test]
    fn groups_say_how_large_they_are() {
        let group = Group::of([10, 20, 30, 100].map(minutes).to_vec());
        assert_eq!(
            (group.n, group.mean, group.median, group.middle),
            (4, Some(minutes(40)), Some(minutes(25)), Some((minutes(20), minutes(30))))
        );
        assert!(group.is_small());
        assert_eq!(Group::of(vec![]), Group::default());
    }

    #[test]
    fn intervals_follow_students_t() {
        for (v, wanted) in [(2.0, 4.303), (3.0, 3.182), (5.0, 2.571), (10.0, 2.228), (30.0, 2.042), (200.0, 1.972)] {
            assert!((t_quantile(v) - wanted).abs() / wanted < 0.02, "{v}: {} for {wanted}", t_quantile(v));
        }
        assert_eq!(Group::of([10, 20].map(minutes).to_vec()).ci95, None);
        let (low, high) = Group::of([50, 60, 70, 60, 60].map(minutes).to_vec()).ci95.unwrap();
        assert!(low > minutes(50) && low < minutes(55) && high > minutes(65) && high < minutes(70), "{low} {high}");
    }

    proptest! {
        #[test]
        fn the_median_lies_in_the_middle(times in prop::collection::vec(0i64..10_000, 1..50)) {
            let middle = median(times.iter().map(|t| minutes(*t)).collect()).unwrap();
            let below = times.iter().filter(|t| minutes(**t) < middle).count();
            let above = times.iter().filter(|t| minutes(**t) > middle).count();
            prop_assert!(below <= times.len() / 2 && above <= times.len() / 2);
        }
    }
}
