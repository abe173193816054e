//! The grouping rules by example, and properties that every set of alerts must keep.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::replay::replay;
use super::rule::{RuleInput, defaults};
use super::*;
use crate::alerts::model::AlertSeverity;
use crate::clock::Timestamp;
use crate::error::Error;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + secs)
}

fn alert(id: i64, service: &str, start: i64) -> Candidate {
    Candidate {
        id,
        source: "prometheus".to_owned(),
        rule: "HighErrors".to_owned(),
        title: format!("Errors on {service}"),
        severity: Some(AlertSeverity::Critical),
        service: (!service.is_empty()).then(|| service.to_owned()),
        environment: None,
        labels: [("team".to_owned(), "shop".to_owned())].into(),
        started_at: at(start),
        ended_at: None,
    }
}

fn graph() -> Neighbours {
    Neighbours::of([("web", "checkout"), ("checkout", "payments"), ("search", "index")])
}

fn groups_of(rules: &[Rule], alerts: &[Candidate], now: i64) -> (Vec<Group>, Vec<Outcome>) {
    let neighbours = graph();
    let mut engine = Engine::new(rules, &neighbours, Vec::new());
    let outcomes = alerts.iter().map(|a| engine.offer(a, at(now))).collect();
    (engine.groups, outcomes)
}

#[test]
fn directly_connected_services_within_ten_minutes_are_one_group_and_say_why() {
    let rules = defaults();
    let alerts = [alert(1, "checkout", 0), alert(2, "payments", 60), alert(3, "search", 70), alert(4, "web", 300)];
    let (groups, outcomes) = groups_of(&rules, &alerts, 400);
    assert_eq!(groups.iter().map(|g| g.members).collect::<Vec<_>>(), [3, 1]);
    let Outcome::Joined { reason, .. } = &outcomes[1] else { panic!("{:?}", outcomes[1]) };
    assert_eq!(reason, "rule 'Default: critical alerts': payments and checkout call each other directly, 1m apart");
    assert!(groups.iter().all(|g| Engine::is_ripe(g, &rules[0])));
}

#[test]
fn a_service_two_calls_away_does_not_join_alone() {
    let (groups, _) = groups_of(&defaults(), &[alert(1, "web", 0), alert(2, "payments", 5)], 100);
    assert_eq!(groups.len(), 2);
}

#[test]
fn past_the_window_a_new_group_begins() {
    let (groups, _) = groups_of(&defaults(), &[alert(1, "checkout", 0), alert(2, "checkout", 601)], 1_000);
    assert_eq!(groups.len(), 2);
}

#[test]
fn a_blip_never_counts_and_a_young_alert_waits() {
    let mut blip = alert(1, "checkout", 0);
    blip.ended_at = Some(at(10));
    let (groups, outcomes) = groups_of(&defaults(), &[blip, alert(2, "web", 95)], 100);
    assert!(groups.is_empty());
    assert_eq!(outcomes, [Outcome::Held { until: at(30) }, Outcome::Held { until: at(125) }]);
}

#[test]
fn warnings_join_an_incident_but_open_none() {
    let mut warning = alert(2, "web", 20);
    warning.severity = Some(AlertSeverity::Warning);
    let (groups, outcomes) = groups_of(&defaults(), &[warning.clone()], 100);
    assert!(groups.is_empty() && matches!(outcomes[0], Outcome::Listed { .. }));
    let (rules, neighbours) = (defaults(), graph());
    let mut engine = Engine::new(&rules, &neighbours, Vec::new());
    engine.offer(&alert(1, "checkout", 0), at(100));
    engine.groups[0].incident = Some(7);
    assert!(matches!(engine.offer(&warning, at(100)), Outcome::Joined { group: 0, .. }));
}

#[test]
fn after_the_resolution_a_new_group_follows_the_old_one_or_reopens_it_in_time() {
    let mut rules = defaults();
    let neighbours = graph();
    let resolved = |engine: &mut Engine<'_>| {
        engine.offer(&alert(1, "checkout", 0), at(40));
        engine.groups[0].incident = Some(7);
        engine.groups[0].resolved_at = Some(at(100));
    };
    let mut engine = Engine::new(&rules, &neighbours, Vec::new());
    resolved(&mut engine);
    assert!(matches!(engine.offer(&alert(2, "checkout", 200), at(300)), Outcome::Joined { group: 1, .. }));
    assert_eq!(engine.follows(&engine.groups[1]), Some(7));
    rules[0].reopen_within = TimeDelta::minutes(5);
    let mut engine = Engine::new(&rules, &neighbours, Vec::new());
    resolved(&mut engine);
    assert!(matches!(engine.offer(&alert(2, "checkout", 200), at(300)), Outcome::Reopened { group: 0, .. }));
}

