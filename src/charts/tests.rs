//! What every drawing keeps: escaped text, finite positions within the frame, reachable marks.

use askama::Template;
use proptest::prelude::*;

use super::*;

const HOSTILE: &str = "<script>alert(\"1\")</script> & 'co'";

fn range(label: &str, p50: f64) -> Range {
    Range {
        label: label.into(),
        href: Some("/reports/incidents?service=cart&measure=mttr".into()),
        n: 7,
        mean: p50 * 1.5,
        p50,
        p90: p50 * 3.0,
        p95: p50 * 4.0,
        interval: Some((p50, p50 * 2.0)),
    }
}

fn drawings(seconds: &[f64]) -> Vec<Scene> {
    let link = || Some("/x".to_owned());
    vec![
        RangeChart {
            id: "r".into(),
            title: HOSTILE.into(),
            rows: seconds.iter().map(|s| range(HOSTILE, *s)).collect(),
        }
        .draw(),
        TrendChart {
            id: "t".into(),
            title: HOSTILE.into(),
            target: Some(3_600.0),
            points: seconds
                .iter()
                .map(|s| TrendPoint {
                    label: HOSTILE.into(),
                    href: link(),
                    n: 3,
                    percentiles: Some((*s, s * 2.0, s * 3.0)),
                })
                .collect(),
        }
        .draw(),
        StripChart {
            id: "s".into(),
            title: HOSTILE.into(),
            strips: vec![Strip {
                label: HOSTILE.into(),
                dots: seconds
                    .iter()
                    .map(|s| Dot { label: HOSTILE.into(), href: link(), seconds: *s, severity: 1 })
                    .collect(),
            }],
        }
        .draw(),
        ColumnChart {
            id: "c".into(),
            title: HOSTILE.into(),
            columns: seconds
                .iter()
                .map(|_| Column { label: HOSTILE.into(), href: link(), counts: [1, 0, 2, 3] })
                .collect(),
        }
        .draw(),
    ]
}

fn points(shape: &Shape) -> Vec<(f64, f64)> {
    match shape {
        Shape::Line { x1, y1, x2, y2, .. } => vec![(x1.0, y1.0), (x2.0, y2.0)],
        Shape::Rect { x, y, width, height, .. } => vec![(x.0, y.0), (x.0 + width.0, y.0 + height.0)],
        Shape::Circle { x, y, .. } | Shape::Text { x, y, .. } => vec![(x.0, y.0)],
        Shape::Path { points, .. } => points.iter().map(|(x, y)| (x.0, y.0)).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn everything_is_drawn_within_the_frame(seconds in prop::collection::vec(0.0_f64..1e9, 0..30)) {
        for scene in drawings(&seconds) {
            let shapes = scene.ground.iter().chain(scene.marks.iter().flat_map(|m| &m.shapes));
            for (x, y) in shapes.flat_map(points) {
                prop_assert!((-0.01..=scene.width.0 + 0.01).contains(&x), "x {x} in {}", scene.id);
                prop_assert!((-0.01..=scene.height.0 + 0.01).contains(&y), "y {y} in {}", scene.id);
            }
        }
    }
}

#[test]
fn text_is_escaped_and_nothing_is_styled_inline() {
    for scene in drawings(&[1.0, 60.0, 86_400.0]) {
        let svg = scene.render().expect("renders");
        assert!(!svg.contains("<script"), "{svg}");
        assert!(!svg.contains("style="), "{svg}");
        assert!(svg.contains("<title id="), "a title");
        assert!(svg.contains("<desc id="), "a description");
        assert!(svg.contains("aria-label="), "marks are named");
        quick_check_well_formed(&svg);
    }
}

fn quick_check_well_formed(svg: &str) {
    let mut reader = quick_xml::Reader::from_str(svg);
    loop {
        match reader.read_event() {
            Ok(quick_xml::events::Event::Eof) => break,
            Ok(_) => {}
            Err(e) => panic!("not well formed: {e}\n{svg}"),
        }
    }
}

#[test]
fn a_longer_time_is_further_along_the_axis() {
    let scale = LogScale::covering([10.0, 50_000.0].into_iter(), 100.0, 700.0);
    let places: Vec<f64> = [10.0, 60.0, 900.0, 4_000.0, 50_000.0].iter().map(|s| scale.at(*s)).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(scale.ticks(38.0).windows(2).all(|pair| pair[1].0 - pair[0].0 >= 38.0));
}

#[test]
fn numbers_that_are_none_do_not_break_a_drawing() {
    assert_eq!(Px(f64::NAN).to_string(), "0");
    assert_eq!(Px(-0.01).to_string(), "0");
    assert_eq!(Px(12.34).to_string(), "12.3");
    let scale = LogScale::covering([f64::NAN, f64::INFINITY].into_iter(), 0.0, 10.0);
    assert!(scale.at(60.0).is_finite());
}

#[test]
fn empty_periods_are_not_links() {
    let point = TrendPoint { label: "2026-W01".into(), href: Some("/x".into()), n: 0, percentiles: None };
    let scene = TrendChart { id: "t".into(), title: "t".into(), points: vec![point], target: None }.draw();
    assert_eq!(scene.marks[0].href, None);
    assert_eq!(scene.marks[0].label, "2026-W01: no values");
}

#[test]
fn short_durations_have_one_unit() {
    let shown: Vec<String> = [0.4, 45.0, 90.0, 754.0, 12_600.0, 200_000.0].iter().map(|s| short_duration(*s)).collect();
    assert_eq!(shown, ["0.4s", "45s", "1.5m", "13m", "3.5h", "2.3d"]);
}
