//! What happened under each span, and how often each course was taken at each place.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::float;
use crate::suspects::forest::Forest;
use crate::suspects::stats::share_grew_at_least;
use crate::suspects::tuning::Tunables;

/// What can happen right under a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::suspects) enum Event {
    Local(u32),
    /// Service, operation.
    Call(u32, u32),
    /// A call that the service never recorded.
    Lost(u32),
    /// Template; true when the line is an error.
    Line(usize, bool),
}

pub(super) type Course = Vec<(Event, Times)>;

/// How often an event happened under one span; counted up to [`MANY`], or only as "did" when courses are sets.
pub(super) type Times = u8;
const MANY: Times = 4;

/// Service, operation, the local operation above and the entry that it serves (both none at an entry), and the service
/// that called.
pub(in crate::suspects) type Place = (u32, u32, Option<(u32, u32)>, Option<u32>);

/// Lines by the span that they belong to: (template, error) → how often, at most 255.
pub(in crate::suspects) type Lines = HashMap<usize, BTreeMap<(usize, bool), u8>>;

#[derive(Default)]
pub(super) struct Courses {
    pub(super) of_node: Vec<Option<(Place, u32)>>,
    pub(super) counts: BTreeMap<Place, BTreeMap<u32, usize>>,
    /// Those of [`Self::counts`] under which the service reported no error. Only they can be left; a service that
    /// failed in the baseline and no longer does is no suspect for that.
    healthy: BTreeMap<Place, BTreeMap<u32, usize>>,
    /// Whether the service reported an error in the visit that a span belongs to.
    pub(super) troubled: Vec<bool>,
}

impl Courses {
    pub(super) fn of((forest, lines): (&Forest, &Lines), counted: bool, catalogue: &mut Catalogue) -> Self {
        let mut of_node = vec![None; forest.nodes.len()];
        let mut counts: BTreeMap<Place, BTreeMap<u32, usize>> = BTreeMap::new();
        for (at, node) in forest.nodes.iter().enumerate() {
            if node.calls.is_some() {
                continue; // a pure call is an event of the span above it
            }
            let above = node.parent.filter(|_| !node.remote);
            let place = (
                node.service,
                node.operation,
                above.map(|p| (forest.nodes[p].operation, forest.nodes[node.entry].operation)),
                forest.nodes[node.entry].parent.map(|p| forest.nodes[p].service),
            );
            let id = catalogue.id(course(forest, lines, at, counted));
            of_node[at] = Some((place, id));
            *counts.entry(place).or_default().entry(id).or_default() += 1;
        }
        let mut courses = Self { of_node, counts, ..Self::default() };
        let troubled = troubled(forest, lines);
        courses.troubled = (0..forest.nodes.len()).map(|at| troubled.contains(&forest.nodes[at].entry)).collect();
        for (at, course) in courses.of_node.iter().enumerate() {
            if let Some((place, id)) = course.filter(|_| !courses.troubled[at]) {
                *courses.healthy.entry(place).or_default().entry(id).or_default() += 1;
            }
        }
        courses
    }

    /// What to compare with at a place, and whether that is healthy. Where the baseline knows only visits with errors,
    /// errors are how it always is there.
    pub(super) fn reference(&self, place: Place) -> Option<(&BTreeMap<u32, usize>, bool)> {
        self.healthy.get(&place).map(|h| (h, true)).or_else(|| self.counts.get(&place).map(|c| (c, false)))
    }
}

/// Courses that are unknown at a place that is known, or were rare and surely grew by as much again.
pub(super) type Odd = BTreeSet<(Place, u32)>;

pub(super) fn odd(before: &Courses, after: &Courses, tuned: &Tunables) -> Odd {
    let mut odd = Odd::new();
    for (place, now) in &after.counts {
        let Some(then) = before.counts.get(place) else { continue };
        let (nb, na) = (float(then.values().sum()), float(now.values().sum()));
        odd.extend(now.iter().filter_map(|(&id, &n)| {
            let was = float(then.get(&id).copied().unwrap_or(0));
            let grew =
                was <= tuned.rare * nb && share_grew_at_least((float(n), na), (was, nb), tuned.sure) > tuned.rare;
            (was == 0.0 || grew).then_some((*place, id))
        }));
    }
    odd
}

/// Courses as small numbers, shared by the baseline and the incident.
#[derive(Default)]
pub(super) struct Catalogue {
    ids: HashMap<Course, u32>,
    pub(super) courses: Vec<Course>,
}

impl Catalogue {
    fn id(&mut self, course: Course) -> u32 {
        if let Some(&id) = self.ids.get(&course) {
            return id;
        }
        let id = u32::try_from(self.courses.len()).unwrap_or(u32::MAX);
        self.courses.push(course.clone());
        self.ids.insert(course, id);
        id
    }
}

/// Entries of the visits under which the service itself reported an error, as span or line.
fn troubled(forest: &Forest, lines: &Lines) -> BTreeSet<usize> {
    let complaints = lines.iter().filter(|(_, l)| l.keys().any(|(_, error)| *error)).map(|(at, _)| *at);
    let failures = (0..forest.nodes.len()).filter(|&at| forest.nodes[at].error);
    complaints.chain(failures).map(|at| forest.nodes[at].entry).collect()
}

fn course(forest: &Forest, lines: &Lines, at: usize, counted: bool) -> Course {
    let mut events: BTreeMap<Event, Times> = BTreeMap::new();
    let mut note = |event, times: Times| {
        let sum = events.entry(event).or_default();
        *sum = if counted { sum.saturating_add(times).min(MANY) } else { 1 };
    };
    let note_lines = |span: usize, note: &mut dyn FnMut(Event, Times)| {
        for (&(template, error), &times) in lines.get(&span).into_iter().flatten() {
            note(Event::Line(template, error), times);
        }
    };
    note_lines(at, &mut note);
    for &child in &forest.children[at] {
        note(event(forest, child, forest.nodes[at].service), 1);
        if forest.nodes[child].calls.is_some() {
            note_lines(child, &mut note);
        }
    }
    events.into_iter().collect()
}

fn event(forest: &Forest, child: usize, service: u32) -> Event {
    let node = &forest.nodes[child];
    if let Some(callee) = node.lost {
        return Event::Lost(callee);
    }
    let target = node.calls.map_or(node, |callee| &forest.nodes[callee]);
    if target.service == service {
        Event::Local(target.operation)
    } else {
        Event::Call(target.service, target.operation)
    }
}
