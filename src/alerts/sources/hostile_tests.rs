//! Every example and every sample at hand, spoilt in every way: whatever arrives is read or refused with the place
//! named, and never believed beyond what can be true.

use serde_json::{Value, json};

use super::{Source, at, input, parse, samples};
use crate::alerts::model::{self, AlertStatus, FUTURE_TOLERANCE};
use crate::alerts::{guide, sources::Parsed};

use super::NOW;

/// A body of each JSON source: the set-up page's example, and the published samples where they are at hand.
fn bodies() -> Vec<(Source, Value)> {
    let mut found: Vec<(Source, Value)> = Source::ALL
        .into_iter()
        .filter(|s| *s != Source::JUnit)
        .map(|s| (s, serde_json::from_str(guide::guide(s, "http://f.test", "t").example).unwrap()))
        .collect();
    for (source, path) in [
        (Source::Alertmanager, "alertmanager/webhook-v4-two-alerts.json"),
        (Source::Grafana, "grafana/unified-v11-firing.json"),
        (Source::NewRelic, "newrelic/workflow-activated.json"),
        (Source::Honeycomb, "honeycomb/trigger-v0.1.0.json"),
        (Source::Sentry, "sentry/metric_alert-resolved.json"),
        (Source::Sentry, "sentry/event_alert-triggered.trimmed.json"),
        (Source::PagerDuty, "pagerduty/events-v2-1.json"),
        (Source::PagerDuty, "pagerduty/webhook-v3-incident.triggered.json"),
    ] {
        found.extend(samples::sample(path).map(|body| (source, serde_json::from_slice(&body).unwrap())));
    }
    found
}

