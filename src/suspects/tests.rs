//! The ranking on small systems written out here, on made ones, and on anything at all.

use proptest::prelude::*;

use super::headline::changes_between;
use super::model::{Change, LogLine, Observation, Ranking, Signal, Span, Telemetry};
use super::ranking::{CLEAR, rank, rank_with};
use super::synthetic;
use super::templates::message;
use super::tuning::Tunables;

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;
const IMPACT: i64 = 1_700_000_000 * SECOND;

/// What one request does: how long each part takes, and whether the second call is made.
#[derive(Clone, Copy)]
struct Shape {
    cart_own: i64,
    cart_gap: i64,
    pay_called: bool,
    pay_fails: bool,
    note: Option<&'static str>,
}

const HEALTHY: Shape =
    Shape { cart_own: 10, cart_gap: 2, pay_called: true, pay_fails: false, note: Some("INFO cart held 3 items") };

/// `shop` calls `cart`, then `pay`, each through a client span.
fn request(n: i64, start: i64, shape: Shape) -> (Vec<Span>, Vec<LogLine>) {
    let span = |id: &str, parent: Option<&str>, service: &str, operation: &str, from: i64, to: i64| Span {
        trace_id: format!("t{n}"),
        span_id: id.to_owned(),
        parent_id: parent.map(str::to_owned),
        service: service.to_owned(),
        operation: operation.to_owned(),
        start: start + from * MS,
        end: start + to * MS,
        ..Span::default()
    };
    let wobble = n % 3;
    let cart_end = 5 + shape.cart_gap + shape.cart_own + wobble;
    // Halves of an odd gap differ, so that no millisecond of it becomes the callee's own time.
    let (there, back) = (shape.cart_gap / 2, shape.cart_gap - shape.cart_gap / 2);
    let mut spans = vec![
        span("a", None, "shop", "GET /buy", 0, cart_end + 20),
        span("b", Some("a"), "shop", "cart.Get", 4, cart_end + 1),
        span("c", Some("b"), "cart", "Get", 5 + there, cart_end - back),
    ];
    if shape.pay_called {
        spans.push(span("d", Some("a"), "shop", "pay.Charge", cart_end + 2, cart_end + 18));
        spans.push(span("e", Some("d"), "pay", "Charge", cart_end + 4, cart_end + 16));
        if shape.pay_fails {
            for at in [0, 3, 4] {
                spans[at].error = true;
            }
        }
    }
    let line = |body: &str| LogLine {
        time: start + 6 * MS,
        service: "cart".into(),
        trace_id: Some(format!("t{n}")),
        span_id: Some("c".into()),
        error: false,
        body: body.into(),
    };
    (spans, shape.note.map(line).into_iter().collect())
}

fn stretch(from: i64, count: i64, shape: Shape) -> Telemetry {
    let mut out = Telemetry::default();
    for n in 0..count {
        let (spans, logs) = request(from / SECOND + n * 7, from + n * SECOND / 4, shape);
        out.spans.extend(spans);
        out.logs.extend(logs);
    }
    out
}

fn seen(shape: Shape) -> Observation {
    Observation {
        impact_started_at: IMPACT,
        baseline: stretch(IMPACT - 600 * SECOND, 60, HEALTHY),
        incident: stretch(IMPACT, 60, shape),
        ..Observation::default()
    }
}

fn first(ranking: &Ranking) -> (&str, f64) {
    ranking.services().next().map_or(("", 0.0), |s| (s.service.as_str(), s.score))
}

#[test]
fn a_slow_network_is_charged_to_the_service_behind_it() {
    let ranking = rank(&seen(Shape { cart_gap: 200, ..HEALTHY }));
    let (service, score) = first(&ranking);
    assert_eq!(service, "cart");
    assert!(score >= CLEAR, "{score}");
    let reason = &ranking.services().next().unwrap().reasons[0];
    assert_eq!(reason.signal, Signal::CallGap);
    assert!(reason.text.contains("calls from shop wait"), "{}", reason.text);
    assert!(reason.evidence.is_some());
}

#[test]
fn own_work_that_slowed_is_not_charged_to_the_caller() {
    let ranking = rank(&seen(Shape { cart_own: 300, ..HEALTHY }));
    assert_eq!(first(&ranking).0, "cart");
    let shop = ranking.services().find(|s| s.service == "shop").unwrap();
    assert!(shop.score < 0.2, "{}", shop.score);
    let headline = ranking.headline.as_deref().unwrap();
    assert!(headline.starts_with("GET /buy takes") && headline.contains("because of cart"), "{headline}");
}

#[test]
fn failures_begin_where_nothing_beneath_fails() {
    let ranking = rank(&seen(Shape { pay_fails: true, ..HEALTHY }));
    assert_eq!(first(&ranking).0, "pay");
    let shop = ranking.services().find(|s| s.service == "shop").unwrap();
    assert!(shop.score < 0.2, "{}", shop.score);
}

