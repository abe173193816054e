//! The whole computation against an oracle that walks everything again for each figure.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::Datelike;
use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::incidents::model::MilestoneName;
use crate::reports::model::facts::{Block, Fact, Loose, Standing, Times};
use crate::reports::model::measures::Measure;
use crate::reports::model::reasons::Reason;
use crate::reports::model::scope::{Include, Scope, ScopeQuery};
use crate::reports::model::select::{Service, Targets};

const MINUTE: i64 = 60_000_000;

fn at(minutes: i64) -> i64 {
    1_767_225_600_000_000 + minutes * MINUTE // from 2026-01-01T00:00Z
}

fn scope(group_by: GroupBy) -> Scope {
    let query = ScopeQuery { from: "2026-01-01".into(), to: "2026-01-31".into(), ..ScopeQuery::default() };
    Scope::parse(&query, Timestamp::from_micros(at(0)), Tz::UTC).expect("valid").grouped(group_by)
}

fn everything() -> Eyes {
    Eyes { all: true, ..Eyes::default() }
}

/// Services 1 to 4: a and b of team one, c and d of none; tiers 1 to 4.
fn snapshot(incidents: Vec<Loose>) -> Snapshot {
    let service = |id: i64, slug: &str, team: &str| {
        (id, Service { slug: slug.into(), team: team.into(), tier: u8::try_from(id).unwrap() })
    };
    let services = [service(1, "a", "one"), service(2, "b", "one"), service(3, "c", ""), service(4, "d", "")];
    // Two blocks, so that what stands once per block is looked up in the right one.
    let (odd, even): (Vec<_>, Vec<_>) = incidents.into_iter().partition(|i| i.fact.number % 2 == 1);
    let blocks = [odd, even].map(|half| Arc::new(Block::new(half))).to_vec();
    Snapshot { blocks, services: Arc::new(services.into_iter().collect()), version: 0 }
}

fn loose(number: i64, minutes: [i64; 5]) -> Loose {
    use MilestoneName::*;
    let mut times = Times::default();
    for (name, minute) in [ImpactStarted, Detected, Acknowledged, Mitigated, Resolved].into_iter().zip(minutes) {
        times.set(name, Some(at(minute)));
    }
    let fact = Fact { times, severity: 2, ..Fact::empty(number) };
    Loose { fact, raw: times, services: vec![1], cause: String::new(), environment: String::new() }
}

fn report(incidents: Vec<Loose>, scope: &Scope, measures: &[Measure]) -> Report {
    compute(&snapshot(incidents), &Question::of(scope, measures), &everything())
}

fn minutes_of(report: &Report, place: usize) -> Option<f64> {
    report.total.summary(place).map(|s| s.mean / 60.0)
}

#[test]
fn the_means_of_two_incidents() {
    let incidents = vec![loose(1, [0, 5, 7, 20, 60]), loose(2, [100, 101, 103, 110, 120])];
    let report = report(incidents, &scope(GroupBy::Service), &Measure::ALL);
    let means: Vec<_> = (0..7).map(|place| minutes_of(&report, place)).collect();
    // MTTD, MTTA, MTTM, MTTR, repair, recovery, MTBF.
    assert_eq!(means, [Some(3.0), Some(2.0), Some(12.0), Some(40.0), Some(37.0), None, Some(100.0)]);
    assert_eq!((report.groups.len(), report.groups[0].n), (1, 2));
}

#[test]
fn raw_times_give_the_uncorrected_number() {
    let mut late = loose(1, [0, 5, 7, 20, 60]);
    late.raw.set(MilestoneName::ImpactStarted, Some(at(5)));
    let corrected = report(vec![late.clone()], &scope(GroupBy::Service), &Measure::MAIN);
    let raw = report(vec![late], &Scope { raw: true, ..scope(GroupBy::Service) }, &Measure::MAIN);
    assert_eq!((minutes_of(&corrected, 3), minutes_of(&raw, 3)), (Some(60.0), Some(55.0)));
    assert_eq!(corrected.total.counts.corrected, Share { part: 1, of: 1 });
}

