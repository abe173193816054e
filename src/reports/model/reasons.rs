//! Why an incident, or one of its durations, is not in the numbers.

use std::collections::{BTreeMap, HashMap};

use crate::incidents::model::MilestoneName;

/// Why an incident, or one of its durations, is not in the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
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
    Silent,
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
            Self::Silent => "no_silence",
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
            Self::Silent => "not declared and resolved both, so no silence can be measured".into(),
            Self::Missing(moment) => format!("no time for “{}”", moment.label().to_lowercase()),
            Self::OutOfOrder(from, to) => {
                format!("“{}” is before “{}”", to.label().to_lowercase(), from.label().to_lowercase())
            }
        }
    }
}

/// One incident that is missing from some or all measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Excluded {
    pub number: i64,
    pub reason: Reason,
    /// The measures it is missing from, as bits by their place in the question; 0 when it is not counted
    /// at all.
    pub missing: u32,
}

impl Excluded {
    /// Places of the measures that it is missing from.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        (0..u32::BITS as usize).filter(|place| self.missing >> place & 1 == 1)
    }
}

/// Who is left out, by measures and reason: all are counted, the first ones listed. A million incidents miss many
/// measures each; a row for every one of them took more memory than all facts.
#[derive(Clone, Debug)]
pub struct LeftAside {
    /// Numbers that are kept of each reason.
    most: usize,
    by: HashMap<(u32, Reason), Aside>,
}

#[derive(Clone, Debug, Default)]
struct Aside {
    n: usize,
    /// Unordered, at most twice as many as are kept, the smallest among them.
    first: Vec<i64>,
}

impl Aside {
    fn keep_the_first(&mut self, most: usize) {
        self.first.sort_unstable();
        self.first.truncate(most);
    }
}

impl LeftAside {
    /// Keeps the numbers of `most` incidents at least: those that would come first in the list of all.
    pub fn listing(most: usize) -> Self {
        Self { most, by: HashMap::new() }
    }

    pub fn add(&mut self, number: i64, reason: Reason, missing: u32) {
        let aside = self.by.entry((missing, reason)).or_default();
        aside.n += 1;
        if self.most > 0 {
            aside.first.push(number);
            if aside.first.len() >= self.most.saturating_mul(2) {
                aside.keep_the_first(self.most);
            }
        }
    }

    /// How many rows the list of all would have.
    pub fn total(&self) -> usize {
        self.by.values().map(|aside| aside.n).sum()
    }

    /// The first of them by number.
    pub fn into_first(self) -> Vec<Excluded> {
        let rows = self.by.into_iter().flat_map(|((missing, reason), mut aside)| {
            aside.keep_the_first(self.most);
            aside.first.into_iter().map(move |number| Excluded { number, reason, missing })
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable();
        rows.truncate(self.most);
        rows
    }

    /// For each reason and the measures of `mask` that are missing for it, in order: how many, and the first
    /// `most` numbers. What concerns none of these measures is not told.
    pub fn of_measures(&self, mask: u32, most: usize) -> Vec<(Excluded, usize, Vec<i64>)> {
        let mut merged = BTreeMap::<(u32, Reason), Aside>::new();
        for ((missing, reason), aside) in &self.by {
            if missing & mask == 0 && *missing != 0 {
                continue;
            }
            let into = merged.entry((missing & mask, *reason)).or_default();
            into.n += aside.n;
            into.first.extend(&aside.first);
        }
        merged
            .into_iter()
            .map(|((missing, reason), mut aside)| {
                aside.keep_the_first(most);
                (Excluded { number: 0, reason, missing }, aside.n, aside.first)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_are_those_of_the_whole_list(
            rows in prop::collection::btree_set((0_i64..60, 0_usize..3, 0_u32..8), 0..200), most in 1_usize..9, seed in 0_i64..99,
        ) {
            let reasons = [Reason::Drill, Reason::Open, Reason::Missing(MilestoneName::Detected)];
            let mut rows: Vec<_> = rows.into_iter().map(|(number, r, missing)| Excluded { number, reason: reasons[r], missing }).collect();
            let mut aside = LeftAside::listing(most);
            rows.sort_by_key(|r| (r.number * 7_919 + i64::from(r.missing) * 31) % (seed + 11));
            for row in &rows {
                aside.add(row.number, row.reason, row.missing);
            }
            rows.sort_unstable();
            prop_assert_eq!(aside.total(), rows.len());
            for (of, n, first) in aside.of_measures(0b11, most) {
                let all: Vec<i64> = rows.iter().filter(|r| {
                    (r.missing & 0b11, r.reason) == (of.missing, of.reason) && (r.missing & 0b11 != 0 || r.missing == 0)
                }).map(|r| r.number).collect();
                prop_assert_eq!(n, all.len());
                prop_assert_eq!(first, all.into_iter().take(most).collect::<Vec<_>>());
            }
            rows.truncate(most);
            prop_assert_eq!(aside.into_first(), rows);
        }
    }
}
