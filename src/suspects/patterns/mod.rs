//! The courses that requests take, and which service left them first.
//!
//! A *place* is an operation as called by a certain operation of its own service, or as an entry. The *course* of one
//! span at a place is the set of what happened right under it: local operations, calls into other services, and the
//! templates of the log lines that carry its id. That spans and log lines are judged together is the idea of Nezha
//! (Yu et al., ESEC/FSE 2023). What is expected to be unseen follows from the baseline itself: the chance of a course
//! never seen is the share of courses seen once (Good–Turing).

mod callees;
mod courses;
mod mix;

use std::collections::BTreeMap;

use super::forest::Forest;
use super::stats::{share_at_least, telling};
use super::tuning::Tunables;
use courses::{Catalogue, Course, Courses, Odd};
pub(super) use courses::{Event, Lines, Place};

/// New courses at one place.
#[derive(Clone, Debug)]
pub(super) struct Departure {
    pub(super) place: Place,
    /// 0 to 1: what it tells that, at least, so large a share of the requests of that sort left the healthy course, and
    /// nothing beneath did.
    pub(super) strength: f64,
    /// How many more of them did than chance would have brought.
    excess: f64,
    /// How much of that is held against this place.
    blame: f64,
    pub(super) hits: usize,
    pub(super) of: usize,
    pub(super) missing: Vec<Event>,
    pub(super) new: Vec<Event>,
    pub(super) example: usize,
}

#[derive(Debug, Default)]
pub(super) struct Patterns {
    pub(super) departures: Vec<Departure>,
    /// Service → how much the shares of its known courses shifted, with the place.
    pub(super) mix: BTreeMap<u32, (f64, Place)>,
}

/// What one judgement works on.
struct Judged<'a> {
    before: &'a Courses,
    after: &'a Courses,
    catalogue: &'a Catalogue,
    odd: &'a Odd,
    /// Courses are counted events, not sets.
    counted: bool,
    tuned: &'a Tunables,
}

/// Judges courses as sets of events and as counted events, and keeps what is stronger at each place: sets are steady
/// where loops follow the data, counts see a loop that ends early. `failing` tells how surely a service's own spans
/// fail.
pub(super) fn judge(
    baseline: (&Forest, &Lines),
    incident: (&Forest, &Lines),
    failing: impl Fn(u32) -> f64 + Copy,
    tuned: &Tunables,
) -> Patterns {
    let mut sets = judge_as(baseline, incident, failing, tuned, false);
    let counted = judge_as(baseline, incident, failing, tuned, true);
    for d in counted.departures {
        match sets.departures.iter_mut().find(|x| x.place == d.place) {
            Some(x) if x.strength < d.strength => *x = d,
            Some(_) => {}
            None => sets.departures.push(d),
        }
    }
    sets
}

fn judge_as(
    baseline: (&Forest, &Lines),
    incident: (&Forest, &Lines),
    failing: impl Fn(u32) -> f64,
    tuned: &Tunables,
    counted: bool,
) -> Patterns {
    let mut catalogue = Catalogue::default();
    let before = Courses::of(baseline, counted, &mut catalogue);
    let after = Courses::of(incident, counted, &mut catalogue);
    let forest = incident.0;
    let odd = courses::odd(&before, &after, tuned);
    let judged = Judged { before: &before, after: &after, catalogue: &catalogue, odd: &odd, counted, tuned };
    let all = departures(&judged, |_| true);
    let sure: BTreeMap<Place, f64> = all.iter().map(|d| (d.place, d.strength)).collect();
    let strength = |at: usize| {
        let stray = after.of_node[at].filter(|x| odd.contains(x)).and_then(|x| sure.get(&x.0).copied()).unwrap_or(0.0);
        let node = &forest.nodes[at];
        // An outright failure that is more than usual explains whatever its callers do about it.
        let failed = node.error && failing(node.lost.unwrap_or(node.service)) > 0.0;
        (stray, if failed { 1.0 } else { stray })
    };
    let excused = excused(forest, strength, tuned.explains);
    let mut blamed = departures(&judged, |at| !excused[at]);
    let callees = callees::broken(forest, &mut blamed, &judged, &excused);
    blamed.extend(callees);
    // Only now: who explains whom is a matter of shares. Other ways without an error can be the users' doing.
    for d in &mut blamed {
        if d.new.iter().any(|event| matches!(event, Event::Line(_, true) | Event::Lost(_))) {
            d.strength = telling(d.strength, d.excess, tuned.sure, tuned.noticed);
        }
        d.strength *= d.blame;
    }
    Patterns { mix: mix::shifts(forest, (&before, &after), &all, tuned), departures: blamed }
}

#[expect(clippy::cast_precision_loss, reason = "counts of spans")]
const fn float(n: usize) -> f64 {
    n as f64
}

/// Places where more courses are new than the baseline lets expect. Each new course is compared with the known one
/// nearest to it: the strength is the share of that sort of request that changed.
fn departures(judged: &Judged<'_>, counts: impl Fn(usize) -> bool) -> Vec<Departure> {
    let Judged { before, after, odd, .. } = judged;
    let mut hits: BTreeMap<(Place, u32), (usize, usize)> = BTreeMap::new(); // place, course → count, example
    for (at, course) in after.of_node.iter().enumerate() {
        let Some((place, id)) = *course else { continue };
        // Where every visit failed before, one that does not is an improvement.
        let improved = before.reference(place).is_some_and(|(_, healthy)| !healthy) && !after.troubled[at];
        if odd.contains(&(place, id)) && !improved && counts(at) {
            let entry = hits.entry((place, id)).or_insert((0, at));
            entry.0 += 1;
        }
    }
    let mut sorts: BTreeMap<(Place, u32), Vec<(u32, usize, usize)>> = BTreeMap::new();
    for ((place, id), (n, example)) in hits {
        let Some(nearest) = nearest(judged, place, id) else { continue };
        sorts.entry((place, nearest)).or_default().push((id, n, example));
    }
    let mut out: BTreeMap<Place, Departure> = BTreeMap::new();
    for ((place, known), strays) in sorts {
        let Some(departure) = departure(judged, (place, known), &strays) else { continue };
        if out.get(&place).is_none_or(|d| d.strength < departure.strength) {
            out.insert(place, departure);
        }
    }
    pooled(out.into_values().collect(), judged.tuned.sure)
}