/// Pointers to every value within, the outermost first.
fn places(value: &Value) -> Vec<String> {
    fn walk(value: &Value, here: &str, found: &mut Vec<String>) {
        found.push(here.to_owned());
        match value {
            Value::Object(members) => {
                for (key, inner) in members {
                    walk(inner, &format!("{here}/{}", key.replace('~', "~0").replace('/', "~1")), found);
                }
            }
            Value::Array(items) => {
                for (i, inner) in items.iter().enumerate().take(2) {
                    walk(inner, &format!("{here}/{i}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

fn without(body: &Value, place: &str) -> Value {
    let mut body = body.clone();
    let Some((outer, key)) = place.rsplit_once('/') else { return Value::Null };
    let key = key.replace("~1", "/").replace("~0", "~");
    match body.pointer_mut(outer) {
        Some(Value::Object(members)) => drop(members.remove(&key)),
        Some(Value::Array(items)) => drop(items.remove(key.parse().unwrap())),
        _ => {}
    }
    body
}

fn replaced(body: &Value, place: &str, with: &Value) -> Value {
    let mut body = body.clone();
    if let Some(slot) = body.pointer_mut(place) {
        *slot = with.clone();
    }
    body
}

/// What must hold of anything that was read.
fn sound(source: Source, parsed: &Parsed, told: &str) {
    for event in &parsed.events {
        let name = source.as_str();
        assert!(event.key.as_str().len() < 300, "{name}: a key of {} bytes after {told}", event.key.as_str().len());
        assert!(!event.title.trim().is_empty() && event.title.chars().count() <= 1_000, "{name}: title after {told}");
        assert!(!event.title.contains('\0') && event.description.len() <= 70_000, "{name}: text after {told}");
        assert!(
            event.labels.len() <= 300 && event.links.len() <= 100,
            "{name}: {} labels after {told}",
            event.labels.len()
        );
        assert!(
            event.links.iter().all(|l| l.url.starts_with("http://") || l.url.starts_with("https://")),
            "{name} {told}"
        );
        let (state, _) = model::fold(None, event, NOW);
        assert!(state.started_at <= NOW + FUTURE_TOLERANCE, "{name}: began in the future after {told}");
        assert!(
            state.ended_at.is_none_or(|end| end >= state.started_at && end <= NOW + FUTURE_TOLERANCE),
            "{name} {told}"
        );
        assert_eq!(state.status == AlertStatus::Firing, state.ended_at.is_none(), "{name} {told}");
    }
}

fn read(source: Source, body: &[u8], told: &str) {
    match parse(source, &input(body)) {
        Ok(parsed) => sound(source, &parsed, told),
        Err(problem) => assert!(!problem.reason.is_empty() && problem.to_string().len() < 1_000, "{told}: {problem}"),
    }
}

#[test]
fn any_field_may_be_missing_or_of_another_type_or_absurd() {
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("\u{0}\u{feff} \u{202e}x"),
        json!([]),
        json!({}),
        json!([[[]]]),
        json!({"a": {"b": [1, "x", null]}}),
        json!("2999-01-01T00:00:00Z"),
        json!("0001-01-01T00:00:00Z"),
        json!("1969-12-31T23:59:59Z"),
        json!("javascript:alert(1)"),
        json!("9".repeat(50)),
    ];
    for (source, body) in bodies() {
        for place in places(&body) {
            read(source, without(&body, &place).to_string().as_bytes(), &format!("{place} taken away"));
            for with in &odd {
                read(source, replaced(&body, &place, with).to_string().as_bytes(), &format!("{place} = {with}"));
            }
        }
    }
}

#[test]
fn huge_texts_and_lists_are_cut_and_repeats_are_one_alert() {
    let huge = json!("x".repeat(300_000));
    let wide: Value = (0..2_000).map(|i| (format!("label{i}"), json!(i))).collect::<serde_json::Map<_, _>>().into();
    for (source, body) in bodies() {
        for place in places(&body) {
            read(source, replaced(&body, &place, &huge).to_string().as_bytes(), &format!("{place} is huge"));
            read(source, replaced(&body, &place, &wide).to_string().as_bytes(), &format!("{place} is wide"));
        }
        let twice = |b: &Value| parse(source, &input(b.to_string().as_bytes())).map(|p| p.events);
        let (one, other) = (twice(&body), twice(&body));
        assert_eq!(one, other, "{}: the same body, the same alerts", source.as_str());
    }
}

#[test]
fn other_encodings_are_read_or_named() {
    for (source, body) in bodies() {
        let text = body.to_string();
        let plain = parse(source, &input(text.as_bytes())).map(|p| p.events.len());
        let with_mark = [b"\xef\xbb\xbf".as_slice(), text.as_bytes()].concat();
        assert_eq!(parse(source, &input(&with_mark)).map(|p| p.events.len()), plain, "{} with a mark", source.as_str());
        let utf16: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        read(source, &utf16, "UTF-16");
        read(source, b"{\"title\": \"caf\xe9\"}", "Latin-1");
        read(source, &text.as_bytes()[..text.len() / 2], "half of it");
        read(source, b"", "nothing");
        read(source, "[".repeat(100_000).as_bytes(), "brackets");
        read(source, b"NaN", "NaN");
    }
}

#[test]
fn the_year_one_is_no_end_and_the_future_no_start() {
    let member = |starts: &str, ends: &str| {
        let body = json!({"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "A"}, "startsAt": starts, "endsAt": ends}]});
        parse(Source::Alertmanager, &input(body.to_string().as_bytes())).unwrap().events.remove(0)
    };
    let standing = member("2027-01-15T07:00:00Z", "0001-01-01T00:00:00Z");
    assert_eq!((standing.status, standing.ends_at), (AlertStatus::Firing, None));
    let ahead = member("2099-01-15T07:00:00Z", "0001-01-01T00:00:00Z");
    assert_eq!(model::fold(None, &ahead, NOW).0.started_at, NOW);
    assert_eq!(at("2027-01-15T07:00:00Z"), standing.starts_at);
}

#[test]
fn spoilt_xml_is_read_or_named() {
    let report = r#"<testsuites><testsuite name="s"><properties><property name="service" value="cart"/></properties><testcase name="t" classname="c"><failure message="m">stack</failure></testcase></testsuite></testsuites>"#;
    for cut in 0..report.len() {
        read(Source::JUnit, &report.as_bytes()[..cut], &format!("the first {cut} bytes"));
    }
    for (what, xml) in [
        ("a bomb", r#"<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><testsuite><testcase name="&b;"><failure/></testcase></testsuite>"#.to_owned()),
        ("an outside entity", r#"<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&a;"><failure/></testcase></testsuite>"#.to_owned()),
        ("deep suites", format!("{}<testcase name='x'><failure/></testcase>", "<testsuite>".repeat(10_000))),
        ("no name", "<testsuite><testcase><failure/></testcase></testsuite>".to_owned()),
        ("latin-1", "<?xml version='1.0' encoding='ISO-8859-1'?><testsuite><testcase name='caf\u{e9}'><failure/></testcase></testsuite>".to_owned()),
    ] {
        read(Source::JUnit, xml.as_bytes(), what);
    }
}
