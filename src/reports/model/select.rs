//! Who counts, with which durations, and who is left out and why.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::facts::{Block, Fact, NO_TIME, Standing, Times};
use super::measures::{Basis, Definition, Hours, Kinds, Measure};
use super::reasons::{LeftAside, Reason};
use super::scope::Scope;
use super::stats::sort_micros;
use crate::incidents::model::MilestoneName;

/// What the catalogue says of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub slug: String,
    pub team: String,
    /// 1 to 4.
    pub tier: u8,
}

/// All incidents as they were at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub blocks: Vec<Arc<Block>>,
    pub services: Arc<HashMap<i64, Service>>,
    /// Differs whenever any of it differs.
    pub version: u64,
}

/// Who looks: private incidents count only for those who may see them.
#[derive(Clone, Debug, Default)]
pub struct Eyes {
    pub all: bool,
    /// Private incidents that name the viewer.
    pub named: HashSet<i64>,
}

impl Eyes {
    pub fn see(&self, fact: &Fact) -> bool {
        self.all || !fact.private || self.named.contains(&fact.number)
    }
}

/// Lines to stay under, in microseconds, by measure and severity.
pub type Targets = BTreeMap<(String, u8), i64>;

/// What is asked: over which incidents, and which measures.
#[derive(Clone, Debug)]
pub struct Question {
    pub scope: Scope,
    /// At most 32.
    pub definitions: Vec<Definition>,
    pub targets: Targets,
}

impl Question {
    pub fn new(scope: Scope, definitions: Vec<Definition>) -> Self {
        let definitions = definitions.into_iter().take(32).map(|d| d.in_hours(scope.hours)).collect();
        Self { scope, definitions, targets: Targets::new() }
    }

    pub fn of(scope: &Scope, measures: &[Measure]) -> Self {
        Self::new(scope.clone(), Measure::definitions(measures))
    }

    #[must_use]
    pub fn with_targets(mut self, targets: Targets) -> Self {
        self.targets = targets;
        self
    }

    /// The same question about another period.
    #[must_use]
    pub fn about(&self, scope: Scope) -> Self {
        Self { scope, ..self.clone() }
    }

    pub fn target(&self, place: usize, severity: u8) -> Option<i64> {
        let key = &self.definitions.get(place)?.key;
        self.targets.get(&(key.to_string(), severity)).copied()
    }
}

/// One counted incident: where it is kept, and the moment that places it in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picked {
    block: u32,
    fact: u32,
    pub anchor: i64,
}

/// The answer's raw material: counted incidents with their durations beside them.
pub struct Selection<'a> {
    pub snapshot: &'a Snapshot,
    pub question: &'a Question,
    pub picked: Vec<Picked>,
    /// Values that are costly to compute, by definition; the others are computed when they are asked for, so
    /// that a million incidents with twelve measures need no more memory than their facts.
    kept: Vec<Option<Vec<i64>>>,
    scratch: Vec<(Reason, u32)>,
    pub excluded: LeftAside,
}

impl<'a> Selection<'a> {
    /// Counts those left out and lists none of them.
    pub fn of(snapshot: &'a Snapshot, question: &'a Question, eyes: &Eyes) -> Self {
        Self::listing(snapshot, question, eyes, 0)
    }

    /// Lists the first `most` of those left out.
    pub fn listing(snapshot: &'a Snapshot, question: &'a Question, eyes: &Eyes, most: usize) -> Self {
        let costly = |d: &Definition| (d.hours != Hours::Clock).then(Vec::new);
        let kept = question.definitions.iter().map(costly).collect();
        let mut selection = Self {
            snapshot,
            question,
            picked: Vec::new(),
            kept,
            scratch: Vec::new(),
            excluded: LeftAside::listing(most),
        };
        for (place, block) in (0..).zip(&snapshot.blocks) {
            let gate = Gate::of(block, &snapshot.services, &question.scope);
            for (at, fact) in (0..).zip(&block.facts) {
                if eyes.see(fact) && gate.passes(fact, &question.scope) {
                    selection.consider(block, fact, (place, at));
                }
            }
        }
        selection
    }

