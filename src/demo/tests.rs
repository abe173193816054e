//! The year holds what it promises, in an order that can have happened.

use std::collections::BTreeSet;

use super::company::{PEOPLE, SERVICES, TEAMS, find, path_to};
use super::incidents::Ending;
use super::year::{SEED, Year, plan};
use crate::clock::Timestamp;
use crate::incidents::model::{Kind, Severity};
use crate::reports::model::measures::Measure;
use crate::reports::model::scope::{Scope, ScopeQuery};
use crate::reports::model::select::Question;

fn year() -> Year {
    plan(SEED, Timestamp::parse("2026-11-23T13:45:00Z").expect("a time"))
}

#[test]
fn the_company_is_consistent() {
    let mut known = BTreeSet::new();
    for service in &SERVICES {
        for called in service.calls {
            assert!(known.contains(called), "{} calls {called}, which comes later", service.slug);
        }
        assert!(known.insert(service.slug), "{} twice", service.slug);
        assert!(TEAMS.iter().any(|(slug, _)| *slug == service.team), "{}", service.team);
        assert!((1..=3).contains(&service.tier));
    }
    let emails: BTreeSet<_> = PEOPLE.iter().map(|p| p.email).collect();
    assert_eq!(emails.len(), PEOPLE.len());
    assert_eq!(PEOPLE[0].role, "admin");
}

#[test]
fn paths_follow_the_calls() {
    assert_eq!(path_to("ledger"), ["storefront", "checkout", "payments", "ledger"]);
    for service in &SERVICES {
        for pair in path_to(service.slug).windows(2) {
            assert!(find(pair[0]).is_some_and(|s| s.calls.contains(&pair[1])), "{pair:?}");
        }
    }
}

#[test]
fn the_year_has_150_incidents_of_all_kinds() {
    let year = year();
    assert_eq!(year.incidents.len(), 150);
    let count =
        |test: &dyn Fn(&super::incidents::IncidentPlan) -> bool| year.incidents.iter().filter(|i| test(i)).count();
    for severity in Severity::ALL {
        assert!(count(&|i| i.severity == *severity) >= 5, "{severity}");
    }
    assert_eq!(count(&|i| i.kind == Kind::Drill), 8);
    assert_eq!(count(&|i| i.kind == Kind::Backfilled), 10);
    assert_eq!(count(&|i| i.ending == Ending::Open), 2);
    assert_eq!(count(&|i| matches!(i.ending, Ending::Merged(_))), 4);
    assert!(count(&|i| i.ending == Ending::Declined) >= 2);
    assert!(count(&|i| i.private) >= 1);
    assert!(count(&|i| i.postmortem.is_some()) >= 30);
    assert!(count(&|i| i.trace.is_some()) >= 60);
    assert!(count(&|i| i.believed.is_some()) >= 20);
    assert!(year.changes.len() > 400);
    let causes: BTreeSet<_> = year.incidents.iter().map(|i| i.story).collect();
    assert!(causes.len() >= 12, "{causes:?}");
}

#[test]
fn equal_seeds_give_equal_years_and_others_differ() {
    let (a, b) = (year(), year());
    assert_eq!(format!("{a:?}"), format!("{b:?}"));
    assert_ne!(format!("{a:?}"), format!("{:?}", plan(SEED + 1, a.end)));
}

#[test]
fn everything_happens_in_order_and_within_the_year() {
    let year = year();
    let mut numbers = BTreeSet::new();
    for incident in &year.incidents {
        let c = incident.course;
        assert!(numbers.insert(incident.number), "{}", incident.number);
        if !matches!(incident.ending, Ending::Merged(_)) {
            let times =
                [c.impact_started, c.detected, c.acknowledged, c.declared, c.mitigated, c.impact_ended, c.resolved];
            assert!(times.is_sorted(), "{}: {times:?}", incident.title);
        }
        assert!(incident.recorded <= year.end, "{}", incident.title);
        if incident.ending == Ending::Closed {
            assert!(c.resolved < year.end, "{}", incident.title);
        }
        if let Some(believed) = incident.believed {
            assert!(believed > c.impact_started);
        }
        for text in incident.notes.iter().map(|n| &n.text).chain([&incident.title, &incident.summary]) {
            assert!(!text.contains('{') && !text.contains("  ") && !text.is_empty(), "{text}");
        }
        if let Some(guilty) = &incident.guilty {
            assert!(guilty.started < c.impact_started, "{}", incident.title);
        }
    }
    for change in &year.changes {
        assert!(year.start <= change.started + chrono::TimeDelta::hours(1) && change.finished <= year.end);
    }
}