#[test]
fn each_left_out_incident_has_its_reason() {
    let standing = |number, standing| {
        let mut one = loose(number, [0, 1, 2, 3, 4]);
        one.fact.standing = standing;
        one
    };
    let mut open = loose(6, [0, 1, 2, 3, 4]);
    open.fact.open = true;
    open.fact.times = Times::default();
    open.fact.times.set(MilestoneName::ImpactStarted, Some(at(0)));
    open.fact.times.set(MilestoneName::Detected, Some(at(1)));
    let mut nothing = loose(8, [0; 5]);
    nothing.fact.times = Times::default();
    let mut spanning = loose(9, [-60; 5]);
    spanning.fact.open = true;
    let incidents = vec![
        standing(1, Standing::Drill),
        standing(2, Standing::Declined),
        standing(3, Standing::Merged),
        loose(4, [-60, -50, -40, 10, 20]),
        loose(5, [-60, -50, -40, -30, -20]),
        open,
        loose(7, [10, 5, 20, 30, 40]),
        nothing,
        spanning,
    ];
    let found = report(incidents.clone(), &scope(GroupBy::Service), &Measure::MAIN);
    let listed: Vec<_> = found.excluded.iter().map(|e| (e.number, e.reason.key(), e.places().count())).collect();
    assert_eq!(
        listed,
        [
            (1, "drill", 0),
            (2, "declined", 0),
            (3, "merged", 0),
            (4, "outside_window", 0),
            (6, "open", 3),
            (7, "out_of_order", 1),
            (8, "no_start", 0),
            (9, "outside_window", 0),
        ]
    );
    assert_eq!(found.total.n, 2);
    let include = Include { drills: true, declined: true, merged: true };
    assert_eq!(report(incidents, &Scope { include, ..scope(GroupBy::Service) }, &Measure::MAIN).total.n, 5);
}

#[test]
fn private_incidents_count_only_for_those_who_may_see_them() {
    let mut secret = loose(1, [0, 5, 7, 20, 60]);
    secret.fact.private = true;
    let snapshot = snapshot(vec![secret, loose(2, [0, 1, 2, 3, 4])]);
    let question = Question::of(&scope(GroupBy::Service), &Measure::MAIN);
    let count = |eyes: &Eyes| compute(&snapshot, &question, eyes).total.n;
    assert_eq!(count(&Eyes::default()), 1);
    assert_eq!(count(&Eyes { all: false, named: HashSet::from([1]) }), 2);
    assert_eq!(count(&everything()), 2);
}

#[test]
fn an_incident_of_two_services_counts_once_in_the_total() {
    let mut wide = loose(1, [0, 1, 2, 3, 4]);
    wide.services = vec![1, 3, 1];
    let mut homeless = loose(2, [0, 1, 2, 3, 4]);
    homeless.services.clear();
    let found = report(vec![wide, homeless], &scope(GroupBy::Service), &Measure::MAIN);
    let groups: Vec<_> = found.groups.iter().map(|g| (g.key.as_str(), g.n)).collect();
    assert_eq!(groups, [(NONE_KEY, 1), ("a", 1), ("c", 1)]);
    assert_eq!(found.total.n, 2);
}

#[test]
fn empty_periods_are_shown_and_empty_reports_stand() {
    let found = report(vec![], &scope(GroupBy::Week), &Measure::MAIN);
    assert_eq!(found.groups.len(), 5);
    assert!(found.groups.iter().all(|g| g.n == 0 && g.summaries.iter().all(Option::is_none)));
    assert_eq!(found.total.n, 0);
}

#[test]
fn a_zero_duration_is_a_value() {
    let found = report(vec![loose(1, [0; 5])], &scope(GroupBy::Severity), &Measure::MAIN);
    let zero = found.total.summary(3).expect("counted");
    assert_eq!((zero.n, zero.mean), (1, 0.0));
}

#[test]
fn a_cause_that_comes_back_is_recurring_and_targets_count_by_severity() {
    let day = 24 * 60;
    let with_cause = |number, start: i64, cause: &str, service| {
        let mut one = loose(number, [start, start + 1, start + 2, start + 3, start + number * 10]);
        one.cause = cause.into();
        one.services = vec![service];
        one
    };
    let incidents = vec![
        with_cause(1, 0, "change", 1),
        with_cause(2, 2 * day, "change", 1),
        with_cause(3, 3 * day, "change", 2),
        with_cause(4, 4 * day, "capacity", 1),
        with_cause(5, 5 * day, "", 1),
    ];
    let targets: Targets = BTreeMap::from([(("mttr".to_owned(), 2), 25 * MINUTE)]);
    let question = Question::of(&scope(GroupBy::Cause), &Measure::MAIN).with_targets(targets);
    let found = compute(&snapshot(incidents), &question, &everything());
    assert_eq!(found.total.counts.recurring, Share { part: 1, of: 4 });
    assert_eq!(found.total.within[3], Share { part: 2, of: 5 });
    assert_eq!(found.total.within[0], Share::default());
    assert_eq!(
        found.groups.iter().map(|g| (g.key.as_str(), g.n)).collect::<Vec<_>>(),
        [(NONE_KEY, 1), ("capacity", 1), ("change", 3)]
    );
}

