//! From counted incidents to groups with their figures.

use std::collections::{BTreeMap, HashMap};

use super::facts::{Detection, FirstSuspect};
use super::measures::Basis;
use super::reasons::Excluded;
use super::scope::GroupBy;
use super::select::{Eyes, Question, Selection, Snapshot, gaps};
use super::slices::{period_key, periods};
use super::stats::{Intervals, Summary, sort_micros};
use crate::clock::Timestamp;

/// More empty periods than this are not filled in.
const MOST_PERIODS: usize = 600;
/// With more groups than this, intervals are not resampled (see [`super::stats::METHOD`]).
const MOST_RESAMPLED: usize = 400;
/// Fewer incidents than this are not worth a second thread.
const FEWEST_FOR_THREADS: usize = 50_000;
/// The key of incidents that name no service, team, cause or environment.
pub const NONE_KEY: &str = "(none)";
/// A cause that comes back within this many microseconds is recurring: 30 days.
const RECURS_WITHIN: i64 = 30 * 86_400_000_000;

/// How many of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Share {
    pub part: usize,
    pub of: usize,
}

impl Share {
    fn add(&mut self, counts: bool) {
        self.of += 1;
        self.part += usize::from(counts);
    }

    /// In percent, rounded; none of nothing.
    pub const fn percent(self) -> Option<usize> {
        (self.part * 100 + self.of / 2).checked_div(self.of)
    }
}

/// What is counted rather than measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// SEV1 first.
    pub severities: [usize; 4],
    /// By [`Detection::ALL`].
    pub detections: [usize; Detection::ALL.len()],
    pub reopened: Share,
    /// Of those whose cause is known: a service of theirs had the same cause within 30 days before.
    pub recurring: Share,
    /// Of those whose cause somebody confirmed.
    pub first_suspect: Share,
    pub with_runbook: Share,
    /// Some time of theirs was corrected after it was first recorded.
    pub corrected: Share,
}

#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Group {
    pub key: String,
    /// Counted incidents.
    pub n: usize,
    /// By the question's definitions; none where there is no value.
    pub summaries: Vec<Option<Summary>>,
    /// By the question's definitions: how many stayed within the target of their severity.
    pub within: Vec<Share>,
    pub counts: Counts,
}

impl Group {
    pub fn summary(&self, place: usize) -> Option<&Summary> {
        self.summaries.get(place)?.as_ref()
    }
}

/// One grouping of the answer.
#[derive(Clone, Debug)]
pub struct Report {
    pub question: Question,
    /// All counted incidents as one group.
    pub total: Group,
    /// An incident of two services is in both groups, and once in the total.
    pub groups: Vec<Group>,
    pub excluded: Vec<Excluded>,
}

/// The whole answer for one grouping.
pub fn compute(snapshot: &Snapshot, question: &Question, eyes: &Eyes) -> Report {
    let selection = Selection::listing(snapshot, question, eyes, usize::MAX);
    Report {
        question: question.clone(),
        total: selection.total(),
        groups: selection.groups(question.scope.group_by),
        excluded: selection.excluded.into_first(),
    }
}

/// Of each group one measure, and how many stayed within their target.
type Summaries = Vec<(Option<Summary>, Share)>;

/// Of each group the ordered values, and how many stayed within their target.
type Column = Vec<(Vec<i64>, Share)>;

/// To which groups each counted incident belongs, as places in `keys`.
pub struct Membership {
    pub keys: Vec<String>,
    of: Of,
}

enum Of {
    /// By counted incident.
    One(Vec<u32>),
    /// By block and set of services.
    Sets(Vec<Vec<Vec<u32>>>),
}

impl Membership {
    pub fn of(&self, selection: &Selection<'_>, i: usize) -> &[u32] {
        match &self.of {
            Of::One(places) => places.get(i).map_or(&[], std::slice::from_ref),
            Of::Sets(blocks) => {
                let Some(picked) = selection.picked.get(i) else { return &[] };
                let set = usize::from(selection.fact(*picked).set);
                let block = blocks.get(selection.place_of(*picked).0);
                block.and_then(|sets| sets.get(set)).map_or(&[], Vec::as_slice)
            }
        }
    }
}

/// Gives each new name the next place.
#[derive(Default)]
struct Keys {
    places: HashMap<String, u32>,
    keys: Vec<String>,
}

impl Keys {
    fn place(&mut self, name: &str) -> u32 {
        let name = if name.is_empty() { NONE_KEY } else { name };
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.places.insert(name.to_owned(), place);
        self.keys.push(name.to_owned());
        place
    }
}