#[test]
fn a_minimum_count_waits_for_enough() {
    let mut rule = defaults().remove(0);
    rule.min_count = 3;
    let rules = [rule];
    let (groups, _) = groups_of(&rules, &[alert(1, "web", 0), alert(2, "web", 1)], 100);
    assert!(!Engine::is_ripe(&groups[0], &rules[0]));
    let (groups, _) = groups_of(&rules, &[alert(1, "web", 0), alert(2, "web", 1), alert(3, "web", 2)], 100);
    assert!(Engine::is_ripe(&groups[0], &rules[0]));
}

#[test]
fn replay_counts_what_would_have_been() {
    let mut episodes: Vec<Candidate> = (0..50).map(|i| alert(i, "checkout", i)).collect();
    episodes.extend((50..60).map(|i| alert(i, "search", 5_000 + i)));
    let mut blip = alert(99, "web", 9_000);
    blip.ended_at = Some(at(9_005));
    episodes.push(blip);
    let seen = replay(&defaults(), &graph(), &episodes, at(100_000));
    assert_eq!((seen.incidents.len(), seen.blips, seen.listed, seen.alerts), (2, 1, 0, 61));
    assert_eq!(seen.incidents.iter().map(|i| i.alerts).collect::<Vec<_>>(), [50, 10]);
    assert_eq!(seen.incidents[0].opened_at, at(30));
    assert_eq!(seen.incidents[0].severity, 1);
}

#[test]
fn matchers_read_write_and_match() {
    let matcher = Matcher::parse("# comment\nseverity = CRITICAL\n\nservice ~ check*\nteam != web").unwrap();
    assert!(matcher.matches(&alert(1, "checkout", 0)));
    assert!(!matcher.matches(&alert(1, "web", 0)));
    assert_eq!(Matcher::parse(&matcher.to_string()), Ok(matcher));
    assert!(Matcher::parse("severity critical").unwrap_err().starts_with("line 1"));
    assert!(matcher::like("a*c*e", "abcde") && matcher::like("*", "") && matcher::like("x", "X"));
    assert!(!matcher::like("a*b", "ac") && !matcher::like("a", "ab") && !matcher::like("ab*ba", "aba"));
}

#[test]
fn a_rule_form_names_every_fault_at_once() {
    let input = RuleInput { group_by: "labels".to_owned(), matchers: "?".to_owned(), ..RuleInput::default() };
    let Err(Error::Invalid(errors)) = input.normalize(0) else { panic!("accepted") };
    for field in
        ["name", "matchers", "group_labels", "window_minutes", "hold_seconds", "min_count", "reopen_minutes", "target"]
    {
        assert!(errors.has(field), "{field} in {errors}");
    }
    let mut good = RuleInput::suggested();
    good.name = "Mine".to_owned();
    let rule = good.normalize(5).unwrap();
    assert_eq!(RuleInput::of(&rule).normalize(5).unwrap(), rule);
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_joins_twice(
        alerts in prop::collection::vec((prop::sample::select(vec!["web", "checkout", "payments", "search", ""]), 0_i64..5_000), 0..60),
    ) {
        let alerts: Vec<Candidate> = alerts.into_iter().zip(0..).map(|((s, t), id)| alert(id, s, t)).collect();
        let (groups, outcomes) = groups_of(&defaults(), &alerts, 10_000);
        let joined = outcomes.iter().filter(|o| matches!(o, Outcome::Joined { .. })).count();
        prop_assert_eq!(joined, alerts.len());
        prop_assert_eq!(groups.iter().map(|g| g.members).sum::<i64>(), i64::try_from(alerts.len()).unwrap());
    }

    #[test]
    fn a_storm_on_one_service_is_one_group(starts in prop::collection::vec(0_i64..600, 1..80)) {
        let alerts: Vec<Candidate> = starts.into_iter().zip(0..).map(|(t, id)| alert(id, "web", t)).collect();
        prop_assert_eq!(groups_of(&defaults(), &alerts, 10_000).0.len(), 1);
    }

    #[test]
    fn like_agrees_with_equality_without_stars(a in "[a-c]{0,4}", b in "[a-c]{0,4}") {
        prop_assert_eq!(matcher::like(&a, &b), a == b);
    }
}
