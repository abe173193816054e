//! The whole computation against an oracle that walks everything again for each figure.

use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::reports::model::scope::{Include, ScopeQuery};

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_secs(1_767_225_600 + minutes * 60) // from 2026-01-01T00:00Z
}

fn scope(group_by: GroupBy) -> Scope {
    let query = ScopeQuery { from: "2026-01-01".into(), to: "2026-01-31".into(), ..ScopeQuery::default() };
    Scope::parse(&query, at(0), Tz::UTC).expect("valid").grouped(group_by)
}

fn record(number: i64, minutes: [i64; 5]) -> Record {
    let moments = [
        MilestoneName::ImpactStarted,
        MilestoneName::Detected,
        MilestoneName::Acknowledged,
        MilestoneName::Mitigated,
        MilestoneName::Resolved,
    ];
    let times =
        moments.into_iter().zip(minutes).fold(MilestoneTimes::default(), |t, (m, minute)| t.with(m, Some(at(minute))));
    Record {
        number,
        title: format!("incident {number}"),
        severity: 2,
        standing: Standing::Counted,
        open: false,
        services: vec!["cart".into()],
        teams: vec!["shop".into()],
        times,
        raw: times,
    }
}

#[test]
fn the_four_means_of_two_incidents() {
    let records = [record(1, [0, 5, 7, 20, 60]), record(2, [100, 101, 103, 110, 120])];
    let report = compute(&records, &scope(GroupBy::Service), &Measure::ALL);
    let mean = |m| report.total.summary(m).map(|s| s.mean / 60.0);
    assert_eq!(mean(Measure::Mttd), Some(3.0));
    assert_eq!(mean(Measure::Mtta), Some(2.0));
    assert_eq!(mean(Measure::Mttm), Some(12.0));
    assert_eq!(mean(Measure::Mttr), Some(40.0));
    assert_eq!(mean(Measure::Mtbf), Some(100.0));
    assert_eq!(mean(Measure::Recovery), None);
    assert_eq!(report.groups.len(), 1);
    assert_eq!(report.groups[0].numbers, [1, 2]);
}

#[test]
fn raw_times_give_the_uncorrected_number() {
    let mut late = record(1, [0, 5, 7, 20, 60]);
    late.raw.set(MilestoneName::ImpactStarted, Some(at(5)));
    let corrected = compute(&[late.clone()], &scope(GroupBy::Service), &Measure::MAIN);
    let raw = compute(&[late], &Scope { raw: true, ..scope(GroupBy::Service) }, &Measure::MAIN);
    let mttr = |r: &Report| r.total.summary(Measure::Mttr).map(|s| s.mean);
    assert_eq!((mttr(&corrected), mttr(&raw)), (Some(3_600.0), Some(3_300.0)));
}

#[test]
fn each_left_out_incident_has_its_reason() {
    let mut drill = record(1, [0, 1, 2, 3, 4]);
    drill.standing = Standing::Drill;
    let mut declined = record(2, [0, 1, 2, 3, 4]);
    declined.standing = Standing::Declined;
    let mut merged = record(3, [0, 1, 2, 3, 4]);
    merged.standing = Standing::Merged;
    let outside = record(4, [-60, -50, -40, 10, 20]);
    let elsewhere = record(5, [-60, -50, -40, -30, -20]);
    let mut open = record(6, [0, 1, 2, 3, 4]);
    open.open = true;
    open.times = MilestoneTimes::default()
        .with(MilestoneName::ImpactStarted, Some(at(0)))
        .with(MilestoneName::Detected, Some(at(1)));
    let backwards = record(7, [10, 5, 20, 30, 40]);
    let mut nothing = record(8, [0; 5]);
    nothing.times = MilestoneTimes::default();
    let records = [drill, declined, merged, outside, elsewhere, open, backwards, nothing];
    let report = compute(&records, &scope(GroupBy::Service), &Measure::MAIN);
    let found: Vec<_> = report.excluded.iter().map(|e| (e.number, e.reason.key(), e.measures.len())).collect();
    assert_eq!(
        found,
        [
            (1, "drill", 0),
            (2, "declined", 0),
            (3, "merged", 0),
            (4, "outside_window", 0),
            (6, "open", 3),
            (7, "out_of_order", 1),
            (8, "no_start", 0)
        ]
    );
    assert_eq!(report.total.numbers, [6, 7]);
    let all = Include { drills: true, declined: true, merged: true };
    let report = compute(&records, &Scope { include: all, ..scope(GroupBy::Service) }, &Measure::MAIN);
    assert_eq!(report.total.n(), 5);
}

