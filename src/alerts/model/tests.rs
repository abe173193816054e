//! The fold of events by example, and the properties that every order of deliveries must keep.

use proptest::prelude::*;

use super::*;

fn event(start: i64, end: Option<i64>) -> AlertEvent {
    let mut e = AlertEvent::new(DedupKey::new("test", "a"), "t".to_owned());
    e.starts_at = Some(Timestamp::from_secs(start));
    e.ends_at = end.map(Timestamp::from_secs);
    e.status = if end.is_some() { AlertStatus::Resolved } else { AlertStatus::Firing };
    e
}

fn folded(events: &[AlertEvent]) -> AlertState {
    let now = Timestamp::from_secs(1_000_000);
    let mut state = None;
    for e in events {
        state = Some(fold(state, e, now).0);
    }
    state.expect("at least one event")
}

proptest! {
    #[test]
    fn the_order_of_deliveries_does_not_matter(
        mut events in prop::collection::vec((0_i64..6, prop::option::of(6_i64..12)).prop_map(|(s, e)| event(s, e)), 1..12),
        seed in any::<usize>(),
    ) {
        let one = folded(&events);
        let n = events.len();
        for i in (1..n).rev() {
            events.swap(i, seed.wrapping_mul(31).wrapping_add(i) % (i + 1));
        }
        prop_assert_eq!(one, folded(&events));
    }

    #[test]
    fn a_delivery_sent_again_changes_nothing(
        events in prop::collection::vec((0_i64..6, prop::option::of(6_i64..12)).prop_map(|(s, e)| event(s, e)), 1..12),
        again in any::<prop::sample::Index>(),
    ) {
        let mut more = events.clone();
        more.push(events[again.index(events.len())].clone());
        prop_assert_eq!(folded(&events), folded(&more));
    }

    #[test]
    fn firing_exactly_when_the_newest_episode_has_no_end(
        events in prop::collection::vec((0_i64..6, prop::option::of(6_i64..12)).prop_map(|(s, e)| event(s, e)), 1..12),
    ) {
        let newest = events.iter().filter_map(|e| e.starts_at).max();
        let over = events.iter().any(|e| e.starts_at == newest && e.status == AlertStatus::Resolved);
        prop_assert_eq!(folded(&events).status == AlertStatus::Resolved, over);
    }
}

#[test]
fn a_source_without_start_times_opens_and_closes_by_receipt() {
    let mut e = event(0, None);
    e.starts_at = None;
    let at = Timestamp::from_secs;
    let (s, c) = fold(None, &e, at(10));
    assert_eq!((s.started_at, c), (at(10), Change::Began));
    let (s, c) = fold(Some(s), &e, at(20));
    assert_eq!((s.started_at, s.last_seen, c), (at(10), at(20), Change::Repeated));
    e.status = AlertStatus::Resolved;
    let (s, c) = fold(Some(s), &e, at(30));
    assert_eq!((s.status, s.ended_at, c), (AlertStatus::Resolved, Some(at(30)), Change::Ended));
    e.status = AlertStatus::Firing;
    let (s, c) = fold(Some(s), &e, at(40));
    assert_eq!((s.status, s.started_at, c), (AlertStatus::Firing, at(40), Change::Began));
}

#[test]
fn a_start_in_the_future_is_taken_as_the_time_of_receipt() {
    let (s, _) = fold(None, &event(900_000, None), Timestamp::from_secs(1_000));
    assert_eq!(s.started_at, Timestamp::from_secs(1_000));
}

#[test]
fn severities_are_read_in_the_words_of_many_systems() {
    for (word, expected) in [
        ("critical", AlertSeverity::Critical),
        ("P1", AlertSeverity::Critical),
        ("SEV-2", AlertSeverity::Error),
        ("HIGH", AlertSeverity::Error),
        ("warn", AlertSeverity::Warning),
        ("LOW", AlertSeverity::Info),
    ] {
        assert_eq!(AlertSeverity::from_words(word), Some(expected), "{word}");
    }
    assert_eq!(AlertSeverity::from_words("purple"), None);
}

#[test]
fn a_key_is_versioned_scoped_and_bounded() {
    assert_eq!(DedupKey::new("sentry-issue", "42").as_str(), "v1:sentry-issue:42");
    let long = DedupKey::new("generic", &"x".repeat(5_000));
    assert!(long.as_str().len() < 100);
    assert_ne!(long, DedupKey::new("generic", &"x".repeat(5_001)));
    assert_ne!(DedupKey::new("a", "b"), DedupKey::new("b", "b"));
}
