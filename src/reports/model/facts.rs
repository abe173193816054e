//! What a report needs to know of each incident, small enough to hold a million of them.
//!
//! Incidents are kept in blocks of neighbouring numbers. What repeats (sets of services, names of
//! causes and environments, first-recorded times that were corrected) stands once per block.

use crate::fields::text_enum;
use crate::incidents::model::MilestoneName;

/// Incidents of one block. A change of one incident rewrites its block.
pub const BLOCK: i64 = 4_096;

/// A time that is not known.
pub const NO_TIME: i64 = i64::MIN;

/// Why an incident stands apart from the counted ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    #[default]
    Counted,
    Drill,
    Declined,
    Merged,
}

impl Standing {
    pub const ALL: [Self; 4] = [Self::Counted, Self::Drill, Self::Declined, Self::Merged];
}

text_enum! {
    /// Who or what noticed first.
    pub enum Detection("detection source") {
        Unknown = "unknown",
        Alert = "alert",
        Check = "check",
        Trace = "trace",
        Deployment = "deployment",
        Customer = "customer",
        Staff = "staff",
        Import = "import",
    }
}

impl Detection {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unknown => "not recorded",
            Self::Alert => "an alert",
            Self::Check => "a synthetic check",
            Self::Trace => "a trace",
            Self::Deployment => "a deployment",
            Self::Customer => "a customer",
            Self::Staff => "our own people",
            Self::Import => "imported",
        }
    }
}

/// Whether the service that was ranked first when somebody confirmed the cause was the right one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirstSuspect {
    #[default]
    NotJudged,
    Right,
    Wrong,
}

impl FirstSuspect {
    pub const ALL: [Self; 3] = [Self::NotJudged, Self::Right, Self::Wrong];
}

/// The states whose length is measured, in their order.
pub const STATES: [&str; 4] = ["triage", "investigating", "identified", "monitoring"];

/// Times of one incident by milestone, in microseconds; [`NO_TIME`] where not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times(pub [i64; MilestoneName::COUNT]);

impl Default for Times {
    fn default() -> Self {
        Self([NO_TIME; MilestoneName::COUNT])
    }
}

impl Times {
    pub fn get(&self, name: MilestoneName) -> Option<i64> {
        self.0.get(name as usize).copied().filter(|at| *at != NO_TIME)
    }

    pub fn set(&mut self, name: MilestoneName, at: Option<i64>) {
        if let Some(slot) = self.0.get_mut(name as usize) {
            *slot = at.unwrap_or(NO_TIME);
        }
    }

    pub fn known(&self) -> impl Iterator<Item = i64> + '_ {
        self.0.iter().copied().filter(|at| *at != NO_TIME)
    }

    /// When the incident began, as well as is known: the start of the impact, else the first sign of it.
    pub fn start(&self) -> Option<i64> {
        use MilestoneName::{Acknowledged, Declared, Detected, ImpactStarted};
        self.get(ImpactStarted)
            .or_else(|| [Detected, Acknowledged, Declared].into_iter().filter_map(|n| self.get(n)).min())
    }
}

/// One incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The n of INC-n.
    pub number: i64,
    /// Corrected values.
    pub times: Times,
    /// Time in each of [`STATES`], in microseconds; -1 for a state that it was never in or has not left.
    pub states: [i64; STATES.len()],
    /// The longest stretch between declaration and resolution without a word from a person, in
    /// microseconds; -1 while that is not known.
    pub silence: i64,
    /// The place, from 1, of the first-recorded times in [`Block::raws`]; 0 when nothing was corrected.
    pub raw: u16,
    /// The place in [`Block::sets`].
    pub set: u16,
    /// Places in [`Block::names`].
    pub cause: u16,
    pub environment: u16,
    /// 1 to 4.
    pub severity: u8,
    pub standing: Standing,
    /// Not yet resolved.
    pub open: bool,
    pub private: bool,
    /// Written down after the fact instead of lived through.
    pub backfilled: bool,
    pub detection: Detection,
    pub first_suspect: FirstSuspect,
    /// How often it left an end state again.
    pub reopened: u8,
    /// Runbooks that were started in it; 255 stands for that many or more.
    pub runs: u8,
}