#[test]
fn traces_are_trees_whose_children_lie_within_their_parents() {
    let year = year();
    for trace in year.incidents.iter().filter_map(|i| i.trace.as_ref()).chain(&year.healthy) {
        assert_eq!(trace.id.len(), 32);
        let mut seen: Vec<&super::traces::SpanPlan> = Vec::new();
        for span in &trace.spans {
            match &span.parent {
                None => assert!(seen.is_empty(), "one root"),
                Some(parent) => {
                    let parent = seen.iter().find(|s| s.id == *parent).expect("parents come first");
                    assert!(span.offset_us >= parent.offset_us, "{}", trace.id);
                    let (end, parent_end) = (span.offset_us + span.duration_us, parent.offset_us + parent.duration_us);
                    assert!(end <= parent_end + 1, "{} {end} {parent_end}", span.operation);
                }
            }
            seen.push(span);
        }
        assert!(trace.end() > trace.start);
    }
}

#[tokio::test]
async fn the_whole_year_can_be_played() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = crate::db::DbUrl::sqlite_file(&folder.path().join("demo.db"));
    let db = crate::db::Db::connect_scratch(&url).await.expect("opened");
    let tx = db.begin().await.expect("begun");
    let mut cast = Vec::new();
    for person in PEOPLE {
        let role = person.role.parse().expect("a role");
        let id = crate::accounts::service::add_person(&tx, year().start, person.email, person.name, role)
            .await
            .expect("added");
        cast.push(crate::incidents::By { user_id: Some(id), name: person.name.to_owned() });
    }
    tx.commit().await.expect("committed");
    let year = year();
    let clock = crate::clock::Clock::fixed(year.start);
    let played = super::play::play(&db, &clock, &year, &cast).await.expect("played");
    assert_eq!((played.services, played.incidents), (26, 150));
    assert_eq!(clock.now(), year.end);

    let on_call = crate::oncall::service::teams::now_on_call(&db, year.end).await.expect("loaded");
    assert_eq!((on_call.len(), on_call.iter().filter(|t| t.person.is_some()).count()), (9, 9));
    assert_eq!(on_call.iter().filter(|t| t.is_override).count(), 1);
    let told: i64 = db
        .fetch_scalar("SELECT COUNT(*) FROM status_notices WHERE published_at IS NOT NULL", vec![])
        .await
        .expect("counted");
    assert!(told >= 10, "{told} notices");

    let query = ScopeQuery { from: "2025-11-01".into(), ..ScopeQuery::default() };
    let scope = Scope::parse(&query, year.end, chrono_tz::Tz::UTC).expect("valid");
    let viewer = crate::incidents::Viewer { all: true, user_id: 0 };
    let ledger = crate::reports::Ledger::new();
    let desk = crate::reports::service::Desk::open(&ledger, &db, viewer, year.end).await.expect("opened");
    let report = desk.report(&Question::of(&scope, &Measure::MAIN)).await.expect("computed");
    let left_out = report.excluded.iter().filter(|e| e.missing == 0).count();
    assert_eq!(report.total.n + left_out, 150);
    // All but the two that still burn are resolved; MTTR is the last of the four.
    assert_eq!(report.total.summary(3).map(|s| s.n), Some(report.total.n - 2));
    let raw = desk.report(&Question::of(&Scope { raw: true, ..scope }, &Measure::MAIN)).await.expect("computed");
    let mean = |r: &crate::reports::model::compute::Report| r.total.summary(3).map(|s| s.mean);
    assert!(mean(&raw) < mean(&report), "corrections move the start of the impact back");
}