/// Any mix of known and unknown times, in and out of order, in and around the month.
fn any_incident() -> impl Strategy<Value = Loose> {
    let minute = prop::option::weighted(0.8, -2_000_i64..50_000);
    let standing = prop::sample::select(vec![Standing::Counted, Standing::Counted, Standing::Drill, Standing::Merged]);
    let services = prop::collection::vec(1_i64..=4, 0..3);
    let words = ("(|x|y)", "(|prod)");
    (prop::array::uniform8(minute), 1_u8..=4, standing, any::<bool>(), services, words, -1_i64..900, 0_usize..8)
        .prop_map(|(minutes, severity, standing, open, services, (cause, environment), silence, detection)| {
            let mut times = Times::default();
            for (name, minute) in MilestoneName::ALL.iter().zip(minutes) {
                times.set(*name, minute.map(at));
            }
            let fact = Fact {
                times,
                severity,
                standing,
                open,
                silence,
                states: [silence, -1, silence, 0],
                detection: Detection::ALL[detection],
                ..Fact::empty(0)
            };
            Loose { fact, raw: times, services, cause, environment }
        })
}

/// The groups that an incident belongs to.
fn keys_of(incident: &Loose, anchor: i64, scope: &Scope) -> Vec<String> {
    let day = Timestamp::from_micros(anchor).to_datetime().with_timezone(&scope.zone);
    let or_none = |list: Vec<String>| if list.is_empty() { vec!["(none)".to_owned()] } else { list };
    let named = |text: &String| or_none(if text.is_empty() { vec![] } else { vec![text.clone()] });
    match scope.group_by {
        GroupBy::Service => or_none(
            incident
                .services
                .iter()
                .map(|id| ["a", "b", "c", "d"][usize::try_from(*id).unwrap() - 1].to_owned())
                .collect(),
        ),
        GroupBy::Team => or_none(incident.services.iter().filter(|id| **id < 3).map(|_| "one".to_owned()).collect()),
        GroupBy::Tier => or_none(incident.services.iter().map(i64::to_string).collect()),
        GroupBy::Severity => vec![format!("SEV{}", incident.fact.severity)],
        GroupBy::Cause => named(&incident.cause),
        GroupBy::Environment => named(&incident.environment),
        GroupBy::Detection => vec![incident.fact.detection.as_str().to_owned()],
        GroupBy::Day => vec![day.format("%Y-%m-%d").to_string()],
        GroupBy::Week => vec![day.format("%G-W%V").to_string()],
        GroupBy::Month => vec![day.format("%Y-%m").to_string()],
        GroupBy::Quarter => vec![format!("{}-Q{}", day.year(), day.month().div_ceil(3))],
    }
}

#[test]
fn as_many_groups_as_incidents_are_each_counted_once() {
    let many = 100_000_i64;
    let named = |number| Loose { cause: format!("cause {number}"), ..loose(number, [0, 1, 2, 3, 4 + number % 7]) };
    // Small blocks, as a block looks for its names one by one.
    let blocks =
        (0..many / 500).map(|block| Arc::new(Block::new((block * 500 + 1..=(block + 1) * 500).map(named).collect())));
    let snapshot = Snapshot { blocks: blocks.collect(), ..snapshot(Vec::new()) };
    let report = compute(&snapshot, &Question::of(&scope(GroupBy::Cause), &[Measure::Mttr]), &everything());
    assert_eq!((report.total.n, report.groups.len()), (100_000, 100_000));
    assert!(report.groups.iter().all(|group| group.n == 1 && group.summary(0).is_some_and(|s| s.n == 1)));
}

