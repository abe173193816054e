//! What is kept of a frozen report, and how a later run differs from it. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::sheet::Sheet;
use crate::reports::json::ExcludedIncident;

/// One counted incident and its values, in microseconds, by [`Kept::measures`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Included {
    /// The n of INC-n.
    pub number: i64,
    pub values: Vec<Option<i64>>,
}

/// The whole of a report as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub sheet: Sheet,
    /// Keys of the measures.
    pub measures: Vec<String>,
    /// The same as they were printed, with their versions.
    pub definitions: Vec<String>,
    /// By number.
    pub included: Vec<Included>,
    pub excluded: Vec<ExcludedIncident>,
}

impl Kept {
    /// SHA-256, in hexadecimal, over definitions, included incidents with their values, and excluded ones
    /// with their reasons: equal data gives an equal hash on every machine.
    pub fn data_hash(&self) -> String {
        let mut hasher = Sha256::new();
        let mut line = |text: String| {
            hasher.update(text.as_bytes());
            hasher.update(b"\n");
        };
        self.definitions.iter().for_each(|d| line(format!("definition {d}")));
        for one in &self.included {
            let values: Vec<String> = one.values.iter().map(|v| v.map_or("-".into(), |v| v.to_string())).collect();
            line(format!("included {} {}", one.number, values.join(" ")));
        }
        for one in &self.excluded {
            line(format!("excluded {} {} {}", one.incident, one.reason, one.measures.join(",")));
        }
        hex::encode(hasher.finalize())
    }

    /// Why an incident is not counted at all.
    fn reason(&self, number: i64) -> Option<&str> {
        let name = format!("INC-{number}");
        self.excluded
            .iter()
            .find(|e| e.incident == name && e.measures.len() == self.measures.len())
            .map(|e| e.detail.as_str())
    }
}

/// One incident that a later run counts otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    pub incident: String,
    pub why: String,
}

/// One value that a later run finds otherwise; microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shifted {
    pub incident: String,
    pub measure: String,
    pub before: Option<i64>,
    pub now: Option<i64>,
}

/// One number on top that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figure {
    pub label: String,
    pub before: String,
    pub now: String,
}

/// How a later run differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub figures: Vec<Figure>,
    pub added: Vec<Moved>,
    pub removed: Vec<Moved>,
    pub shifted: Vec<Shifted>,
    /// Measures whose definition is another now, as it was printed and as it is.
    pub definitions: Vec<(String, String)>,
}

impl Difference {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Only measures that both runs know are compared; one that was added since changes nothing.
    pub fn between(before: &Kept, now: &Kept) -> Self {
        let index = |kept: &Kept| -> BTreeMap<i64, Vec<Option<i64>>> {
            kept.included.iter().map(|i| (i.number, i.values.clone())).collect()
        };
        let (then, later) = (index(before), index(now));
        let moved = |number: &i64, why: String| Moved { incident: format!("INC-{number}"), why };
        let added = later.keys().filter(|n| !then.contains_key(n)).map(|n| {
            let why = before.reason(*n).map_or_else(
                || "recorded, or moved into the period, after the report was frozen".to_owned(),
                |reason| format!("was left out: {reason}"),
            );
            moved(n, why)
        });
        let removed = then.keys().filter(|n| !later.contains_key(n)).map(|n| {
            let why = now.reason(*n).map_or_else(
                || "no longer passes the filters, lies outside of the period, or became private".to_owned(),
                |reason| format!("now left out: {reason}"),
            );
            moved(n, why)
        });
        let places: Vec<(usize, usize)> = before
            .measures
            .iter()
            .enumerate()
            .filter_map(|(old, key)| Some((old, now.measures.iter().position(|k| k == key)?)))
            .collect();
        let mut shifted = Vec::new();
        for (number, old) in &then {
            let Some(new) = later.get(number) else { continue };
            for (a, b) in &places {
                let (before_value, now_value) = (old.get(*a).copied().flatten(), new.get(*b).copied().flatten());
                if before_value != now_value {
                    let measure = before.measures.get(*a).cloned().unwrap_or_default();
                    shifted.push(Shifted {
                        incident: format!("INC-{number}"),
                        measure,
                        before: before_value,
                        now: now_value,
                    });
                }
            }
        }
        let definitions = places
            .iter()
            .filter_map(|(a, b)| Some((before.definitions.get(*a)?.clone(), now.definitions.get(*b)?.clone())))
            .filter(|(a, b)| a != b)
            .collect();
        Self {
            figures: figures(&before.sheet, &now.sheet),
            added: added.collect(),
            removed: removed.collect(),
            shifted,
            definitions,
        }
    }
}

fn figures(before: &Sheet, now: &Sheet) -> Vec<Figure> {
    before
        .numbers
        .iter()
        .filter_map(|old| {
            let new = now.numbers.iter().find(|n| n.key == old.key)?;
            let shown = |n: &super::sheet::Number| {
                if n.detail.is_empty() {
                    n.value.text.clone()
                } else {
                    format!("{} ({})", n.value.text, n.detail.join(", "))
                }
            };
            let differs = old.value.number != new.value.number || old.detail != new.detail;
            differs.then(|| Figure { label: old.label.clone(), before: shown(old), now: shown(new) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(included: &[(i64, Option<i64>)], excluded: &[(i64, &str)]) -> Kept {
        Kept {
            sheet: Sheet::default(),
            measures: vec!["mttr".into()],
            definitions: vec!["mttr v1".into()],
            included: included.iter().map(|(number, v)| Included { number: *number, values: vec![*v] }).collect(),
            excluded: excluded
                .iter()
                .map(|(n, reason)| ExcludedIncident {
                    incident: format!("INC-{n}"),
                    reason: "x".into(),
                    detail: (*reason).to_owned(),
                    measures: vec!["mttr".into()],
                })
                .collect(),
        }
    }

    #[test]
    fn a_later_run_says_what_moved_and_why() {
        let before = kept(&[(1, Some(60)), (2, Some(90)), (3, None)], &[(4, "a drill")]);
        let now = kept(&[(1, Some(60)), (3, Some(30)), (4, Some(10)), (5, None)], &[(2, "declined")]);
        let found = Difference::between(&before, &now);
        let words = |list: &[Moved]| list.iter().map(|m| format!("{}: {}", m.incident, m.why)).collect::<Vec<_>>();
        assert_eq!(
            words(&found.added),
            ["INC-4: was left out: a drill", "INC-5: recorded, or moved into the period, after the report was frozen"]
        );
        assert_eq!(words(&found.removed), ["INC-2: now left out: declined"]);
        assert_eq!(
            found.shifted,
            [Shifted { incident: "INC-3".into(), measure: "mttr".into(), before: None, now: Some(30) }]
        );
        assert!(Difference::between(&before, &before).is_empty());
    }

    #[test]
    fn the_hash_follows_the_data_only() {
        let one = kept(&[(1, Some(60))], &[]);
        let mut same = one.clone();
        same.sheet.title = "another".into();
        assert_eq!(one.data_hash(), same.data_hash());
        assert_ne!(one.data_hash(), kept(&[(1, Some(61))], &[]).data_hash());
        assert_ne!(one.data_hash(), kept(&[(1, Some(60))], &[(2, "a drill")]).data_hash());
    }
}
