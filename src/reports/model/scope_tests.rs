//! Filters from URLs, and periods across time zones, daylight-saving changes and leap days.

use proptest::prelude::*;

use super::*;
use crate::reports::model::slices::{period_before, period_key, periods};

fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T13:45:00Z").expect("a time")
}

fn parse(query: &ScopeQuery) -> Result<Scope> {
    Scope::parse(query, now(), Tz::UTC)
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a time")
}

#[test]
fn nothing_asked_for_is_the_last_ninety_days_by_service() {
    let scope = parse(&ScopeQuery::default()).expect("valid");
    assert_eq!(scope.from, at("2026-08-25T00:00:00Z"));
    assert!(scope.to > now());
    assert_eq!(scope.group_by, GroupBy::Service);
    assert!(!scope.raw && scope.services.is_empty());
}

#[test]
fn every_fault_of_a_query_is_named_at_once() {
    let query = ScopeQuery {
        from: "soon".into(),
        to: "12345-01-01".into(),
        severity: "SEV2,SEV9".into(),
        group_by: "colour".into(),
        tz: "Mars/Olympus".into(),
        raw: "maybe".into(),
        include: "everything".into(),
        ..ScopeQuery::default()
    };
    let Err(Error::Invalid(errors)) = parse(&query) else { panic!("should be refused") };
    for field in ["from", "to", "severity", "group_by", "tz", "raw", "include"] {
        assert!(errors.has(field), "{field}");
    }
}

#[test]
fn a_period_that_ends_before_it_begins_is_refused() {
    let query = ScopeQuery { from: "2026-02-01".into(), to: "2026-01-01".into(), ..ScopeQuery::default() };
    assert!(matches!(parse(&query), Err(Error::Invalid(e)) if e.has("to")));
}

#[test]
fn dates_are_days_of_the_zone_and_the_last_one_counts() {
    let query = ScopeQuery {
        from: "2026-03-29".into(),
        to: "2026-03-29".into(),
        tz: "Europe/Vienna".into(),
        ..ScopeQuery::default()
    };
    let scope = parse(&query).expect("valid");
    assert_eq!(scope.from, at("2026-03-28T23:00:00Z"));
    // The clocks go forward on that day: it has 23 hours.
    assert_eq!(scope.to - scope.from, TimeDelta::hours(23));
    assert_eq!((scope.from_text().as_str(), scope.to_text().as_str()), ("2026-03-29", "2026-03-29"));
}

#[test]
fn a_midnight_that_does_not_exist_begins_when_the_clocks_have_jumped() {
    // In Santiago the clocks jump from 24:00 to 01:00 on 2026-09-06.
    let date = NaiveDate::from_ymd_opt(2026, 9, 6).expect("a date");
    assert_eq!(start_of_day(date, chrono_tz::America::Santiago), at("2026-09-06T04:00:00Z"));
}

#[test]
fn weeks_are_iso_weeks_of_the_zone() {
    let key = |text: &str, zone| period_key(GroupBy::Week, at(text), zone).expect("a week");
    assert_eq!(key("2026-01-01T12:00:00Z", Tz::UTC), "2026-W01");
    assert_eq!(key("2027-01-01T12:00:00Z", Tz::UTC), "2026-W53");
    // Sunday evening in UTC is Monday morning in Tokyo.
    assert_eq!(key("2026-11-22T20:00:00Z", Tz::UTC), "2026-W47");
    assert_eq!(key("2026-11-22T20:00:00Z", chrono_tz::Asia::Tokyo), "2026-W48");
}

#[test]
fn leap_days_belong_to_their_month() {
    let key = |text: &str| period_key(GroupBy::Month, at(text), Tz::UTC).expect("a month");
    assert_eq!(key("2028-02-29T23:59:59Z"), "2028-02");
    assert_eq!(key("2028-03-01T00:00:00Z"), "2028-03");
}

#[test]
fn all_periods_are_listed_even_without_incidents() {
    let query = ScopeQuery {
        from: "2025-12-30".into(),
        to: "2026-01-12".into(),
        group_by: "week".into(),
        ..ScopeQuery::default()
    };
    let scope = parse(&query).expect("valid");
    let keys = |group_by| periods(&scope, group_by).into_iter().map(|p| p.key).collect::<Vec<_>>();
    assert_eq!(keys(GroupBy::Week), ["2026-W01", "2026-W02", "2026-W03"]);
    assert_eq!(keys(GroupBy::Month), ["2025-12", "2026-01"]);
    assert_eq!(keys(GroupBy::Quarter), ["2025-Q4", "2026-Q1"]);
    assert_eq!(keys(GroupBy::Day).len(), 14);
    assert!(keys(GroupBy::Team).is_empty());
}