/// One figure, made from scratch: no grouping maps, no shared helpers, plain loops.
fn oracle(incidents: &[Loose], scope: &Scope, key: &str, measure: Measure) -> Vec<i64> {
    use MilestoneName::*;
    let time = |i: &Loose, name: MilestoneName| Some(i.fact.times.0[name as usize]).filter(|at| *at != i64::MIN);
    let mut chosen: Vec<&Loose> = Vec::new();
    for i in incidents {
        let signs = [time(i, Detected), time(i, Declared), time(i, Acknowledged)];
        let Some(anchor) = time(i, ImpactStarted).or(signs.into_iter().flatten().min()) else { continue };
        let inside = anchor >= scope.from.as_micros() && anchor < scope.to.as_micros();
        if inside && i.fact.standing == Standing::Counted && keys_of(i, anchor, scope).iter().any(|k| k == key) {
            chosen.push(i);
        }
    }
    let between = |from, to| {
        chosen.iter().filter_map(|i| Some(time(i, to)? - time(i, from)?)).filter(|span| *span >= 0).collect::<Vec<_>>()
    };
    let mut out = match measure {
        Measure::Mttd => between(ImpactStarted, Detected),
        Measure::Mtta => between(Detected, Acknowledged),
        Measure::Mttm => between(Detected, Mitigated),
        Measure::Mttr => between(ImpactStarted, Resolved),
        Measure::Repair => between(Detected, Resolved),
        Measure::Recovery => between(ImpactStarted, ImpactEnded),
        Measure::Silence => chosen.iter().map(|i| i.fact.silence).filter(|s| *s >= 0).collect(),
        Measure::InTriage => chosen.iter().map(|i| i.fact.states[0]).filter(|s| *s >= 0).collect(),
        Measure::Investigating => chosen.iter().map(|i| i.fact.states[1]).filter(|s| *s >= 0).collect(),
        Measure::Identified => chosen.iter().map(|i| i.fact.states[2]).filter(|s| *s >= 0).collect(),
        Measure::Monitoring => chosen.iter().map(|i| i.fact.states[3]).filter(|s| *s >= 0).collect(),
        Measure::Mtbf => {
            let starts: Vec<i64> = chosen.iter().filter_map(|i| time(i, ImpactStarted)).collect();
            let mut gaps = Vec::new();
            for (i, start) in starts.iter().enumerate() {
                // The next one in time; among equal times, the next one in the list.
                let later = starts.iter().enumerate().filter(|(j, s)| **s > *start || (**s == *start && *j > i));
                gaps.extend(later.map(|(_, s)| *s - *start).min());
            }
            gaps
        }
    };
    out.sort_unstable();
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn every_figure_agrees_with_the_oracle(
        mut incidents in prop::collection::vec(any_incident(), 0..40), group in 0_usize..GroupBy::ALL.len(),
        zone in prop::sample::select(vec![Tz::UTC, chrono_tz::Asia::Tokyo, chrono_tz::America::New_York]),
    ) {
        for (number, incident) in incidents.iter_mut().enumerate() {
            incident.fact.number = number as i64 + 1;
        }
        let scope = Scope { zone, ..scope(GroupBy::ALL[group]) };
        let found = report(incidents.clone(), &scope, &Measure::ALL);
        for group in &found.groups {
            for (place, measure) in Measure::ALL.into_iter().enumerate() {
                let expected = Summary::of(oracle(&incidents, &scope, &group.key, measure));
                prop_assert_eq!(group.summary(place), expected.as_ref(), "{} {:?}", group.key, measure);
            }
        }
        // Every incident is counted, listed as left out, or lies wholly outside the period.
        let (from, to) = (scope.from.as_micros(), scope.to.as_micros());
        for incident in &incidents {
            let whole = found.excluded.iter().filter(|e| e.number == incident.fact.number && e.missing == 0).count();
            let known: Vec<i64> = incident.fact.times.known().collect();
            let first = incident.fact.times.start();
            let touches = first.is_none() || known.iter().any(|t| from <= *t && *t < to)
                || first.is_some_and(|f| f < from) && (incident.fact.open || known.iter().any(|t| *t >= to));
            let counts = first.is_some_and(|f| from <= f && f < to) && incident.fact.standing == Standing::Counted;
            prop_assert_eq!(whole, usize::from(touches && !counts), "{}", incident.fact.number);
        }
        // What is not of several services splits the total; services may overlap but cover it.
        let in_groups: usize = found.groups.iter().map(|g| g.n).sum();
        if matches!(scope.group_by, GroupBy::Service | GroupBy::Team | GroupBy::Tier) {
            prop_assert!(in_groups >= found.total.n);
        } else {
            prop_assert_eq!(in_groups, found.total.n);
        }
        prop_assert!(found.excluded.iter().all(|e| e.missing != 0 || matches!(e.reason, Reason::Drill | Reason::Merged | Reason::OutsideWindow | Reason::NoStart)));
    }

    #[test]
    fn digits_order_like_comparisons(values in prop::collection::vec(0_i64..1_i64 << 52, 4_096..6_000)) {
        let (mut by_digits, mut compared) = (values.clone(), values);
        sort_micros(&mut by_digits);
        compared.sort_unstable();
        prop_assert_eq!(by_digits, compared);
    }
}
