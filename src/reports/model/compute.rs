//! From incidents to a report: who counts, in which group, with which durations, and who is left
//! out and why.

use std::collections::{BTreeMap, BTreeSet};

use super::measures::{Basis, Measure};
use super::scope::{GroupBy, Scope};
use super::stats::Summary;
use crate::clock::Timestamp;
use crate::incidents::model::{MilestoneName, MilestoneTimes};

/// More empty periods than this are not filled in.
const MOST_PERIODS: usize = 600;
/// The key of incidents that name no service or no team.
pub const NONE_KEY: &str = "(none)";

/// Why an incident stands apart from the counted ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Counted,
    Drill,
    Declined,
    Merged,
}

/// What a report needs to know about one incident. The loader leaves out what the viewer may not
/// see, so that nothing here can leak it.
#[derive(Clone, Debug)]
pub struct Record {
    /// The n of INC-n.
    pub number: i64,
    pub title: String,
    /// 1 to 4.
    pub severity: u8,
    pub standing: Standing,
    /// Not yet resolved.
    pub open: bool,
    pub services: Vec<String>,
    pub teams: Vec<String>,
    /// Corrected values.
    pub times: MilestoneTimes,
    /// Values as first recorded.
    pub raw: MilestoneTimes,
}

impl Record {
    pub const fn times(&self, raw: bool) -> &MilestoneTimes {
        if raw { &self.raw } else { &self.times }
    }
}

/// Why an incident, or one of its durations, is not in the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    Drill,
    Declined,
    Merged,
    /// It reached into the period, but began outside of it: the time that places an incident is the
    /// start of its impact, or the first sign of it when that is not known.
    OutsideWindow,
    /// None of the times that place an incident in a period is known.
    NoStart,
    /// Not yet resolved, so the end of the duration is still to come.
    Open,
    Missing(MilestoneName),
    /// The duration would be negative.
    OutOfOrder(MilestoneName, MilestoneName),
}

impl Reason {
    /// The stable word of the API.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Drill => "drill",
            Self::Declined => "declined",
            Self::Merged => "merged",
            Self::OutsideWindow => "outside_window",
            Self::NoStart => "no_start",
            Self::Open => "open",
            Self::Missing(_) => "missing_milestone",
            Self::OutOfOrder(..) => "out_of_order",
        }
    }

    pub fn words(self) -> String {
        match self {
            Self::Drill => "a drill".into(),
            Self::Declined => "declined".into(),
            Self::Merged => "merged into another incident".into(),
            Self::OutsideWindow => "reached into the period, but began outside of it".into(),
            Self::NoStart => "no time says when it began".into(),
            Self::Open => "still open".into(),
            Self::Missing(moment) => format!("no time for “{}”", moment.label().to_lowercase()),
            Self::OutOfOrder(from, to) => {
                format!("“{}” is before “{}”", to.label().to_lowercase(), from.label().to_lowercase())
            }
        }
    }
}

/// One incident that is missing from some or all measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    pub number: i64,
    pub title: String,
    pub reason: Reason,
    /// The measures it is missing from; empty when it is not counted at all.
    pub measures: Vec<Measure>,
}

/// One duration of one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    pub micros: i64,
    pub number: i64,
}

#[derive(Clone, Debug, Default)]
pub struct Group {
    pub key: String,
    /// The counted incidents, oldest first, each once.
    pub numbers: Vec<i64>,
    /// Per measure, ordered by duration.
    pub samples: BTreeMap<Measure, Vec<Sample>>,
    pub summaries: BTreeMap<Measure, Summary>,
}

impl Group {
    pub const fn n(&self) -> usize {
        self.numbers.len()
    }

    pub fn summary(&self, measure: Measure) -> Option<&Summary> {
        self.summaries.get(&measure)
    }

    pub fn samples(&self, measure: Measure) -> &[Sample] {
        self.samples.get(&measure).map_or(&[], Vec::as_slice)
    }

    pub fn micros(&self, measure: Measure) -> Vec<i64> {
        self.samples(measure).iter().map(|s| s.micros).collect()
    }
}

#[derive(Clone, Debug)]
pub struct Report {
    pub scope: Scope,
    /// All counted incidents as one group.
    pub total: Group,
    /// An incident of two services is in both groups, and once in the total.
    pub groups: Vec<Group>,
    pub excluded: Vec<Excluded>,
}

/// Computes all of `measures` over the records that pass the scope's filters.
pub fn compute(records: &[Record], scope: &Scope, measures: &[Measure]) -> Report {
    let mut total = Builder::default();
    let mut groups: BTreeMap<String, Builder> = BTreeMap::new();
    if scope.group_by.is_period() {
        let keys = scope.period_keys(MOST_PERIODS);
        if keys.len() <= MOST_PERIODS {
            groups.extend(keys.into_iter().map(|key| (key, Builder::default())));
        }
    }
    let mut excluded = Vec::new();
    for record in records.iter().filter(|r| passes(r, scope)) {
        let times = record.times(scope.raw);
        let anchor = match place(record, times, scope) {
            Ok(anchor) => anchor,
            Err(Some(reason)) => {
                excluded.push(Excluded {
                    number: record.number,
                    title: record.title.clone(),
                    reason,
                    measures: Vec::new(),
                });
                continue;
            }
            Err(None) => continue,
        };
        let values = durations(record, times, measures);
        excluded.extend(values.left_out);
        total.add(record, anchor, times, &values.samples);
        for key in keys(record, anchor, scope) {
            groups.entry(key).or_default().add(record, anchor, times, &values.samples);
        }
    }
    excluded.sort_by(|a, b| a.number.cmp(&b.number).then(a.reason.cmp(&b.reason)));
    Report {
        scope: scope.clone(),
        total: total.finish(String::new(), measures),
        groups: groups.into_iter().map(|(key, builder)| builder.finish(key, measures)).collect(),
        excluded,
    }
}