    fn consider(&mut self, block: &Block, fact: &Fact, (at_block, at_fact): (u32, u32)) {
        let scope = &self.question.scope;
        let times = block.times(fact, scope.raw);
        let anchor = match place(fact, &times, scope) {
            Ok(anchor) => anchor,
            Err(Some(reason)) => return self.excluded.add(fact.number, reason, 0),
            Err(None) => return,
        };
        self.picked.push(Picked { block: at_block, fact: at_fact, anchor });
        self.scratch.clear();
        for (i, (definition, kept)) in self.question.definitions.iter().zip(&mut self.kept).enumerate() {
            let value = value(definition, fact, &times, scope);
            if let Some(kept) = kept {
                kept.push(value.unwrap_or(NO_TIME));
            }
            if let Err(Some(reason)) = value {
                match self.scratch.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, bits)) => *bits |= 1 << i,
                    None => self.scratch.push((reason, 1 << i)),
                }
            }
        }
        for (reason, missing) in &self.scratch {
            self.excluded.add(fact.number, *reason, *missing);
        }
    }

    pub fn block(&self, picked: Picked) -> &'a Block {
        // A picked place was taken from these very blocks.
        self.snapshot.blocks.get(picked.block as usize).map_or(&EMPTY, Arc::as_ref)
    }

    pub fn fact(&self, picked: Picked) -> &'a Fact {
        self.block(picked).facts.get(picked.fact as usize).unwrap_or(&NOBODY)
    }

    pub const fn place_of(&self, picked: Picked) -> (usize, usize) {
        (picked.block as usize, picked.fact as usize)
    }

    /// The duration of the `i`th counted incident by a definition, in microseconds. Of a distance between
    /// incidents it is the moment at which this one began.
    pub fn value(&self, definition: usize, i: usize) -> Option<i64> {
        if let Some(kept) = self.kept.get(definition)? {
            return kept.get(i).copied().filter(|v| *v != NO_TIME);
        }
        let picked = *self.picked.get(i)?;
        let (block, fact, scope) = (self.block(picked), self.fact(picked), &self.question.scope);
        value(self.question.definitions.get(definition)?, fact, &block.times(fact, scope.raw), scope).ok()
    }

    /// All values of a definition, in order; of a distance between incidents the distances.
    pub fn sorted(&self, definition: usize) -> Vec<i64> {
        let mut values: Vec<i64> = (0..self.picked.len()).filter_map(|i| self.value(definition, i)).collect();
        sort_micros(&mut values);
        match self.question.definitions.get(definition) {
            Some(d) if d.basis == Basis::BetweenStarts => gaps(&values),
            _ => values,
        }
    }
}

/// The distances between neighbours of an ordered list.
pub(super) fn gaps(sorted: &[i64]) -> Vec<i64> {
    let mut gaps: Vec<i64> = sorted.windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)).collect();
    sort_micros(&mut gaps);
    gaps
}

static EMPTY: Block = Block { facts: Vec::new(), sets: Vec::new(), names: Vec::new(), raws: Vec::new() };
static NOBODY: std::sync::LazyLock<Fact> = std::sync::LazyLock::new(|| Fact::empty(0));

/// Which sets and names of a block pass the filters: decided once for all incidents that share them.
struct Gate {
    sets: Vec<bool>,
    causes: Vec<bool>,
    environments: Vec<bool>,
}

impl Gate {
    fn of(block: &Block, services: &HashMap<i64, Service>, scope: &Scope) -> Self {
        let any = |wanted: &[String], has: &str| wanted.is_empty() || wanted.iter().any(|w| w == has);
        let passes = |set: &Vec<i64>| {
            let known = || set.iter().filter_map(|id| services.get(id));
            (scope.services.is_empty() || known().any(|s| scope.services.contains(&s.slug)))
                && (scope.teams.is_empty() || known().any(|s| scope.teams.contains(&s.team)))
                && (scope.tiers.is_empty() || known().any(|s| scope.tiers.contains(&s.tier)))
        };
        Self {
            sets: block.sets.iter().map(passes).collect(),
            causes: block.names.iter().map(|name| any(&scope.causes, name)).collect(),
            environments: block.names.iter().map(|name| any(&scope.environments, name)).collect(),
        }
    }

