//! Shifts among known courses.

use std::collections::{BTreeMap, BTreeSet};

use super::courses::{Courses, Place};
use super::{Departure, float};
use crate::suspects::forest::Forest;
use crate::suspects::stats::share_grew_at_least;
use crate::suspects::tuning::Tunables;

/// How much the shares among known courses shifted, by service. A service is excused when a caller of it shifted or
/// departed too: it only does what it is asked to.
pub(super) fn shifts(
    forest: &Forest,
    (before, after): (&Courses, &Courses),
    departed: &[Departure],
    tuned: &Tunables,
) -> BTreeMap<u32, (f64, Place)> {
    let mut shifted: BTreeMap<u32, (f64, Place)> = BTreeMap::new();
    for (place, now) in &after.counts {
        let Some(then) = before.counts.get(place) else { continue };
        let (nb, na) = (then.values().sum::<usize>(), now.values().sum::<usize>());
        let shift = then
            .iter()
            .filter(|(_, b)| float(**b) > tuned.rare * float(nb))
            .map(|(id, &b)| {
                let n = now.get(id).copied().unwrap_or(0);
                share_grew_at_least((float(n), float(na)), (float(b), float(nb)), tuned.sure)
            })
            .fold(0.0, f64::max);
        let entry = shifted.entry(place.0).or_insert((0.0, *place));
        if shift > entry.0 {
            *entry = (shift, *place);
        }
    }
    let unsettled: BTreeSet<u32> = shifted
        .iter()
        .filter(|(_, (shift, _))| *shift > 0.0)
        .map(|(s, _)| *s)
        .chain(departed.iter().map(|d| d.place.0))
        .collect();
    let above = callers_of(forest);
    shifted.retain(|service, (shift, _)| {
        *shift > 0.0 && !above.get(service).is_some_and(|up| up.iter().any(|c| unsettled.contains(c)))
    });
    shifted
}

/// All services from which each service is reached, directly or not.
fn callers_of(forest: &Forest) -> BTreeMap<u32, BTreeSet<u32>> {
    let mut up: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for node in forest.nodes.iter().filter(|n| n.remote) {
        let Some(parent) = node.parent else { continue };
        up.entry(node.service).or_default().insert(forest.nodes[parent].service);
    }
    loop {
        let mut grew = false;
        for service in up.keys().copied().collect::<Vec<_>>() {
            let reached: BTreeSet<u32> =
                up[&service].iter().filter_map(|c| up.get(c)).flatten().copied().filter(|&c| c != service).collect();
            let mine = up.entry(service).or_default();
            let size = mine.len();
            mine.extend(reached);
            grew |= mine.len() > size;
        }
        if !grew {
            return up;
        }
    }
}