#[test]
fn an_incident_of_two_services_counts_once_in_the_total() {
    let mut wide = record(1, [0, 1, 2, 3, 4]);
    wide.services = vec!["cart".into(), "checkout".into(), "cart".into()];
    let mut homeless = record(2, [0, 1, 2, 3, 4]);
    homeless.services.clear();
    let report = compute(&[wide, homeless], &scope(GroupBy::Service), &Measure::MAIN);
    let groups: Vec<_> = report.groups.iter().map(|g| (g.key.as_str(), g.n())).collect();
    assert_eq!(groups, [(NONE_KEY, 1), ("cart", 1), ("checkout", 1)]);
    assert_eq!(report.total.n(), 2);
}

#[test]
fn empty_periods_are_shown_and_empty_reports_stand() {
    let report = compute(&[], &scope(GroupBy::Week), &Measure::MAIN);
    assert_eq!(report.groups.len(), 5);
    assert!(report.groups.iter().all(|g| g.n() == 0 && g.summaries.is_empty()));
    assert_eq!(report.total.n(), 0);
}

#[test]
fn a_zero_duration_is_a_value() {
    let report = compute(&[record(1, [0; 5])], &scope(GroupBy::Severity), &Measure::MAIN);
    let zero = report.total.summary(Measure::Mttr).expect("counted");
    assert_eq!((zero.n, zero.mean), (1, 0.0));
}

/// Any mix of known and unknown times, in and out of order, in and around the month.
fn any_record() -> impl Strategy<Value = Record> {
    let minute = prop::option::weighted(0.8, -2_000_i64..50_000);
    let standing = prop::sample::select(vec![
        Standing::Counted,
        Standing::Counted,
        Standing::Counted,
        Standing::Drill,
        Standing::Declined,
        Standing::Merged,
    ]);
    let services = prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d"]), 0..3);
    (prop::array::uniform8(minute), 1_u8..=4, standing, any::<bool>(), services).prop_map(
        |(minutes, severity, standing, open, services)| {
            let mut times = MilestoneTimes::default();
            for (moment, minute) in MilestoneName::ALL.iter().zip(minutes) {
                if let Some(minute) = minute {
                    times.set(*moment, Some(at(minute)));
                }
            }
            Record {
                number: 0,
                title: String::new(),
                severity,
                standing,
                open,
                teams: services.iter().map(|s| format!("team-{}", s.len())).collect(),
                services: services.iter().map(|s| (*s).to_owned()).collect(),
                times,
                raw: times,
            }
        },
    )
}