    /// A record that fails a filter is not part of the question, so it is not listed as left out either.
    fn passes(&self, fact: &Fact, scope: &Scope) -> bool {
        let at = |list: &[bool], place: u16| list.get(usize::from(place)).copied().unwrap_or(false);
        (scope.severities.is_empty() || scope.severities.contains(&fact.severity))
            && (scope.detections.is_empty() || scope.detections.contains(&fact.detection))
            && at(&self.sets, fact.set)
            && at(&self.causes, fact.cause)
            && at(&self.environments, fact.environment)
    }
}

/// The moment that places a counted incident; else why it is not counted, or nothing when it lies wholly
/// elsewhere.
fn place(fact: &Fact, times: &Times, scope: &Scope) -> Result<i64, Option<Reason>> {
    let Some(anchor) = times.start() else { return Err(Some(Reason::NoStart)) };
    let (from, to) = (scope.from.as_micros(), scope.to.as_micros());
    let within = |at: i64| from <= at && at < to;
    if !within(anchor) {
        let spans = || anchor < from && (fact.open || times.known().max().is_some_and(|last| last >= to));
        let touches = times.known().any(within) || spans();
        return Err(touches.then_some(Reason::OutsideWindow));
    }
    match fact.standing {
        Standing::Drill if !scope.include.drills => Err(Some(Reason::Drill)),
        Standing::Declined if !scope.include.declined => Err(Some(Reason::Declined)),
        Standing::Merged if !scope.include.merged => Err(Some(Reason::Merged)),
        _ => Ok(anchor),
    }
}

/// A value; else why there is none, or nothing where the definition does not apply.
fn value(definition: &Definition, fact: &Fact, times: &Times, scope: &Scope) -> Result<i64, Option<Reason>> {
    if !definition.severities.is_empty() && !definition.severities.contains(&fact.severity)
        || !of_kind(definition.kinds, fact)
    {
        return Err(None);
    }
    match definition.basis {
        Basis::Span { from, to } => {
            let (start, end) = span(times, from, to, fact.open)?;
            Ok(match definition.hours {
                Hours::Business(week) => week.between(start, end, scope.zone),
                Hours::Clock => end - start,
            })
        }
        Basis::BetweenStarts => {
            times.get(MilestoneName::ImpactStarted).ok_or(Some(Reason::Missing(MilestoneName::ImpactStarted)))
        }
        Basis::Silence if fact.silence >= 0 => Ok(fact.silence),
        Basis::Silence => Err(Some(if fact.open { Reason::Open } else { Reason::Silent })),
        // Most incidents pass some states only.
        Basis::InState(state) => fact.states.get(state).copied().filter(|spent| *spent >= 0).ok_or(None),
    }
}

fn of_kind(kinds: Kinds, fact: &Fact) -> bool {
    match (fact.standing, fact.backfilled) {
        _ if kinds == Kinds::ALL => true,
        (Standing::Drill, _) => kinds.drill,
        (_, true) => kinds.backfilled,
        (_, false) => kinds.real,
    }
}

/// Both ends of a duration; equal ends are a value of 0, turned ones a fault of the data.
fn span(times: &Times, from: MilestoneName, to: MilestoneName, open: bool) -> Result<(i64, i64), Option<Reason>> {
    let start = times.get(from).ok_or(Some(Reason::Missing(from)))?;
    let end = times.get(to).ok_or(Some(if open { Reason::Open } else { Reason::Missing(to) }))?;
    if end < start { Err(Some(Reason::OutOfOrder(from, to))) } else { Ok((start, end)) }
}