/// Service, team and severity filters; a record that fails one is not part of the question, so it
/// is not listed as left out either.
fn passes(record: &Record, scope: &Scope) -> bool {
    let any = |wanted: &[String], has: &[String]| wanted.is_empty() || has.iter().any(|h| wanted.contains(h));
    any(&scope.services, &record.services)
        && any(&scope.teams, &record.teams)
        && (scope.severities.is_empty() || scope.severities.contains(&record.severity))
}

/// The anchor of a counted record; else why not, or nothing when it lies wholly elsewhere.
fn place(record: &Record, times: &MilestoneTimes, scope: &Scope) -> Result<Timestamp, Option<Reason>> {
    let Some(anchor) = times.start() else { return Err(Some(Reason::NoStart)) };
    let within = |at: Timestamp| scope.from <= at && at < scope.to;
    if !within(anchor) {
        let touches = times.iter().any(|(_, at)| within(at));
        return Err(touches.then_some(Reason::OutsideWindow));
    }
    match record.standing {
        Standing::Drill if !scope.include.drills => Err(Some(Reason::Drill)),
        Standing::Declined if !scope.include.declined => Err(Some(Reason::Declined)),
        Standing::Merged if !scope.include.merged => Err(Some(Reason::Merged)),
        _ => Ok(anchor),
    }
}

struct Durations {
    samples: Vec<(Measure, Sample)>,
    left_out: Vec<Excluded>,
}

fn durations(record: &Record, times: &MilestoneTimes, measures: &[Measure]) -> Durations {
    let mut samples = Vec::new();
    let mut reasons: BTreeMap<Reason, Vec<Measure>> = BTreeMap::new();
    for measure in measures {
        let Basis::Span { from, to } = measure.definition().basis else {
            if times.get(MilestoneName::ImpactStarted).is_none() {
                reasons.entry(Reason::Missing(MilestoneName::ImpactStarted)).or_default().push(*measure);
            }
            continue;
        };
        match span(times, from, to, record.open) {
            Ok(micros) => samples.push((*measure, Sample { micros, number: record.number })),
            Err(reason) => reasons.entry(reason).or_default().push(*measure),
        }
    }
    let left_out = reasons
        .into_iter()
        .map(|(reason, measures)| Excluded { number: record.number, title: record.title.clone(), reason, measures })
        .collect();
    Durations { samples, left_out }
}

/// Microseconds from one milestone to another; 0 is a value, less is a fault of the data.
fn span(times: &MilestoneTimes, from: MilestoneName, to: MilestoneName, open: bool) -> Result<i64, Reason> {
    let start = times.get(from).ok_or(Reason::Missing(from))?;
    let end = times.get(to).ok_or(if open { Reason::Open } else { Reason::Missing(to) })?;
    if end < start {
        return Err(Reason::OutOfOrder(from, to));
    }
    Ok(end.as_micros() - start.as_micros())
}

fn keys(record: &Record, anchor: Timestamp, scope: &Scope) -> Vec<String> {
    // With a filter, a group that was not asked for would show only a part of its incidents.
    let several = |has: &[String], wanted: &[String]| -> Vec<String> {
        let kept: BTreeSet<_> = has.iter().filter(|h| wanted.is_empty() || wanted.contains(h)).cloned().collect();
        if kept.is_empty() { vec![NONE_KEY.to_owned()] } else { kept.into_iter().collect() }
    };
    match scope.group_by {
        GroupBy::Service => several(&record.services, &scope.services),
        GroupBy::Team => several(&record.teams, &scope.teams),
        GroupBy::Severity => vec![format!("SEV{}", record.severity)],
        GroupBy::Week | GroupBy::Month => scope.period_key(anchor).into_iter().collect(),
    }
}

/// Collects the incidents of one group.
#[derive(Default)]
struct Builder {
    counted: BTreeSet<(Timestamp, i64)>,
    starts: Vec<(Timestamp, i64)>,
    samples: BTreeMap<Measure, Vec<Sample>>,
}

impl Builder {
    fn add(&mut self, record: &Record, anchor: Timestamp, times: &MilestoneTimes, samples: &[(Measure, Sample)]) {
        self.counted.insert((anchor, record.number));
        if let Some(start) = times.get(MilestoneName::ImpactStarted) {
            self.starts.push((start, record.number));
        }
        for (measure, sample) in samples {
            self.samples.entry(*measure).or_default().push(*sample);
        }
    }

    fn finish(mut self, key: String, measures: &[Measure]) -> Group {
        if measures.contains(&Measure::Mtbf) {
            self.starts.sort_unstable();
            let gaps = self.starts.windows(2).filter_map(|pair| match pair {
                // The gap is shown with the later incident.
                [(earlier, _), (later, number)] => {
                    Some(Sample { micros: later.as_micros() - earlier.as_micros(), number: *number })
                }
                _ => None,
            });
            self.samples.insert(Measure::Mtbf, gaps.collect());
        }
        for samples in self.samples.values_mut() {
            samples.sort_unstable();
        }
        let summaries = self
            .samples
            .iter()
            .filter_map(|(measure, samples)| {
                Summary::of(samples.iter().map(|s| s.micros).collect()).map(|summary| (*measure, summary))
            })
            .collect();
        let numbers = self.counted.into_iter().map(|(_, number)| number).collect();
        Group { key, numbers, samples: self.samples, summaries }
    }
}

#[cfg(test)]
#[path = "compute_tests.rs"]
mod tests;