#[test]
fn one_request_in_six_that_fails_after_a_deployment_is_enough_for_a_sentence() {
    let mut seen = Observation {
        impact_started_at: IMPACT,
        baseline: stretch(IMPACT - 600 * SECOND, 240, HEALTHY),
        incident: Telemetry::default(),
        changes: vec![change("pay@v2", "pay", 5)],
        ..Observation::default()
    };
    for n in 0..240 {
        let shape = Shape { pay_fails: n % 6 == 0, ..HEALTHY };
        let (spans, logs) = request(IMPACT / SECOND + n * 7, IMPACT + n * SECOND / 4, shape);
        seen.incident.spans.extend(spans);
        seen.incident.logs.extend(logs);
    }
    let ranking = rank(&seen);
    assert_eq!(first(&ranking).0, "pay");
    assert!(first(&ranking).1 >= CLEAR, "{:?}", first(&ranking));
    assert!(ranking.headline.as_deref().is_some_and(|h| h.contains("pay")), "{:?}", ranking.headline);
}

#[test]
fn a_call_that_is_no_longer_made_is_the_callers_doing() {
    let ranking = rank(&seen(Shape { pay_called: false, ..HEALTHY }));
    assert_eq!(first(&ranking).0, "shop");
    assert!(ranking.services().next().unwrap().reasons[0].text.contains("lack the call to pay Charge"));
}

#[test]
fn a_log_line_that_turns_into_an_error_is_noticed() {
    let ranking = rank(&seen(Shape { note: Some("ERROR cart could not be read"), ..HEALTHY }));
    assert_eq!(first(&ranking).0, "cart");
    assert!(first(&ranking).1 >= CLEAR);
}

#[test]
fn a_service_that_fell_silent_is_found_by_its_callers_calls() {
    let mut seen = seen(HEALTHY);
    seen.incident.spans.retain(|s| s.service != "pay");
    let ranking = rank(&seen);
    assert_eq!(first(&ranking).0, "pay");
    assert!(ranking.services().next().unwrap().reasons[0].text.contains("got no answer"));
}

#[test]
fn one_bad_version_beside_a_good_one_is_told_apart() {
    let mut seen = seen(HEALTHY);
    for (n, span) in seen.incident.spans.iter_mut().filter(|s| s.service == "pay").enumerate() {
        span.version = Some(if n % 2 == 0 { "2.0" } else { "1.9" }.into());
        span.error = n % 2 == 0;
    }
    let ranking = rank_with(&seen, &Tunables::default(), &[Signal::Error, Signal::Pattern, Signal::Log]);
    assert_eq!(first(&ranking).0, "pay");
    assert!(ranking.services().next().unwrap().reasons.iter().any(|r| r.text.contains("version 2.0 went badly")));
}

fn change(id: &str, service: &str, minutes_before: i64) -> Change {
    Change {
        id: id.into(),
        service: service.into(),
        version: "v1.3.2".into(),
        at: IMPACT - minutes_before * 60 * SECOND,
    }
}

#[test]
fn a_recent_change_raises_its_service_and_a_later_one_does_not() {
    let mut seen = seen(Shape { cart_gap: 60, ..HEALTHY });
    let without = first(&rank(&seen)).1;
    seen.changes = vec![change("1", "cart", 5), change("2", "shop", 300), change("3", "pay", -2)];
    let ranking = rank(&seen);
    assert!(first(&ranking).1 > without);
    let deployments: Vec<_> = ranking.deployments().map(|d| d.change.as_deref().unwrap()).collect();
    assert_eq!(deployments, ["1", "2"], "the one after the impact is no suspect");
    assert!(ranking.headline.as_deref().unwrap().ends_with("after the deployment of cart v1.3.2."));
}

#[test]
fn with_nothing_but_changes_the_latest_leads_and_what_is_missing_is_said() {
    let changes = vec![change("old", "cart", 200), change("new", "pay", 3)];
    let ranking = rank(&Observation { impact_started_at: IMPACT, changes, ..Observation::default() });
    assert_eq!(ranking.deployments().next().unwrap().change.as_deref(), Some("new"));
    assert!(first(&ranking).1 < CLEAR, "a change alone is no proof");
    assert!(ranking.missing.iter().any(|m| m.contains("no spans since the impact")));
    assert!(rank(&Observation::default()).suspects.is_empty());
}

#[test]
fn calm_is_calm() {
    let (service, score) = {
        let r = rank(&seen(HEALTHY));
        (first(&r).0.to_owned(), first(&r).1)
    };
    assert!(score < 0.2, "{service} {score}");
}

/// Seeds of small systems with faults of five kinds; `faultline eval made` runs many and large ones.
const SMALL: [u64; 7] = [8, 58, 116, 143, 193, 270, 360];

#[test]
fn made_faults_are_found_and_made_calm_is_not_blamed() {
    for seed in SMALL {
        let case = synthetic::case(seed, 1.0);
        assert_eq!(first(&rank(&case.observation)).0, case.fault.service, "seed {seed}");
        let calm = rank(&synthetic::calm(seed));
        assert!(first(&calm).1 < CLEAR, "seed {seed}: {:?}", first(&calm));
    }
}

