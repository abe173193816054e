//! Callees that end the requests of those who call them.

use std::collections::{BTreeMap, BTreeSet};

use super::courses::Place;
use super::{Departure, Judged, float};
use crate::suspects::forest::Forest;

/// A caller that stops short right after a call has either failed itself or been failed by the callee, and the spans
/// look the same. When callers of two or more services stop short after calls into one service, it is the callee, and
/// they are excused. When only one does, the callee is suspected less than its caller.
pub(super) fn broken(
    forest: &Forest,
    departures: &mut [Departure],
    judged: &Judged<'_>,
    excused: &[bool],
) -> Vec<Departure> {
    let stopped: BTreeSet<Place> =
        departures.iter().filter(|d| !d.missing.is_empty() && d.new.is_empty()).map(|d| d.place).collect();
    let mut ended: BTreeMap<(u32, u32), BTreeMap<Place, (usize, usize)>> = BTreeMap::new(); // callee → where → hits
    for (at, course) in judged.after.of_node.iter().enumerate() {
        let Some((place, id)) = *course else { continue };
        if excused[at] || !stopped.contains(&place) || !judged.odd.contains(&(place, id)) {
            continue;
        }
        let last = forest.children[at].iter().max_by_key(|&&c| forest.nodes[c].end);
        let Some(callee) = last.and_then(|&c| forest.nodes[c].calls) else { continue };
        let callee = &forest.nodes[callee];
        ended.entry((callee.service, callee.operation)).or_default().entry(place).or_insert((0, at)).0 += 1;
    }
    let mut broken = Vec::new();
    for ((service, operation), places) in ended {
        let callers: BTreeSet<u32> = places.keys().map(|p| p.0).collect();
        let hits: usize = places.values().map(|x| x.0).sum();
        let sure = departures.iter().filter(|d| places.contains_key(&d.place)).map(|d| d.strength).fold(0.0, f64::max);
        if callers.len() > 1 {
            for d in departures.iter_mut() {
                let share = places.get(&d.place).map_or(0.0, |x| float(x.0) / float(d.hits.max(1)));
                d.strength *= (1.0 - share).max(0.0);
            }
        }
        let place = (service, operation, None, None);
        let of = judged.after.counts.get(&place).map_or(hits, |c| c.values().sum::<usize>().max(hits));
        let example = places.values().map(|x| x.1).min().unwrap_or(0);
        broken.push(Departure {
            place,
            strength: sure,
            blame: if callers.len() > 1 { 1.0 } else { judged.tuned.one_caller },
            excess: float(hits),
            hits,
            of,
            missing: Vec::new(),
            new: Vec::new(),
            example,
        });
    }
    broken
}