/// Incidents `id * BLOCK` to the next block's, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    pub facts: Vec<Fact>,
    /// Distinct sets of service ids, each in order.
    pub sets: Vec<Vec<i64>>,
    /// Distinct names; the first is empty.
    pub names: Vec<String>,
    /// Times as first recorded, of incidents that were corrected.
    pub raws: Vec<Times>,
}

/// One incident before it joins a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loose {
    /// With `raw`, `set`, `cause` and `environment` still open.
    pub fact: Fact,
    /// As first recorded.
    pub raw: Times,
    pub services: Vec<i64>,
    pub cause: String,
    pub environment: String,
}

impl Block {
    pub fn new(mut incidents: Vec<Loose>) -> Self {
        incidents.sort_by_key(|i| i.fact.number);
        let mut block = Self { names: vec![String::new()], ..Self::default() };
        for incident in incidents {
            block.push(incident);
        }
        block
    }

    fn push(&mut self, incident: Loose) {
        let Loose { mut fact, raw, mut services, cause, environment } = incident;
        services.sort_unstable();
        services.dedup();
        fact.set = place(&mut self.sets, services);
        fact.cause = place(&mut self.names, cause);
        fact.environment = place(&mut self.names, environment);
        fact.raw = 0;
        if raw != fact.times {
            self.raws.push(raw);
            fact.raw = small(self.raws.len());
        }
        self.facts.push(fact);
    }

    /// The incidents as they were given, so that some can be replaced.
    pub fn loose(&self) -> Vec<Loose> {
        self.facts
            .iter()
            .map(|fact| Loose {
                fact: *fact,
                raw: self.raw(fact),
                services: self.services(fact).to_vec(),
                cause: self.name(fact.cause).to_owned(),
                environment: self.name(fact.environment).to_owned(),
            })
            .collect()
    }

    /// A block in which `gone` are taken out and `fresh` put in.
    pub fn replaced(&self, gone: &[i64], fresh: Vec<Loose>) -> Self {
        let mut kept = self.loose();
        kept.retain(|i| gone.binary_search(&i.fact.number).is_err());
        kept.extend(fresh);
        Self::new(kept)
    }

    pub fn services(&self, fact: &Fact) -> &[i64] {
        self.sets.get(usize::from(fact.set)).map_or(&[], Vec::as_slice)
    }

    pub fn name(&self, place: u16) -> &str {
        self.names.get(usize::from(place)).map_or("", String::as_str)
    }

    pub fn raw(&self, fact: &Fact) -> Times {
        usize::from(fact.raw).checked_sub(1).and_then(|i| self.raws.get(i)).copied().unwrap_or(fact.times)
    }

    pub fn times(&self, fact: &Fact, raw: bool) -> Times {
        if raw { self.raw(fact) } else { fact.times }
    }
}

/// A block holds at most [`BLOCK`] incidents, so every place fits.
fn small(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

fn place<T: PartialEq>(list: &mut Vec<T>, item: T) -> u16 {
    // From the end: neighbours are alike more often than not.
    let found = list.iter().rposition(|known| *known == item);
    small(found.unwrap_or_else(|| {
        list.push(item);
        list.len() - 1
    }))
}

impl Fact {
    pub fn empty(number: i64) -> Self {
        Self {
            number,
            times: Times::default(),
            states: [-1; STATES.len()],
            silence: -1,
            raw: 0,
            set: 0,
            cause: 0,
            environment: 0,
            severity: 4,
            standing: Standing::Counted,
            open: false,
            private: false,
            backfilled: false,
            detection: Detection::Unknown,
            first_suspect: FirstSuspect::NotJudged,
            reopened: 0,
            runs: 0,
        }
    }
}
