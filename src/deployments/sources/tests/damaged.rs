//! Deliveries with fields missing, of a wrong type, or huge.

use proptest::prelude::*;

use super::*;

/// Replaces the value at the n-th place of a document, or removes it.
fn damage(value: &mut Value, place: &mut usize, with: &Option<Value>) -> bool {
    let children: Vec<&mut Value> = match value {
        Value::Object(map) => {
            let keys: Vec<_> = map.keys().cloned().collect();
            for key in keys {
                if *place == 0 {
                    match with {
                        Some(v) => map.insert(key, v.clone()),
                        None => map.remove(&key),
                    };
                    return true;
                }
                *place -= 1;
            }
            map.values_mut().collect()
        }
        Value::Array(list) => list.iter_mut().collect(),
        _ => Vec::new(),
    };
    children.into_iter().any(|child| damage(child, place, with))
}

fn fixtures() -> Vec<(ChangeSource, Value)> {
    vec![
        (ChangeSource::Github, github_status("success", "2026-05-01T10:06:00Z")),
        (ChangeSource::Gitlab, gitlab_deployment("success", "2021-04-28 21:50:00 +0200")),
        (
            ChangeSource::Argocd,
            json!({"app": "cart", "phase": "Succeeded", "revision": "0123456789abcdef", "images": ["a:1"]}),
        ),
        (ChangeSource::Cdevents, cdevent("service.upgraded")),
        (
            ChangeSource::Pagerduty,
            json!({"payload": {"summary": "v1.2", "source": "cart", "timestamp": "2020-07-17T08:42:58Z"}}),
        ),
        (
            ChangeSource::Sentry,
            json!({"version": "1", "projects": ["a"], "deploy": {"environment": "prod", "dateFinished": 1}}),
        ),
        (ChangeSource::Generic, json!([{"service": "a", "version": "1", "status": "ok", "started_at": 1_700_000_000}])),
    ]
}

proptest! {
    /// Fields missing, of a wrong type or huge: read or refused, never a panic, never a nameless change.
    #[test]
    fn damaged_deliveries_are_read_or_refused(
        which in 0usize..7, place in 0usize..40,
        with in prop_oneof![
            Just(None), Just(Some(Value::Null)), Just(Some(json!(-1))), Just(Some(json!(i64::MAX))),
            Just(Some(json!(1e300))), Just(Some(json!([]))), Just(Some(json!({"a": [1]}))), Just(Some(json!(true))),
            Just(Some(json!("x".repeat(100_000)))), Just(Some(json!("\u{0}\u{202e}é"))),
        ],
    ) {
        let (source, mut body) = fixtures().swap_remove(which);
        damage(&mut body, &mut place.clone(), &with);
        if let Ok(parsed) = read(source, &body) {
            for change in parsed.changes {
                prop_assert!(!change.service.is_empty() && !change.environment.is_empty());
                prop_assert!(change.service.chars().count() <= 200);
                prop_assert!(change.reported_at <= NOW + chrono::TimeDelta::minutes(5));
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(which in 0usize..7, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let source = fixtures()[which].0;
        if let Ok(parsed) = read_with(source, &[], &body) {
            prop_assert!(parsed.changes.iter().all(|c| !c.service.is_empty()));
        }
    }
}