#[test]
fn the_period_that_is_over_is_the_whole_one_before() {
    let before = |group_by, text: &str, zone| {
        let (first, last) = period_before(group_by, at(text), zone).expect("a period");
        (first.to_string(), last.to_string())
    };
    let days = |first: &str, last: &str| (first.to_owned(), last.to_owned());
    assert_eq!(before(GroupBy::Month, "2028-03-01T00:00:00Z", Tz::UTC), days("2028-02-01", "2028-02-29"));
    assert_eq!(before(GroupBy::Week, "2026-11-23T09:00:00Z", Tz::UTC), days("2026-11-16", "2026-11-22"));
    assert_eq!(before(GroupBy::Quarter, "2026-01-15T00:00:00Z", Tz::UTC), days("2025-10-01", "2025-12-31"));
    // Still February in New York.
    assert_eq!(
        before(GroupBy::Month, "2028-03-01T00:00:00Z", chrono_tz::America::New_York),
        days("2028-01-01", "2028-01-31")
    );
}

#[test]
fn the_period_before_has_the_same_length() {
    let query = ScopeQuery { from: "2026-03-01".into(), to: "2026-03-31".into(), ..ScopeQuery::default() };
    let scope = parse(&query).expect("valid");
    let before = scope.before();
    assert_eq!(before.to, scope.from);
    assert_eq!(before.to - before.from, scope.to - scope.from);
}

proptest! {
    #[test]
    fn a_scope_survives_its_url(
        from in 0_i64..2_000_000_000, length in 1_i64..400_000_000,
        severities in prop::collection::vec(1_u8..=4, 0..4), services in prop::collection::vec("[a-z][a-z0-9&= ü-]{0,8}", 0..4),
        group in 0_usize..GroupBy::ALL.len(), zone in 0_usize..chrono_tz::TZ_VARIANTS.len(), flags in 0_u8..64,
    ) {
        let zone = chrono_tz::TZ_VARIANTS[zone];
        let query = ScopeQuery {
            from: Timestamp::from_secs(from).to_rfc3339(),
            to: Timestamp::from_secs(from + length).to_rfc3339(),
            service: services.join(","),
            severity: severities.iter().map(|s| format!("sev{s}")).collect::<Vec<_>>().join(","),
            group_by: GroupBy::ALL[group].key().to_owned(),
            tz: zone.name().to_owned(),
            raw: if flags & 1 > 0 { "true".into() } else { String::new() },
            include: [(2, "drill"), (4, "merged"), (8, "declined")].iter().filter(|(bit, _)| flags & bit > 0)
                .map(|(_, name)| *name).collect::<Vec<_>>().join(","),
            tier: if flags & 16 > 0 { "2,1".into() } else { String::new() },
            cause: if flags & 16 > 0 { "change, capacity".into() } else { String::new() },
            environment: if flags & 32 > 0 { "production".into() } else { String::new() },
            detection: if flags & 32 > 0 { "staff,alert".into() } else { String::new() },
            hours: ["", "business", "clock", "mo,th-sa 00:15-24:00"][usize::from(flags >> 4)].to_owned(),
            ..ScopeQuery::default()
        };
        let scope = parse(&query).expect("valid");
        let mut again = ScopeQuery::default();
        for (key, value) in url::form_urlencoded::parse(scope.to_query().as_bytes()) {
            let value = value.into_owned();
            match key.as_ref() {
                "from" => again.from = value,
                "to" => again.to = value,
                "service" => again.service = value,
                "severity" => again.severity = value,
                "group_by" => again.group_by = value,
                "tz" => again.tz = value,
                "raw" => again.raw = value,
                "include" => again.include = value,
                "tier" => again.tier = value,
                "cause" => again.cause = value,
                "environment" => again.environment = value,
                "detection" => again.detection = value,
                "hours" => again.hours = value,
                other => panic!("unknown key {other}"),
            }
        }
        prop_assert_eq!(parse(&again).expect("still valid"), scope);
    }

    #[test]
    fn hostile_filters_never_panic(text in ".{0,40}") {
        let query = ScopeQuery {
            from: text.clone(), to: text.clone(), service: text.clone(), team: text.clone(), severity: text.clone(),
            group_by: text.clone(), tz: text.clone(), raw: text.clone(), include: text.clone(), tier: text.clone(),
            cause: text.clone(), environment: text.clone(), detection: text.clone(), hours: text,
        };
        let _ = parse(&query);
    }
}