#[test]
fn the_same_case_is_ranked_the_same() {
    let case = synthetic::case(360, 1.0);
    assert_eq!(rank(&case.observation), rank(&synthetic::case(360, 1.0).observation));
    let mut turned = case.observation.clone();
    turned.incident.spans.reverse();
    turned.baseline.spans.reverse();
    let names = |r: &Ranking| r.services().map(|s| (s.service.clone(), s.score)).collect::<Vec<_>>();
    assert_eq!(names(&rank(&turned)), names(&rank(&case.observation)), "the order of spans does not matter");
}

#[test]
fn a_kept_ranking_reads_back() {
    let ranking = rank(&synthetic::case(116, 1.0).observation);
    let text = serde_json::to_string(&ranking).unwrap();
    assert_eq!(serde_json::from_str::<Ranking>(&text).unwrap(), ranking);
}

#[test]
fn what_changed_is_said() {
    let calm = rank(&seen(HEALTHY));
    let bad = rank(&seen(Shape { cart_gap: 200, ..HEALTHY }));
    assert!(changes_between(&bad, &bad).is_empty());
    assert!(changes_between(&calm, &bad).iter().any(|t| t.starts_with("cart ")));
}

#[test]
fn bodies_are_unwrapped_and_levels_read() {
    let wrapped = r#"{"log":"{\"severity\":\"error\",\"message\":\"no stock for 12\"}","stream":"stdout"}"#;
    let m = message(wrapped);
    assert_eq!((m.text.as_str(), m.error), ("no stock for 12", true));
    let cut = message(r#"{"log":"10:15:01 ERROR f.Food#302 request failed [and so o"#);
    assert!(cut.error && cut.text.starts_with("10:15:01 ERROR"));
    assert!(!message("INFO the error page was shown").error);
}

/// Labelled failures of the folder beside the repository, when it is there: a few, since tests are not optimised.
#[test]
fn real_failures_are_found() {
    let folder =
        std::env::var_os("FAULTLINE_SHARED").map_or_else(|| "../shared".into(), std::path::PathBuf::from).join("rca");
    if !folder.join("cases.json").exists() {
        println!("SKIPPED: no labelled failures at {}; made ones are tested above", folder.display());
        return;
    }
    use super::evaluation::{load, score};
    let entries = load::entries(&folder).unwrap();
    let few: Vec<_> = entries.iter().filter(|e| e.system == "TrainTicket").step_by(8).collect();
    let outcomes = few.iter().map(|e| {
        let seen = load::observation(&folder, e).unwrap();
        score::outcome(e, &seen, &Tunables::default(), &[])
    });
    let report = score::report(outcomes.collect());
    assert!(report.overall.service_first > 0.6, "{report:?}");
}

prop_compose! {
    fn any_span()(
        trace in 0..3_u8, id in 0..12_u8, parent in proptest::option::of(0..12_u8), service in 0..4_u8,
        operation in 0..3_u8, start in -5..200_i64, length in -20..300_i64, error: bool,
    ) -> Span {
        Span {
            trace_id: trace.to_string(),
            span_id: id.to_string(),
            parent_id: parent.map(|p| p.to_string()),
            service: format!("s{service}"),
            operation: format!("o{operation}"),
            version: None,
            start: IMPACT + start * MS,
            end: IMPACT + (start + length) * MS,
            error,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Loops of parents, spans twice, ends before starts: whatever comes is ranked, with scores between 0 and 1.
    #[test]
    fn anything_can_be_ranked(
        before in proptest::collection::vec(any_span(), 0..60),
        after in proptest::collection::vec(any_span(), 0..60),
        impact in -100..200_i64,
    ) {
        let seen = Observation {
            impact_started_at: IMPACT + impact * MS,
            baseline: Telemetry { spans: before, logs: Vec::new() },
            incident: Telemetry { spans: after, logs: Vec::new() },
            ..Observation::default()
        };
        let ranking = rank(&seen);
        for (at, suspect) in ranking.suspects.iter().enumerate() {
            prop_assert_eq!(suspect.rank, at + 1);
            prop_assert!((0.0..=1.0).contains(&suspect.score));
        }
        prop_assert_eq!(&ranking, &rank(&seen));
    }

    /// A delay of the call alone lengthens no work: what the next property relies on.
    #[test]
    fn a_gap_leaves_the_callees_own_time(gap in 0..600_i64) {
        let (spans, _) = request(0, IMPACT, Shape { cart_gap: gap, ..HEALTHY });
        let time = |at: usize| (spans[at].end - spans[at].start) / MS;
        prop_assert_eq!(time(2), HEALTHY.cart_own);
        prop_assert_eq!(time(1) - time(2), gap + 2);
    }

    /// More delay never makes the delayed service less suspect by more than rounding.
    #[test]
    fn a_longer_delay_is_no_weaker_evidence(short in 20..200_i64, more in 1..400_i64) {
        let score = |gap| {
            let r = rank(&seen(Shape { cart_gap: gap, ..HEALTHY }));
            r.services().find(|s| s.service == "cart").map_or(0.0, |s| s.score)
        };
        prop_assert!(score(short + more) + 1e-9 >= score(short));
    }
}
