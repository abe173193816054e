//! The same cases with less known of them, to see what the ranking leans on.

use super::load::Entry;
use crate::suspects::model::{Observation, Telemetry};

/// What is taken away, and how.
pub type Take = fn(Entry, Observation) -> (Entry, Observation);

/// Every way that is tried, by name.
pub const ALL: [(&str, Take); 10] = [
    ("first 60 s of it", |e, o| (e, first_seconds(o, 60))),
    ("first 30 s of it", |e, o| (e, first_seconds(o, 30))),
    ("half its traces, draw 1", |e, o| (e, Observation { incident: half(&o.incident, 1), ..o })),
    ("half its traces, draw 2", |e, o| (e, Observation { incident: half(&o.incident, 2), ..o })),
    ("half its traces, draw 3", |e, o| (e, Observation { incident: half(&o.incident, 3), ..o })),
    ("half the baseline, draw 1", |e, o| (e, Observation { baseline: half(&o.baseline, 1), ..o })),
    ("half the baseline, draw 2", |e, o| (e, Observation { baseline: half(&o.baseline, 2), ..o })),
    ("half the baseline, draw 3", |e, o| (e, Observation { baseline: half(&o.baseline, 3), ..o })),
    ("no log lines", |e, o| (e, without_logs(o))),
    ("other names", renamed),
];

fn first_seconds(mut seen: Observation, seconds: i64) -> Observation {
    let end = seen.impact_started_at.saturating_add(seconds * 1_000_000_000);
    seen.incident.spans.retain(|s| s.start < end);
    seen.incident.logs.retain(|l| l.time < end);
    seen
}

fn without_logs(mut seen: Observation) -> Observation {
    seen.baseline.logs.clear();
    seen.incident.logs.clear();
    seen
}

/// Whole traces, one in two, by a hash of their id: the same draw at every run.
fn half(all: &Telemetry, draw: u64) -> Telemetry {
    let keeps = |trace: &str| mixed(trace, draw).is_multiple_of(2);
    Telemetry {
        spans: all.spans.iter().filter(|s| keeps(&s.trace_id)).cloned().collect(),
        logs: all.logs.iter().filter(|l| l.trace_id.as_deref().is_none_or(keeps)).cloned().collect(),
    }
}

fn mixed(text: &str, seed: u64) -> u64 {
    let mut hash = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^ (hash >> 29)
}

/// Every service by a name that says nothing and sorts otherwise: nothing may depend on what things are called.
fn renamed(mut entry: Entry, mut seen: Observation) -> (Entry, Observation) {
    let other = |name: &mut String| *name = format!("x{:016x}", mixed(name, 7));
    for telemetry in [&mut seen.baseline, &mut seen.incident] {
        telemetry.spans.iter_mut().for_each(|s| other(&mut s.service));
        telemetry.logs.iter_mut().for_each(|l| other(&mut l.service));
    }
    for change in &mut seen.changes {
        other(&mut change.service);
    }
    for deployment in &mut entry.deployments {
        other(&mut deployment.service);
    }
    for dependency in &mut seen.dependencies {
        other(&mut dependency.caller);
        other(&mut dependency.callee);
    }
    other(&mut entry.label.service);
    (entry, seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suspects::evaluation::load::Label;
    use crate::suspects::{ranking, synthetic};

    #[test]
    fn what_things_are_called_decides_nothing() {
        for seed in 1..=6 {
            let made = synthetic::case(seed, 1.0);
            let label = Label { service: made.fault.service.clone(), fault: String::new() };
            let entry = Entry { label, ..Entry::default() };
            let first = |o: &Observation| ranking::rank(o).services().next().map(|s| s.service.clone());
            let (entry, other) = renamed(entry, made.observation.clone());
            let was_right = first(&made.observation).as_deref() == Some(made.fault.service.as_str());
            assert_eq!(first(&other).as_deref() == Some(entry.label.service.as_str()), was_right, "seed {seed}");
        }
    }

    #[test]
    fn half_of_the_traces_is_about_half_and_the_same_each_time() {
        let made = synthetic::case(1, 1.0).observation;
        let (one, again, other) = (half(&made.incident, 1), half(&made.incident, 1), half(&made.incident, 2));
        assert_eq!(one.spans.len(), again.spans.len());
        assert_ne!(
            one.spans.iter().map(|s| &s.trace_id).collect::<Vec<_>>(),
            other.spans.iter().map(|s| &s.trace_id).collect::<Vec<_>>()
        );
        let share = one.spans.len() * 100 / made.incident.spans.len().max(1);
        assert!((25..=75).contains(&share), "{share} %");
    }
}