/// The same operation is one place for each caller, since callers ask for different things; what it does under all of
/// them together is known more surely than under any one.
fn pooled(mut all: Vec<Departure>, sure: f64) -> Vec<Departure> {
    let mut groups: BTreeMap<_, (f64, f64)> = BTreeMap::new();
    for d in &all {
        let group = groups.entry((d.place.0, d.place.1, d.place.2)).or_insert((0.0, 0.0));
        group.0 += d.excess;
        group.1 += float(d.of);
    }
    for d in &mut all {
        let (hits, of) = groups[&(d.place.0, d.place.1, d.place.2)];
        let together = share_at_least(hits, of, sure);
        if d.strength < together {
            (d.strength, d.excess) = (together, hits);
        }
    }
    all.retain(|d| d.strength > 0.0);
    all
}

/// Weighs the odd courses `(course, count, example)` that come nearest to one known course.
fn departure(judged: &Judged<'_>, (place, known): (Place, u32), odd: &[(u32, usize, usize)]) -> Option<Departure> {
    let Judged { before, after, catalogue, counted, tuned, .. } = *judged;
    let (seen, now) = (before.reference(place)?.0, after.counts.get(&place)?);
    let n_before = float(seen.values().sum());
    let once = float(seen.values().filter(|&&n| n == 1).count());
    let rare: f64 = odd.iter().filter_map(|(id, ..)| seen.get(id)).map(|&n| float(n)).sum();
    let hits: usize = odd.iter().map(|x| x.1).sum();
    let all: usize = now.values().sum();
    let expected = float(all) * (once.max(rare) + 1.0) / (n_before + 1.0);
    // A loop follows the data of each request, so a new count only tells when it is new for requests of every sort.
    let of = if counted { all } else { hits + now.get(&known).copied().unwrap_or(0) };
    let excess = float(hits) - expected;
    let strength = share_at_least(excess, float(of), tuned.sure);
    let &(id, _, example) = odd.iter().max_by_key(|x| x.1)?;
    let (old, new) = (catalogue.courses.get(known as usize)?, catalogue.courses.get(id as usize)?);
    let times = |course: &Course, event: Event| course.iter().find(|x| x.0 == event).map_or(0, |x| x.1);
    let fewer = |a: &Course, b: &Course| a.iter().filter(|x| times(b, x.0) < x.1).map(|x| x.0).collect();
    Some(Departure {
        place,
        strength,
        excess,
        blame: 1.0,
        hits,
        of,
        missing: fewer(old, new),
        new: fewer(new, old),
        example,
    })
}

/// The healthy course with the largest overlap (Jaccard, counted); of equals the one that lost the largest share of
/// the requests.
fn nearest(judged: &Judged<'_>, place: Place, id: u32) -> Option<u32> {
    let courses = &judged.catalogue.courses;
    let course = courses.get(id as usize)?;
    let likeness = |other: u32| {
        let Some(other) = courses.get(other as usize) else { return 0.0 };
        let sum = |c: &Course| c.iter().map(|x| usize::from(x.1)).sum::<usize>();
        let both: usize =
            other.iter().filter_map(|x| Some(usize::from(x.1.min(course.iter().find(|y| y.0 == x.0)?.1)))).sum();
        let either = sum(other) + sum(course) - both;
        if either == 0 { 1.0 } else { float(both) / float(either) }
    };
    let (seen, now) = (judged.before.reference(place)?.0, judged.after.counts.get(&place)?);
    let (n_seen, n_now) = (float(seen.values().sum::<usize>().max(1)), float(now.values().sum::<usize>().max(1)));
    let share = |counts: &BTreeMap<u32, usize>, id: u32| float(counts.get(&id).copied().unwrap_or(0));
    seen.keys()
        .filter(|k| !judged.odd.contains(&(place, **k)))
        .map(|&k| (likeness(k), share(seen, k) / n_seen - share(now, k) / n_now, k))
        .max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(b.2.cmp(&a.2)))
        .map(|(_, _, k)| k)
}

/// Levels above a span that it can excuse; deeper traces are rare and mostly loops.
const HEIGHT: usize = 256;

/// For each span, whether something beneath it in another service left its course or failed, too surely to be chance:
/// then that is the earlier cause. `strength` gives a span's own departure, and what it offers as explanation.
fn excused(forest: &Forest, strength: impl Fn(usize) -> (f64, f64), explains: f64) -> Vec<bool> {
    let mut below = vec![0.0_f64; forest.nodes.len()];
    for at in 0..forest.nodes.len() {
        let (_, offered) = strength(at);
        if offered <= 0.0 {
            continue;
        }
        let service = forest.nodes[at].lost.unwrap_or(forest.nodes[at].service);
        let mut here = forest.nodes[at].parent;
        for _ in 0..HEIGHT {
            let Some(up) = here else { break };
            if forest.nodes[up].service != service {
                below[up] = below[up].max(offered);
            }
            here = forest.nodes[up].parent;
        }
    }
    let explained = |(at, below): (usize, f64)| below > 0.0 && below >= explains * strength(at).0;
    below.into_iter().enumerate().map(explained).collect()
}