impl Selection<'_> {
    /// All counted incidents as one group.
    pub fn total(&self) -> Group {
        let one = Membership { keys: vec![String::new()], of: Of::One(vec![0; self.picked.len()]) };
        self.figures(&one, &self.places()).pop().unwrap_or_default()
    }

    fn places(&self) -> Vec<usize> {
        (0..self.question.definitions.len()).collect()
    }

    /// The groups of one slicing, by key; periods also where nothing happened.
    pub fn groups(&self, by: GroupBy) -> Vec<Group> {
        self.groups_with(by, &self.places())
    }

    /// The same with the figures of some definitions only.
    pub fn groups_with(&self, by: GroupBy, places: &[usize]) -> Vec<Group> {
        let mut groups = self.figures(&self.membership(by), places);
        if !by.is_period() || groups.len() > MOST_PERIODS {
            groups.retain(|g| g.n > 0);
        }
        groups.sort_by(|a, b| a.key.cmp(&b.key));
        groups
    }

    pub fn membership(&self, by: GroupBy) -> Membership {
        let scope = &self.question.scope;
        let mut keys = Keys::default();
        let of = match by {
            GroupBy::Service | GroupBy::Team | GroupBy::Tier => Of::Sets(self.sets(by, &mut keys)),
            GroupBy::Severity => self.each(|s, i| keys.place(&format!("SEV{}", s.fact(i).severity))),
            GroupBy::Detection => self.each(|s, i| keys.place(s.fact(i).detection.as_str())),
            GroupBy::Cause => self.each(|s, i| keys.place(s.block(i).name(s.fact(i).cause))),
            GroupBy::Environment => self.each(|s, i| keys.place(s.block(i).name(s.fact(i).environment))),
            GroupBy::Day | GroupBy::Week | GroupBy::Month | GroupBy::Quarter => {
                let periods = periods(scope, by);
                if periods.last().is_some_and(|last| last.until < scope.to) {
                    // Too many to lay out beforehand: only those in which something happened.
                    let key = |at: i64| period_key(by, Timestamp::from_micros(at), scope.zone).unwrap_or_default();
                    let of = self.each(|_, picked| keys.place(&key(picked.anchor)));
                    return Membership { keys: keys.keys, of };
                }
                keys.keys = periods.iter().map(|p| p.key.clone()).collect();
                let last = periods.len().saturating_sub(1);
                self.each(|_, picked| {
                    let place = periods.partition_point(|p| p.until.as_micros() <= picked.anchor).min(last);
                    u32::try_from(place).unwrap_or(u32::MAX)
                })
            }
        };
        Membership { keys: keys.keys, of }
    }

    fn each(&self, mut place: impl FnMut(&Self, super::select::Picked) -> u32) -> Of {
        Of::One(self.picked.iter().map(|picked| place(self, *picked)).collect())
    }

    fn sets(&self, by: GroupBy, keys: &mut Keys) -> Vec<Vec<Vec<u32>>> {
        let scope = &self.question.scope;
        let mut groups_of = |set: &Vec<i64>| {
            let mut names: Vec<String> = set
                .iter()
                .filter_map(|id| self.snapshot.services.get(id))
                // With a filter, a group that was not asked for would show only a part of its incidents.
                .filter_map(|s| match by {
                    GroupBy::Team => (scope.teams.is_empty() || scope.teams.contains(&s.team)).then(|| s.team.clone()),
                    GroupBy::Tier => {
                        (scope.tiers.is_empty() || scope.tiers.contains(&s.tier)).then(|| s.tier.to_string())
                    }
                    _ => (scope.services.is_empty() || scope.services.contains(&s.slug)).then(|| s.slug.clone()),
                })
                .filter(|name| !name.is_empty())
                .collect();
            names.sort();
            names.dedup();
            if names.is_empty() { vec![keys.place("")] } else { names.iter().map(|name| keys.place(name)).collect() }
        };
        self.snapshot.blocks.iter().map(|block| block.sets.iter().map(&mut groups_of).collect()).collect()
    }

    fn figures(&self, membership: &Membership, places: &[usize]) -> Vec<Group> {
        let all = self.question.definitions.len();
        let empty = |key: &String| Group {
            key: key.clone(),
            summaries: vec![None; all],
            within: vec![Share::default(); all],
            ..Group::default()
        };
        let mut groups: Vec<Group> = membership.keys.iter().map(empty).collect();
        self.count(membership, &mut groups);
        let columns = self.each_measure(places, |place| self.summaries(membership, place));
        for (place, column) in columns {
            for (group, (summary, within)) in groups.iter_mut().zip(column) {
                if let (Some(slot), Some(share)) = (group.summaries.get_mut(place), group.within.get_mut(place)) {
                    *slot = summary;
                    *share = within;
                }
            }
        }
        groups
    }

    /// Measures do not depend on each other: of many incidents they are computed side by side.
    pub fn each_measure<T: Send>(&self, places: &[usize], compute: impl Fn(usize) -> T + Sync) -> Vec<(usize, T)> {
        let some = |places: &[usize]| places.iter().map(|p| (*p, compute(*p))).collect::<Vec<_>>();
        if self.picked.len() < FEWEST_FOR_THREADS {
            return some(places);
        }
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4);
        let share = places.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            let some = &some;
            let work: Vec<_> = places.chunks(share).map(|part| scope.spawn(move || some(part))).collect();
            work.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
        })
    }

    /// All counted incidents as one group, counted but not measured.
    pub fn counted(&self) -> Group {
        let one = Membership { keys: vec![String::new()], of: Of::One(vec![0; self.picked.len()]) };
        self.figures(&one, &[]).pop().unwrap_or_default()
    }

    /// How many stayed within the target of their severity.
    pub fn within(&self, place: usize) -> Share {
        let targets = [1, 2, 3, 4].map(|severity| self.question.target(place, severity));
        let mut share = Share::default();
        let distances = self.question.definitions.get(place).is_none_or(|d| d.basis == Basis::BetweenStarts);
        if distances || targets.iter().all(Option::is_none) {
            return share;
        }
        for (i, picked) in self.picked.iter().enumerate() {
            if let (Some(value), Some(target)) = (self.value(place, i), target(&targets, self.fact(*picked).severity)) {
                share.add(value <= target);
            }
        }
        share
    }

    /// Whether an incident, by its place among those picked, took longer than the target of its severity.
    pub fn breaches(&self, place: usize, i: usize) -> bool {
        let severity = self.picked.get(i).map(|picked| self.fact(*picked).severity);
        let target = severity.and_then(|severity| self.question.target(place, severity));
        self.value(place, i).zip(target).is_some_and(|(value, target)| value > target)
    }

    /// One measure of each group; its values are gone again when the next one begins.
    fn summaries(&self, membership: &Membership, place: usize) -> Summaries {
        let intervals = if membership.keys.len() > MOST_RESAMPLED { Intervals::OnlyLarge } else { Intervals::All };
        let column = self.column(membership, place).into_iter();
        column.map(|(bucket, within)| (Summary::of_sorted(&bucket, intervals), within)).collect()
    }

    /// One measure: the ordered values of each group, and how many stayed within their target.
    fn column(&self, membership: &Membership, place: usize) -> Column {
        let mut column: Column = vec![(Vec::new(), Share::default()); membership.keys.len()];
        let Some(definition) = self.question.definitions.get(place) else { return column };
        let targets = [1, 2, 3, 4].map(|severity| self.question.target(place, severity));
        let distances = definition.basis == Basis::BetweenStarts;
        for (i, picked) in self.picked.iter().enumerate() {
            let Some(value) = self.value(place, i) else { continue };
            let target = if distances { None } else { target(&targets, self.fact(*picked).severity) };
            for group in membership.of(self, i) {
                if let Some((bucket, share)) = column.get_mut(*group as usize) {
                    bucket.push(value);
                    if let Some(target) = target {
                        share.add(value <= target);
                    }
                }
            }
        }
        for (bucket, _) in &mut column {
            sort_micros(bucket);
            if distances {
                *bucket = gaps(bucket);
            }
        }
        column
    }

    fn count(&self, membership: &Membership, groups: &mut [Group]) {
        let recurring = self.recurring();
        for (i, picked) in self.picked.iter().enumerate() {
            let fact = self.fact(*picked);
            for group in membership.of(self, i) {
                let Some(group) = groups.get_mut(*group as usize) else { continue };
                group.n += 1;
                let counts = &mut group.counts;
                if let Some(n) = counts.severities.get_mut(usize::from(fact.severity.saturating_sub(1))) {
                    *n += 1;
                }
                if let Some(n) = counts.detections.get_mut(fact.detection as usize) {
                    *n += 1;
                }
                counts.reopened.add(fact.reopened > 0);
                counts.with_runbook.add(fact.runs > 0);
                counts.corrected.add(fact.raw > 0);
                if fact.first_suspect != FirstSuspect::NotJudged {
                    counts.first_suspect.add(fact.first_suspect == FirstSuspect::Right);
                }
                if let Some(again) = recurring.get(i).copied().flatten() {
                    counts.recurring.add(again);
                }
            }
        }
    }

    /// For each counted incident with a known cause: whether one of its services had the same cause in
    /// the 30 days before.
    fn recurring(&self) -> Vec<Option<bool>> {
        let mut order: Vec<usize> = (0..self.picked.len())
            .filter(|i| self.picked.get(*i).is_some_and(|p| !self.block(*p).name(self.fact(*p).cause).is_empty()))
            .collect();
        let mut again = vec![None; self.picked.len()];
        order.sort_by_key(|i| self.picked.get(*i).map(|p| (p.anchor, self.fact(*p).number)));
        let mut last: BTreeMap<(i64, &str), i64> = BTreeMap::new();
        for i in order {
            let Some(picked) = self.picked.get(i) else { continue };
            let (block, fact) = (self.block(*picked), self.fact(*picked));
            let mut found = false;
            for service in block.services(fact) {
                let before = last.insert((*service, block.name(fact.cause)), picked.anchor);
                found |= before.is_some_and(|before| picked.anchor - before <= RECURS_WITHIN);
            }
            if let Some(slot) = again.get_mut(i) {
                *slot = Some(found);
            }
        }
        again
    }
}

fn target(targets: &[Option<i64>; 4], severity: u8) -> Option<i64> {
    targets.get(usize::from(severity.saturating_sub(1))).copied().flatten()
}

#[cfg(test)]
#[path = "compute_tests.rs"]
mod tests;