/// One figure, made from scratch: no grouping maps, no shared helpers, plain loops.
fn oracle(records: &[Record], scope: &Scope, key: &str, measure: Measure) -> Vec<i64> {
    let mut chosen: Vec<&Record> = Vec::new();
    for r in records {
        let start = r.times.get(MilestoneName::ImpactStarted);
        let signs = [MilestoneName::Detected, MilestoneName::Declared, MilestoneName::Acknowledged];
        let anchor = start.or(signs.into_iter().filter_map(|m| r.times.get(m)).min());
        let Some(anchor) = anchor else { continue };
        if r.standing != Standing::Counted || anchor < scope.from || anchor >= scope.to {
            continue;
        }
        let day = anchor.to_datetime().with_timezone(&scope.zone);
        let in_group = match scope.group_by {
            GroupBy::Service => r.services.iter().any(|s| s == key) || (r.services.is_empty() && key == "(none)"),
            GroupBy::Team => r.teams.iter().any(|s| s == key) || (r.teams.is_empty() && key == "(none)"),
            GroupBy::Severity => key == format!("SEV{}", r.severity),
            GroupBy::Week => key == day.format("%G-W%V").to_string(),
            GroupBy::Month => key == day.format("%Y-%m").to_string(),
        };
        if in_group {
            chosen.push(r);
        }
    }
    let ends = match measure {
        Measure::Mttd => Some((MilestoneName::ImpactStarted, MilestoneName::Detected)),
        Measure::Mtta => Some((MilestoneName::Detected, MilestoneName::Acknowledged)),
        Measure::Mttm => Some((MilestoneName::Detected, MilestoneName::Mitigated)),
        Measure::Mttr => Some((MilestoneName::ImpactStarted, MilestoneName::Resolved)),
        Measure::Repair => Some((MilestoneName::Detected, MilestoneName::Resolved)),
        Measure::Recovery => Some((MilestoneName::ImpactStarted, MilestoneName::ImpactEnded)),
        Measure::Mtbf => None,
    };
    let mut out = Vec::new();
    if let Some((from, to)) = ends {
        for r in chosen {
            if let (Some(a), Some(b)) = (r.times.get(from), r.times.get(to))
                && a <= b
            {
                out.push((b - a).num_microseconds().expect("in range"));
            }
        }
    } else {
        let starts: Vec<_> = chosen.iter().filter_map(|r| r.times.get(MilestoneName::ImpactStarted)).collect();
        for (i, start) in starts.iter().enumerate() {
            // The next one in time; among equal times, the next one in the list.
            let next = starts
                .iter()
                .enumerate()
                .filter(|(j, s)| **s > *start || (**s == *start && *j > i))
                .map(|(_, s)| *s)
                .min();
            out.extend(next.map(|n| (n - *start).num_microseconds().expect("in range")));
        }
    }
    out.sort_unstable();
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_figure_agrees_with_the_oracle(
        records in prop::collection::vec(any_record(), 0..40), group in 0_usize..5,
        zone in prop::sample::select(vec![Tz::UTC, chrono_tz::Asia::Tokyo, chrono_tz::America::New_York]),
    ) {
        let mut records = records;
        for (number, record) in records.iter_mut().enumerate() {
            record.number = number as i64 + 1;
        }
        let scope = Scope { zone, ..scope(GroupBy::ALL[group]) };
        let report = compute(&records, &scope, &Measure::ALL);
        for group in &report.groups {
            for measure in Measure::ALL {
                let expected = oracle(&records, &scope, &group.key, measure);
                prop_assert_eq!(group.micros(measure), expected.clone(), "{} {:?}", group.key, measure);
                prop_assert_eq!(group.summary(measure).map_or(0, |s| s.n), expected.len());
            }
        }
        // Every record is counted, listed as left out, or lies wholly outside the period.
        for record in &records {
            let counted = report.total.numbers.contains(&record.number);
            let listed = report.excluded.iter().any(|e| e.number == record.number && e.measures.is_empty());
            let inside = record.times.iter().any(|(_, t)| scope.from <= t && t < scope.to);
            prop_assert!(counted != listed || (!counted && !inside), "{}", record.number);
        }
        // Periods and severities split the total; services may overlap but cover it.
        let in_groups: usize = report.groups.iter().map(Group::n).sum();
        if matches!(scope.group_by, GroupBy::Service | GroupBy::Team) {
            prop_assert!(in_groups >= report.total.n());
        } else {
            prop_assert_eq!(in_groups, report.total.n());
        }
    }
}
